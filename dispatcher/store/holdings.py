"""Reads what holds vehicles around a window: by index, and nothing beyond it, however full the calendar is.

Live bookings of a vehicle never overlap (the database's word), so that their order by start is their order by end.
Around a window these matter: the last one that starts at or before it, those inside, and the first that starts at
or after its end. An active one matters too wherever it lies: its key may be out past its end.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, literal_column, select, union_all

from dispatcher.core.availability import NEVER_MS
from dispatcher.core.booking_states import BookingState
from dispatcher.core.windows import Window
from dispatcher.store.among import among
from dispatcher.store.columns import literally_in
from dispatcher.store.schema import LIVE_BOOKING_STATES, bookings, vehicles


def _bound(which: Any, condition: Any) -> Any:
    """The start of one live booking of a vehicle, found by one look into the index."""
    edge = bookings.alias()
    return (
        select(which(edge.c.start_ms))
        .where(
            edge.c.vehicle_id == vehicles.c.id,
            literally_in(edge.c.state, LIVE_BOOKING_STATES),
            condition(edge.c.start_ms),
        )
        .correlate(vehicles)
        .scalar_subquery()
    )


_FROM: Any = bindparam("from_ms")
_UNTIL: Any = bindparam("until_ms")
_ROW = (
    bookings.c.vehicle_id,
    bookings.c.id,
    bookings.c.state,
    bookings.c.start_ms,
    bookings.c.end_ms,
    bookings.c.purpose.is_not(None),
)
_first = _bound(func.max, lambda start_ms: start_ms <= _FROM)
_last = _bound(func.min, lambda start_ms: start_ms >= _UNTIL)
_AROUND = union_all(
    select(*_ROW)
    .select_from(vehicles.join(bookings, bookings.c.vehicle_id == vehicles.c.id))
    .where(
        among(vehicles.c.id, "vehicles"),
        literally_in(bookings.c.state, LIVE_BOOKING_STATES),
        bookings.c.start_ms >= func.coalesce(_first, _FROM),
        bookings.c.start_ms <= func.coalesce(_last, _UNTIL),
    ),
    select(*_ROW).where(
        among(bookings.c.vehicle_id, "vehicles"),
        bookings.c.state == literal_column(f"'{BookingState.ACTIVE}'"),
        bookings.c.start_ms < _FROM,
    ),
)
_following = bookings.alias()
_NEXT = func.coalesce(
    select(func.min(_following.c.start_ms))
    .where(
        _following.c.vehicle_id == bookings.c.vehicle_id,
        literally_in(_following.c.state, LIVE_BOOKING_STATES),
        _following.c.start_ms >= bookings.c.end_ms,
    )
    .correlate(bookings)
    .scalar_subquery(),
    literal_column(str(NEVER_MS)),
)
_GAPS = select(bookings.c.vehicle_id, bookings.c.end_ms, _NEXT).where(
    among(bookings.c.vehicle_id, "vehicles"),
    literally_in(bookings.c.state, LIVE_BOOKING_STATES),
    bookings.c.start_ms >= _FROM,
    bookings.c.start_ms < _UNTIL,
    _NEXT - bookings.c.end_ms >= bindparam("length_ms"),
)


def holdings_around(connection: Connection, vehicle_ids: Sequence[str], window: Window) -> Sequence[Row[Any]]:
    """Each live booking or order of the vehicles that matters around a window, in no order.

    Vehicle, booking, state, start, end, and whether it is a service order. An active one may be met twice.
    """
    which = {"vehicles": vehicle_ids, "from_ms": window.start_ms, "until_ms": window.end_ms}
    return connection.execute(_AROUND, which).all()


def gaps(
    connection: Connection, vehicle_ids: Sequence[str], within: Window, length_ms: int
) -> Sequence[Row[str, int, int]]:
    """Vehicle, start and end of the gaps behind bookings that start within; only long ones, in no order."""
    which = {
        "vehicles": vehicle_ids,
        "from_ms": within.start_ms,
        "until_ms": within.end_ms,
        "length_ms": length_ms,
    }
    return connection.execute(_GAPS, which).all()
