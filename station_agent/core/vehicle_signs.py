"""What a vehicle's reading says of each sign: it is so, it is not, or it cannot be told by this one.

A table of pure rules. How long something has to be so before it counts is here too: contacts bounce, batteries
recover, fuel sloshes, and a motion sensor takes a slammed door for a drive.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from contract.facts import VehicleReading, VehicleSign
from contract.messages import StationSettings

STOPS_MS = 120_000  # trackers go on saying "moving" for a minute after the car stands; a clock is off by seconds
MINUTE_MS = 60_000  # a cabinet that lost its line, and a key that left meanwhile, are told within seconds
BUMP_MS = 300_000  # a slammed door or a gust is over for a motion sensor within a minute or three
PAUSE_MS = 600_000  # chargers share the current of a station by pausing some minutes each
RECOVERS_MV = 300  # by so much a lead battery recovers at rest after a load, without being charged
SLOSH_PERCENT = 5  # on a slope a tank shows some percent more or less than on the level

ENDED_BY_TAKE = frozenset(
    {VehicleSign.MOVED_AFTER_RETURN, VehicleSign.DOORS_OPEN_AT_RETURN, VehicleSign.UNPLUGGED_AT_RETURN}
)
"""Over as soon as somebody has a key of the vehicle again."""


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a sign is judged by."""

    reading: VehicleReading
    home_ms: int | None
    """How long all keys of the vehicle had hung at home when this was read; None: they do not, or nobody sees."""
    settings: StationSettings
    is_active: bool
    """Whether the sign was told and is not over."""


def shows(sign: VehicleSign, scene: Scene) -> bool | None:
    """Whether it is so; None: this reading cannot tell, and what was so stays so."""
    return _RULES[sign](scene)


def lasts_ms(sign: VehicleSign, scene: Scene) -> int:
    """How long it has to be otherwise than it was told, without a word to the contrary, before that is told."""
    if sign is VehicleSign.MOVED_AFTER_RETURN:
        return MINUTE_MS if scene.reading.ignition else BUMP_MS
    return _LASTS_MS[sign][scene.is_active]


def _moved(scene: Scene) -> bool | None:
    """Once it was so, only a person who takes the key ends the doubt."""
    if scene.is_active or scene.home_ms is None or scene.home_ms < STOPS_MS:
        return None
    known = [signal for signal in (scene.reading.ignition, scene.reading.moving) if signal is not None]
    return any(known) if known else None


def _doors_open(scene: Scene) -> bool | None:
    return scene.reading.doors_open if _is_left(scene) else None


def _unplugged(scene: Scene) -> bool | None:
    plugged_in = _plugged_in(scene)
    if plugged_in is None or not _is_left(scene) or scene.reading.ignition or scene.reading.moving:
        return None
    return not plugged_in


def _is_left(scene: Scene) -> bool:
    """Whether nobody who brought it back has a hand at it any more."""
    return scene.home_ms is not None and scene.home_ms >= scene.settings.after_return_s * 1000


def _plugged_in(scene: Scene) -> bool | None:
    """Who charges has a cable in, who moves has none; a car that does neither says it, or it is not known."""
    reading = scene.reading
    if reading.plugged_in is not None:
        return reading.plugged_in
    if reading.charging:
        return True
    return False if reading.moving and reading.charging is not None else None


def _charging(scene: Scene) -> bool | None:
    return scene.reading.charging


def _low_voltage(scene: Scene) -> bool | None:
    """At rest only: an alternator hides it, and a starter shows it where it is not."""
    voltage_mv = scene.reading.low_voltage_mv
    if voltage_mv is None or scene.reading.ignition is not False:
        return None
    return voltage_mv < scene.settings.low_voltage_mv + (RECOVERS_MV if scene.is_active else 0)


def _low_energy(scene: Scene) -> bool | None:
    energy_percent = scene.reading.energy_percent
    if energy_percent is None:
        return None
    return energy_percent < scene.settings.low_energy_percent + (SLOSH_PERCENT if scene.is_active else 0)


_RULES: Mapping[VehicleSign, Callable[[Scene], bool | None]] = MappingProxyType(
    {
        VehicleSign.MOVED_AFTER_RETURN: _moved,
        VehicleSign.DOORS_OPEN_AT_RETURN: _doors_open,
        VehicleSign.UNPLUGGED_AT_RETURN: _unplugged,
        VehicleSign.PLUGGED_IN: _plugged_in,
        VehicleSign.CHARGING: _charging,
        VehicleSign.LOW_VOLTAGE: _low_voltage,
        VehicleSign.LOW_ENERGY: _low_energy,
    }
)
_LASTS_MS: Mapping[VehicleSign, tuple[int, int]] = MappingProxyType(
    {  # until it begins, until it ends
        VehicleSign.DOORS_OPEN_AT_RETURN: (MINUTE_MS, MINUTE_MS),
        VehicleSign.UNPLUGGED_AT_RETURN: (MINUTE_MS, MINUTE_MS),
        VehicleSign.PLUGGED_IN: (MINUTE_MS, MINUTE_MS),
        VehicleSign.CHARGING: (MINUTE_MS, PAUSE_MS),
        VehicleSign.LOW_VOLTAGE: (PAUSE_MS, PAUSE_MS),
        VehicleSign.LOW_ENERGY: (BUMP_MS, BUMP_MS),
    }
)
