"""Writes rows of the network with their origin, and keeps who changed what. No row of somebody else is signed."""

from collections.abc import Mapping
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, bindparam, insert, select, update

from dispatcher.core.life_cycles import NetworkReason, NetworkRefused
from dispatcher.store.changes import Author, keep_change
from dispatcher.store.origin import SIGNED, origin_of, with_origin

T = TypeVar("T")
Row = dict[str, Any]


def row_of(connection: Connection, table: Table, row_id: str) -> Row | None:
    """A row by its id, for this transaction alone."""
    statement = select(table).where(table.c.id == bindparam("this")).with_for_update()
    found = connection.execute(statement, {"this": row_id}).mappings().one_or_none()
    return None if found is None else {str(name): value for name, value in found.items()}


def add_row(connection: Connection, by: Author, table: Table, row: Mapping[str, Any]) -> Row:
    """Insert a new row; as it was written."""
    written = with_origin(connection, table, row) if table in SIGNED else dict(row)
    connection.execute(insert(table).values(written))
    keep_change(connection, by, table.name, str(row["id"]), None, row)
    return written


def check_ours(connection: Connection, table: Table, row: Mapping[str, Any]) -> NetworkRefused | None:
    """Whether this program wrote a row: what it did not write it does not sign either."""
    if table not in SIGNED or origin_of(connection).holds(table, row):
        return None
    expected = "a row that this program wrote; import it from your own records"
    return NetworkRefused(NetworkReason.NOT_OUR_ROW, "id", str(row["id"]), expected)


def change_row(
    connection: Connection, by: Author, table: Table, before: Mapping[str, Any], different: Mapping[str, Any]
) -> Row:
    """Write what is different of a row that `check_ours` let pass; as it is then."""
    changed = {name: value for name, value in different.items() if before[name] != value}
    after = {**before, **changed}
    if not changed:
        return after
    if table in SIGNED:
        after = with_origin(connection, table, after)
        changed["origin"] = after["origin"]
    connection.execute(update(table).where(table.c.id == before["id"]).values(changed))
    keep_change(connection, by, table.name, str(before["id"]), _plain(before), _plain(after))
    return after


def _plain(row: Mapping[str, Any]) -> Row:
    return {name: value for name, value in row.items() if name != "origin"}
