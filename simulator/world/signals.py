"""What a car itself knows at an instant, whatever its tracker makes of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signals:
    odometer_m: int
    energy_percent: int
    is_electric: bool
    charging: bool
    plugged_in: bool
    ignition: bool
    moving: bool
    doors_open: bool
    speed_kmh: int
    low_voltage_mv: int
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Told:
    """A message of a car's tracker, in the world's own record."""

    at_ms: int
    signals: Signals
    is_timed: bool
    """Its tracker knows what time it is."""
