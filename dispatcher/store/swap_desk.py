"""What a member says to an offer of another vehicle: yes or no, each in one transaction."""

from dispatcher.core.late_returns import OfferState, Why, ends_ms
from dispatcher.core.rules import BookingReason, Refused
from dispatcher.store.booking_desk import BookingDesk
from dispatcher.store.booking_requests import Declined, WantedReplacement
from dispatcher.store.bookings import Booking
from dispatcher.store.operators_desk import OperatorsDesk
from dispatcher.store.swap_offers import Offer, close, free

ACCEPTED_REASON = "another vehicle was offered, and accepted"


def accept(desk: BookingDesk, booking: Booking, offer: Offer) -> Booking | Declined:
    """Bind the booking, read with its lock, to the vehicle that is held for it; its former one is free again.

    Where that cannot be any more, the offer is over, and the booking as it was.
    """
    refused = _refused(desk, booking, offer)
    if refused is not None:
        return Declined(refused)
    free(desk.connection, offer, desk.now_ms)
    wanted = WantedReplacement(ACCEPTED_REASON, vehicle_id=offer.vehicle_id)
    answer = OperatorsDesk(desk).replace(booking, wanted)
    outcome = OfferState.ACCEPTED, Why.SAID_YES
    if isinstance(answer, Declined):
        released = answer.why.reason is BookingReason.SLOT_RELEASED
        outcome = OfferState.WITHDRAWN, Why.BADGE_SHOWN if released else Why.NOT_THERE
    close(desk.connection, desk.rules, offer, booking, outcome, (desk.now_ms, desk.author))
    return answer


def decline(desk: BookingDesk, booking: Booking, offer: Offer) -> Booking | Declined:
    """The member waits for the vehicle that was booked, and is offered no other one."""
    refused = _refused(desk, booking, offer)
    if refused is not None:
        return Declined(refused)
    free(desk.connection, offer, desk.now_ms)
    outcome = OfferState.DECLINED, Why.SAID_NO
    close(desk.connection, desk.rules, offer, booking, outcome, (desk.now_ms, desk.author))
    return booking


def _refused(desk: BookingDesk, booking: Booking, offer: Offer) -> Refused | None:
    expected = "an offer that is open"
    if offer.state is not OfferState.OFFERED:
        return Refused(BookingReason.OFFER_OVER, "offer_id", offer.id, f"{expected}: this one is {offer.state}")
    if desk.now_ms >= ends_ms(desk.rules, booking.start_ms):
        why = f"{expected}: it ended {desk.rules.swap_consent_min} min before the start"
        return Refused(BookingReason.OFFER_OVER, "offer_id", offer.id, why)
    return None
