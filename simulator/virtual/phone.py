"""Members' phones in virtual time: how long a question takes to the dispatcher and back, and what it answers.

On the heap the answer comes from the store's own booking desk; on a loop it comes from the API through ASGI.
"""

import random
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from sqlalchemy import Connection

from dispatcher.api.context import ApiContext
from dispatcher.core.windows import Window
from dispatcher.store.booking_desk import BookingDesk, locked
from dispatcher.store.booking_requests import Declined, WantedBooking
from dispatcher.store.bookings import Booking, booking_by_id
from dispatcher.store.grant_status import grant_statuses
from simulator.world.acts import Book, CallOff, LookUp
from simulator.world.api import ApiAnswer, ApiRefusal, BookingRequest, BookingView

LATENCY_MIN_US, LATENCY_MAX_US = 30_000, 400_000  # one way, over a mobile line
CALLER = "phones"
"""Under which name the API knows them."""

Question = Book | LookUp | CallOff
Answered = Callable[[ApiAnswer | None], None]
"""Hears the answer; None: nobody answered."""


class Desk(Protocol):
    """Whoever answers for the dispatcher at this instant."""

    def answer(self, question: Question, answered: Answered) -> None:
        """Calls back, now or later; with None where the dispatcher is down."""
        ...


def latency_us(rng: random.Random) -> int:
    return rng.randint(LATENCY_MIN_US, LATENCY_MAX_US)


class StoreDesk:
    """Answers from the store, as the API does (`dispatcher/api/bookings.py`), without HTTP between."""

    def __init__(self, context: ApiContext) -> None:
        self._context = context
        self.refused: Counter[str] = Counter()
        """Bookings that were refused, by reason."""

    def answer(self, question: Question, answered: Answered) -> None:
        match question:
            case Book(request):
                answered(self._write(lambda desk: desk.create(_wanted(request))))
            case CallOff(booking):
                answered(self._write(lambda desk: _cancel(desk, booking)))
            case LookUp(booking):
                answered(self._context.database.read_now(lambda connection: _view(connection, booking)))

    def _write(self, work: Callable[[BookingDesk], Booking | Declined | None]) -> ApiAnswer:
        context = self._context

        def run(connection: Connection) -> ApiAnswer:
            now_ms = context.clock.now_ms()
            desk = BookingDesk(connection, context.rules, now_ms, context.random_bytes, f"api/{CALLER}")
            outcome = work(desk)
            if isinstance(outcome, Booking):
                return _view(connection, outcome.id)
            return ApiRefusal("not_found" if outcome is None else str(outcome.why.reason))

        answer = context.database.write_now(run)
        if isinstance(answer, BookingView):
            context.wake()
        else:
            self.refused[answer.reason] += 1
        return answer


def _cancel(desk: BookingDesk, booking_id: str) -> Booking | Declined | None:
    booking = locked(desk.connection, booking_id)
    return None if booking is None else desk.cancel(booking)


def _view(connection: Connection, booking_id: str) -> ApiAnswer:
    booking = booking_by_id(connection, booking_id)
    if booking is None:
        return ApiRefusal("not_found")
    status = grant_statuses(connection, [booking]).get(booking.id)
    return BookingView(
        id=booking.id,
        vehicle=booking.vehicle_id,
        cabinet=booking.cabinet_id,
        state=booking.state,
        grant=None if status is None else str(status),
    )


def _wanted(request: BookingRequest) -> WantedBooking:
    return WantedBooking(
        member_id=request.member,
        window=Window(request.start_ms, request.end_ms),
        vehicle_id=request.vehicle,
        category=request.category,
        station_id=request.station,
        organisation_id=request.organisation,
        driver_ids=tuple(sorted(set(request.drivers) - {request.member})),
        accept_unreachable=True,  # as `simulator/world/http_api.py` sends it
    )
