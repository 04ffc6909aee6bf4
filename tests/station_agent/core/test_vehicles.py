"""Signs of vehicles become facts once, and their end once; everything else is state."""

from typing import Any

import pytest

from contract.facts import KeyReturned, KeyTaken, VehicleNoticed, VehicleReading, VehicleSign
from station_agent.core import model
from station_agent.core.device_events import CabinetLost
from station_agent.core.vehicle_signs import BUMP_MS, MINUTE_MS, PAUSE_MS
from station_agent.core.vehicles import FRESH_MS
from tests.station_agent.core.box import HOUR_MS, Box

MOVED = VehicleSign.MOVED_AFTER_RETURN
OFF: dict[str, Any] = {"ignition": False, "moving": False}


def signs(box: Box) -> list[tuple[str, VehicleSign, bool]]:
    return [(fact.vehicle, fact.sign, fact.active) for fact in box.new() if isinstance(fact, VehicleNoticed)]


def rented() -> Box:
    """Ann's booking of car-1 begins now."""
    box = Box()
    box.grant("booking-1", badge="ann", hours=8)
    return box


def take(box: Box, slot: int = 1) -> None:
    box.badge("ann")
    for step in (box.opens, box.take, box.shut):
        step(slot)


def bring_back(box: Box, slot: int = 1) -> None:
    box.tag(f"tag-{slot}")
    for step in (box.opens, box.hang, box.shut):
        step(slot)


def rest_until(box: Box, after_ms: int, **signals: Any) -> None:
    """The tracker says the same every minute."""
    for _ in range(0, after_ms, MINUTE_MS):
        box.tells("car-1", **signals)
        box.elapse_within(MINUTE_MS)


def test_a_car_that_drives_while_its_key_hangs_at_home_is_told_once_and_over_when_the_key_is_taken() -> None:
    box = rented()
    rest_until(box, 2 * MINUTE_MS, **OFF)
    rest_until(box, HOUR_MS, ignition=True, moving=True)
    assert signs(box) == [("car-1", MOVED, True)]
    assert box.last(VehicleNoticed).reading == VehicleReading(age_s=60, ignition=True, moving=True)
    rest_until(box, HOUR_MS, **OFF)
    assert len(signs(box)) == 1, "where it stands now nobody knows"
    take(box)
    assert box.kinds()[-3:] == ["key_taken", "vehicle_noticed", "door_closed"]
    assert signs(box)[1:] == [("car-1", MOVED, False)]
    assert box.last(VehicleNoticed).reading is None


def test_a_car_that_is_rented_drives_and_nothing_is_told_of_it() -> None:
    box = rented()
    take(box)
    rest_until(box, HOUR_MS, ignition=True, moving=True)
    bring_back(box)
    rest_until(box, MINUTE_MS, ignition=True, moving=True)  # its tracker is slow to see that it stands
    rest_until(box, HOUR_MS, **OFF)
    assert signs(box) == []


def test_what_drove_before_the_return_and_is_told_after_it_is_no_doubt() -> None:
    box = rented()
    take(box)
    bring_back(box)
    box.elapse_within(5 * MINUTE_MS)
    box.tells("car-1", age_ms=5 * MINUTE_MS, ignition=True)
    box.elapse_within(HOUR_MS)
    assert signs(box) == []


def test_a_bump_that_is_over_soon_is_nothing() -> None:
    box = Box()
    box.tells("car-1", ignition=False, moving=True)
    box.elapse_within(BUMP_MS - 1)
    box.tells("car-1", **OFF)
    box.elapse_within(HOUR_MS)
    assert signs(box) == []


def test_a_car_that_is_towed_moves_without_ignition_and_is_told() -> None:
    box = Box()
    box.tells("car-1", ignition=False, moving=True)
    box.elapse_within(BUMP_MS)
    assert signs(box) == [("car-1", MOVED, True)]


def test_a_key_that_left_while_the_cabinet_was_not_seen_explains_the_drive() -> None:
    box = Box()
    box.tells("car-1", ignition=True)
    box.pass_time(5_000)
    box.handle(CabinetLost("no answer"))
    box.elapse_within(HOUR_MS)
    box.tells("car-1", ignition=True)
    box.elapse_within(HOUR_MS)
    assert signs(box) == []


def test_of_two_keys_at_home_one_is_enough_to_drive() -> None:
    box = Box(second_key_of_car_1=True)
    assert box.station.wanted.home_keys["car-1"] == ("key-1", "key-3")
    box.grant("booking-1", badge="ann", hours=8)
    take(box)
    rest_until(box, HOUR_MS, ignition=True)
    assert signs(box) == []
    bring_back(box)
    box.elapse_within(5 * MINUTE_MS)
    rest_until(box, HOUR_MS, ignition=True)
    assert signs(box) == [("car-1", MOVED, True)]


