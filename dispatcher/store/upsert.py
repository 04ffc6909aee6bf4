"""`INSERT ... ON CONFLICT`, the one statement that SQLAlchemy spells once per dialect."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from dispatcher.store.later import write_later

Row = Mapping[str, Any]
Insert = sqlite.Insert | postgresql.Insert


def upsert(connection: Connection, table: Table, row: Row, update: Sequence[str] | None = None) -> None:
    """Insert a row, or where its primary key exists set the columns `update` (all others, where absent)."""
    changed = tuple(row) if update is None else tuple(update)
    connection.execute(_upsert(connection.dialect.name, table, changed), row)


def upsert_later(connection: Connection, table: Table, row: Row, update: Sequence[str]) -> None:
    """`upsert` at the end of the transaction, or before the next statement that names the table."""
    write_later(connection, _upsert(connection.dialect.name, table, tuple(update)), row)


def upsert_all(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """`upsert` of several rows with the same columns."""
    if rows:
        connection.execute(_upsert(connection.dialect.name, table, tuple(rows[0])), rows)


def insert_absent(connection: Connection, table: Table, row: Row) -> bool:
    """Insert a row unless a unique constraint is in the way; whether it was inserted."""
    return connection.execute(_insert_absent(connection.dialect.name, table), row).rowcount > 0


@cache  # one for each table and set of columns that the code names: to build it costs more than to execute it
def _upsert(dialect: str, table: Table, changed: tuple[str, ...]) -> Insert:
    statement = _insert(dialect, table)
    key = [column.name for column in table.primary_key]
    values = {name: statement.excluded[name] for name in changed if name not in key}
    return statement.on_conflict_do_update(index_elements=key, set_=values)


@cache
def _insert_absent(dialect: str, table: Table) -> Insert:
    # without the option PostgreSQL's driver does not say how many rows there were
    return _insert(dialect, table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


def _insert(dialect: str, table: Table) -> Insert:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
