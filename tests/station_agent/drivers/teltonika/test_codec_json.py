"""Tracker messages as they come, with their oddities. "Not known" is never 0."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from station_agent.drivers.teltonika.codec_json import TeltonikaJson
from station_agent.drivers.trackers import VehicleFault

NOW_MS = 1_698_922_780_000


def payload(**fields: object) -> bytes:
    return json.dumps({"state": {"reported": fields}}).encode()


def test_a_trackers_report_is_read() -> None:
    text = (
        b'{"state":{"reported":{"ts":1698922776030,"pr":1,"latlng":"0.000000,0.000000","sp":0,'
        b'"evt":250,"239":0,"240":1,"66":11922,"16":6870}}}'
    )
    report = TeltonikaJson().read(NOW_MS, text)
    assert report is not None
    assert report.tracker_ms == 1_698_922_776_030
    reading = report.reading
    assert (reading.ignition, reading.moving, reading.low_voltage_mv, reading.odometer_m) == (
        False,
        True,
        11922,
        6870,
    )
    assert reading.energy_percent is None


@pytest.mark.parametrize("ts", [1_072_915_236_000, 0, -5, NOW_MS + 3_600_000, "soon", None, 1.5])
def test_a_time_not_worth_believing_is_no_time(ts: object) -> None:
    report = TeltonikaJson().read(NOW_MS, payload(ts=ts))
    assert report is not None
    assert report.tracker_ms is None


def test_a_tracker_slightly_ahead_spoke_now() -> None:
    report = TeltonikaJson().read(NOW_MS, payload(ts=NOW_MS + 1000))
    assert report is not None
    assert report.tracker_ms == NOW_MS


def test_zero_volts_and_absent_signals_are_not_known() -> None:
    report = TeltonikaJson().read(NOW_MS, payload(**{"66": 0, "16": 0, "89": 0}))
    assert report is not None
    reading = report.reading
    assert (reading.low_voltage_mv, reading.odometer_m, reading.ignition) == (None, None, None)
    assert reading.energy_percent == 0, "an empty tank is a value"


def test_a_battery_counts_before_a_tank() -> None:
    report = TeltonikaJson().read(NOW_MS, payload(**{"89": 40, "411": 80, "410": 1}))
    assert report is not None
    assert (report.reading.energy_percent, report.reading.charging) == (80, True)


def test_a_position_while_driving_is_counted_and_carried_nowhere() -> None:
    codec = TeltonikaJson()
    codec.read(NOW_MS, payload(latlng="50.630000,3.060000", **{"239": 0}))
    codec.read(NOW_MS, payload(latlng="0,0", **{"239": 1}))
    assert codec.faults[VehicleFault.POSITION_WITH_IGNITION_ON] == 0
    report = codec.read(NOW_MS, payload(latlng="50.630000,3.060000", **{"239": 1}))
    assert codec.faults[VehicleFault.POSITION_WITH_IGNITION_ON] == 1
    assert "50.63" not in repr(report)


@pytest.mark.parametrize(
    ("latlng", "ignition", "stands"),
    [
        ("50.630000,3.060000", 0, (50.63, 3.06)),
        ("-33.5, 151.25", 0, (-33.5, 151.25)),
        ("50.630000,3.060000", None, None),
        ("0.000000,0.000000", 0, None),
        ("91,3", 0, None),
        ("50.6", 0, None),
        ("nan,3", 0, None),
        ("north,east", 0, None),
        (None, 0, None),
    ],
)
def test_a_position_is_told_where_the_engine_is_known_to_be_off(
    latlng: object, ignition: object, stands: tuple[float, float] | None
) -> None:
    report = TeltonikaJson().read(NOW_MS, payload(latlng=latlng, **{"239": ignition}))
    assert report is not None
    where = report.position
    assert (None if where is None else (where.latitude, where.longitude)) == stands
    assert "50.63" not in repr(report)


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"\xff\xfe", VehicleFault.NOT_JSON),
        (b"[" * 5000, VehicleFault.NOT_JSON),
        (b"[]", VehicleFault.NO_REPORT),
        (b'{"state":null}', VehicleFault.NO_REPORT),
        (b'{"state":{"reported":7}}', VehicleFault.NO_REPORT),
        (b" " * 9000, VehicleFault.TOO_LARGE),
    ],
)
def test_what_is_no_report_is_counted_by_fault(raw: bytes, fault: VehicleFault) -> None:
    codec = TeltonikaJson()
    assert codec.read(NOW_MS, raw) is None
    assert codec.faults[fault] == 1


@given(st.binary(max_size=200))
def test_bytes_never_raise(raw: bytes) -> None:
    TeltonikaJson().read(NOW_MS, raw)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)


@given(st.dictionaries(st.sampled_from(["ts", "latlng", "16", "66", "89", "239", "240", "410", "411"]), SCALARS))
def test_any_values_make_a_report_within_limits(fields: dict[str, object]) -> None:
    report = TeltonikaJson().read(NOW_MS, json.dumps({"state": {"reported": fields}}).encode())
    assert report is not None
    assert report.reading.energy_percent is None or 0 <= report.reading.energy_percent <= 100
