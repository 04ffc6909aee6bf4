"""Vehicle telemetry as Teltonika trackers send it over MQTT ("Codec JSON").

    {"state": {"reported": {"ts": 1698922776030, "pr": 1, "latlng": "0,0", "sp": 0, "239": 0, "16": 6870}}}

Keys are AVL ids as strings; `ts` is the tracker's time in milliseconds.
"""

from dataclasses import dataclass, field
from typing import Any

from station_agent.core.tracker_clock import believed_ms
from station_agent.drivers.teltonika.signals import Family, reading_of
from station_agent.drivers.trackers import TrackerReport, VehicleFault, integer, json_object, no_faults

TIME_MAX_MS = 1 << 63  # beyond any tracker's; keeps sums of times small


@dataclass(slots=True)
class TeltonikaJson:
    """Messages of one tracker. Never raises on input."""

    family: Family = Family.FMB
    faults: dict[VehicleFault, int] = field(default_factory=no_faults)
    reports: int = 0

    def read(self, now_ms: int, payload: bytes) -> TrackerReport | None:
        """One message; None (and a fault counted) where it is none."""
        reported = _reported(payload)
        if isinstance(reported, VehicleFault):
            self.faults[reported] += 1
            return None
        self.reports += 1
        reading = reading_of(self.family, lambda avl_id: reported.get(str(avl_id)))
        if reading.ignition and _has_position(reported):
            self.faults[VehicleFault.POSITION_WITH_IGNITION_ON] += 1
        return TrackerReport(reading, believed_ms(now_ms, integer(reported.get("ts"), 1, TIME_MAX_MS)))


def _reported(payload: bytes) -> dict[str, Any] | VehicleFault:
    document = json_object(payload)
    if isinstance(document, VehicleFault):
        return document
    state = document.get("state")
    reported = state.get("reported") if isinstance(state, dict) else None
    return reported if isinstance(reported, dict) else VehicleFault.NO_REPORT


def _has_position(reported: dict[str, Any]) -> bool:
    """Whether there is a fix: "0,0" in any spelling means none."""
    position = reported.get("latlng")
    if not isinstance(position, str):
        return False
    return any(digit in position for digit in "123456789")
