"""What became of a booking, for whoever bills it: facts, and never a price."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, or_, select

from dispatcher.core.booking_states import FINAL_STATES, BookingEvent, BookingState
from dispatcher.store.bookings import Booking, add_history
from dispatcher.store.schema import badges, booking_history, bookings, rentals

FOLLOWING_REPLACED = "following_replaced"
"""In the history of a late booking: one that followed missed its start and was given another vehicle."""
HIT_MAX = 100  # who keeps a car for a week hits fewer
RETURNS = (BookingEvent.KEY_RETURNED, BookingEvent.HANDED_BACK)

_HIT = (
    select(bookings.c.id)
    .where(
        bookings.c.vehicle_id == bindparam("vehicle"),
        bookings.c.id != bindparam("late"),
        bookings.c.purpose.is_(None),
        bookings.c.start_ms >= bindparam("end_ms"),
        bookings.c.start_ms < bindparam("returned_ms"),
        or_(bookings.c.state != BookingState.CANCELLED, bookings.c.ended_ms > bookings.c.start_ms),
    )
    .order_by(bookings.c.start_ms, bookings.c.id)
    .limit(HIT_MAX)
)
_LATE = select(bookings.c.id).where(
    bookings.c.vehicle_id == bindparam("vehicle"),
    bookings.c.id != bindparam("hit"),
    bookings.c.state == BookingState.ACTIVE,
    bookings.c.end_ms <= bindparam("start_ms"),
)
_DRIVES = (
    select(rentals, badges.c.member_id)
    .outerjoin(badges, badges.c.ref == rentals.c.badge_ref)
    .where(rentals.c.booking_id == bindparam("booking"))
    .order_by(rentals.c.taken_ms, rentals.c.id)
)
_TOLD = (
    select(booking_history.c.what, booking_history.c.detail)
    .where(
        booking_history.c.booking_id == bindparam("booking"),
        booking_history.c.what.in_([BookingEvent.CANCELLED, FOLLOWING_REPLACED, *RETURNS]),
    )
    .order_by(booking_history.c.id)
)


@dataclass(frozen=True, slots=True)
class Drive:
    """A rental under the booking. None: nobody can tell."""

    taken_ms: int
    returned_ms: int | None
    vehicle_id: str | None
    badge_ref: str | None
    member_id: str | None
    """Whose badge took the key."""
    distance_m: int | None
    energy_used_percent: int | None
    """Less than 0 where it was charged or filled."""


@dataclass(frozen=True, slots=True)
class Usage:
    closed: bool
    """Nothing of it changes any more."""
    late_s: int
    """How long after its end the key came back, or an operator ended it."""
    bookings_hit: tuple[str, ...]
    """Bookings that followed and whose start was missed."""
    notice_s: int | None
    """Of a cancellation, before the original start; less than 0: after it."""
    drives: tuple[Drive, ...]

    @property
    def distance_m(self) -> int | None:
        return _sum(drive.distance_m for drive in self.drives)

    @property
    def energy_used_percent(self) -> int | None:
        return _sum(drive.energy_used_percent for drive in self.drives)


def hit_by(connection: Connection, late: Booking, returned_ms: int) -> list[str]:
    """Bookings of the vehicle that were to start after the end and before the return."""
    if returned_ms <= late.end_ms:
        return []
    between = {"end_ms": late.end_ms, "returned_ms": returned_ms}
    return list(connection.execute(_HIT, {"vehicle": late.vehicle_id, "late": late.id, **between}).scalars())


def note_hit(connection: Connection, hit: Booking, now_ms: int, author: str) -> None:
    """Before a booking leaves its vehicle: whoever still has that one past the start is told of it for good."""
    if hit.start_ms > now_ms:
        return
    which = {"vehicle": hit.vehicle_id, "hit": hit.id, "start_ms": hit.start_ms}
    for late_id in connection.execute(_LATE, which).scalars().all():
        add_history(connection, late_id, now_ms, FOLLOWING_REPLACED, author, {"booking_id": hit.id})


def usage_of(connection: Connection, booking: Booking) -> Usage:
    """What is known of it by now."""
    told = [(row.what, json.loads(row.detail)) for row in connection.execute(_TOLD, {"booking": booking.id})]
    hit = {str(detail["booking_id"]) for what, detail in told if what == FOLLOWING_REPLACED}
    hit.update(*(detail.get("bookings_hit", ()) for what, detail in told if what in RETURNS))
    notices = [detail.get("notice_s") for what, detail in told if what == BookingEvent.CANCELLED]
    drives = tuple(_drive(row) for row in connection.execute(_DRIVES, {"booking": booking.id}))
    ended_ms = booking.ended_ms if booking.taken_ms is not None else None
    back_ms = booking.returned_ms if booking.returned_ms is not None else ended_ms
    return Usage(
        closed=booking.state in FINAL_STATES,
        late_s=max(back_ms - booking.end_ms, 0) // 1000 if back_ms is not None else 0,
        bookings_hit=tuple(sorted(hit)),
        notice_s=notices[-1] if notices else None,
        drives=drives,
    )


def _drive(row: Row[Any]) -> Drive:
    return Drive(
        taken_ms=row.taken_ms,
        returned_ms=row.returned_ms,
        vehicle_id=row.vehicle_id,
        badge_ref=row.badge_ref,
        member_id=row.member_id,
        distance_m=_difference(row.odometer_end_m, row.odometer_start_m),
        energy_used_percent=_difference(row.energy_start_percent, row.energy_end_percent),
    )


def _difference(more: int | None, less: int | None) -> int | None:
    return more - less if more is not None and less is not None else None


def _sum(parts: Iterable[int | None]) -> int | None:
    """None where one of them is not known, and where there is none."""
    known = list(parts)
    return sum(part for part in known if part is not None) if known and None not in known else None
