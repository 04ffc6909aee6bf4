"""A booking follows the key that left under it: by mistake, or because its box handed out another of the category.

Only where the vehicle of that key is free for the whole window; the database has the last word. Otherwise the
booking stays what it was, and the reconciler names the key (`wrong_key_taken`).
"""

from dataclasses import replace

from dispatcher.core.availability import judge
from dispatcher.core.booking_states import BookingEvent, TransitionRefused, advance
from dispatcher.core.rules import BookingReason
from dispatcher.store.applying import Applying
from dispatcher.store.bookings import Booking, add_history, update_booking
from dispatcher.store.swap_offers import give_way
from dispatcher.store.telling import tell_booking
from dispatcher.store.usage import note_hit
from dispatcher.store.vehicles import vehicle_by_id, views

REBOUND = "rebound"  # in a booking's history
STILL_FREE = frozenset({None, BookingReason.KEY_NOT_PRESENT})
"""Where we thought the key was does not matter: a box saw it leave its slot."""


def bound_to_key(at: Applying, booking: Booking, key_id: str, vehicle_id: str) -> Booking:
    """The booking with the key that was taken under it, or as it was where that cannot be.

    It keeps station and cabinet: there it was taken, and there its right is. Its former vehicle is free again.
    """
    if isinstance(advance(booking.state, BookingEvent.KEY_TAKEN), TransitionRefused) or not booking.has_origin:
        return booking
    if booking.purpose is not None:  # an order names one vehicle, and what is done to it
        return booking
    give_way(at.connection, at.rules, booking, vehicle_id, at.received_ms)
    if vehicle_id != booking.vehicle_id and not _is_free(at, booking, vehicle_id):
        return booking
    bound = replace(booking, vehicle_id=vehicle_id, key_id=key_id, changed_ms=at.received_ms)
    if not update_booking(at.connection, bound):
        return booking
    author = f"cabinet {at.cabinet_id}"
    note_hit(at.connection, booking, at.received_ms, author)
    bound = replace(bound, version=bound.version + 1)
    detail = {
        "position": at.position,
        "before": {"vehicle_id": booking.vehicle_id, "key_id": booking.key_id},
        "after": {"vehicle_id": vehicle_id, "key_id": key_id},
    }
    add_history(at.connection, booking.id, at.received_ms, REBOUND, author, detail)
    tell_booking(at.connection, booking.state, bound, REBOUND)
    return bound


def _is_free(at: Applying, booking: Booking, vehicle_id: str) -> bool:
    vehicle = vehicle_by_id(at.connection, vehicle_id)
    if vehicle is None:
        return False
    (view,) = views(at.connection, [vehicle], at.received_ms, without_booking=booking.id)
    verdict = judge(at.rules, view, booking.window, at.received_ms)
    return (None if verdict is None else verdict.reason) in STILL_FREE
