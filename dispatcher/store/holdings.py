"""Reads what holds vehicles around a window: by index, and nothing beyond it, however full the calendar is.

Live bookings of a vehicle never overlap (the database's word), so that their order by start is their order by end.
Around a window these matter: the last one that starts at or before it, those inside, and the first that starts at
or after its end. An active one matters too wherever it lies: its key may be out past its end; and so does
every block, of which there are few.
"""

from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import (
    CompoundSelect,
    Connection,
    Row,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)

from dispatcher.core.availability import NEVER_MS
from dispatcher.core.booking_states import BookingState
from dispatcher.core.orders import SWAP_HOLD
from dispatcher.core.windows import Window
from dispatcher.store.among import among
from dispatcher.store.columns import literally_in
from dispatcher.store.schema import LIVE_BOOKING_STATES, blocks, bookings, vehicles


class HoldingKind(StrEnum):
    BOOKING = "booking"
    ORDER = "order"
    BLOCK = "block"


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
_IS_MEMBERS = or_(bookings.c.purpose.is_(None), bookings.c.purpose == literal_column(f"'{SWAP_HOLD}'"))
_ROW = (
    bookings.c.vehicle_id,
    bookings.c.id,
    bookings.c.state,
    bookings.c.start_ms,
    bookings.c.end_ms,
    case(
        (_IS_MEMBERS, literal_column(f"'{HoldingKind.BOOKING}'")),
        else_=literal_column(f"'{HoldingKind.ORDER}'"),
    ),
)
_BLOCKS = select(
    blocks.c.vehicle_id,
    blocks.c.id,
    literal_column(f"'{BookingState.BOOKED}'"),
    blocks.c.start_ms,
    blocks.c.expected_end_ms,
    literal_column(f"'{HoldingKind.BLOCK}'"),
).where(blocks.c.ended_ms.is_(None), among(blocks.c.vehicle_id, "vehicles"))
_first = _bound(func.max, lambda start_ms: start_ms <= _FROM)
_last = _bound(func.min, lambda start_ms: start_ms >= _UNTIL)
_NEAR = select(*_ROW).where(
    bookings.c.vehicle_id == vehicles.c.id,
    literally_in(bookings.c.state, LIVE_BOOKING_STATES),
    bookings.c.start_ms >= func.coalesce(_first, _FROM),
    bookings.c.start_ms <= func.coalesce(_last, _UNTIL),
)
_OF_THESE = among(vehicles.c.id, "vehicles")


@cache
def _around(dialect: str) -> CompoundSelect[Any]:
    """PostgreSQL would join all bookings first, and look for the edges at each: OFFSET keeps it from that."""
    if dialect == "postgresql":
        near = _NEAR.correlate(vehicles).offset(0).lateral()
        of_each = select(near).select_from(vehicles.join(near, true())).where(_OF_THESE)
    else:
        of_each = _NEAR.where(_OF_THESE)
    active = select(*_ROW).where(
        among(bookings.c.vehicle_id, "vehicles"),
        bookings.c.state == literal_column(f"'{BookingState.ACTIVE}'"),
        bookings.c.start_ms < _FROM,
    )
    return union_all(of_each, active, _BLOCKS)


_COMING = union_all(
    select(*_ROW).where(
        among(bookings.c.vehicle_id, "vehicles"),
        literally_in(bookings.c.state, LIVE_BOOKING_STATES),
        or_(bookings.c.end_ms > bindparam("now_ms"), bookings.c.state == BookingState.ACTIVE),
    ),
    _BLOCKS,
)
_within = (
    select(
        bookings.c.vehicle_id,
        bookings.c.end_ms,
        func.lead(bookings.c.start_ms)
        .over(partition_by=bookings.c.vehicle_id, order_by=bookings.c.start_ms)
        .label("next_ms"),
    )
    .where(
        among(bookings.c.vehicle_id, "vehicles"),
        literally_in(bookings.c.state, LIVE_BOOKING_STATES),
        bookings.c.start_ms >= _FROM,
        bookings.c.start_ms < _UNTIL,
    )
    .subquery()
)
_beyond = bookings.alias()
_NEXT = func.coalesce(
    _within.c.next_ms,
    select(func.min(_beyond.c.start_ms))  # of the last one within: looked up for no other
    .where(
        _beyond.c.vehicle_id == _within.c.vehicle_id,
        literally_in(_beyond.c.state, LIVE_BOOKING_STATES),
        _beyond.c.start_ms >= _within.c.end_ms,
    )
    .correlate(_within)
    .scalar_subquery(),
    literal_column(str(NEVER_MS)),
)
_GAPS = select(_within.c.vehicle_id, _within.c.end_ms, _NEXT).where(
    _NEXT - _within.c.end_ms >= bindparam("length_ms")
)


def holdings_around(
    connection: Connection, vehicle_ids: Sequence[str], window: Window
) -> Sequence[Row[str, str, str, int, int | None, str]]:
    """Each live booking or order of the vehicles that matters around a window, and each block, in no order.

    Vehicle, id, state, start, end and `HoldingKind`. An active one may be met twice. A block's end is the one that
    is expected, or None.
    """
    which = {"vehicles": vehicle_ids, "from_ms": window.start_ms, "until_ms": window.end_ms}
    return connection.execute(_around(connection.dialect.name), which).all()


def holdings_coming(
    connection: Connection, vehicle_ids: Sequence[str], now_ms: int
) -> Sequence[Row[str, str, str, int, int | None, str]]:
    """All that are not over, as `holdings_around` has them."""
    return connection.execute(_COMING, {"vehicles": vehicle_ids, "now_ms": now_ms}).all()


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
