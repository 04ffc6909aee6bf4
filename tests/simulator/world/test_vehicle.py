import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.places import Place, distance_m
from simulator.network.lilas import lilas_network
from simulator.network.model import Energy, Vehicle
from simulator.world.codec_json import BEFORE_FIRST_FIX_MS
from simulator.world.vehicle import (
    REPORT_IGNITION_ON_MS,
    REPORT_RESTING_MS,
    ROLLS_IN_MS,
    Parking,
    PhysicalVehicle,
)
from station_agent.drivers.teltonika.codec_json import TeltonikaJson
from station_agent.drivers.trackers import VehicleFault
from station_agent.drivers.vss import VssJson

NETWORK = lilas_network(seed=1)
NOW_MS = 1_772_427_600_000
HOUR_MS = 3_600_000


def vehicle_of(energy: Energy) -> Vehicle:
    return next(vehicle for vehicle in NETWORK.vehicles if vehicle.energy is energy)


def parked(energy: Energy, seed: int = 1) -> PhysicalVehicle:
    vehicle = vehicle_of(energy)
    return PhysicalVehicle(vehicle, NETWORK.station_by_id[vehicle.station], random.Random(seed), NOW_MS)


def reported(payload: bytes) -> dict[str, Any]:
    document = json.loads(payload)
    assert isinstance(document, dict)
    found = document["state"]["reported"]
    assert isinstance(found, dict)
    return found


def a_rental_of_reports(car: PhysicalVehicle) -> list[tuple[int, bytes]]:
    """What the tracker says from power-on until an hour after a rental of two hours."""
    said = []
    now_ms = NOW_MS
    left = returned = False
    while now_ms < NOW_MS + 4 * HOUR_MS:
        now_ms = max(car.wake_at_ms, now_ms + 1)
        if not left and now_ms >= NOW_MS + HOUR_MS:
            car.drive_off(now_ms, now_ms + 2 * HOUR_MS, 30_000)
            left = True
        elif not returned and now_ms >= NOW_MS + 3 * HOUR_MS:
            car.park(now_ms)
            returned = True
        said.append((now_ms, car.report(now_ms)))
    return said


@pytest.mark.parametrize("energy", list(Energy))
@pytest.mark.parametrize("seed", range(5))
def test_the_agents_driver_reads_every_message_and_finds_no_forbidden_position(energy: Energy, seed: int) -> None:
    driver = VssJson() if energy is Energy.ELECTRIC else TeltonikaJson()
    for now_ms, payload in a_rental_of_reports(parked(energy, seed)):
        report = driver.read(now_ms, payload)
        assert report is not None
        assert report.reading.odometer_m
        assert report.reading.energy_percent is not None
        assert report.reading.doors_open is False
        assert (report.reading.plugged_in is None) is (energy is not Energy.ELECTRIC)
    assert driver.faults == dict.fromkeys(VehicleFault, 0)


def test_a_rental_moves_the_odometer_by_its_distance_and_uses_energy() -> None:
    for energy in Energy:
        car = parked(energy)
        car.drive_off(NOW_MS, NOW_MS + 2 * HOUR_MS, 40_000)
        before = car.signals(NOW_MS)
        car.park(NOW_MS + 2 * HOUR_MS)
        after = car.signals(NOW_MS + 2 * HOUR_MS)
        assert after.odometer_m - before.odometer_m == 40_000
        assert after.energy_percent < before.energy_percent


def test_who_returns_before_the_errand_is_done_has_driven_less() -> None:
    car = parked(Energy.PETROL)
    start_m = car.signals(NOW_MS).odometer_m
    car.drive_off(NOW_MS, NOW_MS + 2 * HOUR_MS, 40_000)
    car.park(NOW_MS + HOUR_MS)
    assert car.signals(NOW_MS + HOUR_MS).odometer_m - start_m == 20_000


@given(st.lists(st.integers(min_value=0, max_value=3 * HOUR_MS), min_size=2, max_size=20))
def test_the_odometer_never_runs_backwards(times: list[int]) -> None:
    car = parked(Energy.HYBRID)
    car.drive_off(NOW_MS, NOW_MS + 2 * HOUR_MS, 25_000)
    seen = [car.signals(NOW_MS + at_ms).odometer_m for at_ms in sorted(times)]
    assert seen == sorted(seen)


def test_an_electric_car_charges_at_its_station_and_nowhere_else() -> None:
    car = parked(Energy.ELECTRIC)
    assert car.signals(NOW_MS).charging
    car.drive_off(NOW_MS, NOW_MS + HOUR_MS, 40_000)
    assert not car.signals(NOW_MS + 1).charging
    car.park(NOW_MS + HOUR_MS)
    low = car.signals(NOW_MS + HOUR_MS).energy_percent
    assert car.signals(NOW_MS + 2 * HOUR_MS).energy_percent > low
    assert car.signals(NOW_MS + 24 * HOUR_MS).energy_percent == 100
    assert not car.signals(NOW_MS + 24 * HOUR_MS).charging


