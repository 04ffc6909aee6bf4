"""A condition on many ids, in one text for any number of them.

`IN` with bound values is spelt anew at each execution, a parameter for each value: at the 75 vehicles of a network
that is a third of what a statement costs, and PostgreSQL prepares each length on its own.
"""

import json
from collections.abc import Sequence
from typing import Any, Self

from sqlalchemy import Boolean, Column, ColumnElement, Text, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeDecorator, TypeEngine


class _Ids(TypeDecorator[Sequence[str]]):
    """A list of ids as one value: an array, or where there are none the text of one."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(Text()) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> Any:
        assert value is not None, "a list of ids is given, if an empty one"
        return list(value) if dialect.name == "postgresql" else json.dumps(list(value))


class _Among(FunctionElement[bool]):
    name = "among"
    type = Boolean()
    inherit_cache = True

    def self_group(self, against: OperatorType | None = None) -> Self:
        """As it is: compared with 1, as a function that is a condition is spelt for SQLite, it uses no index."""
        return self


def among(column: Column[str], parameter: str) -> ColumnElement[bool]:
    """Holds where `column` is one of the ids that are given at execution, as a list named `parameter`."""
    return _Among(column, bindparam(parameter, type_=_Ids()))


@compiles(_Among, "postgresql")
def _in_array(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, ids = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY ({ids})"


@compiles(_Among, "sqlite")
def _in_json(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, ids = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({ids}))"  # noqa: S608  # parts that SQLAlchemy compiled
