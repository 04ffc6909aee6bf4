"""The kinds of column that the schema is made of, each spelt once."""

from collections.abc import Iterable

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKey,
    Integer,
    String,
    Text,
    literal_column,
)

BIG = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only in a column named INTEGER


def in_list(column: str, values: tuple[str, ...]) -> str:
    """SQL that holds where `column` is one of `values`, written alike in constraints and indexes."""
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


def literally_in(column: Column[str], values: Iterable[str]) -> ColumnElement[bool]:
    """A condition on words of our own, written out.

    Bound values of `IN` are spelt anew at each execution, and no database knows the condition of a partial index
    by them.
    """
    return column.in_([literal_column(f"'{value}'") for value in values])


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(in_list(column, values), name=column)


def id_(name: str = "id") -> Column[str]:
    return Column(name, String(64), primary_key=True)


def number() -> Column[int]:
    return Column("id", BIG, primary_key=True, autoincrement=True)


def ref(name: str, target: str, *, nullable: bool = False, primary_key: bool = False) -> Column[str]:
    return Column(name, String(64), ForeignKey(target), nullable=nullable, primary_key=primary_key)


def long_text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def word(name: str, *, nullable: bool = False, primary_key: bool = False) -> Column[str]:
    return Column(name, String(64), nullable=nullable, primary_key=primary_key)


def ms(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def origin() -> Column[str]:
    """The code of `dispatcher.store.origin`; NULL: no program of ours vouches for this row."""
    return Column("origin", String(64), nullable=True)


def integer(name: str, *, nullable: bool = False, primary_key: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable, primary_key=primary_key, autoincrement=False)


def flag(name: str, *, nullable: bool = False) -> Column[bool]:
    return Column(name, Boolean, nullable=nullable)