def test_ignition_is_on_while_driving_and_off_during_the_errand() -> None:
    car = parked(Energy.PETROL)
    car.drive_off(NOW_MS, NOW_MS + HOUR_MS, 20_000)
    shares = (0.1, 0.5, 0.9)
    ignitions = [car.signals(NOW_MS + round(share * HOUR_MS)).ignition for share in shares]
    assert ignitions == [True, False, True]


def test_a_parked_tracker_speaks_once_an_hour_and_a_driving_one_every_few_minutes() -> None:
    car = parked(Energy.PETROL)
    first_ms = car.wake_at_ms
    car.report(first_ms)
    assert car.wake_at_ms == first_ms + REPORT_RESTING_MS
    car.drive_off(first_ms + 1, first_ms + HOUR_MS, 10_000)
    assert car.wake_at_ms == first_ms + 1, "turning the key wakes the tracker"
    car.report(first_ms + 1)
    assert car.wake_at_ms == first_ms + 1 + REPORT_IGNITION_ON_MS


def test_a_position_is_sent_with_the_ignition_off_only() -> None:
    for _, payload in a_rental_of_reports(parked(Energy.PETROL)):
        said = reported(payload)
        assert ("latlng" in said) is (said["239"] == 0)


def test_the_oddities_of_trackers_in_the_field_all_occur() -> None:
    said = [
        reported(payload) for seed in range(40) for _, payload in a_rental_of_reports(parked(Energy.PETROL, seed))
    ]
    assert any(it["ts"] == BEFORE_FIRST_FIX_MS for it in said)
    assert any(it.get("latlng") == "0,0" for it in said)
    assert any(it["66"] == 0 for it in said)
    assert any("evt" not in it for it in said)
    assert any("pr" not in it for it in said)
    ordinary = [it for it in said if it["ts"] != BEFORE_FIRST_FIX_MS and it["66"] and "evt" in it]
    assert len(ordinary) > len(said) / 2


@pytest.mark.parametrize(
    ("parking", "left"),
    [
        (Parking(), (False, True, 12_450)),
        (Parking(doors_open=True), (True, True, 12_450)),
        (Parking(unplugged=True), (False, False, 12_450)),
        (Parking(lights_on=True), (False, True, 11_400)),
    ],
)
def test_a_car_stays_as_it_was_left_until_somebody_drives_it(
    parking: Parking, left: tuple[bool, bool, int]
) -> None:
    car = parked(Energy.ELECTRIC)
    car.drive_off(NOW_MS, NOW_MS + HOUR_MS, 40_000)
    car.next_parking = parking
    car.park(NOW_MS + HOUR_MS)
    for later_ms in (0, 5 * HOUR_MS):
        it = car.signals(NOW_MS + HOUR_MS + later_ms)
        assert (it.doors_open, it.plugged_in, it.low_voltage_mv) == left
        assert it.charging is (it.plugged_in and it.energy_percent < 100)
    car.drive_off(NOW_MS + 7 * HOUR_MS, NOW_MS + 8 * HOUR_MS, 10_000)
    car.park(NOW_MS + 8 * HOUR_MS)
    assert car.signals(NOW_MS + 8 * HOUR_MS).plugged_in, "who drives it next is another one"


@pytest.mark.parametrize(("elsewhere", "metres"), [(False, 16), (True, 600)])
def test_a_car_stands_in_its_bay_or_in_the_next_street(elsewhere: bool, metres: int) -> None:
    car = parked(Energy.PETROL)
    car.next_parking = Parking(elsewhere=elsewhere)
    car.park(NOW_MS)
    it, station = car.signals(NOW_MS), NETWORK.station_by_id[car.vehicle.station]
    away_m = distance_m(Place(station.latitude, station.longitude), Place(it.latitude, it.longitude))
    assert metres - 100 < away_m < metres


def test_who_comes_home_early_from_an_errand_is_seen_to_drive() -> None:
    car = parked(Energy.PETROL)
    car.drive_off(NOW_MS, NOW_MS + 2 * HOUR_MS, 40_000)
    car.park(NOW_MS + HOUR_MS)
    said = [reported(car.report(car.wake_at_ms)), reported(car.report(car.wake_at_ms))]
    assert [it["239"] for it in said] == [1, 0]
    assert [told.at_ms for told in car.told] == [NOW_MS + HOUR_MS, NOW_MS + HOUR_MS + ROLLS_IN_MS]


def test_what_a_tracker_said_is_in_the_worlds_own_record() -> None:
    car = parked(Energy.ELECTRIC)
    said = a_rental_of_reports(car)
    assert [told.at_ms for told in car.told] == [at_ms for at_ms, _ in said]
    assert any(told.signals.ignition for told in car.told)
