"""Vehicle telemetry under the names of COVESA's Vehicle Signal Specification, as JSON over MQTT.

    {"Vehicle.TraveledDistance": 12345.6, "Vehicle.IsMoving": {"value": false, "ts": 1698922776030}}

Names, types and units are those of VSS 5.1: km, percent, V (from 6.0 on `TraveledDistance` counts metres, and
nothing in a message would tell: such a source is not for this driver). A signal is a value, or an object with
the value and when it was sampled, in milliseconds since 1970 or as ISO 8601 with its offset.

A message is a whole picture: what is not in it is not known. Its time is that of its youngest signal, and a
signal sampled `STALE_MS` before that is left out: a reading has one age, and stale is not fresh.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from contract.facts import VehicleReading
from station_agent.core.tracker_clock import believed_ms
from station_agent.drivers.trackers import (
    LOW_VOLTAGE_MAX_MV,
    ODOMETER_MAX_M,
    TrackerReport,
    VehicleFault,
    json_object,
    no_faults,
    parked_position,
)

PREFIX: Final = "Vehicle."
ODOMETER_KM: Final = "Vehicle.TraveledDistance"
CHARGE_PERCENT: Final = "Vehicle.Powertrain.TractionBattery.StateOfCharge.Displayed"
FUEL_PERCENT: Final = "Vehicle.Powertrain.FuelSystem.RelativeLevel"
IS_CHARGING: Final = "Vehicle.Powertrain.TractionBattery.Charging.IsCharging"
SYSTEM_STATE: Final = "Vehicle.LowVoltageSystemState"
IS_MOVING: Final = "Vehicle.IsMoving"
LOW_VOLTAGE_V: Final = "Vehicle.LowVoltageBattery.CurrentVoltage"
IS_PLUGGED_IN: Final = (
    "Vehicle.Powertrain.TractionBattery.Charging.ChargingPort.AnyPosition.IsChargingCableConnected"
)
DOORS: Final = (
    "Vehicle.Cabin.Door.Row1.DriverSide.IsOpen",
    "Vehicle.Cabin.Door.Row1.PassengerSide.IsOpen",
    "Vehicle.Cabin.Door.Row2.DriverSide.IsOpen",
    "Vehicle.Cabin.Door.Row2.PassengerSide.IsOpen",
    "Vehicle.Body.Hood.IsOpen",
    "Vehicle.Body.Trunk.Front.IsOpen",
    "Vehicle.Body.Trunk.Rear.IsOpen",
)
LATITUDE, LONGITUDE = "Vehicle.CurrentLocation.Latitude", "Vehicle.CurrentLocation.Longitude"

STALE_MS: Final = 300_000  # a gateway samples each signal at least once a minute; five times that is a fault
# Of the states of the low-voltage system: "accessories" is a radio, and UNDEFINED is not known
IGNITION_BY_STATE: Final = {"LOCK": False, "OFF": False, "ACC": False, "ON": True, "START": True}


@dataclass(slots=True)
class VssJson:
    """Messages of one vehicle. Never raises on input."""

    faults: dict[VehicleFault, int] = field(default_factory=no_faults)
    reports: int = 0

    def read(self, now_ms: int, payload: bytes) -> TrackerReport | None:
        """One message; None (and a fault counted) where it is none."""
        document = json_object(payload)
        if not isinstance(document, VehicleFault) and not any(name.startswith(PREFIX) for name in document):
            document = VehicleFault.NO_REPORT
        if isinstance(document, VehicleFault):
            self.faults[document] += 1
            return None
        self.reports += 1
        values, tracker_ms = _fresh(document, now_ms)
        doors = [values.get(name) for name in DOORS if name in document]
        reading = _reading(values).model_copy(update={"doors_open": _any_open(doors)})
        position = parked_position(reading, self.faults, values.get(LATITUDE), values.get(LONGITUDE))
        return TrackerReport(reading, tracker_ms, position)


def _reading(values: dict[str, object]) -> VehicleReading:
    energy = _scaled(values.get(CHARGE_PERCENT), 1, 0, 100)
    if energy is None:
        energy = _scaled(values.get(FUEL_PERCENT), 1, 0, 100)
    state = values.get(SYSTEM_STATE)
    return VehicleReading(
        age_s=0,
        odometer_m=_scaled(values.get(ODOMETER_KM), 1000, 1, ODOMETER_MAX_M),
        energy_percent=energy,
        charging=_flag(values.get(IS_CHARGING)),
        ignition=IGNITION_BY_STATE.get(state) if isinstance(state, str) else None,
        moving=_flag(values.get(IS_MOVING)),
        low_voltage_mv=_scaled(values.get(LOW_VOLTAGE_V), 1000, 1, LOW_VOLTAGE_MAX_MV),
        plugged_in=_flag(values.get(IS_PLUGGED_IN)),
    )


def _any_open(doors: list[object]) -> bool | None:
    """Of the doors that a vehicle tells, which are those that it has. Shut are all where each is known to be."""
    if any(door is True for door in doors):
        return True
    return False if doors and all(door is False for door in doors) else None


def _fresh(document: dict[str, Any], now_ms: int) -> tuple[dict[str, object], int | None]:
    """Values by name without those that are stale beside the youngest, and the time of that one, if any has one."""
    signals = {name: _signal(told) for name, told in document.items() if name in _READ}
    times = {name: believed_ms(now_ms, ts_ms) for name, (_, ts_ms) in signals.items()}
    youngest_ms = max((at_ms for at_ms in times.values() if at_ms is not None), default=None)
    values: dict[str, object] = {}
    for name, (value, _) in signals.items():
        at_ms = times[name]
        if at_ms is None or youngest_ms is None or at_ms >= youngest_ms - STALE_MS:
            values[name] = value
    return values, youngest_ms


def _signal(told: object) -> tuple[object, int | None]:
    """Value, and when it was sampled."""
    if not isinstance(told, dict):
        return told, None
    return told.get("value"), _ms(told.get("ts"))


def _ms(ts: object) -> int | None:
    if isinstance(ts, str):
        try:
            at = datetime.fromisoformat(ts)
            return None if at.tzinfo is None else int(at.timestamp() * 1000)
        except (ValueError, OverflowError):
            return None
    return ts if isinstance(ts, int) and not isinstance(ts, bool) else None


def _scaled(value: object, unit: int, low: int, high: int) -> int | None:
    """The number in its smaller unit, rounded; None where it is none or out of these limits."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= high:
        return None
    scaled = round(value * unit)
    return scaled if low <= scaled <= high else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


_READ: Final = frozenset(
    (
        ODOMETER_KM, CHARGE_PERCENT, FUEL_PERCENT, IS_CHARGING, SYSTEM_STATE, IS_MOVING, LOW_VOLTAGE_V,
        IS_PLUGGED_IN, LATITUDE, LONGITUDE, *DOORS,
    )
)  # fmt: skip
