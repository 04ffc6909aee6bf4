"""How a write to a booking runs: one transaction, one answer, the publisher woken; and how a refusal is told."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TypeVar

from sqlalchemy import Connection

from dispatcher.api.booking_models import BookingOut, ChangedBookingOut, booking_out, changed_out
from dispatcher.api.problems import AlternativeVehicle, Refusal, not_found, refusal_of, vehicle_not_free
from dispatcher.api.values import instant_of
from dispatcher.api.writing import Location, Writer
from dispatcher.store.booking_desk import BookingDesk
from dispatcher.store.booking_requests import Declined
from dispatcher.store.bookings import Booking
from dispatcher.store.grant_status import grant_statuses

Out = TypeVar("Out", bound=BookingOut)


async def write(
    writer: Writer,
    work: Callable[[BookingDesk], Booking | Declined | None],
    answer: Callable[[BookingDesk, Booking], Out],
    booking_id: str = "",
    location: Location | None = None,
) -> Out:
    """Run `work` in one transaction; the publisher is woken when something was written."""
    context = writer.context

    def run(connection: Connection) -> Out | Declined | None:
        now_ms = context.clock.now_ms()  # here, so that instants follow one another as transactions do
        desk = BookingDesk(connection, context.rules, now_ms, context.random_bytes, f"api/{writer.caller}")
        outcome = work(desk)
        return answer(desk, outcome) if isinstance(outcome, Booking) else outcome

    outcome = await writer(run, location)
    if outcome is None:
        raise not_found("booking", booking_id)
    if isinstance(outcome, Declined):
        raise _refusal(outcome)
    context.wake()
    return outcome


def as_it_is(desk: BookingDesk, booking: Booking) -> BookingOut:
    return outs(desk.connection, [booking], desk.now_ms)[0]


def changed(desk: BookingDesk, booking: Booking) -> ChangedBookingOut:
    return changed_out(as_it_is(desk, booking), desk.latest_end_ms(booking))


def outs(connection: Connection, found: Sequence[Booking], now_ms: int) -> list[BookingOut]:
    grants = grant_statuses(connection, found)
    return [booking_out(booking, grants.get(booking.id), now_ms) for booking in found]


def _refusal(declined: Declined) -> Refusal:
    return refusal_of(
        declined.why,
        not_free=[vehicle_not_free(verdict) for verdict in declined.not_free] or None,
        alternatives=[AlternativeVehicle(**asdict(other)) for other in declined.alternatives] or None,
        latest_end=instant_of(declined.latest_end_ms),
    )
