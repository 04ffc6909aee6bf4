"""Offers of another vehicle to a booking whose own may not be back in time: their rows, and what is told of them.

The vehicle that is offered is held by a row of `bookings` of its own, so that the database's constraint keeps it.
That row has the purpose `swap_hold` and is never a right: no box is told of it.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, bindparam, insert, literal_column, or_, select, update

from dispatcher.core.booking_states import BookingState
from dispatcher.core.events import SwapData
from dispatcher.core.late_returns import OfferState, Why, ends_ms
from dispatcher.core.rules import FleetRules
from dispatcher.core.windows import to_utc
from dispatcher.store.bookings import Booking, add_history, booking_by_id, move_booking
from dispatcher.store.outbox import Event, emit
from dispatcher.store.schema import swap_offers

AUTHOR = "dispatcher"


@dataclass(frozen=True, slots=True)
class Offer:
    """A row."""

    id: str
    booking_id: str
    hold_id: str
    vehicle_id: str
    key_id: str
    cabinet_id: str
    distance_m: int
    """From the station of the booking as it was then."""
    state: OfferState
    offered_ms: int
    decided_ms: int | None
    why: str | None


IS_OPEN = swap_offers.c.state == literal_column(f"'{OfferState.OFFERED}'")
_OPEN_FOR_KEY = select(swap_offers).where(
    IS_OPEN,
    or_(swap_offers.c.booking_id == bindparam("booking"), swap_offers.c.vehicle_id == bindparam("vehicle")),
)
_OF_BOOKING = (
    select(swap_offers)
    .where(swap_offers.c.booking_id == bindparam("booking"))
    .order_by(swap_offers.c.offered_ms, swap_offers.c.id)
)
_NEW = insert(swap_offers)
_THIS = update(swap_offers).where(swap_offers.c.id == bindparam("this"))


def offers_of(connection: Connection, booking_id: str) -> list[Offer]:
    """All that a booking was ever offered, oldest first."""
    return [offer_of(row._asdict()) for row in connection.execute(_OF_BOOKING, {"booking": booking_id})]


def end_offer(
    connection: Connection, rules: FleetRules, offer: Offer, outcome: tuple[OfferState, Why], now_ms: int
) -> None:
    """Close an open offer without its member; its vehicle is free from here on, in this very transaction."""
    booking = booking_by_id(connection, offer.booking_id)
    assert booking is not None, "bookings are never deleted"
    free(connection, offer, now_ms)
    close(connection, rules, offer, booking, outcome, (now_ms, AUTHOR))


def free(connection: Connection, offer: Offer, now_ms: int) -> None:
    """Hold the vehicle of an offer no more."""
    hold = booking_by_id(connection, offer.hold_id, lock=True)
    assert hold is not None, "bookings are never deleted"
    if hold.state is BookingState.BOOKED:
        ended = replace(hold, state=BookingState.CANCELLED, ended_ms=now_ms, changed_ms=now_ms)
        move_booking(connection, ended)


def close(
    connection: Connection,
    rules: FleetRules,
    offer: Offer,
    booking: Booking,
    outcome: tuple[OfferState, Why],
    by: tuple[int, str],
) -> None:
    """Write what became of an offer, and tell it; `by`: when, and who."""
    (state, why), (now_ms, _author) = outcome, by
    connection.execute(_THIS, {"this": offer.id, "state": state, "decided_ms": now_ms, "why": why})
    tell(connection, rules, replace(offer, state=state, decided_ms=now_ms, why=why), booking, by)


def open_offer(connection: Connection, rules: FleetRules, offer: Offer, booking: Booking) -> None:
    """Write a new offer, and tell it. Its hold was written before."""
    connection.execute(_NEW, asdict(offer))
    tell(connection, rules, offer, booking, (offer.offered_ms, AUTHOR))


def give_way(connection: Connection, rules: FleetRules, booking: Booking, vehicle_id: str, now_ms: int) -> None:
    """The key of a vehicle was taken under a booking: what was offered to it, or of that vehicle, is over."""
    for row in connection.execute(_OPEN_FOR_KEY, {"booking": booking.id, "vehicle": vehicle_id}).all():
        offer = offer_of(row._asdict())
        its_own = offer.booking_id == booking.id and offer.vehicle_id == vehicle_id
        state = OfferState.TAKEN if its_own else OfferState.WITHDRAWN
        end_offer(connection, rules, offer, (state, Why.KEY_TAKEN), now_ms)


def tell(connection: Connection, rules: FleetRules, offer: Offer, booking: Booking, by: tuple[int, str]) -> None:
    """The booking's history and those who listen hear of an offer as it is now."""
    now_ms, author = by
    what = "swap_offered" if offer.state is OfferState.OFFERED else "swap_ended"
    detail: dict[str, Any] = {"offer_id": offer.id, "vehicle_id": offer.vehicle_id, "state": offer.state}
    if offer.why is not None:
        detail["why"] = offer.why
    add_history(connection, booking.id, now_ms, what, author, detail)
    data = SwapData(
        booking_id=booking.id,
        offer_id=offer.id,
        state=offer.state,
        why=offer.why,
        instead_of=booking.vehicle_id,
        vehicle_id=offer.vehicle_id,
        cabinet_id=offer.cabinet_id,
        distance_m=offer.distance_m,
        until=to_utc(ends_ms(rules, booking.start_ms)),
        member_id=booking.member_id,
    )
    emit(connection, Event(f"booking.{what}", f"bookings/{booking.id}", now_ms, data))


def offer_of(values: dict[str, Any]) -> Offer:
    return Offer(**{**values, "state": OfferState(values["state"])})
