"""Bookings whose time is over: read at once, and decided where the cabinet's facts say enough."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import BindParameter, Connection, bindparam, false, literal_column, select, union_all

from dispatcher.core.booking_states import BookingEvent, BookingState
from dispatcher.core.rules import FleetRules
from dispatcher.store.booking_events import Happening, apply_event
from dispatcher.store.bookings import booking_by_id
from dispatcher.store.columns import literally_in
from dispatcher.store.isolation import isolated
from dispatcher.store.links import complete_until_ms
from dispatcher.store.schema import LIVE_BOOKING_STATES, bookings
from dispatcher.store.service import being_used, let_down

AUTHOR = "dispatcher"
MARGIN_MS = 5_000
"""Facts must cover this much more than the deadline: by so much a box's clock may be set back unnoticed."""


class PastDeadline(NamedTuple):
    """A booking for which a moment has passed: its hold's end, its `take_by`, or end and grace."""

    id: str
    cabinet_id: str
    vehicle_id: str
    key_id: str
    state: str
    deadline_ms: int
    end_ms: int
    let_down: bool
    """The station could not serve it: no no-show."""


_COLUMNS = (bookings.c.id, bookings.c.cabinet_id, bookings.c.vehicle_id, bookings.c.key_id, bookings.c.state)
_LIVE = literally_in(bookings.c.state, LIVE_BOOKING_STATES)  # as in the index, which is not used otherwise
_BEFORE_MS: BindParameter[int] = bindparam("before_ms")
_LATE_MS: BindParameter[int] = bindparam("late_ms")
PAST = union_all(  # made once: this runs every two seconds, and building it costs ten times its execution
    select(*_COLUMNS, bookings.c.hold_until_ms, bookings.c.end_ms, false()).where(
        _LIVE,
        bookings.c.state == literal_column("'returned'"),
        bookings.c.hold_until_ms <= _BEFORE_MS,
        ~being_used(bookings.c.grant_id),
    ),
    select(*_COLUMNS, bookings.c.take_by_ms, bookings.c.end_ms, let_down()).where(
        _LIVE,
        bookings.c.state == literal_column("'booked'"),
        bookings.c.take_by_ms <= _BEFORE_MS,
        ~being_used(bookings.c.grant_id),
    ),
    select(*_COLUMNS, bookings.c.end_ms, bookings.c.end_ms, false()).where(
        _LIVE, bookings.c.state == literal_column("'active'"), bookings.c.end_ms < _LATE_MS
    ),
)


def past_deadlines(connection: Connection, rules: FleetRules, now_ms: int) -> list[PastDeadline]:
    """All that time alone moves or names.

    One whose slot stands open under its grant is left alone: it was released in time, and the key may be in
    somebody's hand.
    """
    moments = {"before_ms": now_ms - MARGIN_MS, "late_ms": now_ms - rules.grace_s * 1000}
    return [PastDeadline(*row) for row in connection.execute(PAST, moments)]


def decide(connection: Connection, rules: FleetRules, past: Iterable[PastDeadline], now_ms: int) -> frozenset[str]:
    """End holds, declare no-shows, cancel what was not served: only what the cabinets' facts prove.

    Returns the cabinets whose facts do not say yet.
    """
    waiting = set()
    decisions = [decision for found in past if (decision := _decision(found, now_ms)) is not None]
    for deadline_ms, booking_id, cabinet_id, event, detail in sorted(decisions, key=lambda it: it[:2]):
        if complete_until_ms(connection, cabinet_id) < deadline_ms + MARGIN_MS:
            waiting.add(cabinet_id)
            continue
        with isolated(connection, "timed_event_failed", booking=booking_id, event_name=event):
            booking = booking_by_id(connection, booking_id, lock=True)
            assert booking is not None, "bookings are never deleted"
            apply_event(connection, booking, Happening(event, deadline_ms, now_ms, AUTHOR, detail), rules)
    return frozenset(waiting)


_Decision = tuple[int, str, str, BookingEvent, dict[str, str]]
"""Deadline, booking, cabinet, what the booking is told, and why."""


def _decision(found: PastDeadline, now_ms: int) -> _Decision | None:
    """What time says of a booking; None: nothing yet, or it is for the reconciler to name."""
    match found.state:
        case BookingState.RETURNED:
            return (found.deadline_ms, found.id, found.cabinet_id, BookingEvent.HOLD_ELAPSED, {})
        case BookingState.BOOKED if not found.let_down:
            return (found.deadline_ms, found.id, found.cabinet_id, BookingEvent.NO_SHOW_DECLARED, {})
        case BookingState.BOOKED if found.end_ms + MARGIN_MS <= now_ms:
            return (found.end_ms, found.id, found.cabinet_id, BookingEvent.CANCELLED, {"why": "let_down"})
        case _:
            return None
