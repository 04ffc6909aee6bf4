"""What boxes tell of vehicles becomes incidents, opened once and closed once."""

import pytest

from contract.facts import EpochStarted, VehicleNoticed, VehicleReading, VehicleSign
from dispatcher.core.incidents import IncidentKind
from dispatcher.store.incidents import all_incidents
from dispatcher.store.schema import vehicle_readings
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.small_fleet import OTHER_CABINET, incidents
from tests.dispatcher.test_projections import Bench

KINDS = {
    VehicleSign.MOVED_AFTER_RETURN: IncidentKind.RETURN_DOUBTFUL,
    VehicleSign.DOORS_OPEN_AT_RETURN: IncidentKind.VEHICLE_DOORS_OPEN,
    VehicleSign.UNPLUGGED_AT_RETURN: IncidentKind.VEHICLE_NOT_PLUGGED_IN,
    VehicleSign.LOW_VOLTAGE: IncidentKind.VEHICLE_LOW_VOLTAGE,
    VehicleSign.LOW_ENERGY: IncidentKind.VEHICLE_LOW_ENERGY,
}
LOW = VehicleReading(age_s=60, energy_percent=4, low_voltage_mv=11_700, ignition=False)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def tell(bench: Bench, sign: VehicleSign, *, active: bool, reading: VehicleReading | None = LOW) -> None:
    bench.tell(VehicleNoticed, vehicle="car-1", sign=sign, active=active, reading=reading)


@pytest.mark.parametrize("sign", KINDS)
def test_a_sign_that_is_bad_news_is_an_incident_until_it_is_over(bench: Bench, sign: VehicleSign) -> None:
    for _ in range(2):
        tell(bench, sign, active=True)
    assert incidents(bench.database) == [(KINDS[sign], "car-1", True)]
    tell(bench, sign, active=False, reading=None)
    assert incidents(bench.database) == [(KINDS[sign], "car-1", False)]


@pytest.mark.parametrize("sign", [VehicleSign.PLUGGED_IN, VehicleSign.CHARGING])
def test_a_car_that_charges_is_no_incident(bench: Bench, sign: VehicleSign) -> None:
    tell(bench, sign, active=True)
    tell(bench, sign, active=False)
    assert incidents(bench.database) == []


def test_an_incident_says_what_was_measured(bench: Bench) -> None:
    tell(bench, VehicleSign.LOW_VOLTAGE, active=True)
    tell(bench, VehicleSign.LOW_ENERGY, active=True, reading=None)
    found = bench.database.read_now(all_incidents)
    assert [incident.seen for incident in found] == ["at rest it has 11700 mV", "it has unknown % left"]
    assert {incident.vehicle_id for incident in found} == {"car-1"}


def test_what_showed_a_sign_is_the_vehicles_last_reading(bench: Bench) -> None:
    reading = VehicleReading(age_s=60, plugged_in=True, doors_open=False)
    tell(bench, VehicleSign.PLUGGED_IN, active=True, reading=reading)
    row = bench.row(vehicle_readings)
    assert (row["at_ms"], row["plugged_in"], row["doors_open"]) == (bench.box.now_ms - 60_000, True, False)


def test_a_box_has_no_say_on_vehicles_that_live_elsewhere(bench: Bench) -> None:
    here, there = bench.box, FakeBox(OTHER_CABINET)
    bench.box = there
    tell(bench, VehicleSign.LOW_ENERGY, active=True)
    assert incidents(bench.database) == []
    assert bench.rows(vehicle_readings) == []
    bench.box = here
    tell(bench, VehicleSign.LOW_ENERGY, active=True)
    bench.box = there
    tell(bench, VehicleSign.LOW_ENERGY, active=False)
    assert incidents(bench.database) == [(IncidentKind.VEHICLE_LOW_ENERGY, "car-1", True)]


def test_a_vehicle_that_nobody_knows_is_kept_in_the_ledger_alone(bench: Bench) -> None:
    bench.tell(VehicleNoticed, vehicle="car-of-mars", sign=VehicleSign.LOW_ENERGY, active=True, reading=LOW)
    assert incidents(bench.database) == []


def test_a_box_that_lost_its_memory_leaves_no_incident_behind(bench: Bench) -> None:
    tell(bench, VehicleSign.LOW_ENERGY, active=True)
    bench.tell(EpochStarted, why="new_journal")
    assert incidents(bench.database) == [(IncidentKind.VEHICLE_LOW_ENERGY, "car-1", False)]
