"""What a Teltonika tracker says over MQTT ("Codec JSON"), with the oddities that trackers in the field show.

Source of the form and of the ids: design/hardware.md, section on vehicles. A tracker is set up to send its
position at ignition off only (domain.md, P1): with the ignition on there is no `latlng` at all.
"""

import json
import random

from simulator.world.signals import Signals

IGNITION = "239"
MOVING = "240"
ODOMETER_M = "16"
SPEED_KMH = "24"
LOW_VOLTAGE_MV = "66"
TRACKER_VOLTAGE_MV = "67"  # of the tracker's own cell: never the car's
FUEL_PERCENT = "89"
BATTERY_PERCENT = "411"
CHARGING = "410"
DOORS = "90"
BOOT = 0x2000

BEFORE_FIRST_FIX_MS = 1_072_915_236_000  # 2004: what a tracker says until it has seen a satellite
NO_FIX = "0,0"

NO_TIME_SHARE = 0.25  # of first messages after power-on are sent before the first fix
NO_FIX_SHARE = 0.1  # underground car parks
NO_VOLTAGE_SHARE = 0.05  # 66 = 0: the input was not read yet
NO_EVENT_SHARE = 0.3  # periodic records carry no event
NO_PRIORITY_SHARE = 0.1


def codec_json(rng: random.Random, at_ms: int, signals: Signals, *, timed: bool) -> bytes:
    """One payload for `vehicles/{id}/raw`. `timed` False: the tracker has seen no satellite since it has power."""
    reported: dict[str, object] = {"ts": at_ms if timed else BEFORE_FIRST_FIX_MS}
    if rng.random() >= NO_PRIORITY_SHARE:
        reported["pr"] = 1 if signals.ignition else 0
    if not signals.ignition:
        lost = not timed or rng.random() < NO_FIX_SHARE
        reported["latlng"] = NO_FIX if lost else f"{signals.latitude:.6f},{signals.longitude:.6f}"
    reported["sp"] = signals.speed_kmh
    if rng.random() >= NO_EVENT_SHARE:
        reported["evt"] = int(IGNITION)
    reported[IGNITION] = int(signals.ignition)
    reported[MOVING] = int(signals.moving)
    reported[SPEED_KMH] = signals.speed_kmh
    reported[LOW_VOLTAGE_MV] = 0 if rng.random() < NO_VOLTAGE_SHARE else signals.low_voltage_mv
    reported[TRACKER_VOLTAGE_MV] = 4010
    reported[ODOMETER_M] = signals.odometer_m
    reported[DOORS] = BOOT if signals.doors_open else 0
    if signals.is_electric:
        reported[BATTERY_PERCENT] = signals.energy_percent
        reported[CHARGING] = int(signals.charging)
    else:
        reported[FUEL_PERCENT] = signals.energy_percent
    return json.dumps({"state": {"reported": reported}}, separators=(",", ":")).encode()
