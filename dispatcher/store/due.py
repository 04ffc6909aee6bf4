"""When timed work has something to decide next, so that a quiet network is not asked every two seconds."""

from typing import Any

from sqlalchemy import BigInteger, Connection, Select, bindparam, case, func, select

from dispatcher.core.booking_states import BookingState
from dispatcher.core.rules import FleetRules
from dispatcher.store.deadlines import MARGIN_MS
from dispatcher.store.schema import LIVE_BOOKING_STATES, bookings


def _next_due() -> Select[Any]:
    now_ms, margin_ms, grace_ms = (
        bindparam(name, type_=BigInteger) for name in ("now_ms", "margin_ms", "grace_ms")
    )
    moments = []
    for state, column, after_ms in (
        (BookingState.BOOKED, bookings.c.take_by_ms, margin_ms),
        (BookingState.BOOKED, bookings.c.end_ms, margin_ms),
        (BookingState.RETURNED, bookings.c.hold_until_ms, margin_ms),
        (BookingState.ACTIVE, bookings.c.end_ms, grace_ms),
    ):
        due_ms = column + after_ms
        moments.append(func.min(case((((bookings.c.state == state) & (due_ms > now_ms)), due_ms))))
    return select(*moments).where(bookings.c.state.in_(LIVE_BOOKING_STATES))


_NEXT_DUE = _next_due()


def next_due_ms(connection: Connection, rules: FleetRules, now_ms: int) -> int | None:
    """The first deadline of a booking that lies ahead; None: there is none.

    What is past and not yet decided waits for a cabinet's word, and is asked for again whatever this says.
    """
    values = {"now_ms": now_ms, "margin_ms": MARGIN_MS, "grace_ms": rules.grace_s * 1000}
    moments = connection.execute(_NEXT_DUE, values).one()
    return min((int(moment) for moment in moments if moment is not None), default=None)
