"""Signals under their VSS names. "Not known" is never 0, and stale is not fresh."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.facts import VehicleReading
from station_agent.drivers import vss
from station_agent.drivers.trackers import VehicleFault
from station_agent.drivers.vss import STALE_MS, VssJson

NOW_MS = 1_698_922_780_000
ALL = {
    "Vehicle.TraveledDistance": 12345.6,
    "Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed": 80.4,
    "Vehicle.Powertrain.TractionBattery.Charging.IsCharging": True,
    "Vehicle.LowVoltageSystemState": "ON",
    "Vehicle.IsMoving": False,
    "Vehicle.LowVoltageBattery.CurrentVoltage": 12.43,
    "Vehicle.Powertrain.TractionBattery.Charging.ChargingPort.AnyPosition.IsChargingCableConnected": True,
    "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen": False,
    "Vehicle.Body.Trunk.Rear.IsOpen": True,
}
LOCATION = {"Vehicle.CurrentLocation.Latitude": 50.63, "Vehicle.CurrentLocation.Longitude": 3.06}


def reading_of(signals: dict[str, object]) -> VehicleReading:
    report = VssJson().read(NOW_MS, json.dumps(signals).encode())
    assert report is not None
    return report.reading


def time_of(signals: dict[str, object]) -> int | None:
    report = VssJson().read(NOW_MS, json.dumps(signals).encode())
    assert report is not None
    return report.tracker_ms


def test_a_message_of_plain_values_is_read_without_a_time() -> None:
    report = VssJson().read(NOW_MS, json.dumps(ALL).encode())
    assert report is not None
    assert report.tracker_ms is None
    assert report.reading == VehicleReading(
        age_s=0,
        odometer_m=12_345_600,
        energy_percent=80,
        charging=True,
        ignition=True,
        moving=False,
        low_voltage_mv=12_430,
        doors_open=True,
        plugged_in=True,
    )


def test_values_with_their_times_are_read_as_plain_ones_are() -> None:
    timed: dict[str, object] = {name: {"value": value, "ts": NOW_MS - 5000} for name, value in ALL.items()}
    assert reading_of(timed) == reading_of({**ALL})
    assert time_of(timed) == NOW_MS - 5000


@pytest.mark.parametrize(
    ("state", "ignition"),
    [
        ("LOCK", False),
        ("OFF", False),
        ("ACC", False),
        ("ON", True),
        ("START", True),
        ("UNDEFINED", None),
        (1, None),
    ],
)
def test_ignition_is_a_state_of_the_low_voltage_system(state: object, ignition: bool | None) -> None:
    assert reading_of({vss.SYSTEM_STATE: state}).ignition is ignition


def test_a_battery_counts_before_a_tank_and_an_empty_one_is_a_value() -> None:
    assert reading_of({vss.CHARGE_PERCENT: 0, vss.FUEL_PERCENT: 60}).energy_percent == 0
    assert reading_of({vss.CHARGE_PERCENT: None, vss.FUEL_PERCENT: 60}).energy_percent == 60


@pytest.mark.parametrize("name", [vss.ODOMETER_KM, vss.LOW_VOLTAGE_V])
@pytest.mark.parametrize(
    "value", [0, 0.0, -1, 1e-9, 1e300, float("inf"), float("nan"), "12", True, None, [], 10**400]
)
def test_what_cannot_be_is_not_known(name: str, value: object) -> None:
    assert reading_of({name: value}) == VehicleReading(age_s=0)
    assert reading_of({name: {"value": value, "ts": NOW_MS}}) == VehicleReading(age_s=0)


@pytest.mark.parametrize(("name", "value"), [(vss.IS_MOVING, 0), (vss.IS_CHARGING, "false"), (vss.IS_MOVING, None)])
def test_a_flag_is_true_or_false_or_not_known(name: str, value: object) -> None:
    assert reading_of({name: value}) == VehicleReading(age_s=0)


STALE = {"value": False, "ts": NOW_MS - STALE_MS - 1}


@pytest.mark.parametrize(
    ("told", "is_open"),
    [
        ({vss.IS_MOVING: False}, None),
        ({vss.DOORS[0]: False}, False),
        ({vss.DOORS[0]: False, vss.DOORS[6]: True}, True),
        ({vss.DOORS[0]: False, vss.DOORS[6]: None}, None),
        ({vss.DOORS[0]: True, vss.DOORS[6]: None}, True),
        ({vss.DOORS[0]: 1}, None),
        ({vss.DOORS[0]: STALE, vss.IS_MOVING: {"value": False, "ts": NOW_MS}}, None),
    ],
)
def test_doors_are_shut_only_where_each_that_is_told_is_known_to_be(
    told: dict[str, object], is_open: bool | None
) -> None:
    assert reading_of(told).doors_open is is_open


@pytest.mark.parametrize("plugged_in", [True, False])
def test_a_charging_cable_is_connected_or_not(plugged_in: bool) -> None:
    assert reading_of({vss.IS_PLUGGED_IN: plugged_in}).plugged_in is plugged_in


def test_signals_that_nobody_asked_for_are_left_out() -> None:
    told = reading_of({"Vehicle.VehicleIdentification.VIN": "VF1AAAAA000000000", "Vehicle.Speed": 3.0})
    assert told == VehicleReading(age_s=0)


# ---- times


def test_a_stale_signal_is_not_told_with_a_fresh_one() -> None:
    signals: dict[str, object] = {
        vss.ODOMETER_KM: {"value": 7.0, "ts": NOW_MS - STALE_MS - 1},
        vss.CHARGE_PERCENT: {"value": 55, "ts": NOW_MS - STALE_MS},
        vss.IS_MOVING: {"value": False, "ts": NOW_MS},
    }
    assert reading_of(signals) == VehicleReading(age_s=0, energy_percent=55, moving=False)
    assert time_of(signals) == NOW_MS


def test_signals_all_of_one_old_moment_are_told_with_their_time() -> None:
    old_ms = NOW_MS - 10 * STALE_MS
    signals: dict[str, object] = {vss.ODOMETER_KM: {"value": 7.0, "ts": old_ms}, vss.IS_MOVING: False}
    assert reading_of(signals) == VehicleReading(age_s=0, odometer_m=7000, moving=False)
    assert time_of(signals) == old_ms


@pytest.mark.parametrize("ts", ["2023-11-02T10:59:36.030Z", "2023-11-02T11:59:36.030+01:00", 1_698_922_776_030])
def test_times_are_milliseconds_or_iso_8601(ts: object) -> None:
    assert time_of({vss.IS_MOVING: {"value": True, "ts": ts}}) == 1_698_922_776_030


@pytest.mark.parametrize(
    "ts",
    [
        "2023-11-02T10:59:36",
        "soon",
        "",
        "9999-12-31T23:59:59-23:59",
        1_072_915_236_000,
        0,
        True,
        1.5,
        None,
        10**400,
    ],
)
def test_a_time_not_worth_believing_is_no_time(ts: object) -> None:
    signals: dict[str, object] = {vss.IS_MOVING: {"value": True, "ts": ts}}
    assert time_of(signals) is None
    assert reading_of(signals).moving is True


def test_a_vehicle_slightly_ahead_spoke_now() -> None:
    assert time_of({vss.IS_MOVING: {"value": True, "ts": NOW_MS + 1000}}) == NOW_MS


# ---- positions and faults


@pytest.mark.parametrize(
    ("state", "location", "count"),
    [
        ("ON", LOCATION, 1),
        ("ON", {name: {"value": value, "ts": NOW_MS} for name, value in LOCATION.items()}, 1),
        ("OFF", LOCATION, 0),
        ("UNDEFINED", LOCATION, 0),
        ("ON", dict.fromkeys(LOCATION, 0), 0),
        ("ON", {}, 0),
    ],
)
def test_a_position_with_ignition_on_is_counted_and_carried_nowhere(
    state: str, location: dict[str, object], count: int
) -> None:
    codec = VssJson()
    report = codec.read(NOW_MS, json.dumps({vss.SYSTEM_STATE: state, **location}).encode())
    assert codec.faults[VehicleFault.POSITION_WITH_IGNITION_ON] == count
    assert "50.63" not in repr(report)


@pytest.mark.parametrize(
    ("state", "location", "stands"),
    [
        ("OFF", LOCATION, (50.63, 3.06)),
        ("UNDEFINED", LOCATION, None),
        ("OFF", {vss.LATITUDE: 50.63}, None),
        ("OFF", {**LOCATION, vss.LONGITUDE: {"value": 3.06, "ts": NOW_MS - STALE_MS - 1}}, None),
        ("OFF", {**LOCATION, vss.LATITUDE: 91.0}, None),
        ("OFF", dict.fromkeys(LOCATION, 0.0), None),
    ],
)
def test_a_position_is_told_where_the_engine_is_known_to_be_off(
    state: str, location: dict[str, object], stands: tuple[float, float] | None
) -> None:
    signals = {vss.SYSTEM_STATE: {"value": state, "ts": NOW_MS}, **location}
    report = VssJson().read(NOW_MS, json.dumps(signals).encode())
    assert report is not None
    where = report.position
    assert (None if where is None else (where.latitude, where.longitude)) == stands


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"\xff\xfe", VehicleFault.NOT_JSON),
        (b"[" * 5000, VehicleFault.NOT_JSON),
        (b"[]", VehicleFault.NO_REPORT),
        (b'{"state":{"reported":{"16":1}}}', VehicleFault.NO_REPORT),
        (b"{}", VehicleFault.NO_REPORT),
        (b" " * 9000, VehicleFault.TOO_LARGE),
    ],
)
def test_what_is_no_report_is_counted_by_fault(raw: bytes, fault: VehicleFault) -> None:
    codec = VssJson()
    assert codec.read(NOW_MS, raw) is None
    assert (codec.faults[fault], codec.reports) == (1, 0)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = SCALARS | st.fixed_dictionaries({}, optional={"value": SCALARS, "ts": SCALARS}) | st.lists(SCALARS)


@given(st.dictionaries(st.sampled_from(sorted({*vss._READ, *LOCATION})), VALUES, min_size=1))
def test_any_values_make_a_report_within_limits(signals: dict[str, object]) -> None:
    told = reading_of(signals)
    assert told.energy_percent is None or 0 <= told.energy_percent <= 100
    assert told.odometer_m is None or told.odometer_m > 0


@given(st.binary(max_size=200))
def test_bytes_never_raise(raw: bytes) -> None:
    codec = VssJson()
    report = codec.read(NOW_MS, raw)
    assert (report is None) == (codec.reports == 0)
