"""Vehicle telemetry as Teltonika trackers send it over MQTT ("Codec JSON").

    {"state": {"reported": {"ts": 1698922776030, "pr": 1, "latlng": "0,0", "sp": 0, "239": 0, "16": 6870}}}

Keys are AVL ids as strings. "Not known" is never 0: a signal that is absent, out of range or a known
placeholder is left out of the reading. Positions are dropped here: no message of the contract carries one.
"""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from contract.facts import VehicleReading

PAYLOAD_BYTES_MAX = 8 * 1024  # a full record of such a tracker is under 2 KiB
TRACKER_CLOCK_AHEAD_MAX_MS = 300_000  # a tracker further ahead has no time worth believing
TRACKER_CLOCK_BEHIND_MAX_MS = 30 * 86_400_000  # trackers buffer for weeks; 2004 means "no fix yet"
ODOMETER_MAX_M = 2_000_000_000  # two million km: beyond any car

IGNITION, MOVEMENT, ODOMETER_M, LOW_VOLTAGE_MV = "239", "240", "16", "66"
FUEL_PERCENT, BATTERY_PERCENT, CHARGING = "89", "411", "410"


class VehicleFault(StrEnum):
    """Why a tracker's message was not read: the label of the metric that counts it."""

    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NO_REPORT = "no_report"  # JSON, but no state.reported object
    POSITION_WITH_IGNITION_ON = "position_with_ignition_on"  # read, but the tracker is configured wrong


@dataclass(frozen=True, slots=True)
class TrackerReport:
    """What a tracker said: signals, and its own time where that is worth believing."""

    reading: VehicleReading
    tracker_ms: int | None


@dataclass(slots=True)
class TeltonikaJson:
    """Codec JSON of the FMB family. Never raises on input."""

    faults: dict[VehicleFault, int] = field(default_factory=lambda: dict.fromkeys(VehicleFault, 0))
    reports: int = 0

    def read(self, now_ms: int, payload: bytes) -> TrackerReport | None:
        """One message; None (and a fault counted) where it is none."""
        reported = self._reported(payload)
        if reported is None:
            return None
        self.reports += 1
        ignition = _flag(reported, IGNITION)
        if ignition and _has_position(reported):
            self.faults[VehicleFault.POSITION_WITH_IGNITION_ON] += 1
        energy = _integer(reported, BATTERY_PERCENT, 0, 100)
        if energy is None:
            energy = _integer(reported, FUEL_PERCENT, 0, 100)
        reading = VehicleReading(
            age_s=0,
            odometer_m=_integer(reported, ODOMETER_M, 1, ODOMETER_MAX_M),
            energy_percent=energy,
            charging=_flag(reported, CHARGING),
            ignition=ignition,
            moving=_flag(reported, MOVEMENT),
            low_voltage_mv=_integer(reported, LOW_VOLTAGE_MV, 1, 60_000),
        )
        return TrackerReport(reading, _tracker_ms(reported, now_ms))

    def _reported(self, payload: bytes) -> dict[str, Any] | None:
        fault = None
        reported: Any = None
        if len(payload) > PAYLOAD_BYTES_MAX:
            fault = VehicleFault.TOO_LARGE
        else:
            try:
                document = json.loads(payload)
            except (ValueError, RecursionError):
                fault = VehicleFault.NOT_JSON
            else:
                state = document.get("state") if isinstance(document, dict) else None
                reported = state.get("reported") if isinstance(state, dict) else None
                if not isinstance(reported, dict):
                    fault = VehicleFault.NO_REPORT
        if fault is not None:
            self.faults[fault] += 1
            return None
        assert isinstance(reported, dict)
        return reported


def _integer(reported: dict[str, Any], key: str, low: int, high: int) -> int | None:
    value = reported.get(key)
    known = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    return value if known else None


def _flag(reported: dict[str, Any], key: str) -> bool | None:
    value = _integer(reported, key, 0, 1)
    return None if value is None else value == 1


def _tracker_ms(reported: dict[str, Any], now_ms: int) -> int | None:
    oldest, newest = now_ms - TRACKER_CLOCK_BEHIND_MAX_MS, now_ms + TRACKER_CLOCK_AHEAD_MAX_MS
    tracker_ms = _integer(reported, "ts", max(oldest, 1), newest)
    return None if tracker_ms is None else min(tracker_ms, now_ms)


def _has_position(reported: dict[str, Any]) -> bool:
    """Whether there is a fix: "0,0" in any spelling means none."""
    position = reported.get("latlng")
    if not isinstance(position, str):
        return False
    return any(digit in position for digit in "123456789")
