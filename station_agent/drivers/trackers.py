"""What the drivers of vehicle trackers share: the report that all of them make, its limits, and their faults.

"Not known" is never 0: a signal that is absent, out of range or a known placeholder is left out of a reading.
A position goes no further than here unless the engine is known to be off (domain.md, P1).
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from contract.facts import VehicleReading
from contract.places import LATITUDE_MAX, LONGITUDE_MAX, Position
from station_agent.drivers.base import RestfulCodec

PAYLOAD_BYTES_MAX = 8 * 1024  # a full record of such a tracker is under 2 KiB
ODOMETER_MAX_M = 2_000_000_000  # two million km: beyond any car
LOW_VOLTAGE_MAX_MV = 60_000  # beyond a lorry's 24 V system and its alternator's worst


class VehicleFault(StrEnum):
    """Why a tracker's message was not read: the label of the metric that counts it."""

    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    NO_REPORT = "no_report"  # JSON, but not in the driver's form
    POSITION_WITH_IGNITION_ON = "position_with_ignition_on"  # read, but the tracker is configured wrong


@dataclass(frozen=True, slots=True)
class TrackerReport:
    """What a tracker said: signals, its own time where that is worth believing, and where the vehicle stands."""

    reading: VehicleReading
    tracker_ms: int | None
    position: Position | None = None


class TrackerCounts(Protocol):
    """Counters of one tracker since start, read by the metrics collector at scrape time."""

    faults: dict[VehicleFault, int]
    reports: int


class TrackerMessages(TrackerCounts, Protocol):
    """What reads one tracker's messages from MQTT."""

    def read(self, now_ms: int, payload: bytes) -> TrackerReport | None:
        """One message; None (and a fault counted) where it is none. Never raises. `now_ms`: the box's clock."""


class TrackerCodec(TrackerCounts, RestfulCodec, Protocol):
    """What speaks with one tracker on a line of its own."""


def no_faults() -> dict[VehicleFault, int]:
    return dict.fromkeys(VehicleFault, 0)


def json_object(payload: bytes) -> dict[str, Any] | VehicleFault:
    """The one JSON object of a message, or why there is none. Never raises."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        return VehicleFault.TOO_LARGE
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return VehicleFault.NOT_JSON
    return document if isinstance(document, dict) else VehicleFault.NO_REPORT


def parked_position(
    reading: VehicleReading, faults: dict[VehicleFault, int], latitude: object, longitude: object
) -> Position | None:
    """The position beside a reading, in degrees as it came, if the engine is known to be off.

    With the engine on it is dropped and counted. 0 and 0 are no fix, and what is no place on the earth is none.
    """
    halves = [
        half for half in (latitude, longitude) if isinstance(half, int | float) and not isinstance(half, bool)
    ]
    if not any(halves):
        return None
    if reading.ignition:
        faults[VehicleFault.POSITION_WITH_IGNITION_ON] += 1
    if reading.ignition is not False or len(halves) < 2:
        return None
    north, east = halves
    if not (abs(north) <= LATITUDE_MAX and abs(east) <= LONGITUDE_MAX):
        return None
    return Position(latitude=float(north), longitude=float(east))


def integer(value: object, low: int, high: int) -> int | None:
    """The value, if it is an integer within these limits."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        return None
    return value
