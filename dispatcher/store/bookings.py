"""Reads and writes booking rows. Whether a vehicle is free is the database's word, at the moment of writing."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from dispatcher.core.booking_states import BookingState
from dispatcher.core.orders import SWAP_HOLD
from dispatcher.core.windows import Window
from dispatcher.store.isolation import set_apart, undone_if_it_fails
from dispatcher.store.later import Mind, mind_of, write_later
from dispatcher.store.origin import Origin, origin_of
from dispatcher.store.paging import Page, PageRequest, cut, in_order
from dispatcher.store.schema import booking_drivers, booking_history, bookings

OVERLAP = "booking_overlap"  # what the triggers and the exclusion constraint of the migrations are called
BLOCKED = "booking_blocked"  # what the triggers say of new time under a block


@dataclass(frozen=True, slots=True)
class Booking:
    id: str
    grant_id: str
    member_id: str
    organisation_id: str | None
    vehicle_id: str
    category: str | None
    """Set where the member booked a category; the vehicle is then the planned one."""
    station_id: str
    cabinet_id: str
    key_id: str
    start_ms: int
    end_ms: int
    original_start_ms: int
    take_by_ms: int
    state: BookingState
    taken_ms: int | None
    returned_ms: int | None
    hold_until_ms: int | None
    ended_ms: int | None
    created_ms: int
    changed_ms: int
    version: int
    purpose: str | None = None
    """Of a service order; None: a member's booking; `SWAP_HOLD`: neither, it only keeps a vehicle."""
    cost_centre_id: str | None = None
    pool_id: str | None = None
    """Whose members may take the key beside the owner."""
    driver_ids: tuple[str, ...] = ()
    """Who may take the key beside the owner."""
    has_origin: bool = True
    """Read: this program wrote the row as it stands. Of a row that has none, no form gets one."""

    @property
    def window(self) -> Window:
        return Window(self.start_ms, self.end_ms)


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    number: int
    at_ms: int
    what: str
    author: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BookingFilter:
    """What bookings are listed by; absent: not asked."""

    station_id: str | None = None
    vehicle_id: str | None = None
    member_id: str | None = None
    states: tuple[str, ...] = ()
    from_ms: int | None = None
    """Only those that end after this instant."""
    until_ms: int | None = None
    """Only those that start before this instant."""
    orders: bool = False
    """True: service orders, False: members' bookings. Nothing lists both."""


_COLUMNS = tuple(field.name for field in fields(Booking) if field.name not in {"driver_ids", "has_origin"})
_NEW, _NEW_DRIVER, _HISTORY = insert(bookings), insert(booking_drivers), insert(booking_history).inline()
_NO_DRIVERS = delete(booking_drivers).where(booking_drivers.c.booking_id == bindparam("booking"))
_THIS = update(bookings).where(bookings.c.id == bindparam("this"))
_BY_ID: Select[Any] = select(bookings).where(bookings.c.id == bindparam("this"))
_OF_GRANT: Select[Any] = (  # with its drivers, in one look: facts ask for it
    select(bookings, booking_drivers.c.member_id.label("driver_id"))
    .outerjoin(booking_drivers, booking_drivers.c.booking_id == bookings.c.id)
    .where(bookings.c.grant_id == bindparam("this"))
    .with_for_update(of=bookings)
)
_LOCKED = _BY_ID.with_for_update()  # SQLite has one writer, its transactions begin with the lock: left out there
_DRIVERS = (
    select(booking_drivers)
    .where(booking_drivers.c.booking_id.in_(bindparam("bookings", expanding=True)))
    .order_by(booking_drivers.c.booking_id, booking_drivers.c.member_id)
)


def insert_booking(connection: Connection, booking: Booking) -> bool:
    """Write a new booking; False where the database says that the vehicle is not free.

    Who asks has judged the calendar, so that it hardly ever does: a hopeful transaction has no savepoint for it.
    """
    try:
        with set_apart(connection):  # PostgreSQL gives up the transaction otherwise
            connection.execute(_NEW, _row(connection, booking))
    except IntegrityError as error:
        _raise_unless_overlap(error)
        return False
    for driver_id in booking.driver_ids:
        connection.execute(_NEW_DRIVER, {"booking_id": booking.id, "member_id": driver_id})
    return True


def move_booking(connection: Connection, booking: Booking) -> Booking:
    """Write a booking in another state that keeps its vehicle and its window, or frees them: nothing to overlap.

    As it is written, in its next version.
    """
    moved = replace(booking, version=booking.version + 1)
    row = _row(connection, moved)
    del row["id"]
    change = {"this": moved.id, **row}
    mind = mind_of(connection)
    if mind is None:
        connection.execute(_THIS, change)
    else:
        _kept(mind).move(moved, change)
    return moved


class _KeptBookings:
    """Bookings that a transaction asked for by their grant, and those that it moved: one may move several times."""

    def __init__(self) -> None:
        self.by_grant: dict[str, Booking | None] = {}
        self._moved: dict[str, Mapping[str, Any]] = {}

    def move(self, booking: Booking, change: Mapping[str, Any]) -> None:
        self._moved[booking.id] = change
        self.by_grant[booking.grant_id] = booking

    def write(self, connection: Connection) -> None:
        if self._moved:
            connection.execute(_THIS, list(self._moved.values()))
        self._moved.clear()


def _kept(mind: Mind) -> _KeptBookings:
    return mind.of(bookings.name, _KeptBookings)


