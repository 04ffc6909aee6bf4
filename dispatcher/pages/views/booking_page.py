"""One booking or service order: what was planned, what happened and why, and what can be done about it."""

from dataclasses import dataclass

from sqlalchemy import Connection

from dispatcher.core.booking_states import HOLDING_STATES, BookingState, is_overdue
from dispatcher.core.rules import FleetRules
from dispatcher.core.windows import round_up
from dispatcher.pages.views.places import Named, Place, places_of, vehicles_named
from dispatcher.store.bookings import Booking, HistoryEntry, booking_by_id, history_page
from dispatcher.store.grant_status import GrantStatus, grant_statuses
from dispatcher.store.members import member_by_id
from dispatcher.store.paging import LIMIT_MAX, PageRequest

ENDS_MAX = 16  # steps of the grid: four hours, by which anybody knows whether it takes longer


@dataclass(frozen=True, slots=True)
class BookingPage:
    booking: Booking
    vehicle: Named | None
    place: Place | None
    member: str | None
    """Whose it is, by name; None: the reader may not see members, or nobody is known any more."""
    grant: GrantStatus | None
    """None: it is over."""
    history: tuple[HistoryEntry, ...]
    """Oldest first, at most 200."""
    later_ends_ms: tuple[int, ...]
    """Ends that an extension could ask for; the API knows which of them are free."""
    is_overdue: bool

    @property
    def is_open(self) -> bool:
        return self.booking.state in HOLDING_STATES

    @property
    def is_begun(self) -> bool:
        return self.booking.state is not BookingState.BOOKED


def booking_page(
    connection: Connection, booking_id: str, rules: FleetRules, now_ms: int, *, with_member: bool
) -> BookingPage | None:
    """None: there is none of that name."""
    booking = booking_by_id(connection, booking_id)
    if booking is None:
        return None
    member = member_by_id(connection, booking.member_id) if with_member else None
    first_ms = round_up(max(booking.end_ms, now_ms) + 1, rules.grid_ms)
    return BookingPage(
        booking=booking,
        vehicle=vehicles_named(connection, [booking.vehicle_id]).get(booking.vehicle_id),
        place=places_of(connection, [booking.cabinet_id]).get(booking.cabinet_id),
        member=None if member is None else member.name,
        grant=grant_statuses(connection, [booking]).get(booking.id),
        history=history_page(connection, booking_id, PageRequest(LIMIT_MAX)).items,
        later_ends_ms=tuple(first_ms + step * rules.grid_ms for step in range(ENDS_MAX)),
        is_overdue=is_overdue(booking.state, booking.end_ms, now_ms),
    )
