"""Gives, changes, cancels and completes service orders: bookings with a purpose, in one transaction each."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from dispatcher.core.availability import judge
from dispatcher.core.booking_states import BookingEvent, BookingState, TransitionRefused, advance
from dispatcher.core.orders import SWAP_HOLD, Purpose, check_order_change, check_order_people, check_order_window
from dispatcher.core.rules import BookingReason, Refused
from dispatcher.core.windows import Window, utc_text
from dispatcher.store.booking_requests import Declined, unknown_vehicle
from dispatcher.store.bookings import Booking, booking_by_id, insert_booking, update_booking
from dispatcher.store.desk import Desk, times_of
from dispatcher.store.vehicles import Vehicle, vehicle_by_id, views


@dataclass(frozen=True, slots=True)
class WantedOrder:
    """A vehicle, for whom, for what, and when."""

    holder_id: str
    vehicle_id: str
    purpose: Purpose
    window: Window
    driver_ids: tuple[str, ...] = ()
    note: str | None = None
    """For the history."""


@dataclass(frozen=True, slots=True)
class OrderChange:
    """What is to be different; absent: as it was."""

    start_ms: int | None = None
    end_ms: int | None = None
    purpose: Purpose | None = None


@dataclass(frozen=True, slots=True)
class OrderDesk(Desk):
    """Of service orders."""

    def create(self, wanted: WantedOrder) -> Booking | Declined:
        """An order may hold a vehicle that is blocked or not in service, and one whose key is not there now."""
        refused = check_order_window(self.rules, wanted.window, self.now_ms) or self._check_people(wanted)
        if refused is not None:
            return Declined(refused)
        vehicle = vehicle_by_id(self.connection, wanted.vehicle_id)
        if vehicle is None:
            return Declined(unknown_vehicle(wanted.vehicle_id))
        if vehicle.key is None or not vehicle.key.cabinet_in_service:
            expected = "a vehicle with a key in service in a cabinet in service"
            return Declined(Refused(BookingReason.KEY_NOT_IN_SERVICE, "vehicle_id", vehicle.id, expected))
        order = self._new(wanted, vehicle)
        if not insert_booking(self.connection, order):
            return self._not_free(order, vehicle)
        note = {} if wanted.note is None else {"note": wanted.note}
        self.written(None, order, "created", {**_summary(order), **note})
        return order

    def change(self, order: Booking, wanted: OrderChange) -> Booking | Declined:
        """`order` was read with its lock in this transaction."""
        window = Window(
            order.start_ms if wanted.start_ms is None else wanted.start_ms,
            order.end_ms if wanted.end_ms is None else wanted.end_ms,
        )
        refused = check_order_change(self.rules, times_of(order), window, self.now_ms) or self._check_slot(order)
        if refused is not None:
            return Declined(refused)
        changed = replace(
            order,
            start_ms=window.start_ms,
            end_ms=window.end_ms,
            take_by_ms=window.end_ms,
            hold_until_ms=window.end_ms if order.state is BookingState.RETURNED else order.hold_until_ms,
            purpose=order.purpose if wanted.purpose is None else wanted.purpose,
            changed_ms=self.now_ms,
        )
        if changed == replace(order, changed_ms=self.now_ms):
            return order
        if not update_booking(self.connection, changed):
            vehicle = vehicle_by_id(self.connection, order.vehicle_id)
            assert vehicle is not None, "orders refer to vehicles that exist"
            return self._not_free(changed, vehicle)
        changed = replace(changed, version=changed.version + 1)
        self.written(order.state, changed, "changed", {"before": _summary(order), "after": _summary(changed)})
        return changed

    def cancel(self, order: Booking, reason: str) -> Booking | Declined:
        """Before its key is taken. `order` was read with its lock in this transaction."""
        return self._end(order, BookingEvent.CANCELLED, "cancelled", reason)

    def complete(self, order: Booking, reason: str) -> Booking | Declined:
        """Once its key is back: what is left of it is free. `order` was read with its lock in this transaction."""
        return self._end(order, BookingEvent.HOLD_ELAPSED, "completed", reason)

    def _end(self, order: Booking, event: BookingEvent, what: str, reason: str) -> Booking | Declined:
        following = advance(order.state, event)
        if isinstance(following, TransitionRefused):
            why = BookingReason(following.reason)
            states = "booked" if event is BookingEvent.CANCELLED else "returned"
            return Declined(Refused(why, "state", order.state, f"an order that is {states}"))
        refused = self._check_slot(order)
        if refused is not None:
            return Declined(refused)
        ended = replace(order, state=following, ended_ms=self.now_ms, changed_ms=self.now_ms)
        done = update_booking(self.connection, ended)
        assert done, "an order that is over overlaps nothing"
        ended = replace(ended, version=ended.version + 1)
        self.written(order.state, ended, what, {"reason": reason})
        return ended

    def _check_people(self, wanted: WantedOrder) -> Refused | None:
        found = self.known_people("holder_id", wanted.holder_id, wanted.driver_ids)
        return found if isinstance(found, Refused) else check_order_people(*found)

    def _check_slot(self, order: Booking) -> Refused | None:
        return self.check_slot_shut(order, "an order whose slot does not stand open")

    def _new(self, wanted: WantedOrder, vehicle: Vehicle) -> Booking:
        return self.begun(
            vehicle,
            wanted.window,
            wanted.window.end_ms,
            member_id=wanted.holder_id,
            organisation_id=None,
            category=None,
            purpose=wanted.purpose,
            driver_ids=tuple(sorted(wanted.driver_ids)),
        )

    def _not_free(self, wanted: Booking, vehicle: Vehicle) -> Declined:
        """The database said that a booking or another order holds the vehicle."""
        (view,) = views(self.connection, [vehicle], self.now_ms, without_booking=wanted.id)
        expected = "a window in which no booking and no other order holds the vehicle"
        why = Refused(BookingReason.VEHICLE_NOT_FREE, "vehicle_id", vehicle.id, expected)
        verdict = judge(self.rules, view, wanted.window, self.now_ms)
        return Declined(why, (verdict,) if verdict else ())


def order_by_id(connection: Connection, order_id: str, *, lock: bool = False) -> Booking | None:
    """An order; a member's booking is none. `lock`: nobody else changes it before the end of this transaction."""
    found = booking_by_id(connection, order_id, lock=lock)
    return found if found is not None and found.purpose not in {None, SWAP_HOLD} else None


def _summary(order: Booking) -> dict[str, Any]:
    """What an order's history keeps: no person."""
    return {
        "vehicle_id": order.vehicle_id,
        "purpose": order.purpose,
        "start": utc_text(order.start_ms),
        "end": utc_text(order.end_ms),
    }
