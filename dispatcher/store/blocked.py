"""What blocks keep from members: conditions on rows of bookings and keys."""

from sqlalchemy import ColumnElement, and_, bindparam, exists, or_, select

from dispatcher.core.booking_states import BookingState
from dispatcher.store.schema import blocks, bookings, keys

_GOES_ON = blocks.c.ended_ms.is_(None)


def under_a_block() -> ColumnElement[bool]:
    """Of a row of `bookings`: a member's that is not begun, which a block holds up as far as is planned."""
    return and_(_waits(), exists(select(blocks.c.id).where(_overlaps_as_planned())))


def blocked_later() -> ColumnElement[bool]:
    """Of a row of `bookings`: its block is yet to begin, so that the box does not know of it.

    Its right is left out: a box that is offline by then hands out nothing. Once the block is in force, the box
    refuses it by name.
    """
    coming = exists(select(blocks.c.id).where(_overlaps_as_planned(), blocks.c.begun.is_(False)))
    return and_(_waits(), coming)


def _waits() -> ColumnElement[bool]:
    return and_(bookings.c.purpose.is_(None), bookings.c.state == BookingState.BOOKED)


def in_force() -> ColumnElement[bool]:
    """Of a row of `keys`, with the parameter `now_ms`: its vehicle is blocked now."""
    begun = blocks.c.start_ms <= bindparam("now_ms")
    return exists(select(blocks.c.id).where(blocks.c.vehicle_id == keys.c.vehicle_id, _GOES_ON, begun))


def _overlaps_as_planned() -> ColumnElement[bool]:
    """Of rows of both: whether they meet by what is expected of the block."""
    return and_(
        blocks.c.vehicle_id == bookings.c.vehicle_id,
        _GOES_ON,
        blocks.c.start_ms < bookings.c.end_ms,
        or_(blocks.c.expected_end_ms.is_(None), blocks.c.expected_end_ms > bookings.c.start_ms),
    )
