"""What the reconciler sees beside keys and silences: each opened once, and closed when it is over."""

from typing import Any

import pytest
from sqlalchemy import insert, update

from contract.facts import (
    DeviceBack,
    DeviceLost,
    DoorClosed,
    DoorOpened,
    Identity,
    KeyReturned,
    KeyTaken,
    Purpose,
    VehicleReading,
)
from contract.messages import SlotState
from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import IncidentKind
from dispatcher.core.reconcile import FACTS_PATIENCE_S
from dispatcher.core.rules import FleetRules
from dispatcher.store.incidents import all_incidents
from dispatcher.store.schema import bookings, key_states, slot_states, vehicle_readings
from tests.dispatcher.scene import UNDER_1, Scene
from tests.dispatcher.small_fleet import (
    CABINET,
    HOUR,
    MINUTE,
    NOW_MS,
    RULES,
    book,
    incidents,
    take,
)

SLOT_1 = f"{CABINET}/1"


@pytest.fixture
def scene() -> Scene:
    return Scene()


# --- opened in vain

NOTHING_TAKEN, IN_CAR = IncidentKind.SLOT_OPENED_NOTHING_TAKEN, IncidentKind.KEY_PROBABLY_IN_CAR


def _hangs(scene: Scene) -> None:
    """The key is seen at home, by a box that has told something."""
    scene.tell(DoorClosed, slot=2)
    scene.report(SlotState(slot=1, key_present=True, door_open=False, key="key-1", identity="read"))
    scene.pass_s(0)


