"""Vehicle telemetry as Teltonika trackers send it over MQTT ("Codec JSON").

    {"state": {"reported": {"ts": 1698922776030, "pr": 1, "latlng": "0,0", "sp": 0, "239": 0, "16": 6870}}}

Keys are AVL ids as strings; `ts` is the tracker's time in milliseconds.
"""

from dataclasses import dataclass, field
from typing import Any

from station_agent.core.tracker_clock import believed_ms
from station_agent.drivers.teltonika.signals import Family, reading_of
from station_agent.drivers.trackers import (
    TrackerReport,
    VehicleFault,
    integer,
    json_object,
    no_faults,
    parked_position,
)

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
        tracker_ms = believed_ms(now_ms, integer(reported.get("ts"), 1, TIME_MAX_MS))
        return TrackerReport(reading, tracker_ms, parked_position(reading, self.faults, *_degrees(reported)))


def _reported(payload: bytes) -> dict[str, Any] | VehicleFault:
    document = json_object(payload)
    if isinstance(document, VehicleFault):
        return document
    state = document.get("state")
    reported = state.get("reported") if isinstance(state, dict) else None
    return reported if isinstance(reported, dict) else VehicleFault.NO_REPORT


def _degrees(reported: dict[str, Any]) -> tuple[float | None, float | None]:
    """Latitude and longitude as they came: "0,0" in any spelling where there is no fix."""
    told = reported.get("latlng")
    north, comma, east = told.partition(",") if isinstance(told, str) else ("", "", "")
    try:
        return (float(north), float(east)) if comma else (None, None)
    except ValueError:
        return None, None
