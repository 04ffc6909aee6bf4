"""What an electric car's gateway says over MQTT under the names of VSS 5.1 (domain.md, names for vehicle signals).

Like a tracker it is set up to send its position at ignition off only.
"""

import json
import random

from simulator.world.codec_json import NO_FIX_SHARE, NO_VOLTAGE_SHARE
from simulator.world.signals import Signals

UNDEFINED_SHARE = 0.02  # of messages come while the gateway does not know the state of the low-voltage system
M_PER_KM, MV_PER_V = 1000, 1000


def codec_vss(rng: random.Random, at_ms: int, signals: Signals, *, timed: bool) -> bytes:
    """One payload for `vehicles/{id}/raw`. `timed` False: the gateway has no time yet, its values are plain."""
    state = "ON" if signals.ignition else "OFF"
    values: dict[str, object] = {
        "Vehicle.TraveledDistance": signals.odometer_m / M_PER_KM,
        "Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed": signals.energy_percent,
        "Vehicle.Powertrain.TractionBattery.Charging.IsCharging": signals.charging,
        "Vehicle.Powertrain.TractionBattery.Charging.ChargingPort.AnyPosition.IsChargingCableConnected": (
            signals.plugged_in
        ),
        "Vehicle.LowVoltageSystemState": "UNDEFINED" if rng.random() < UNDEFINED_SHARE else state,
        "Vehicle.IsMoving": signals.moving,
        "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen": False,
        "Vehicle.Cabin.Door.Row1.PassengerSide.IsOpen": False,
        "Vehicle.Body.Trunk.Rear.IsOpen": signals.doors_open,
    }
    if rng.random() >= NO_VOLTAGE_SHARE:
        values["Vehicle.LowVoltageBattery.CurrentVoltage"] = signals.low_voltage_mv / MV_PER_V
    if not signals.ignition:
        lost = rng.random() < NO_FIX_SHARE
        values["Vehicle.CurrentLocation.Latitude"] = 0.0 if lost else round(signals.latitude, 6)
        values["Vehicle.CurrentLocation.Longitude"] = 0.0 if lost else round(signals.longitude, 6)
    document = {name: {"value": value, "ts": at_ms} if timed else value for name, value in values.items()}
    return json.dumps(document, separators=(",", ":")).encode()
