"""Reads what became of keys: handovers as the cabinets saw them, rentals from take to return."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, or_, select

from dispatcher.store.paging import Page, PageRequest, cut, in_order
from dispatcher.store.schema import handovers, rentals


@dataclass(frozen=True, slots=True)
class UseFilter:
    """What handovers and rentals are listed by; absent: not asked."""

    cabinet_id: str | None = None
    vehicle_id: str | None = None
    booking_id: str | None = None
    from_ms: int | None = None
    """Only handovers from this instant on; only rentals that end after it, or have not ended."""
    until_ms: int | None = None
    """Only handovers before this instant; only rentals that begin before it."""


@dataclass(frozen=True, slots=True)
class Handover:
    position: int
    """Of its fact in the ledger."""
    kind: str
    cabinet_id: str
    slot: int
    key_id: str | None
    vehicle_id: str | None
    booking_id: str | None
    badge_ref: str | None
    at_ms: int
    identity: str
    wrong_slot: bool
    command_id: str | None


@dataclass(frozen=True, slots=True)
class Rental:
    id: int
    booking_id: str | None
    vehicle_id: str | None
    key_id: str | None
    cabinet_id: str
    taken_ms: int
    returned_ms: int | None
    odometer_start_m: int | None
    odometer_end_m: int | None
    energy_start_percent: int | None
    energy_end_percent: int | None

    @property
    def distance_m(self) -> int | None:
        """None: one of its ends is not known, or the odometer went back."""
        if self.odometer_start_m is None or self.odometer_end_m is None:
            return None
        driven_m = self.odometer_end_m - self.odometer_start_m
        return driven_m if driven_m >= 0 else None


_HANDOVERS = select(handovers)
_RENTALS = select(*(column for column in rentals.c if column.name != "badge_ref"))


def handovers_page(connection: Connection, wanted: UseFilter, request: PageRequest) -> Page[Handover]:
    """Handovers in the order in which they happened, by the cabinets' clocks."""
    statement: Select[Any] = _HANDOVERS
    for column, value in (
        (handovers.c.cabinet_id, wanted.cabinet_id),
        (handovers.c.vehicle_id, wanted.vehicle_id),
        (handovers.c.booking_id, wanted.booking_id),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if wanted.from_ms is not None:
        statement = statement.where(handovers.c.at_ms >= wanted.from_ms)
    if wanted.until_ms is not None:
        statement = statement.where(handovers.c.at_ms < wanted.until_ms)
    rows = connection.execute(in_order(statement, [handovers.c.at_ms, handovers.c.position], request)).all()
    return cut([Handover(**row._asdict()) for row in rows], request, lambda item: (item.at_ms, item.position))


def rentals_page(
    connection: Connection, wanted: UseFilter, request: PageRequest, *, only_open: bool = False
) -> Page[Rental]:
    """Rentals in the order in which their keys were taken."""
    statement: Select[Any] = _RENTALS
    for column, value in (
        (rentals.c.cabinet_id, wanted.cabinet_id),
        (rentals.c.vehicle_id, wanted.vehicle_id),
        (rentals.c.booking_id, wanted.booking_id),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if wanted.from_ms is not None:
        statement = statement.where(or_(rentals.c.returned_ms.is_(None), rentals.c.returned_ms > wanted.from_ms))
    if wanted.until_ms is not None:
        statement = statement.where(rentals.c.taken_ms < wanted.until_ms)
    if only_open:
        statement = statement.where(rentals.c.returned_ms.is_(None))
    rows = connection.execute(in_order(statement, [rentals.c.taken_ms, rentals.c.id], request)).all()
    return cut([Rental(**row._asdict()) for row in rows], request, lambda item: (item.taken_ms, item.id))
