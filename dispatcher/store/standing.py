"""What a member's standing does to bookings: the right is withheld, the booking stays, and both are told."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, exists, or_, select

from dispatcher.core.booking_states import BookingState
from dispatcher.store.bookings import add_history, booking_by_id
from dispatcher.store.columns import literally_in
from dispatcher.store.schema import (
    LIVE_BOOKING_STATES,
    booking_drivers,
    booking_history,
    bookings,
    members,
    pool_members,
)
from dispatcher.store.telling import tell_booking

WITHHELD, RESTORED = "rights_withheld", "rights_restored"  # in a booking's history


def withheld() -> ColumnElement[bool]:
    """Of a row of `bookings`: its key is still to be taken, and nobody whom it names may take one."""
    named = or_(
        members.c.id == bookings.c.member_id,
        exists().where(booking_drivers.c.booking_id == bookings.c.id, booking_drivers.c.member_id == members.c.id),
        exists().where(
            pool_members.c.pool_id == bookings.c.pool_id,
            pool_members.c.member_id == members.c.id,
            pool_members.c.state == "active",
        ),
    )
    in_standing = exists(select(members.c.id).where(named, members.c.standing == "active"))
    return and_(bookings.c.state == BookingState.BOOKED, ~in_standing)


_MEMBERS: Any = bindparam("members", expanding=True)
_TO_COME: Select[Any] = (
    select(bookings.c.id, withheld().label("is_withheld"))
    .where(
        literally_in(bookings.c.state, LIVE_BOOKING_STATES),  # as in the index
        bookings.c.state == BookingState.BOOKED,
        or_(
            bookings.c.member_id.in_(_MEMBERS),
            exists().where(
                booking_drivers.c.booking_id == bookings.c.id, booking_drivers.c.member_id.in_(_MEMBERS)
            ),
            exists().where(pool_members.c.pool_id == bookings.c.pool_id, pool_members.c.member_id.in_(_MEMBERS)),
        ),
    )
    .order_by(bookings.c.start_ms, bookings.c.id)
)
_LAST_TOLD = (
    select(booking_history.c.what)
    .where(
        booking_history.c.booking_id == bindparam("booking"),
        booking_history.c.what.in_([WITHHELD, RESTORED]),
    )
    .order_by(booking_history.c.id.desc())
    .limit(1)
)


def tell_standing(connection: Connection, member_ids: Collection[str], now_ms: int, author: str) -> None:
    """After the standing of these members was written: tell which bookings lost their right, or have it again.

    It goes into their history and out as an event; told once, however often this is called.
    """
    for row in connection.execute(_TO_COME, {"members": sorted(member_ids)}).all():
        last = connection.execute(_LAST_TOLD, {"booking": row.id}).scalar_one_or_none()
        what = WITHHELD if row.is_withheld else RESTORED
        if what == (last or RESTORED):
            continue
        booking = booking_by_id(connection, row.id, lock=True)
        assert booking is not None, "bookings are never deleted"
        add_history(connection, booking.id, now_ms, what, author, {})
        tell_booking(connection, booking.state, booking, what)
