"""Rows that would be rights, had this program written them: kept out, and named as incidents."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, select

from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.store.incidents import open_subjects, settle
from dispatcher.store.origin import SIGNED, Origin, origin_of
from dispatcher.store.schema import (
    LIVE_BOOKING_STATES,
    badges,
    booking_drivers,
    bookings,
    commands,
    keys,
    members,
    pool_members,
)

COUNTS_WHILE: Mapping[Table, tuple[str, Sequence[str | None]]] = MappingProxyType(
    {
        bookings: ("state", LIVE_BOOKING_STATES),
        members: ("standing", ("active",)),
        badges: ("state", ("active",)),
        keys: ("life_cycle", ("in_service",)),
        pool_members: ("state", ("active",)),
        commands: ("outcome", (None, "received")),
    }
)
"""A column and its values with which a row can be part of a right; a table that is not here: always."""


class Sieve:
    """Lets rows pass that have an origin; of the others it keeps those that would have been part of a right."""

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._found: dict[str, Discrepancy] = {}

    def passes(self, table: Table, row: RowMapping, driver_ids: Sequence[str] = ()) -> bool:
        """Whether the row has an origin."""
        if self._origin.holds(table, row, driver_ids):
            return True
        if could_count(table, row):
            discrepancy = without_origin(table, row)
            self._found[discrepancy.subject] = discrepancy
        return False

    @property
    def kept(self) -> tuple[Discrepancy, ...]:
        """One for each row, however often it was met."""
        return tuple(self._found.values())


def could_count(table: Table, row: Mapping[Any, Any]) -> bool:
    """Whether a row can be part of a right as it says of itself."""
    column, values = COUNTS_WHILE.get(table, (None, ()))
    return column is None or row[column] in values


def settle_rows(connection: Connection, found: Iterable[Discrepancy], now_ms: int) -> None:
    """Open what was found; close what is open and whose row is gone, over or good, and nothing else.

    Whether a cabinet still asks for the row does not matter: another one may, tomorrow.
    """
    wanted = {discrepancy.subject: discrepancy for discrepancy in found}
    already_open = open_subjects(connection, IncidentKind.ROW_WITHOUT_ORIGIN)
    if not wanted and not already_open:
        return
    for subject in sorted(already_open - wanted.keys()):
        wanted.update({still.subject: still for still in _without_origin_of(connection, subject)})
    settle(connection, wanted.values(), (IncidentKind.ROW_WITHOUT_ORIGIN,), now_ms)


def rows_with_drivers(
    connection: Connection, table: Table, row_id: str | None = None
) -> Iterator[tuple[RowMapping, list[str]]]:
    """All rows of a table, or those of one id; with the drivers of a booking."""
    rows = select(table)
    pairs = select(booking_drivers)
    if row_id is not None:
        rows = rows.where(_id_column(table) == row_id)
        pairs = pairs.where(booking_drivers.c.booking_id == row_id)
    drivers: dict[str, list[str]] = defaultdict(list)
    for pair in connection.execute(pairs) if table is bookings else ():
        drivers[pair.booking_id].append(pair.member_id)
    for row in connection.execute(rows).mappings():
        yield row, drivers[row[_id_column(table)]]


def subject_of(table: Table, row: Mapping[Any, Any]) -> str:
    """A row as incidents and the command line name it: never by what a badge or a tag reads."""
    return f"{table.name}/{row[_id_column(table)]}"


def _id_column(table: Table) -> Any:
    return next(iter(table.primary_key))


def _without_origin_of(connection: Connection, subject: str) -> Iterator[Discrepancy]:
    name, _, row_id = subject.partition("/")
    table = next((table for table in SIGNED if table.name == name), None)
    if table is None:  # incidents are rows too, and of these anybody who writes to the database can make some
        return
    origin = origin_of(connection)
    for row, driver_ids in rows_with_drivers(connection, table, row_id):
        if could_count(table, row) and not origin.holds(table, row, driver_ids):
            yield without_origin(table, row)


def without_origin(table: Table, row: Mapping[Any, Any]) -> Discrepancy:
    """The incident of a row that would be a right."""
    is_booking = table is bookings
    return Discrepancy(
        IncidentKind.ROW_WITHOUT_ORIGIN,
        subject_of(table, row),
        expected="a row as this program wrote it",
        seen="it carries no code" if row["origin"] is None else "its code does not fit what it says",
        cabinet_id=row["cabinet_id"] if is_booking or table is commands else None,
        vehicle_id=row["vehicle_id"] if is_booking else None,
        booking_id=row["id"] if is_booking else None,
    )