def test_a_vehicle_that_lives_elsewhere_is_somebody_elses_to_judge() -> None:
    box = Box()
    box.tells("car-9", ignition=True, energy_percent=1)
    box.elapse_within(HOUR_MS)
    assert signs(box) == []
    assert [state.vehicle for state in box.station.vehicle_reports(box.now)] == ["car-9"]


# --- doors, cable, batteries


def test_doors_left_open_are_told_some_minutes_after_the_return_and_over_when_they_are_shut() -> None:
    box = rented()
    take(box)
    bring_back(box)
    rest_until(box, 10 * MINUTE_MS, doors_open=True, **OFF)
    assert signs(box) == [("car-1", VehicleSign.DOORS_OPEN_AT_RETURN, True)]
    returned = box.last(KeyReturned)
    assert box.last(VehicleNoticed).at_ms - returned.at_ms >= 300_000
    rest_until(box, 10 * MINUTE_MS, doors_open=False, **OFF)
    assert signs(box)[1:] == [("car-1", VehicleSign.DOORS_OPEN_AT_RETURN, False)]


def test_an_electric_car_whose_cable_was_forgotten_is_told_until_somebody_takes_it() -> None:
    box = rented()
    take(box)
    bring_back(box)
    rest_until(box, 10 * MINUTE_MS, plugged_in=False, charging=False, **OFF)
    assert signs(box) == [("car-1", VehicleSign.UNPLUGGED_AT_RETURN, True)]
    take(box)
    assert signs(box)[1:] == [("car-1", VehicleSign.UNPLUGGED_AT_RETURN, False)]


def test_charging_is_told_through_its_pauses() -> None:
    box = Box()
    rest_until(box, 2 * MINUTE_MS, charging=True)
    for _ in range(5):
        rest_until(box, PAUSE_MS - 2 * MINUTE_MS, charging=False)
        rest_until(box, 5 * MINUTE_MS, charging=True)
    rest_until(box, PAUSE_MS + MINUTE_MS, charging=False)
    expected = [(VehicleSign.CHARGING, True), (VehicleSign.PLUGGED_IN, True), (VehicleSign.CHARGING, False)]
    assert [(sign, active) for _, sign, active in signs(box)] == expected


@pytest.mark.parametrize(
    ("sign", "low", "high"),
    [
        (VehicleSign.LOW_VOLTAGE, {"low_voltage_mv": 11_500}, {"low_voltage_mv": 12_600}),
        (VehicleSign.LOW_ENERGY, {"energy_percent": 4}, {"energy_percent": 80}),
    ],
)
def test_a_low_battery_is_told_once_however_long_it_lasts(
    sign: VehicleSign, low: dict[str, int], high: dict[str, int]
) -> None:
    box = Box()
    rest_until(box, HOUR_MS, **OFF, **low)
    rest_until(box, HOUR_MS, **OFF, **high)
    assert signs(box) == [("car-1", sign, True), ("car-1", sign, False)]


@pytest.mark.parametrize("wobble", [(11_990, 12_010), (11_999, 12_299)])
def test_a_voltage_that_wobbles_around_its_limit_is_one_fact_at_most(wobble: tuple[int, int]) -> None:
    box = Box()
    for hour in range(24):
        box.tells("car-1", low_voltage_mv=wobble[hour % 2], **OFF)
        box.elapse_within(HOUR_MS)
    assert signs(box) == [("car-1", VehicleSign.LOW_VOLTAGE, True)]


# --- what makes no fact


@pytest.mark.parametrize("age_ms", [FRESH_MS + 1, 24 * HOUR_MS])
def test_what_was_buffered_for_long_is_state_and_no_fact(age_ms: int) -> None:
    box = Box()
    box.tells("car-1", age_ms=age_ms, ignition=True, energy_percent=1)
    box.elapse_within(HOUR_MS)
    assert signs(box) == []
    (state,) = box.station.vehicle_reports(box.now)
    assert state.reading.age_s == (age_ms + HOUR_MS) // 1000


def test_an_older_reading_that_comes_later_changes_nothing() -> None:
    box = Box()
    box.tells("car-1", **OFF)
    box.tells("car-1", age_ms=MINUTE_MS, ignition=True)
    box.elapse_within(HOUR_MS)
    assert signs(box) == []
    assert box.station.vehicle_reports(box.now)[0].reading.ignition is False


