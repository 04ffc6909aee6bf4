"""What the AVL ids of Teltonika trackers mean, and the reading that their values make.

The same id means another thing in another family, and a car's odometer may come under several ids: from the
tracker's own count of GNSS distance, from the CAN bus or from OBD. A family names one of them, for to fall back
from one odometer to another in the middle of a rental would look like a drive. Ids, units: design/hardware.md.

Not read, though trackers send it: 67 (the tracker's own cell, never the car's), 24 (240 says whether it moves),
84 and 390 (litres: no percentage without the size of the tank), 132 and 252 (security flags, and that the tracker
itself was unplugged: no reading carries them). No id here says whether a charging cable is connected.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from contract.facts import VehicleReading
from station_agent.drivers.trackers import LOW_VOLTAGE_MAX_MV, ODOMETER_MAX_M, integer

IGNITION, MOVEMENT, LOW_VOLTAGE_MV = 239, 240, 66  # the same in every family here
DOORS = 90
DOOR_BITS = 0x3F00  # front left, front right, rear left, rear right, bonnet, boot; any other bit is no door status


class Family(StrEnum):
    """Trackers that mean the same by an id."""

    FMB = "fmb"  # no bus of the car: distance by GNSS
    FMB_CAN = "fmb_can"  # with a CAN adapter
    FMB_OBD = "fmb_obd"  # in the OBD socket, with the maker's own requests


@dataclass(frozen=True, slots=True)
class Meanings:
    """Where a family's trackers put what a reading carries."""

    odometer: int
    odometer_unit_m: int
    energy: tuple[int, ...]  # percent; the first that is known counts: a battery before a tank
    charging: int | None
    doors: int | None


MEANINGS = {
    Family.FMB: Meanings(odometer=16, odometer_unit_m=1, energy=(411, 89), charging=410, doors=DOORS),
    Family.FMB_CAN: Meanings(odometer=87, odometer_unit_m=1, energy=(152, 89), charging=None, doors=DOORS),
    Family.FMB_OBD: Meanings(odometer=389, odometer_unit_m=1000, energy=(411,), charging=410, doors=None),
}


def reading_of(family: Family, value_of: Callable[[int], object]) -> VehicleReading:
    """A reading, without age. `value_of(id)` is None or nonsense where the tracker said nothing."""
    means = MEANINGS[family]
    unit_m = means.odometer_unit_m
    odometer = integer(value_of(means.odometer), 1, ODOMETER_MAX_M // unit_m)
    energies = (integer(value_of(avl_id), 0, 100) for avl_id in means.energy)
    return VehicleReading(
        age_s=0,
        odometer_m=None if odometer is None else odometer * unit_m,
        energy_percent=next((energy for energy in energies if energy is not None), None),
        charging=None if means.charging is None else _flag(value_of(means.charging)),
        ignition=_flag(value_of(IGNITION)),
        moving=_flag(value_of(MOVEMENT)),
        low_voltage_mv=integer(value_of(LOW_VOLTAGE_MV), 1, LOW_VOLTAGE_MAX_MV),
        doors_open=None if means.doors is None else _any_door(value_of(means.doors)),
    )


def _any_door(value: object) -> bool | None:
    bits = integer(value, 0, DOOR_BITS)
    return None if bits is None or bits & ~DOOR_BITS else bits != 0


def _flag(value: object) -> bool | None:
    known = integer(value, 0, 1)
    return None if known is None else known == 1
