"""Moves a booking along its state table when a fact or the clock says so, with its history."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from dispatcher.core.booking_states import (
    BookingEvent,
    BookingState,
    TransitionRefused,
    advance,
)
from dispatcher.core.rules import FleetRules, hold_until_ms
from dispatcher.store.bookings import Booking, add_history, booking_by_grant, move_booking
from dispatcher.store.desired import mark_dirty
from dispatcher.store.telling import tell_booking
from dispatcher.store.usage import RETURNS, hit_by

REFUSED = "refused"  # in a booking's history: what happened did not move it, and why


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that may move a booking."""

    event: BookingEvent
    at_ms: int
    """When it happened; a box's clock for facts."""
    now_ms: int
    author: str
    """For the history: a cabinet, or this program."""
    detail: Mapping[str, Any]


def booking_of_grant(connection: Connection, grant_id: str | None) -> Booking | None:
    """The booking that a grant stands for, locked; None for a grant that is not ours."""
    if grant_id is None:
        return None
    return booking_by_grant(connection, grant_id)


def apply_event(connection: Connection, booking: Booking, happening: Happening, rules: FleetRules) -> bool:
    """Move the booking; False where its state does not allow it, which the history keeps too."""
    following = advance(booking.state, happening.event)
    if isinstance(following, TransitionRefused):
        detail = {**happening.detail, "event": happening.event, "reason": following.reason}
        add_history(connection, booking.id, happening.now_ms, REFUSED, happening.author, detail)
        return False
    changed = move_booking(connection, _moved(booking, following, happening, rules))
    detail = {**happening.detail, "state": following, **_lateness(connection, booking, happening)}
    add_history(connection, booking.id, happening.now_ms, happening.event, happening.author, detail)
    tell_booking(connection, booking.state, changed, happening.event)
    mark_dirty(connection, booking.cabinet_id)
    return True


def _lateness(connection: Connection, booking: Booking, happening: Happening) -> dict[str, Any]:
    """Of a return past the end: how late, and whose start was missed. Later it could not be told any more."""
    if happening.event not in RETURNS or happening.at_ms <= booking.end_ms or booking.purpose is not None:
        return {}
    late_s = (happening.at_ms - booking.end_ms) // 1000
    return {"late_s": late_s, "bookings_hit": hit_by(connection, booking, happening.at_ms)}


def _moved(booking: Booking, following: BookingState, happening: Happening, rules: FleetRules) -> Booking:
    at_ms = happening.at_ms
    times: dict[str, Any] = {"ended_ms": at_ms}
    if following is BookingState.ACTIVE:
        taken_ms = at_ms if booking.taken_ms is None else booking.taken_ms
        times = {"taken_ms": taken_ms, "returned_ms": None, "hold_until_ms": None}
    elif following is BookingState.RETURNED:
        handed_back = happening.event is BookingEvent.HANDED_BACK
        whole = handed_back or booking.purpose is not None  # an order opens until its end, as often as asked
        hold_ms = max(at_ms, booking.end_ms) if whole else hold_until_ms(rules, at_ms, booking.end_ms)
        times = {"returned_ms": at_ms, "hold_until_ms": hold_ms}
    return replace(booking, state=following, changed_ms=happening.now_ms, **times)
