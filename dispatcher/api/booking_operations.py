"""What operators do to bookings, each with a reason that stays in the history."""

from typing import Annotated

from pydantic import Field

from dispatcher.api.booking_models import BookingOut
from dispatcher.api.booking_writes import as_it_is, write
from dispatcher.api.problems import ApiReason, FieldFault, Refusal
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Body, Category, Id
from dispatcher.api.writing import Change
from dispatcher.store.booking_desk import BookingDesk, locked
from dispatcher.store.booking_requests import Declined, WantedReplacement
from dispatcher.store.bookings import Booking
from dispatcher.store.operators_desk import OperatorsDesk

router = resource("bookings", read=Scope.BOOKINGS_READ, write=Scope.OPERATIONS)

REASON_CHARACTERS_MAX = 200  # as for commands
HOLDER_CHARACTERS_MAX = 100

Why = Annotated[str, Field(min_length=3, max_length=REASON_CHARACTERS_MAX)]


class Replacement(Body):
    """Give `vehicle_id`, or `category` and perhaps `station_id`."""

    reason: Why
    """Why, for whoever asks later. No names: it stays in the history."""
    vehicle_id: Id | None = None
    category: Category | None = None
    station_id: Id | None = None
    """Where to look for the category; absent: at the booking's own station."""


class Completion(Body):
    reason: Why
    """Why, for whoever asks later. No names: it stays in the history."""
    key_held_by: Annotated[str, Field(min_length=2, max_length=HOLDER_CHARACTERS_MAX)] | None = None
    """Who has the key, where it is out, such as a garage; forgotten once the key is heard of again."""


@router.post("/{booking_id}/replace", responses=answers(400, 404, 409, 412, 413, 422))
async def replace_vehicle(writer: Change, booking_id: Id, replacement: Replacement) -> BookingOut:
    """Give a booking whose key is not out another vehicle for the same window, also after its start.

    A booking that had its key back, or handed back, may take the other vehicle until its end.
    """
    by_category = replacement.category is not None
    if by_category == (replacement.vehicle_id is not None) or (replacement.station_id and not by_category):
        fault = FieldFault(field="vehicle_id", expected="either vehicle_id, or category and perhaps station_id")
        raise Refusal(ApiReason.INVALID_REQUEST, "what is to be given instead is not clear", [fault])
    wanted = WantedReplacement(
        replacement.reason, replacement.vehicle_id, replacement.category, replacement.station_id
    )

    def work(desk: BookingDesk) -> Booking | Declined | None:
        booking = writer.expected(locked(desk.connection, booking_id))
        return None if booking is None else OperatorsDesk(desk).replace(booking, wanted)

    return await write(writer, work, as_it_is, booking_id)


@router.post("/{booking_id}/complete", responses=answers(400, 404, 409, 412, 413, 422))
async def complete_booking(writer: Change, booking_id: Id, completion: Completion) -> BookingOut:
    """End a booking whose key was taken: the member left it with somebody, or the cabinet is full.

    A key that is out under it counts as `elsewhere` from now on.
    """

    def work(desk: BookingDesk) -> Booking | Declined | None:
        booking = writer.expected(locked(desk.connection, booking_id))
        if booking is None:
            return None
        return OperatorsDesk(desk).complete(booking, completion.reason, completion.key_held_by)

    return await write(writer, work, as_it_is, booking_id)
