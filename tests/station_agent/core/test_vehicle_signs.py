"""What one reading says of each sign."""

from dataclasses import replace
from typing import Any

import pytest

from contract.facts import VehicleReading, VehicleSign
from contract.messages import StationSettings
from station_agent.core.vehicle_signs import (
    BUMP_MS,
    ENDED_BY_TAKE,
    MINUTE_MS,
    PAUSE_MS,
    RECOVERS_MV,
    SLOSH_PERCENT,
    STOPS_MS,
    Scene,
    lasts_ms,
    shows,
)

HOUR_MS = 3_600_000
SETTINGS = StationSettings()
AFTER_MS = SETTINGS.after_return_s * 1000
MOVED, DOORS, UNPLUGGED = sorted(ENDED_BY_TAKE, key=list(VehicleSign).index)


def scene(home_ms: int | None = HOUR_MS, *, active: bool = False, **signals: Any) -> Scene:
    return Scene(VehicleReading(age_s=0, **signals), home_ms, SETTINGS, active)


@pytest.mark.parametrize("sign", VehicleSign)
@pytest.mark.parametrize("active", [True, False])
def test_a_reading_that_knows_nothing_says_nothing_of_any_sign(sign: VehicleSign, *, active: bool) -> None:
    assert shows(sign, scene(active=active)) is None


@pytest.mark.parametrize(
    ("signals", "moved"),
    [
        ({"ignition": True}, True),
        ({"ignition": False, "moving": True}, True),
        ({"ignition": False}, False),
        ({"moving": False}, False),
        ({"ignition": False, "moving": False}, False),
    ],
)
def test_ignition_or_movement_while_all_keys_hang_at_home_is_a_doubtful_return(
    signals: dict[str, bool], moved: bool
) -> None:
    assert shows(MOVED, scene(**signals)) is moved


@pytest.mark.parametrize("home_ms", [None, -1, STOPS_MS - 1])
def test_a_car_whose_key_is_out_or_only_just_back_may_move(home_ms: int | None) -> None:
    assert shows(MOVED, scene(home_ms, ignition=True, moving=True)) is None


def test_a_car_that_moved_and_stands_again_stays_doubtful() -> None:
    assert shows(MOVED, scene(active=True, ignition=False, moving=False)) is None


def test_a_bump_lasts_longer_than_a_turned_key_before_it_counts() -> None:
    assert lasts_ms(MOVED, scene(ignition=True)) == MINUTE_MS
    assert lasts_ms(MOVED, scene(moving=True)) == BUMP_MS


@pytest.mark.parametrize("home_ms", [None, 0, AFTER_MS - 1])
def test_doors_and_cables_are_in_somebodys_hands_until_some_minutes_after_the_return(home_ms: int | None) -> None:
    assert shows(DOORS, scene(home_ms, doors_open=True)) is None
    assert shows(UNPLUGGED, scene(home_ms, plugged_in=False)) is None


@pytest.mark.parametrize("known", [True, False])
def test_after_that_an_open_door_and_a_cable_that_hangs_were_forgotten(known: bool) -> None:
    assert shows(DOORS, scene(AFTER_MS, doors_open=known)) is known
    assert shows(UNPLUGGED, scene(AFTER_MS, plugged_in=known)) is not known


def test_a_car_that_moves_was_not_forgotten_without_its_cable() -> None:
    assert shows(UNPLUGGED, scene(AFTER_MS, charging=False, moving=True)) is None
    assert shows(UNPLUGGED, scene(AFTER_MS, plugged_in=False, ignition=True)) is None


@pytest.mark.parametrize(
    ("signals", "plugged_in"),
    [
        ({"plugged_in": True, "charging": False}, True),
        ({"plugged_in": False, "charging": True}, False),
        ({"charging": True}, True),
        ({"charging": False}, None),
        ({"charging": False, "moving": True}, False),
        ({"moving": True}, None),
    ],
)
def test_who_charges_is_plugged_in_and_who_drives_is_not(signals: dict[str, bool], plugged_in: bool | None) -> None:
    assert shows(VehicleSign.PLUGGED_IN, scene(**signals)) is plugged_in


@pytest.mark.parametrize(
    ("voltage_mv", "active", "low"),
    [
        (SETTINGS.low_voltage_mv - 1, False, True),
        (SETTINGS.low_voltage_mv, False, False),
        (SETTINGS.low_voltage_mv + RECOVERS_MV - 1, True, True),
        (SETTINGS.low_voltage_mv + RECOVERS_MV, True, False),
    ],
)
def test_a_battery_is_low_until_it_has_more_than_it_recovers_by_itself(
    voltage_mv: int, active: bool, low: bool
) -> None:
    assert shows(VehicleSign.LOW_VOLTAGE, scene(active=active, ignition=False, low_voltage_mv=voltage_mv)) is low


@pytest.mark.parametrize("ignition", [True, None])
def test_a_battery_is_judged_at_rest_only(ignition: bool | None) -> None:
    assert shows(VehicleSign.LOW_VOLTAGE, scene(ignition=ignition, low_voltage_mv=9_000)) is None


@pytest.mark.parametrize(
    ("percent", "active", "low"),
    [(9, False, True), (10, False, False), (9 + SLOSH_PERCENT, True, True), (10 + SLOSH_PERCENT, True, False)],
)
def test_energy_is_low_until_it_is_clearly_above_its_limit(percent: int, active: bool, low: bool) -> None:
    assert shows(VehicleSign.LOW_ENERGY, scene(active=active, energy_percent=percent)) is low


@pytest.mark.parametrize("sign", [VehicleSign.LOW_VOLTAGE, VehicleSign.LOW_ENERGY])
def test_a_limit_of_zero_is_never_passed(sign: VehicleSign) -> None:
    zero = StationSettings(low_voltage_mv=0, low_energy_percent=0)
    it = replace(scene(ignition=False, low_voltage_mv=1, energy_percent=0), settings=zero)
    assert shows(sign, it) is False


def test_a_charger_that_pauses_is_no_end_of_charging() -> None:
    charging = VehicleSign.CHARGING
    assert lasts_ms(charging, scene(active=False)) == MINUTE_MS
    assert lasts_ms(charging, scene(active=True)) == PAUSE_MS