def test_a_tracker_without_a_time_worth_believing_makes_no_fact() -> None:
    box = Box()
    box.handle(model.VehicleRead("car-1", VehicleReading(age_s=0, ignition=True), None))
    box.elapse_within(HOUR_MS)
    assert signs(box) == []


def test_while_nobody_vouches_for_the_clock_no_sign_is_told() -> None:
    box = Box()
    box.handle(model.ClockRead(synchronised=False))
    box.forget()
    box.tells("car-1", ignition=True, energy_percent=1)
    box.elapse_within(HOUR_MS)
    assert signs(box) == []


def test_readings_that_mean_nothing_write_nothing() -> None:
    box = Box()
    for minute in range(60):
        effects = box.tells("car-1", odometer_m=1000 + minute, energy_percent=80, low_voltage_mv=12_500, **OFF)
        box.pass_time(MINUTE_MS)
        assert effects == []


# --- what outlasts a reboot


def test_a_sign_that_was_told_is_not_told_again_after_a_reboot_and_ends_once() -> None:
    box = Box()
    rest_until(box, HOUR_MS, energy_percent=4, **OFF)
    box.reboot()
    box.see()
    box.forget()
    rest_until(box, HOUR_MS, energy_percent=4, **OFF)
    assert signs(box) == []
    rest_until(box, HOUR_MS, energy_percent=90, **OFF)
    assert signs(box) == [("car-1", VehicleSign.LOW_ENERGY, False)]


def test_after_a_reboot_a_key_that_is_not_seen_yet_may_be_out() -> None:
    box = Box()
    box.reboot()
    box.forget()
    box.tells("car-1", ignition=True)
    box.elapse_within(HOUR_MS)
    assert signs(box) == []


def test_a_new_epoch_begins_with_what_is_so_now() -> None:
    box = Box()
    rest_until(box, HOUR_MS, energy_percent=4, **OFF)
    effects = box.station.start_epoch(box.now, "hash_conflict", ())
    assert isinstance(effects[0], model.Journal)
    assert [fact.kind for fact in effects[0].facts] == ["epoch_started", "vehicle_noticed"]
    told = effects[0].facts[1]
    assert isinstance(told, VehicleNoticed)
    assert (told.sign, told.active, told.again) == (VehicleSign.LOW_ENERGY, True, True)


def test_what_was_begun_of_a_vehicle_that_moved_away_is_over() -> None:
    box = Box()
    rest_until(box, HOUR_MS, energy_percent=4, **OFF)
    box.moved_away = frozenset({"key-1"})
    box.desire()
    assert signs(box)[1:] == [("car-1", VehicleSign.LOW_ENERGY, False)]
    rest_until(box, HOUR_MS, energy_percent=4, **OFF)
    assert len(signs(box)) == 2


# --- both ends of a rental


def test_odometer_and_energy_of_both_ends_carry_their_age() -> None:
    box = rented()
    box.tells("car-1", odometer_m=1_000, energy_percent=80)
    box.pass_time(MINUTE_MS)
    take(box)
    box.pass_time(HOUR_MS)
    box.tells("car-1", odometer_m=31_000, energy_percent=64)
    box.pass_time(MINUTE_MS)
    bring_back(box)
    taken, returned = box.last(KeyTaken).vehicle, box.last(KeyReturned).vehicle
    assert taken is not None
    assert returned is not None
    assert (taken.odometer_m, taken.energy_percent, taken.age_s) == (1_000, 80, 61)
    assert (returned.odometer_m, returned.energy_percent, returned.age_s) == (31_000, 64, 61)


def test_a_vehicle_that_fell_silent_at_the_take_is_told_with_the_age_of_its_last_word() -> None:
    box = rented()
    box.tells("car-1", odometer_m=1_000)
    take(box)
    box.pass_time(3 * HOUR_MS)
    bring_back(box)
    returned = box.last(KeyReturned).vehicle
    assert returned is not None
    assert (returned.odometer_m, returned.age_s) == (1_000, 3 * 3600 + 2)


def test_a_vehicle_that_never_spoke_has_no_reading_at_either_end() -> None:
    box = rented()
    take(box)
    bring_back(box)
    assert (box.last(KeyTaken).vehicle, box.last(KeyReturned).vehicle) == (None, None)


def test_an_odometer_of_before_the_take_does_not_say_that_the_car_was_not_used() -> None:
    box = rented()
    box.tells("car-1", odometer_m=1_000)
    take(box)
    box.pass_time(5 * MINUTE_MS)
    bring_back(box)
    assert box.last(KeyReturned).handed_back is None
