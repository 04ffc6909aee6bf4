"""`INSERT ... ON CONFLICT`, the one statement that SQLAlchemy spells once per dialect."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Row = Mapping[str, Any]


def upsert(connection: Connection, table: Table, row: Row, update: Sequence[str] | None = None) -> None:
    """Insert a row, or where its primary key exists set the columns `update` (all others, where absent)."""
    statement = _insert(connection, table).values(dict(row))
    key = [column.name for column in table.primary_key]
    names = [name for name in row if name not in key] if update is None else update
    changed = {name: row[name] for name in names}  # `excluded` says the same and is slow to build
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changed))


def insert_absent(connection: Connection, table: Table, row: Row) -> bool:
    """Insert a row unless a unique constraint is in the way; whether it was inserted."""
    statement = _insert(connection, table).values(dict(row)).on_conflict_do_nothing()
    return connection.execute(statement).rowcount > 0


def _insert(connection: Connection, table: Table) -> "sqlite.Insert | postgresql.Insert":
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
