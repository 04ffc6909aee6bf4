"""What operators do to bookings: another vehicle for one whose own is not to be had, and an end by hand."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, bindparam, select

from dispatcher.core.availability import NotFree, by_fit, judge
from dispatcher.core.booking_states import BookingEvent, BookingState
from dispatcher.core.rules import (
    BookingReason,
    Refused,
    check_completion,
    check_replacement,
    replaced_take_by_ms,
)
from dispatcher.store.alternatives import Asked, silent_towards
from dispatcher.store.booking_desk import BookingDesk, bound_to, summary_of
from dispatcher.store.booking_events import Happening, apply_event
from dispatcher.store.booking_requests import Declined, WantedReplacement, refusal
from dispatcher.store.bookings import Booking, booking_by_id, update_booking
from dispatcher.store.desired import mark_dirty
from dispatcher.store.desk import times_of
from dispatcher.store.handovers import RentalEnd, end_rental_of_booking
from dispatcher.store.ids import new_id
from dispatcher.store.keys import set_key, settle_key
from dispatcher.store.schema import key_states
from dispatcher.store.usage import note_hit
from dispatcher.store.vehicles import Vehicle, views

_KEYS_OUT = select(key_states).where(key_states.c.grant_id == bindparam("grant"), key_states.c.state == "taken")


@dataclass(frozen=True, slots=True)
class OperatorsDesk:
    """As `BookingDesk`, for who may do more than members."""

    desk: BookingDesk

    def replace(self, booking: Booking, wanted: WantedReplacement) -> Booking | Declined:
        """Another vehicle for the same window. `booking` was read with its lock in this transaction.

        One whose key was taken and is back gets a new right, for its box remembers the old one by the old key:
        it opens until the end of the booking.
        """
        refused = check_replacement(times_of(booking), self.desk.now_ms) or self.desk.check_slot(booking)
        if refused is not None:
            return Declined(refused)
        if wanted.category is not None and wanted.station_id is None:
            wanted = replace(wanted, station_id=booking.station_id)
        found = self.desk.candidates(wanted)
        if isinstance(found, Refused):
            return Declined(found)
        others = [vehicle for vehicle in found if vehicle.id != booking.vehicle_id]
        if not others:
            expected = "another vehicle than the one it has"
            return Declined(Refused(BookingReason.SAME_VEHICLE, "vehicle_id", booking.vehicle_id, expected))
        return self._first_that_is_free(booking, others, wanted.reason)

    def _first_that_is_free(self, booking: Booking, others: Sequence[Vehicle], reason: str) -> Booking | Declined:
        desk = self.desk
        by_id = {vehicle.id: vehicle for vehicle in others}
        silent = silent_towards(desk.connection, desk.rules, others, booking.start_ms, desk.now_ms)
        not_free = []
        fitting = by_fit(views(desk.connection, others, desk.now_ms), booking.window, desk.now_ms)
        for view in sorted(fitting, key=lambda view: view.vehicle_id in silent):
            verdict = judge(desk.rules, view, booking.window, desk.now_ms)
            if verdict is None:
                replaced = self._replaced(booking, by_id[view.vehicle_id], reason)
                if replaced is not None:
                    return replaced
                verdict = NotFree(view.vehicle_id, BookingReason.VEHICLE_NOT_FREE, None)
            not_free.append(verdict)
        asked = Asked(others[0].home_station_id, others[0].category, booking.window)
        return Declined(
            refusal(not_free[0], "vehicle_id"), tuple(not_free), alternatives=desk.alternatives(asked, others)
        )

    def _replaced(self, booking: Booking, vehicle: Vehicle, reason: str) -> Booking | None:
        """The booking as it was written; None where the database says that the vehicle is not free."""
        desk = self.desk
        changed = replace(bound_to(booking, vehicle), changed_ms=desk.now_ms)
        if booking.state is BookingState.RETURNED:
            grant_id = new_id(desk.random_bytes)
            until_ms = booking.end_ms
            changed = replace(changed, grant_id=grant_id, take_by_ms=until_ms, hold_until_ms=until_ms)
        else:
            until_ms = replaced_take_by_ms(desk.rules, times_of(booking), desk.now_ms)
            changed = replace(changed, take_by_ms=until_ms)
        if not update_booking(desk.connection, changed):
            return None
        note_hit(desk.connection, booking, desk.now_ms, desk.author)
        changed = replace(changed, version=changed.version + 1)
        detail = {"before": summary_of(booking), "after": summary_of(changed), "reason": reason}
        desk.written(booking.state, changed, BookingEvent.REPLACED, detail)
        mark_dirty(desk.connection, booking.cabinet_id)
        return changed

    def complete(self, booking: Booking, reason: str, holder: str | None = None) -> Booking | Declined:
        """End a booking by hand. `booking` was read with its lock in this transaction.

        A key that is out under it is `elsewhere` from now on, with `holder` if that is known, and its rental ends
        without a reading. What a box tells of this right later moves nothing.
        """
        desk = self.desk
        refused = check_completion(times_of(booking)) or desk.check_slot(booking)
        if refused is not None:
            return Declined(refused)
        keys_out = desk.connection.execute(_KEYS_OUT, {"grant": booking.grant_id}).all()
        detail = {"reason": reason, "keys_elsewhere": [key.key_id for key in keys_out]}
        event = BookingEvent.COMPLETED_BY_OPERATOR
        happening = Happening(event, desk.now_ms, desk.now_ms, desk.author, detail)
        moved = apply_event(desk.connection, booking, happening, desk.rules)
        assert moved, "the state table was asked before"
        for key in keys_out:
            nowhere = {"cabinet_id": None, "slot": None, "identity": key.identity, "badge_ref": key.badge_ref}
            right = {"grant_id": None, "command_id": None, "since_ms": desk.now_ms}
            set_key(desk.connection, key.key_id, state="elsewhere", holder=holder, **nowhere, **right)
            settle_key(desk.connection, key.key_id, desk.now_ms)
        end_rental_of_booking(desk.connection, booking.id, RentalEnd(desk.now_ms, None, desk.now_ms))
        return _again(desk.connection, booking)


def _again(connection: Connection, booking: Booking) -> Booking:
    found = booking_by_id(connection, booking.id)
    assert found is not None, "bookings are never deleted"
    return found
