"""Takes, changes and cancels bookings: rules first, then the database's word, all in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from dispatcher.core.availability import NotFree, VehicleView, by_fit, judge, latest_end_ms
from dispatcher.core.booking_states import BookingState
from dispatcher.core.rules import (
    BookingReason,
    Refused,
    check_cancel,
    check_change,
    check_extension,
    check_people,
    check_window,
    take_by_ms,
)
from dispatcher.core.windows import Window, utc_text
from dispatcher.store.alternatives import Asked, silent_towards
from dispatcher.store.alternatives import alternatives as find_alternatives
from dispatcher.store.booking_requests import (
    Alternative,
    Declined,
    WantedBooking,
    WantedChange,
    WantedReplacement,
    none_free,
    refusal,
    unknown_vehicle,
)
from dispatcher.store.bookings import (
    Booking,
    booking_by_id,
    insert_booking,
    update_booking,
    write_drivers,
)
from dispatcher.store.desired import mark_dirty
from dispatcher.store.desk import Desk, times_of
from dispatcher.store.looking import with_next_free
from dispatcher.store.members import people
from dispatcher.store.pools import check_account
from dispatcher.store.registry import station_exists
from dispatcher.store.unmet import count_unmet
from dispatcher.store.usage import note_hit
from dispatcher.store.vehicles import Vehicle, VehicleFilter, vehicle_by_id, vehicles_of, views


@dataclass(frozen=True, slots=True)
class BookingDesk(Desk):
    """Of members' bookings."""

    def create(self, wanted: WantedBooking) -> Booking | Declined:
        refused = (
            check_window(self.rules, wanted.window, self.now_ms)
            or self._check_people(wanted.member_id, wanted.driver_ids, wanted.organisation_id)
            or check_account(self.connection, wanted.organisation_id, wanted.cost_centre_id, wanted.pool_id)
        )
        if refused is not None:
            return Declined(refused)
        candidates = self.candidates(wanted)
        if isinstance(candidates, Refused):
            self._unmet(wanted, (wanted.station_id, wanted.category), candidates.reason)
            return Declined(candidates)
        silent = silent_towards(self.connection, self.rules, candidates, wanted.window.start_ms, self.now_ms)
        fitting = by_fit(self._views(candidates, wanted.window), wanted.window, self.now_ms)
        not_free = []
        for view in sorted(fitting, key=lambda view: view.vehicle_id in silent):
            verdict = judge(self.rules, view, wanted.window, self.now_ms)
            if verdict is None and view.vehicle_id in silent and not wanted.accept_unreachable:
                verdict = NotFree(view.vehicle_id, BookingReason.CABINET_UNREACHABLE, None)
            if verdict is None:
                booking = self._new(wanted, _by_id(candidates, view.vehicle_id))
                if insert_booking(self.connection, booking):
                    self.written(None, booking, "created", summary_of(booking))
                    return booking
                verdict = NotFree(view.vehicle_id, BookingReason.VEHICLE_NOT_FREE, None)
            not_free.append(verdict)
        asked = Asked(candidates[0].home_station_id, candidates[0].category, wanted.window)
        verdicts = with_next_free(self.connection, self.rules, candidates, wanted.window, self.now_ms, not_free)
        declined = none_free(wanted, verdicts)
        self._unmet(wanted, (asked.station_id, asked.category), declined.why.reason)
        return replace(declined, alternatives=self.alternatives(asked, candidates))

    def change(self, booking: Booking, wanted: WantedChange) -> Booking | Declined:
        """`booking` was read with its lock in this transaction."""
        window = Window(
            booking.start_ms if wanted.start_ms is None else wanted.start_ms,
            booking.end_ms if wanted.end_ms is None else wanted.end_ms,
        )
        other_vehicle = wanted.vehicle_id is not None and wanted.vehicle_id != booking.vehicle_id
        refused = self._check_change(booking, window, other_vehicle=other_vehicle) or self.check_slot(booking)
        if refused is not None:
            return Declined(refused)
        changed = self._with_window(booking, window)
        if other_vehicle:
            moved = self._move(changed, str(wanted.vehicle_id))
            if isinstance(moved, Declined):
                return moved
            changed = moved
        if other_vehicle or window.start_ms != booking.start_ms:
            silent = None if wanted.accept_unreachable else self._silent(changed)
            if silent is not None:
                return silent
        account = self._with_account(changed, wanted)
        if isinstance(account, Refused):
            return Declined(account)
        changed = account
        if changed == replace(booking, changed_ms=self.now_ms):
            return booking
        if not update_booking(self.connection, changed):
            return self._not_free(changed)
        if other_vehicle:
            note_hit(self.connection, booking, self.now_ms, self.author)
        if changed.driver_ids != booking.driver_ids:
            write_drivers(self.connection, changed)
        changed = replace(changed, version=changed.version + 1)
        detail = {"before": summary_of(booking), "after": summary_of(changed)}
        self.written(booking.state, changed, "changed", detail)
        if changed.cabinet_id != booking.cabinet_id:
            mark_dirty(self.connection, booking.cabinet_id)
        return changed

    def extend(self, booking: Booking, end_ms: int) -> Booking | Declined:
        """A later end and nothing else. `booking` was read with its lock in this transaction."""
        refused = check_extension(times_of(booking), end_ms)
        return Declined(refused) if refused is not None else self.change(booking, WantedChange(end_ms=end_ms))

    def latest_end_ms(self, booking: Booking) -> int:
        """The latest end that it can have as things stand: the next booking, or the horizon."""
        return self._latest_end_ms(booking, self._view(booking))

    def cancel(self, booking: Booking) -> Booking | Declined:
        """`booking` was read with its lock in this transaction. Notice counts from the original start."""
        refused = check_cancel(times_of(booking), self.now_ms) or self.check_slot(booking)
        if refused is not None:
            return Declined(refused)
        cancelled = replace(booking, state=BookingState.CANCELLED, ended_ms=self.now_ms, changed_ms=self.now_ms)
        done = update_booking(self.connection, cancelled)
        assert done, "a cancelled booking overlaps nothing"
        cancelled = replace(cancelled, version=cancelled.version + 1)
        notice_s = (booking.original_start_ms - self.now_ms) // 1000
        self.written(booking.state, cancelled, "cancelled", {"notice_s": notice_s})
        return cancelled

    def _check_people(
        self, owner_id: str, driver_ids: Sequence[str], organisation_id: str | None
    ) -> Refused | None:
        found = self.known_people("member_id", owner_id, driver_ids)
        return found if isinstance(found, Refused) else check_people(*found, organisation_id)

    def _with_account(self, booking: Booking, wanted: WantedChange) -> Booking | Refused:
        """With other drivers, or a pool instead, and another cost centre. Who gives rights needs standing."""
        more = sorted(set(wanted.driver_ids or ()) - {booking.member_id, *booking.driver_ids})
        refused = check_account(self.connection, booking.organisation_id, wanted.cost_centre_id, wanted.pool_id)
        if refused is None and (more or wanted.pool_id is not None):
            refused = self._check_people(booking.member_id, more, booking.organisation_id)
        if refused is not None:
            return refused
        changed = replace(booking, cost_centre_id=wanted.cost_centre_id or booking.cost_centre_id)
        if wanted.driver_ids is not None:
            drivers = tuple(sorted(set(wanted.driver_ids) - {booking.member_id}))
            changed = replace(changed, driver_ids=drivers, pool_id=None)
        if wanted.pool_id is not None:
            changed = replace(changed, driver_ids=(), pool_id=wanted.pool_id)
        return changed

    def _check_change(self, booking: Booking, window: Window, *, other_vehicle: bool) -> Refused | None:
        refused = check_change(self.rules, times_of(booking), window, self.now_ms, other_vehicle=other_vehicle)
        if refused is not None or (booking.window.contains(window) and not other_vehicle):
            return refused  # who gives time back needs no standing
        owner = people(self.connection, [booking.member_id])[booking.member_id]
        return check_people(owner, (), booking.organisation_id)

    def check_slot(self, booking: Booking) -> Refused | None:
        if booking.state is BookingState.ACTIVE:
            return None
        return self.check_slot_shut(booking, "a booking whose slot does not stand open")

    def _with_window(self, booking: Booking, window: Window) -> Booking:
        not_taken = booking.state is BookingState.BOOKED
        return replace(
            booking,
            start_ms=window.start_ms,
            end_ms=window.end_ms,
            take_by_ms=take_by_ms(self.rules, window) if not_taken else min(booking.take_by_ms, window.end_ms),
            changed_ms=self.now_ms,
        )

    def candidates(self, wanted: WantedBooking | WantedReplacement) -> list[Vehicle] | Refused:
        if wanted.vehicle_id is not None:
            vehicle = vehicle_by_id(self.connection, wanted.vehicle_id)
            if vehicle is None:
                return unknown_vehicle(wanted.vehicle_id)
            return [vehicle]
        assert wanted.station_id is not None, "the caller gives a vehicle, or a category and a station"
        fitting = VehicleFilter(wanted.station_id, wanted.category, in_use=True)
        found = vehicles_of(self.connection, fitting)
        if not found and not station_exists(self.connection, wanted.station_id):
            expected = "the id of a station"
            return Refused(BookingReason.UNKNOWN_STATION, "station_id", wanted.station_id, expected)
        if not found:
            expected = f"a category that station {wanted.station_id} has"
            reason = BookingReason.NO_SUCH_VEHICLE_HERE
            return Refused(reason, "category", str(wanted.category), expected)
        return found

    def _new(self, wanted: WantedBooking, vehicle: Vehicle) -> Booking:
        return self.begun(
            vehicle,
            wanted.window,
            take_by_ms(self.rules, wanted.window),
            member_id=wanted.member_id,
            organisation_id=wanted.organisation_id,
            category=wanted.category,
            cost_centre_id=wanted.cost_centre_id,
            pool_id=wanted.pool_id,
            driver_ids=tuple(sorted(wanted.driver_ids)),
        )

    def _move(self, booking: Booking, vehicle_id: str) -> Booking | Declined:
        vehicle = vehicle_by_id(self.connection, vehicle_id)
        if vehicle is None:
            return Declined(unknown_vehicle(vehicle_id))
        (view,) = views(self.connection, [vehicle], self.now_ms, without_booking=booking.id)
        verdict = judge(self.rules, view, booking.window, self.now_ms)
        if verdict is not None:
            return self._refused(verdict, vehicle, booking.window)
        category = booking.category if booking.category == vehicle.category else None
        return replace(bound_to(booking, vehicle), category=category)

    def _silent(self, booking: Booking) -> Declined | None:
        """Whether its new form would have to be told to a box soon that cannot be told."""
        vehicle = vehicle_by_id(self.connection, booking.vehicle_id)
        assert vehicle is not None, "bookings refer to vehicles that exist"
        if not silent_towards(self.connection, self.rules, [vehicle], booking.start_ms, self.now_ms):
            return None
        verdict = NotFree(vehicle.id, BookingReason.CABINET_UNREACHABLE, None)
        return self._refused(verdict, vehicle, booking.window)

    def _refused(self, verdict: NotFree, vehicle: Vehicle, window: Window) -> Declined:
        asked = Asked(vehicle.home_station_id, vehicle.category, window)
        found = self.alternatives(asked, [vehicle])
        return Declined(refusal(verdict, "vehicle_id"), (verdict,), alternatives=found)

    def _not_free(self, wanted: Booking) -> Declined:
        """What the overlap that the database refused leaves possible."""
        view = self._view(wanted)
        latest_ms = self._latest_end_ms(wanted, view)
        possible = latest_ms - wanted.start_ms >= self.rules.minimum_ms
        expected = (
            f"an end at {utc_text(latest_ms)} or earlier: another booking follows"
            if possible
            else "a window in which the vehicle is free"
        )
        why = Refused(BookingReason.VEHICLE_NOT_FREE, "end", utc_text(wanted.end_ms), expected)
        verdict = judge(self.rules, view, wanted.window, self.now_ms)
        return Declined(why, (verdict,) if verdict else (), latest_ms if possible else None)

    def _unmet(self, wanted: WantedBooking, place: tuple[str | None, str | None], reason: BookingReason) -> None:
        """The refusal commits, with its count."""
        count_unmet(self.connection, wanted.window.start_ms, place, reason, "booking")

    def _views(self, candidates: Sequence[Vehicle], window: Window) -> list[VehicleView]:
        return views(self.connection, candidates, self.now_ms, around=window)

    def _view(self, booking: Booking) -> VehicleView:
        """Its vehicle, as if it did not hold it."""
        vehicle = vehicle_by_id(self.connection, booking.vehicle_id)
        assert vehicle is not None, "bookings refer to vehicles that exist"
        (view,) = views(self.connection, [vehicle], self.now_ms, without_booking=booking.id)
        return view

    def _latest_end_ms(self, booking: Booking, view: VehicleView) -> int:
        horizon_end_ms = self.now_ms + self.rules.horizon_ms
        return latest_end_ms(view.holdings, booking.start_ms, horizon_end_ms, self.rules.grid_ms)

    def alternatives(self, asked: Asked, tried: Sequence[Vehicle]) -> tuple[Alternative, ...]:
        return find_alternatives(self.connection, self.rules, asked, tried, self.now_ms)


