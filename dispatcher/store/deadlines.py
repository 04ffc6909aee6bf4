"""Bookings whose time is over: read at once, and decided where the cabinet's facts say enough."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    bindparam,
    false,
    func,
    literal,
    literal_column,
    select,
    union_all,
)

from dispatcher.core.booking_states import BookingEvent, BookingState
from dispatcher.core.rules import FleetRules
from dispatcher.store.booking_events import Happening, apply_event
from dispatcher.store.bookings import booking_by_id
from dispatcher.store.columns import literally_in
from dispatcher.store.isolation import isolated
from dispatcher.store.links import complete_until_ms
from dispatcher.store.schema import LIVE_BOOKING_STATES, bookings
from dispatcher.store.service import being_used, let_down
from dispatcher.store.standing import withheld

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
    is_order: bool = False
    """Nor is there one for a service order that nobody used."""
    withheld: bool = False
    """Nor where nobody was allowed to take the key."""


class _Deadline(NamedTuple):
    """A moment of bookings in one state, after which time alone moves or names them."""

    state: BookingState
    moment_ms: Column[int]
    is_grace: bool
    """It counts once the grace is over as well; otherwise, once facts must cover it."""
    left_alone: ColumnElement[bool] = false()
    """One whose slot stands open under its grant: it was released in time, and the key may be in a hand."""
    let_down: ColumnElement[bool] = false()
    withheld: ColumnElement[bool] = false()

    @property
    def after_ms(self) -> ColumnElement[int]:
        return _GRACE_MS if self.is_grace else literal(MARGIN_MS, BigInteger)

    @property
    def where(self) -> ColumnElement[bool]:
        live = literally_in(bookings.c.state, LIVE_BOOKING_STATES)  # as in the index, which is not used otherwise
        return live & (bookings.c.state == literal_column(f"'{self.state}'"))


_GRACE_MS = bindparam("grace_ms", type_=BigInteger)
_NOW_MS = bindparam("now_ms", type_=BigInteger)
_USED = being_used(bookings.c.grant_id)
_IS_ORDER = bookings.c.purpose.is_not(None)
_DEADLINES = (
    _Deadline(BookingState.RETURNED, bookings.c.hold_until_ms, False, _USED),
    _Deadline(BookingState.BOOKED, bookings.c.take_by_ms, False, _USED, let_down(), withheld()),
    _Deadline(BookingState.ACTIVE, bookings.c.end_ms, True),
)
_LET_DOWN_END = _Deadline(BookingState.BOOKED, bookings.c.end_ms, False)
"""Past its `take_by` already, and left as it is until then: nothing to read, a moment to look at it."""
_COLUMNS = (bookings.c.id, bookings.c.cabinet_id, bookings.c.vehicle_id, bookings.c.key_id, bookings.c.state)

# Both are made once: they run every few seconds, and building them costs ten times their execution.
PAST = union_all(
    *(
        select(*_COLUMNS, one.moment_ms, bookings.c.end_ms, one.let_down, _IS_ORDER, one.withheld).where(
            one.where, one.moment_ms <= _NOW_MS - one.after_ms, ~one.left_alone
        )
        for one in _DEADLINES
    )
)
_AHEAD = union_all(
    *(
        select(func.min(one.moment_ms) + one.after_ms).where(one.where, one.moment_ms > _NOW_MS - one.after_ms)
        for one in (*_DEADLINES, _LET_DOWN_END)
    )
)


def _moments(rules: FleetRules, now_ms: int) -> dict[str, int]:
    return {"now_ms": now_ms, "grace_ms": rules.grace_s * 1000}


def past_deadlines(connection: Connection, rules: FleetRules, now_ms: int) -> list[PastDeadline]:
    """All that time alone moves or names."""
    return [PastDeadline(*row) for row in connection.execute(PAST, _moments(rules, now_ms))]


def next_due_ms(connection: Connection, rules: FleetRules, now_ms: int) -> int | None:
    """The first deadline of a booking that lies ahead, so that a quiet network is left alone; None: there is none.

    What is past and not yet decided waits for a cabinet's word, and is asked for again whatever this says.
    """
    moments: Iterable[Sequence[int | None]] = connection.execute(_AHEAD, _moments(rules, now_ms))
    return min((due_ms for (due_ms,) in moments if due_ms is not None), default=None)


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
        case BookingState.BOOKED if found.is_order:
            return (found.deadline_ms, found.id, found.cabinet_id, BookingEvent.CANCELLED, {"why": "not_used"})
        case BookingState.BOOKED if found.withheld:
            return (found.deadline_ms, found.id, found.cabinet_id, BookingEvent.CANCELLED, {"why": "withheld"})
        case BookingState.BOOKED if not found.let_down:
            return (found.deadline_ms, found.id, found.cabinet_id, BookingEvent.NO_SHOW_DECLARED, {})
        case BookingState.BOOKED if found.end_ms + MARGIN_MS <= now_ms:
            return (found.end_ms, found.id, found.cabinet_id, BookingEvent.CANCELLED, {"why": "let_down"})
        case _:
            return None
