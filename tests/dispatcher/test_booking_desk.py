"""What the desk asks of slots and keys before it gives a vehicle away."""

import pytest
from sqlalchemy import Connection, insert

from contract.facts import AccessGranted, DoorClosed, Purpose
from dispatcher.core.booking_states import BookingState
from dispatcher.core.rules import BookingReason
from dispatcher.core.windows import Window
from dispatcher.store.booking_desk import BookingDesk
from dispatcher.store.booking_requests import Declined, WantedBooking, WantedChange
from dispatcher.store.bookings import Booking
from dispatcher.store.database import Database
from dispatcher.store.schema import key_states
from tests.dispatcher import small_fleet as fleet
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.small_fleet import RULES, counted_bytes


def desk(connection: Connection, now_ms: int) -> BookingDesk:
    return BookingDesk(connection, RULES, now_ms, counted_bytes(), "api/x")


def test_nothing_is_cancelled_or_moved_while_its_slot_stands_open() -> None:
    database, box = fleet.new_database(), FakeBox()
    fleet.book(database)
    now_ms = fleet.NOW_MS + fleet.MINUTE
    box.note(AccessGranted, reader="entrance", slot=1, purpose=Purpose.TAKE, key="key-1", grant="grant-1")
    fleet.take(database, box.batch(), now_ms=now_ms)
    shorter = WantedChange(end_ms=fleet.NOW_MS + fleet.HOUR)
    booked = fleet.stored(database)
    for refused in (
        database.write_now(lambda c: desk(c, now_ms).cancel(booked)),
        database.write_now(lambda c: desk(c, now_ms).change(booked, shorter)),
    ):
        assert isinstance(refused, Declined)
        assert refused.why.reason is BookingReason.SLOT_RELEASED
    seq = box.note(DoorClosed, slot=1)
    fleet.take(database, box.batch(seq), now_ms=now_ms)
    assert isinstance(database.write_now(lambda c: desk(c, now_ms).cancel(booked)), Booking)


def category(database: Database, start_ms: int) -> str:
    window = Window(start_ms, start_ms + 2 * fleet.HOUR)
    wanted = WantedBooking("member-2", window, category="city", station_id="st-a", accept_unreachable=True)
    made = database.write_now(lambda c: desk(c, fleet.NOW_MS + 5 * fleet.MINUTE).create(wanted))
    assert isinstance(made, Booking)
    return made.vehicle_id


def hang(database: Database, key_id: str, state: str, cabinet_id: str = fleet.CABINET) -> None:
    row = {"key_id": key_id, "state": state, "cabinet_id": cabinet_id, "slot": 1, "identity": "read", "since_ms": 0}
    database.write_now(lambda c: c.execute(insert(key_states).values(row)))


@pytest.mark.parametrize("start_ms", [fleet.NOW_MS + 15 * fleet.MINUTE, fleet.NOW_MS + 72 * fleet.HOUR])
def test_a_category_is_served_by_a_vehicle_that_is_not_overdue(start_ms: int) -> None:
    database = fleet.new_database()
    start = fleet.NOW_MS - 2 * fleet.HOUR
    fleet.book(database, start_ms=start, end_ms=fleet.NOW_MS, state=BookingState.ACTIVE)
    hang(database, "key-1", "taken")
    hang(database, "key-2", "in_slot")
    assert category(database, start_ms) == "car-2"


@pytest.mark.parametrize("place", [("missing", fleet.CABINET), ("in_slot", fleet.OTHER_CABINET)])
def test_a_category_is_served_by_a_vehicle_whose_key_is_at_home(place: tuple[str, str]) -> None:
    database = fleet.new_database()
    hang(database, "key-1", *place)
    hang(database, "key-2", "in_slot")
    assert category(database, fleet.NOW_MS + 30 * fleet.MINUTE) == "car-2"


def test_a_key_that_hangs_in_another_cabinet_is_not_there() -> None:
    database = fleet.new_database()
    hang(database, "key-1", "in_slot", fleet.OTHER_CABINET)
    window = Window(fleet.NOW_MS, fleet.NOW_MS + 2 * fleet.HOUR)
    wanted = WantedBooking("member-2", window, vehicle_id="car-1")
    refused = database.write_now(lambda c: desk(c, fleet.NOW_MS).create(wanted))
    assert isinstance(refused, Declined)
    assert refused.why.reason is BookingReason.KEY_NOT_PRESENT