def test_a_slot_that_was_opened_and_shut_with_its_key_is_named_until_the_key_is_taken(scene: Scene) -> None:
    book(scene.database)
    _hangs(scene)
    for _ in range(2):
        scene.open_slot(Purpose.TAKE)
        scene.tell(DoorClosed, slot=1)
    assert incidents(scene.database) == [(NOTHING_TAKEN, SLOT_1, True)]
    (incident,) = scene.database.read_now(all_incidents)
    assert (incident.booking_id, incident.vehicle_id) == ("booking-1", "car-1")
    scene.open_slot(Purpose.TAKE)
    scene.tell(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
    scene.tell(DoorClosed, slot=1)
    assert incidents(scene.database) == [(NOTHING_TAKEN, SLOT_1, False)]


def test_a_key_left_hanging_is_forgotten_after_an_hour(scene: Scene) -> None:
    book(scene.database)
    _hangs(scene)
    scene.open_slot(Purpose.TAKE)
    scene.tell(DoorClosed, slot=1)
    scene.report(SlotState(slot=1, key_present=True, door_open=False, key="key-1", identity="read"))
    assert scene.pass_s(59 * 60) == [(NOTHING_TAKEN, SLOT_1, True)]
    assert scene.pass_s(61)[0] == (NOTHING_TAKEN, SLOT_1, False)


def test_a_take_and_a_return_through_the_same_open_door_are_no_discrepancy(scene: Scene) -> None:
    book(scene.database)
    _hangs(scene)
    scene.open_slot(Purpose.TAKE)
    scene.tell(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
    scene.tell(KeyReturned, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
    scene.tell(DoorClosed, slot=1)
    assert incidents(scene.database) == []


def test_a_slot_shut_empty_after_it_was_opened_for_a_return_is_named_until_the_key_hangs(scene: Scene) -> None:
    book(scene.database)
    scene.tell(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
    scene.open_slot(Purpose.RETURN)
    scene.tell(DoorClosed, slot=1)
    assert incidents(scene.database) == [(IN_CAR, "key-1", True)]
    scene.open_slot(Purpose.RETURN)
    scene.tell(KeyReturned, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
    scene.tell(DoorClosed, slot=1)
    assert incidents(scene.database) == [(IN_CAR, "key-1", False)]


def test_a_key_that_a_report_shows_is_not_in_the_car(scene: Scene) -> None:
    book(scene.database)
    scene.tell(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
    scene.open_slot(Purpose.RETURN)
    scene.tell(DoorClosed, slot=1)
    _hangs(scene)
    assert incidents(scene.database) == [(IN_CAR, "key-1", False)]


def test_what_a_box_could_not_see_was_not_in_vain(scene: Scene) -> None:
    book(scene.database)
    scene.tell(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
    scene.open_slot(Purpose.RETURN)
    scene.tell(DoorClosed, slot=1, seen_late=True)
    assert incidents(scene.database) == []


# --- doors

LEFT_OPEN = IncidentKind.DOOR_LEFT_OPEN


def test_a_door_is_left_open_after_three_minutes_until_it_is_shut(scene: Scene) -> None:
    scene.tell(DoorOpened, slot=1, released=True)
    assert scene.pass_s(RULES.door_open_s) == []
    assert scene.pass_s(1) == [(LEFT_OPEN, SLOT_1, True)]
    scene.tell(DoorClosed, slot=1)
    assert scene.pass_s(60) == [(LEFT_OPEN, SLOT_1, False)]


def test_of_a_door_that_nobody_can_see_nothing_new_is_said(scene: Scene) -> None:
    scene.tell(DoorOpened, slot=1, released=True)
    scene.tell(DeviceLost, device="cabinet", why="no answer")
    assert [kind for kind, *_ in scene.pass_s(999)] == [IncidentKind.DEVICE_LOST]
    scene.tell(DeviceBack, device="cabinet")
    assert scene.pass_s(1)[-1] == (LEFT_OPEN, SLOT_1, True)
    scene.tell(DeviceLost, device="cabinet", why="no answer")
    assert (LEFT_OPEN, SLOT_1, True) in scene.pass_s(1)


# --- a key that hangs though its booking runs

HANGS = IncidentKind.BOOKING_ACTIVE_KEY_IN_SLOT


def test_a_booking_that_runs_while_its_key_hangs_is_named_until_it_ends(scene: Scene) -> None:
    book(scene.database, state=BookingState.ACTIVE)
    row = {
        "key_id": "key-1",
        "state": "in_slot",
        "cabinet_id": CABINET,
        "slot": 1,
        "identity": "read",
        "since_ms": 1,
    }
    scene.execute(insert(key_states).values(row))
    for _ in range(2):
        assert scene.pass_s(1) == [(HANGS, "booking-1", True)]
    scene.execute(update(bookings).values(state="completed"))
    assert scene.pass_s(1) == [(HANGS, "booking-1", False)]


def test_a_key_that_a_slot_is_said_to_hold_though_it_is_out_is_named(scene: Scene) -> None:
    book(scene.database)
    scene.tell(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
    scene.report(SlotState(slot=1, key_present=True, door_open=False, key="key-1", identity="presumed"))
    assert scene.pass_s(1) == [(HANGS, "booking-1", True)]
    (incident,) = scene.database.read_now(all_incidents)
    assert incident.seen == "key key-1 hangs in slot 1 of cab-a"


def test_the_wrong_key_is_named_as_such_alone(scene: Scene) -> None:
    book(scene.database)
    row = {
        "key_id": "key-1",
        "state": "in_slot",
        "cabinet_id": CABINET,
        "slot": 1,
        "identity": "read",
        "since_ms": 1,
    }
    scene.execute(insert(key_states).values(row))
    scene.tell(KeyTaken, slot=2, identity=Identity.READ, key="key-2", **UNDER_1)
    assert {kind for kind, *_ in scene.pass_s(1)} <= {IncidentKind.WRONG_KEY_TAKEN}


# --- facts

MISSING = IncidentKind.FACTS_MISSING


def test_facts_that_a_report_includes_and_that_never_come_are_named_until_they_are_here(scene: Scene) -> None:
    scene.box.note(DoorOpened, slot=1, released=True)
    scene.box.note(DoorClosed, slot=1)
    scene.report()
    for _ in range(3):  # a gap: what comes is not what is missing
        take(scene.database, scene.box.batch(2), now_ms=scene.now_ms)
        told = scene.pass_s(FACTS_PATIENCE_S / 2 + 1)
    assert told == [(MISSING, CABINET, True)]
    assert scene.pass_s(1, heard=False) == [(MISSING, CABINET, True)]
    take(scene.database, scene.box.batch(1), now_ms=scene.now_ms)
    assert scene.pass_s(1) == [(MISSING, CABINET, False)]


def test_a_long_journal_that_is_told_step_by_step_is_no_discrepancy(scene: Scene) -> None:
    for _ in range(4):
        scene.box.note(DoorClosed, slot=1)
    scene.report()
    for number in range(1, 5):
        assert scene.pass_s(FACTS_PATIENCE_S - 1) == []
        take(scene.database, scene.box.batch(number, number), now_ms=scene.now_ms)


# --- slots

FULL = IncidentKind.CABINET_NEARLY_FULL


def _slots(*present: bool) -> list[SlotState]:
    return [SlotState(slot=number, key_present=key, door_open=False) for number, key in enumerate(present, 1)]


def test_a_cabinet_with_no_slot_to_spare_is_named_before_it_is_full(scene: Scene) -> None:
    book(scene.database)
    scene.tell(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
    scene.report(*_slots(False, True, False))
    assert scene.pass_s(1) == []  # one hangs, one is due back, one slot is left
    scene.report(*_slots(False, True, True))
    assert scene.pass_s(1) == [(FULL, CABINET, True)]
    (incident,) = scene.database.read_now(all_incidents)
    assert incident.seen == "2 keys hang there, 1 are due back"
    scene.report(*_slots(False, True, False))
    assert scene.pass_s(1) == [(FULL, CABINET, False)]


def test_a_cabinet_whose_slots_are_not_all_known_is_not_called_full(scene: Scene) -> None:
    scene.report(*_slots(True, True, True)[:2])
    assert scene.pass_s(1) == []


# --- vehicles

NOT_READY, SILENT = IncidentKind.VEHICLE_NOT_READY, IncidentKind.VEHICLE_SILENT


def _reading(scene: Scene, **columns: Any) -> None:
    row = {"vehicle_id": "car-1", "at_ms": scene.now_ms, "energy_percent": 30, **columns}
    scene.execute(insert(vehicle_readings).values(row))


def test_a_vehicle_with_too_little_energy_for_its_next_booking_is_named_an_hour_before() -> None:
    scene = Scene(FleetRules(energy_percent_per_hour={"city": 15}))
    book(scene.database, start_ms=NOW_MS + 2 * HOUR)  # two hours: 30 %, and the 10 % that must be left
    _reading(scene)
    assert scene.pass_s(3599) == []
    assert scene.pass_s(1) == [(NOT_READY, "booking-1", True)]
    (incident,) = scene.database.read_now(all_incidents)
    assert (incident.expected[:4], incident.seen) == ("40 %", "it has 30 %")
    scene.execute(update(vehicle_readings).values(energy_percent=40))
    assert scene.pass_s(1) == [(NOT_READY, "booking-1", False)]


@pytest.mark.parametrize(
    ("rules", "columns"),
    [
        (FleetRules(), {}),  # nothing is expected
        (FleetRules(energy_percent_per_hour={"van": 15}), {}),
        (FleetRules(energy_percent_per_hour={"city": 15}), {"energy_percent": None}),
        (FleetRules(energy_percent_per_hour={"city": 15}), {"charging": True}),
        (FleetRules(energy_percent_per_hour={"city": 5}), {}),
    ],
)
def test_a_vehicle_that_has_enough_or_of_which_nobody_knows_is_ready(
    rules: FleetRules, columns: dict[str, Any]
) -> None:
    scene = Scene(rules)
    book(scene.database, start_ms=NOW_MS + HOUR)
    _reading(scene, **columns)
    assert scene.pass_s(1) == []


def test_a_vehicle_that_has_spoken_is_silent_after_a_day_until_it_speaks_again(scene: Scene) -> None:
    _reading(scene)
    assert scene.pass_s(24 * 3600) == []
    assert scene.pass_s(1) == [(SILENT, "car-1", True)]
    assert scene.pass_s(1, heard=False)[0] == (SILENT, "car-1", True)
    scene.execute(update(vehicle_readings).values(at_ms=scene.now_ms))
    assert scene.pass_s(1)[0] == (SILENT, "car-1", False)


def test_a_vehicle_whose_cabinet_is_not_heard_is_not_called_silent(scene: Scene) -> None:
    _reading(scene)
    assert SILENT not in {kind for kind, *_ in scene.pass_s(25 * 3600, heard=False)}


# --- odometers

DRIVEN = IncidentKind.ODOMETER_WITHOUT_RENTAL


def _rental(scene: Scene, number: int, start_m: int, end_m: int | None, **at_return: Any) -> None:
    book(scene.database, number, start_ms=NOW_MS + number * 3 * HOUR)
    right: dict[str, Any] = {"grant": f"grant-{number}", "badge": "ref-1"}
    taken = VehicleReading(age_s=60, odometer_m=start_m, ignition=False)
    scene.tell(KeyTaken, slot=1, identity=Identity.READ, key="key-1", vehicle=taken, **right)
    scene.now_ms += 30 * MINUTE
    back = VehicleReading(age_s=60, odometer_m=end_m, **{"ignition": False, **at_return})
    scene.tell(KeyReturned, slot=1, identity=Identity.READ, key="key-1", vehicle=back, **right)
    scene.now_ms += HOUR


def test_kilometres_between_a_return_and_the_next_take_are_named_for_a_week(scene: Scene) -> None:
    _rental(scene, 1, 10_000, 30_000)
    _rental(scene, 2, 37_500, 40_000)
    assert incidents(scene.database) == [(DRIVEN, "car-1", True)]
    (incident,) = scene.database.read_now(all_incidents)
    assert incident.seen.startswith("7.5 km more")
    assert (DRIVEN, "car-1", False) in scene.pass_s(7 * 24 * 3600)


@pytest.mark.parametrize(
    ("end_m", "next_m", "at_return"),
    [
        (30_000, 31_000, {}),  # the last metres, and rounding
        (30_000, 90_000, {"ignition": True}),  # still driving when it was told
        (30_000, 90_000, {"ignition": None}),
        (None, 90_000, {}),
    ],
)
def test_what_an_odometer_cannot_prove_is_no_discrepancy(
    scene: Scene, end_m: int | None, next_m: int, at_return: dict[str, Any]
) -> None:
    _rental(scene, 1, 10_000, end_m, **at_return)
    _rental(scene, 2, next_m, next_m)
    assert incidents(scene.database) == []


# --- readers

REPLACED = IncidentKind.READER_REPLACED


def test_a_reader_that_answers_with_another_key_is_named_until_the_right_one_does(scene: Scene) -> None:
    lost = (IncidentKind.DEVICE_LOST, f"{CABINET}/badge-reader")
    scene.tell(DeviceLost, device="badge-reader", why="reader_replaced")
    assert incidents(scene.database) == [(*lost, True), (REPLACED, f"{CABINET}/badge-reader", True)]
    scene.tell(DeviceBack, device="badge-reader")
    assert incidents(scene.database) == [(*lost, False), (REPLACED, f"{CABINET}/badge-reader", False)]


def test_a_reader_that_is_silent_is_not_replaced(scene: Scene) -> None:
    scene.tell(DeviceLost, device="badge-reader", why="no_answer")
    assert [kind for kind, *_ in incidents(scene.database)] == [IncidentKind.DEVICE_LOST]


def test_a_door_that_is_not_said_to_stand_open_is_not_read(scene: Scene) -> None:
    row = {"cabinet_id": CABINET, "slot": 1, "key_present": None, "door_open": None, "changed_ms": 1}
    scene.execute(insert(slot_states).values(row))
    assert scene.pass_s(9999) == []
