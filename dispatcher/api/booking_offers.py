"""Other vehicles that a booking is offered while its own may not be back in time: listed, accepted, declined."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from dispatcher.api.booking_models import BookingOut
from dispatcher.api.booking_writes import as_it_is, write
from dispatcher.api.context import Context
from dispatcher.api.problems import not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Id, instant_of
from dispatcher.api.writing import Change, Writer
from dispatcher.core.late_returns import OfferState, Why, ends_ms
from dispatcher.core.windows import to_utc
from dispatcher.store.booking_desk import BookingDesk, locked
from dispatcher.store.booking_requests import Declined
from dispatcher.store.bookings import Booking, booking_by_id
from dispatcher.store.swap_desk import accept, decline
from dispatcher.store.swap_offers import Offer, offers_of

router = resource("bookings", read=Scope.BOOKINGS_READ, write=Scope.BOOKINGS_WRITE)


class OfferOut(Answer):
    id: str
    vehicle_id: str
    cabinet_id: str
    """Where its key hangs."""
    distance_m: int
    """Metres from the station of the booking as it was then; 0: it is at the same."""
    state: OfferState
    """Of the states only `offered` can be answered. `taken`: its key was taken under the booking."""
    offered_at: datetime
    until: datetime
    """When it ends by itself."""
    decided_at: datetime | None
    why: Why | None
    """Why it is over; null: it is open."""


class OfferList(Answer):
    items: list[OfferOut]
    """Oldest first; at most one of them is open."""


@router.get("/{booking_id}/offers", responses=answers(404, 422))
async def list_booking_offers(context: Context, booking_id: Id) -> OfferList:
    """Every other vehicle that the booking was offered since its own might not be back in time."""
    rules = context.rules

    def read(connection: Connection) -> OfferList | None:
        booking = booking_by_id(connection, booking_id)
        if booking is None or booking.purpose is not None:
            return None
        until = to_utc(ends_ms(rules, booking.start_ms))
        return OfferList(items=[_out(offer, until) for offer in offers_of(connection, booking_id)])

    found = await context.database.read(read)
    if found is None:
        raise not_found("booking", booking_id)
    return found


@router.post("/{booking_id}/offers/{offer_id}/accept", responses=answers(404, 409, 412, 422))
async def accept_offer(writer: Change, booking_id: Id, offer_id: Id) -> BookingOut:
    """Take the vehicle that is offered: the booking is bound to it at once, and its former one is free again."""
    return await _answer(writer, booking_id, offer_id, accept)


@router.post("/{booking_id}/offers/{offer_id}/decline", responses=answers(404, 409, 412, 422))
async def decline_offer(writer: Change, booking_id: Id, offer_id: Id) -> BookingOut:
    """Wait for the vehicle that was booked: the one that is offered is free again, and no other is offered."""
    return await _answer(writer, booking_id, offer_id, decline)


async def _answer(
    writer: Writer,
    booking_id: str,
    offer_id: str,
    answer: Callable[[BookingDesk, Booking, Offer], Booking | Declined],
) -> BookingOut:
    def work(desk: BookingDesk) -> Booking | Declined | None:
        booking = writer.expected(locked(desk.connection, booking_id))
        if booking is None:
            return None
        for offer in offers_of(desk.connection, booking_id):
            if offer.id == offer_id:
                return answer(desk, booking, offer)
        raise not_found("offer", offer_id)

    return await write(writer, work, as_it_is, booking_id)


def _out(offer: Offer, until: datetime) -> OfferOut:
    decided_at = instant_of(offer.decided_ms)
    return OfferOut(
        id=offer.id,
        vehicle_id=offer.vehicle_id,
        cabinet_id=offer.cabinet_id,
        distance_m=offer.distance_m,
        state=offer.state,
        offered_at=to_utc(offer.offered_ms),
        until=until,
        decided_at=decided_at,
        why=None if offer.why is None else Why(offer.why),
    )
