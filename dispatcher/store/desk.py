"""What the desks of bookings and of service orders do alike: both write rows of `bookings`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from dispatcher.core.booking_states import BookingState
from dispatcher.core.rules import BookingReason, BookingTimes, FleetRules, Person, Refused
from dispatcher.core.windows import Window
from dispatcher.store.bookings import Booking, add_history
from dispatcher.store.desired import mark_dirty
from dispatcher.store.ids import RandomBytes, new_id
from dispatcher.store.members import people
from dispatcher.store.service import being_used
from dispatcher.store.telling import tell_booking
from dispatcher.store.vehicles import Vehicle


@dataclass(frozen=True, slots=True)
class Desk:
    """One caller's desk, at one instant, inside one transaction."""

    connection: Connection
    rules: FleetRules
    now_ms: int
    random_bytes: RandomBytes
    author: str
    """Who asks, for the history: the name of a token, never of a person."""

    def written(self, before: BookingState | None, after: Booking, what: str, detail: Mapping[str, Any]) -> None:
        """Keep in its history what was done, tell others, and have its cabinet told."""
        add_history(self.connection, after.id, self.now_ms, what, self.author, detail)
        tell_booking(self.connection, before, after, what)
        mark_dirty(self.connection, after.cabinet_id)

    def known_people(
        self, field: str, holder_id: str, driver_ids: Sequence[str]
    ) -> tuple[Person, tuple[Person, ...]] | Refused:
        """Whose the right is to be, and who may drive beside them; `field`: what the request calls the former."""
        found = people(self.connection, [holder_id, *driver_ids])
        for name, member_id in [(field, holder_id), *(("driver_ids", driver) for driver in driver_ids)]:
            if member_id not in found:
                return Refused(BookingReason.UNKNOWN_MEMBER, name, member_id, "the id of a member")
        return found[holder_id], tuple(found[driver_id] for driver_id in driver_ids)

    def check_slot_shut(self, booking: Booking, expected: str) -> Refused | None:
        """Between the release of the slot and the fact of the take, the key may be in somebody's hand."""
        if not self.connection.execute(select(being_used(booking.grant_id))).scalar_one():
            return None
        return Refused(BookingReason.SLOT_RELEASED, "state", booking.state, expected)

    def begun(self, vehicle: Vehicle, window: Window, take_by_ms: int, **whose: Any) -> Booking:
        """A booking or an order as it begins; `whose`: the columns that say for whom and for what."""
        key = vehicle.key
        assert key is not None, "a vehicle without a key in service is not bookable"
        return Booking(
            id=new_id(self.random_bytes),
            grant_id=new_id(self.random_bytes),
            vehicle_id=vehicle.id,
            station_id=vehicle.home_station_id,
            cabinet_id=key.home_cabinet_id,
            key_id=key.key_id,
            start_ms=window.start_ms,
            end_ms=window.end_ms,
            original_start_ms=window.start_ms,
            take_by_ms=take_by_ms,
            state=BookingState.BOOKED,
            taken_ms=None,
            returned_ms=None,
            hold_until_ms=None,
            ended_ms=None,
            created_ms=self.now_ms,
            changed_ms=self.now_ms,
            version=1,
            **whose,
        )


def times_of(booking: Booking) -> BookingTimes:
    return BookingTimes(booking.state, booking.window, booking.take_by_ms, booking.has_origin)
