"""Every change of record is told, in its own transaction, without a name and without a badge."""

import json

import pytest
from sqlalchemy import Connection

from contract.facts import DeviceBack, DeviceLost, Identity, VehicleReading
from dispatcher.core.booking_states import BookingState
from dispatcher.core.windows import Window, utc_text
from dispatcher.store.booking_desk import BookingDesk
from dispatcher.store.booking_requests import WantedBooking, WantedChange
from dispatcher.store.bookings import Booking
from dispatcher.store.changes import Author, keep_change
from dispatcher.store.incident_desk import acknowledge, assign, comment
from dispatcher.store.outbox import forget_member
from dispatcher.store.telling import tell_booking
from tests.dispatcher.events_bench import kinds, told
from tests.dispatcher.small_fleet import (
    HOUR,
    MINUTE,
    NOW_MS,
    RULES,
    book,
    booking,
    counted_bytes,
    decide_deadlines,
    new_database,
)
from tests.dispatcher.test_projections import UNDER_1, Bench

WANTED = WantedBooking(
    "member-2",
    Window(NOW_MS, NOW_MS + 2 * HOUR),
    vehicle_id="car-1",
    driver_ids=("member-3",),
    accept_unreachable=True,
)
START = VehicleReading(age_s=0, odometer_m=5_000_000, energy_percent=80)


def desk(connection: Connection) -> BookingDesk:
    return BookingDesk(connection, RULES, NOW_MS, counted_bytes(), "front-end")


def create(connection: Connection) -> Booking:
    made = desk(connection).create(WANTED)
    assert isinstance(made, Booking)
    return made


def test_what_the_desk_does_is_told_as_it_stands_after_it() -> None:
    database = new_database()
    made = database.write_now(create)
    longer = database.write_now(lambda c: desk(c).change(made, WantedChange(end_ms=NOW_MS + 3 * HOUR)))
    assert isinstance(longer, Booking)
    database.write_now(lambda c: desk(c).cancel(longer))
    created, changed, cancelled = told(database)
    assert [event.kind for event in (created, changed, cancelled)] == [
        "booking.created",
        "booking.changed",
        "booking.cancelled",
    ]
    assert {event.subject for event in (created, changed, cancelled)} == {f"bookings/{made.id}"}
    assert [event.data["version"] for event in (created, changed, cancelled)] == [1, 2, 3]
    assert (created.data["end"], changed.data["end"]) == (utc_text(NOW_MS + 2 * HOUR), utc_text(NOW_MS + 3 * HOUR))
    assert (cancelled.data["state"], cancelled.data["ended_at"]) == ("cancelled", utc_text(NOW_MS))
    assert created.at_ms == NOW_MS


def test_a_change_that_changes_nothing_is_not_told() -> None:
    database = new_database()
    made = database.write_now(create)
    database.write_now(lambda c: desk(c).change(made, WantedChange(end_ms=made.end_ms)))
    assert kinds(database) == ["booking.created"]


def test_ids_of_members_stand_apart_from_what_everybody_is_told() -> None:
    database = new_database()
    database.write_now(create)
    (created,) = told(database)
    assert created.personal == {"member_id": "member-2", "driver_ids": ["member-3"]}
    assert "member" not in json.dumps(created.data)


def test_what_is_rolled_back_is_not_told() -> None:
    database = new_database()

    def broken(connection: Connection) -> None:
        create(connection)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.write_now(broken)
    assert told(database) == []


def test_a_rental_is_told_from_its_key_taken_to_its_end() -> None:
    bench = Bench()
    book(bench.database)
    bench.take_key(**UNDER_1, vehicle=START)
    bench.box.now_ms += HOUR
    end = VehicleReading(age_s=0, odometer_m=5_012_300, energy_percent=71)
    bench.return_key(**UNDER_1, vehicle=end)
    assert kinds(bench.database) == [
        "booking.started",
        "key.taken",
        "booking.returned",
        "key.returned",
        "rental.ended",
    ]
    started, taken, _returned, back, ended = told(bench.database)
    assert (started.data["why"], started.data["taken_at"]) == ("key_taken", utc_text(NOW_MS))
    assert (taken.subject, taken.data["booking_id"], taken.data["slot"]) == ("keys/key-1", "booking-1", 1)
    assert (back.data["identity"], back.data["wrong_slot"]) == ("read", False)
    assert ended.data["odometer_end_m"] - ended.data["odometer_start_m"] == 12_300
    assert (ended.data["energy_start_percent"], ended.data["energy_end_percent"]) == (80, 71)
    assert (ended.data["taken_at"], ended.data["returned_at"]) == (utc_text(NOW_MS), utc_text(NOW_MS + HOUR))


def test_no_badge_is_told() -> None:
    bench = Bench()
    book(bench.database)
    bench.take_key(**UNDER_1)
    bench.return_key(**UNDER_1)
    assert UNDER_1["badge"] not in json.dumps(told(bench.database))


def test_a_stop_over_is_a_return_and_a_resumption() -> None:
    bench = Bench()
    book(bench.database)
    bench.take_key(**UNDER_1)
    bench.box.now_ms += 30 * MINUTE
    bench.return_key(**UNDER_1)
    bench.box.now_ms += MINUTE
    bench.take_key(**UNDER_1)
    bench.box.now_ms += 30 * MINUTE
    bench.return_key(**UNDER_1)
    decide_deadlines(bench.database, bench.box.now_ms + HOUR)
    found = [event for event in kinds(bench.database) if event.startswith("booking.")]
    assert found[:4] == ["booking.started", "booking.returned", "booking.resumed", "booking.returned"]


