"""Where the key of a booking hangs, for somebody who lets its member have it from afar."""

from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from dispatcher.core.booking_states import FINAL_STATES, BookingState
from dispatcher.core.rules import BookingReason, Refused
from dispatcher.store.bookings import Booking
from dispatcher.store.schema import key_states


class Hanging(NamedTuple):
    """A slot that holds a key."""

    cabinet_id: str
    slot: int


_WHERE = select(key_states.c.state, key_states.c.cabinet_id, key_states.c.slot).where(
    key_states.c.key_id == bindparam("key")
)


def slot_of_booking(connection: Connection, booking: Booking) -> Hanging | Refused:
    """The slot that holds the key of a booking, wherever it hangs; or why it cannot be handed out.

    The window is not asked: whoever releases it decides that, and says why.
    """
    if booking.state in FINAL_STATES:
        expected = "a booking that is not over"
        return Refused(BookingReason(f"booking_{booking.state}"), "state", booking.state, expected)
    if not booking.has_origin:
        expected = "a booking whose row this program wrote"
        return Refused(BookingReason.ROW_WITHOUT_ORIGIN, "state", booking.state, expected)
    row = connection.execute(_WHERE, {"key": booking.key_id}).one_or_none()
    if row is not None and row.state == "in_slot":
        return Hanging(row.cabinet_id, row.slot)
    if booking.state is BookingState.ACTIVE:
        return Refused(BookingReason.KEY_STILL_OUT, "state", booking.state, "a booking whose key hangs in a slot")
    seen = "never seen" if row is None else row.state
    return Refused(
        BookingReason.KEY_NOT_PRESENT, "key_id", booking.key_id, f"a key that hangs in a slot; it is {seen}"
    )
