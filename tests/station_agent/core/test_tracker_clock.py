import pytest

from contract.facts import VehicleReading
from station_agent.core.device_events import VehicleTold
from station_agent.core.tracker_clock import AHEAD_MAX_MS, BEHIND_MAX_MS, believed_ms
from tests.station_agent.core.box import MINUTE_MS, Box

NOW_MS = 1_800_000_000_000


@pytest.mark.parametrize(
    ("told_ms", "believed"),
    [
        (NOW_MS, NOW_MS),
        (NOW_MS - BEHIND_MAX_MS, NOW_MS - BEHIND_MAX_MS),
        (NOW_MS - BEHIND_MAX_MS - 1, None),
        (NOW_MS + AHEAD_MAX_MS, NOW_MS),
        (NOW_MS + AHEAD_MAX_MS + 1, None),
        (1_072_915_236_000, None),
        (None, None),
    ],
)
def test_a_trackers_time_is_believed_within_limits_and_never_later_than_now(
    told_ms: int | None, believed: int | None
) -> None:
    assert believed_ms(NOW_MS, told_ms) == believed


def test_what_a_tracker_tells_on_a_line_is_its_vehicles_reading() -> None:
    box = Box()
    box.handle(VehicleTold("car-1", reading(20_000), box.now_ms - MINUTE_MS))
    box.handle(VehicleTold("car-1", reading(10_000), box.now_ms - 2 * MINUTE_MS))
    assert told(box) == [("car-1", 20_000, 60)], "what a tracker kept is older than what is known"


@pytest.mark.parametrize("tracker_ms", [None, 1_072_915_236_000, NOW_MS * 2])
def test_a_tracker_without_a_time_worth_believing_spoke_now(tracker_ms: int | None) -> None:
    box = Box()
    box.handle(VehicleTold("car-1", reading(20_000), tracker_ms))
    assert told(box) == [("car-1", 20_000, 0)]


def reading(odometer_m: int) -> VehicleReading:
    return VehicleReading(age_s=0, odometer_m=odometer_m)


def told(box: Box) -> list[tuple[str, int | None, int]]:
    reports = box.station.vehicle_reports(box.now)
    return [(report.vehicle, report.reading.odometer_m, report.reading.age_s) for report in reports]