def test_a_key_that_nothing_identified_is_told_of_its_cabinet() -> None:
    bench = Bench()
    bench.take_key(slot=3, key=None)
    (taken,) = [event for event in told(bench.database) if event.kind == "key.taken"]
    assert (taken.subject, taken.data["key_id"], taken.data["vehicle_id"]) == ("cabinets/cab-a", None, None)


def test_an_incident_is_told_when_it_opens_when_it_changes_and_when_it_closes() -> None:
    bench = Bench()
    bench.tell(DeviceLost, device="locks", why="no answer")
    bench.tell(DeviceLost, device="locks", why="no answer")
    bench.tell(DeviceLost, device="locks", why="garbage")
    bench.box.now_ms += MINUTE
    bench.tell(DeviceBack, device="locks")
    opened, updated, closed = told(bench.database)
    assert [event.kind for event in (opened, updated, closed)] == [
        "incident.opened",
        "incident.updated",
        "incident.closed",
    ]
    assert len({event.subject for event in (opened, updated, closed)}) == 1
    assert (opened.data["kind"], opened.data["severity"], opened.data["cabinet_id"]) == (
        "device_lost",
        "urgent",
        "cab-a",
    )
    assert (opened.data["closed_at"], closed.data["closed_at"]) == (None, utc_text(NOW_MS + MINUTE))


def test_what_operators_do_with_an_incident_is_told_without_their_words_and_names() -> None:
    bench = Bench()
    bench.tell(DeviceLost, device="locks", why="no answer")
    ref = told(bench.database)[0].data["incident_id"]
    bench.database.write_now(lambda c: acknowledge(c, ref, "operators", NOW_MS))
    bench.database.write_now(lambda c: assign(c, ref, "Alix Dumont", "operators", NOW_MS))
    bench.database.write_now(lambda c: comment(c, ref, "Alix rides there", "operators", NOW_MS))
    _opened, acknowledged, assigned, commented = told(bench.database)
    assert (acknowledged.kind, acknowledged.data["acknowledged_at"]) == ("incident.acknowledged", utc_text(NOW_MS))
    assert (assigned.kind, assigned.data["is_assigned"]) == ("incident.assigned", True)
    assert commented.kind == "incident.commented"
    assert "Alix" not in json.dumps(told(bench.database))


def test_a_member_is_forgotten_in_all_events_that_are_kept_and_nobody_else_is() -> None:
    database = new_database()
    database.write_now(create)
    later = WantedBooking(
        "member-1", Window(NOW_MS + 4 * HOUR, NOW_MS + 6 * HOUR), vehicle_id="car-1", accept_unreachable=True
    )
    database.write_now(lambda c: BookingDesk(c, RULES, NOW_MS, lambda n: b"z" * n, "x").create(later))
    assert database.write_now(lambda c: forget_member(c, "member-3")) == 1
    assert database.write_now(lambda c: forget_member(c, "member")) == 0
    assert [event.personal for event in told(database)] == [None, {"member_id": "member-1"}]


def test_an_order_is_told_as_an_order_with_its_purpose() -> None:
    database = new_database()
    order = booking(purpose="cleaning")
    database.write_now(lambda c: tell_booking(c, None, order, "created"))
    (event,) = told(database)
    assert (event.kind, event.subject, event.data["purpose"]) == ("order.created", f"orders/{order.id}", "cleaning")


def test_a_change_of_the_network_is_told_by_its_fields_and_without_their_values() -> None:
    database = new_database()
    by = Author("operators", NOW_MS)
    vehicle = {"id": "car-9", "name": "Red car", "category": "city"}
    database.write_now(lambda c: keep_change(c, by, "vehicles", "car-9", None, vehicle))
    database.write_now(lambda c: keep_change(c, by, "vehicles", "car-9", vehicle, {**vehicle, "name": "Blue car"}))
    created, changed = told(database)
    assert (created.kind, created.subject) == ("record.created", "vehicles/car-9")
    assert (changed.kind, changed.data["fields"], changed.data["record_id"]) == (
        "record.changed",
        ["name"],
        "car-9",
    )


def test_a_change_of_a_member_is_told_without_saying_of_whom() -> None:
    database = new_database()
    by = Author("operators", NOW_MS)
    before, after = {"standing": "active"}, {"standing": "suspended"}
    database.write_now(lambda c: keep_change(c, by, "members", "member-1", before, after))
    (event,) = told(database)
    assert (event.subject, event.data["record_id"], event.data["fields"]) == ("members", None, ["standing"])
    assert event.personal == {"member_id": "member-1"}


def test_a_no_show_is_told() -> None:
    bench = Bench()
    booked = book(bench.database)
    bench.box.now_ms = booked.take_by_ms + MINUTE
    bench.tell(DeviceBack, device="locks")  # a fact that shows that the cabinet has told all
    decide_deadlines(bench.database, bench.box.now_ms)
    (event,) = told(bench.database)
    assert (event.kind, event.data["state"]) == ("booking.no_show", BookingState.NO_SHOW)


def test_a_handover_says_how_its_key_is_known() -> None:
    bench = Bench()
    bench.take_key(**UNDER_1)
    identities = [event.data["identity"] for event in told(bench.database) if event.kind == "key.taken"]
    assert identities == [Identity.PRESUMED]