def locked(connection: Connection, booking_id: str) -> Booking | None:
    """The booking to change or cancel, for this transaction alone. A service order is none: `order_desk`."""
    found = booking_by_id(connection, booking_id, lock=True)
    return found if found is not None and found.purpose is None else None


def bound_to(booking: Booking, vehicle: Vehicle) -> Booking:
    """The booking, of another vehicle, taken where that one's key lives."""
    key = vehicle.key
    assert key is not None, "a vehicle without a key in service is not bookable"
    return replace(
        booking,
        vehicle_id=vehicle.id,
        station_id=vehicle.home_station_id,
        cabinet_id=key.home_cabinet_id,
        key_id=key.key_id,
    )


def summary_of(booking: Booking) -> dict[str, Any]:
    """What a booking's history keeps: no person."""
    return {
        "vehicle_id": booking.vehicle_id,
        "start": utc_text(booking.start_ms),
        "end": utc_text(booking.end_ms),
        **({"drivers": len(booking.driver_ids)} if booking.driver_ids else {}),
        **({"pool_id": booking.pool_id} if booking.pool_id is not None else {}),
        **({"cost_centre_id": booking.cost_centre_id} if booking.cost_centre_id is not None else {}),
    }


def _by_id(candidates: Sequence[Vehicle], vehicle_id: str) -> Vehicle:
    return next(vehicle for vehicle in candidates if vehicle.id == vehicle_id)