def update_booking(connection: Connection, booking: Booking) -> bool:
    """Write a changed booking, and `write_drivers` those that are others; False where the vehicle is not free."""
    row = _row(connection, replace(booking, version=booking.version + 1))
    del row["id"]
    try:
        with undone_if_it_fails(connection):
            connection.execute(_THIS, {"this": booking.id, **row})
    except IntegrityError as error:
        _raise_unless_overlap(error)
        return False
    return True


def write_drivers(connection: Connection, booking: Booking) -> None:
    """Make its drivers those that it names; the row itself, whose code covers them, is written before."""
    mind = mind_of(connection)
    if mind is not None:
        _kept(mind).by_grant.pop(booking.grant_id, None)
    connection.execute(_NO_DRIVERS, {"booking": booking.id})
    for driver_id in booking.driver_ids:
        connection.execute(_NEW_DRIVER, {"booking_id": booking.id, "member_id": driver_id})


def _row(connection: Connection, booking: Booking) -> dict[str, Any]:
    """The row as it is written. What was found without an origin is moved on, and never given one that way."""
    row: dict[str, Any] = {name: getattr(booking, name) for name in _COLUMNS}
    code = origin_of(connection).code(bookings, row, booking.driver_ids) if booking.has_origin else None
    return {**row, "origin": code}


def _raise_unless_overlap(error: IntegrityError) -> None:
    said = str(error.orig)
    if OVERLAP not in said and BLOCKED not in said:
        raise error


def add_history(
    connection: Connection, booking_id: str, at_ms: int, what: str, author: str, detail: Mapping[str, Any]
) -> None:
    text = json.dumps(detail, separators=(",", ":"), sort_keys=True)
    row = {"booking_id": booking_id, "at_ms": at_ms, "what": what, "author": author, "detail": text}
    write_later(connection, _HISTORY, row)


def history_page(connection: Connection, booking_id: str, request: PageRequest) -> Page[HistoryEntry]:
    """What happened to a booking, oldest first."""
    statement = select(booking_history).where(booking_history.c.booking_id == booking_id)
    rows = connection.execute(in_order(statement, [booking_history.c.id], request)).all()
    entries = [HistoryEntry(row.id, row.at_ms, row.what, row.author, json.loads(row.detail)) for row in rows]
    return cut(entries, request, lambda entry: (entry.number,))


def booking_by_id(connection: Connection, booking_id: str, *, lock: bool = False) -> Booking | None:
    """One booking. `lock`: nobody else changes it before the end of this transaction."""
    found = _read(connection, _LOCKED if lock else _BY_ID, {"this": booking_id})
    return found[0] if found else None


def booking_by_grant(connection: Connection, grant_id: str) -> Booking | None:
    """The booking that a grant stands for, as `booking_by_id` with its lock."""
    mind = mind_of(connection)
    if mind is None:
        return _read_grant(connection, grant_id)
    if grant_id not in _kept(mind).by_grant:
        found = _read_grant(connection, grant_id)
        _kept(mind).by_grant[grant_id] = found
    return _kept(mind).by_grant[grant_id]


def _read_grant(connection: Connection, grant_id: str) -> Booking | None:
    rows = connection.execute(_OF_GRANT, {"this": grant_id}).mappings().all()
    if not rows:
        return None
    row = dict(rows[0])
    drivers = sorted(found["driver_id"] for found in rows if found["driver_id"] is not None)
    del row["driver_id"]
    return _booking(row, tuple(drivers), origin_of(connection))


def bookings_page(connection: Connection, wanted: BookingFilter, request: PageRequest) -> Page[Booking]:
    """Bookings in the order of their start."""
    statement = in_order(_filtered(wanted), [bookings.c.start_ms, bookings.c.id], request)
    return cut(_read(connection, statement), request, lambda booking: (booking.start_ms, booking.id))


def _filtered(wanted: BookingFilter) -> Select[Any]:
    of_purpose = bookings.c.purpose != SWAP_HOLD if wanted.orders else bookings.c.purpose.is_(None)
    statement = select(bookings).where(of_purpose)
    for column, value in (
        (bookings.c.station_id, wanted.station_id),
        (bookings.c.vehicle_id, wanted.vehicle_id),
        (bookings.c.member_id, wanted.member_id),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if wanted.states:
        statement = statement.where(bookings.c.state.in_(wanted.states))
    if wanted.from_ms is not None:
        statement = statement.where(bookings.c.end_ms > wanted.from_ms)
    if wanted.until_ms is not None:
        statement = statement.where(bookings.c.start_ms < wanted.until_ms)
    return statement


def _read(connection: Connection, statement: Select[Any], values: Mapping[str, Any] | None = None) -> list[Booking]:
    rows = connection.execute(statement, values or {}).all()
    drivers_of = _drivers(connection, [row.id for row in rows])
    return [_booking(row._asdict(), tuple(drivers_of[row.id]), origin_of(connection)) for row in rows]


def _booking(row: dict[str, Any], driver_ids: tuple[str, ...], origin: Origin) -> Booking:
    has_origin = origin.holds(bookings, row, driver_ids)
    del row["origin"]
    state = BookingState(row.pop("state"))
    return Booking(**row, state=state, driver_ids=driver_ids, has_origin=has_origin)


def _drivers(connection: Connection, booking_ids: Sequence[str]) -> dict[str, list[str]]:
    drivers_of: dict[str, list[str]] = defaultdict(list)
    for row in connection.execute(_DRIVERS, {"bookings": booking_ids}):
        drivers_of[row.booking_id].append(row.member_id)
    return drivers_of
