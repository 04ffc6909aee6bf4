"""Puts somebody else in a member's place in bookings that are over: they stay for the figures, and are no right."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from dispatcher.store.ids import RandomBytes, new_id
from dispatcher.store.origin import origin_of, with_origin
from dispatcher.store.schema import booking_drivers, bookings, members
from dispatcher.store.upsert import insert_absent

FORGOTTEN = "forgotten"
"""The member of all bookings that are past their limit."""

_BOOKINGS = select(bookings).where(bookings.c.id.in_(bindparam("bookings", expanding=True))).order_by(bookings.c.id)
_DRIVERS = (
    select(booking_drivers.c.member_id)
    .where(booking_drivers.c.booking_id == bindparam("booking"))
    .order_by(booking_drivers.c.member_id)
)
_THIS = update(bookings).where(bookings.c.id == bindparam("this"))
_NO_DRIVERS = delete(booking_drivers).where(booking_drivers.c.booking_id == bindparam("booking"))
_NEW_DRIVER = insert(booking_drivers)


def stand_in(connection: Connection, member_id: str, now_ms: int) -> None:
    """Make the row that stands for somebody who is not known any more, where it is not there yet."""
    row = {"id": member_id, "name": "", "organisation_id": None, "standing": "suspended", "erased_ms": now_ms}
    insert_absent(connection, members, with_origin(connection, members, row))


def forget_bookings(
    connection: Connection, booking_ids: Sequence[str], random_bytes: RandomBytes, now_ms: int
) -> None:
    """Nobody is known of these bookings any more: neither owner nor drivers.

    The grant gets another id. What the ledger keeps of facts is a hash over them, and whoever has the database
    could try who fits it: without the id that the facts named, nothing does.
    """
    stand_in(connection, FORGOTTEN, now_ms)
    for row in connection.execute(_BOOKINGS, {"bookings": list(booking_ids)}).all():
        _rewrite(connection, row, member_id=FORGOTTEN, drivers=(), grant_id=new_id(random_bytes))


def replace_member(connection: Connection, booking_ids: Sequence[str], member_id: str, other_id: str) -> None:
    """Put another in a member's place, as owner and as driver."""
    for row in connection.execute(_BOOKINGS, {"bookings": list(booking_ids)}).all():
        before = _drivers(connection, row.id)
        drivers = sorted({other_id if driver == member_id else driver for driver in before})
        owner = other_id if row.member_id == member_id else row.member_id
        _rewrite(connection, row, member_id=owner, drivers=drivers, grant_id=row.grant_id)


def _rewrite(
    connection: Connection, row: Row[Any], *, member_id: str, drivers: Sequence[str], grant_id: str
) -> None:
    """With a good code where the row had one before, and without one where it had none."""
    before = _drivers(connection, row.id)
    changed = {**row._asdict(), "member_id": member_id, "grant_id": grant_id, "version": row.version + 1}
    origin = origin_of(connection)
    good = origin.holds(bookings, row._mapping, before)  # noqa: SLF001  # public: so named to hide no column
    code = origin.code(bookings, changed, drivers) if good else None
    values = {name: changed[name] for name in ("member_id", "grant_id", "version")}
    connection.execute(_THIS, {"this": row.id, **values, "origin": code})
    if list(drivers) != before:
        connection.execute(_NO_DRIVERS, {"booking": row.id})
        if drivers:
            connection.execute(_NEW_DRIVER, [{"booking_id": row.id, "member_id": driver} for driver in drivers])


def _drivers(connection: Connection, booking_id: str) -> list[str]:
    return list(connection.execute(_DRIVERS, {"booking": booking_id}).scalars())
