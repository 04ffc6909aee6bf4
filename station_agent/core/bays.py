"""Where vehicles stand, as little of it as possible (domain.md, P1 and P2): in memory alone, and not for long.

While a key of a vehicle is out, the position that its tracker told at ignition off is held, for the one question
that is asked when the key comes home: does it stand in its bay? Only where it does not is that one position kept
and reported, until the next take.
"""

from dataclasses import dataclass

from contract.facts import VehicleReading
from contract.places import Bay, Position
from station_agent.core.model import Now

HELD_MS = 900_000  # from parking to the cabinet with bags and children; an older fix may be of the stop before

ROLLS_M = 200  # an odometer that counts GNSS fixes grows by some dozen metres a night; more is a drive


@dataclass(frozen=True, slots=True)
class _Held:
    position: Position
    at_ms: int
    odometer_m: int | None
    until_line_ms: int


class Bays:
    """Positions of the vehicles whose keys live here."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self._outside: dict[str, Position] = {}

    @property
    def wake_at_line_ms(self) -> int | None:
        return min((held.until_line_ms for held in self._held.values()), default=None)

    def told(self, now: Now, vehicle: str, position: Position | None, reading: VehicleReading, age_ms: int) -> None:
        """The newest reading of a vehicle whose key is out, `age_ms` old, and the position in it."""
        if reading.ignition is not False or reading.moving or self._has_driven(vehicle, reading.odometer_m):
            self._held.pop(vehicle, None)  # wherever it stood, it has left
        if position is not None and reading.ignition is False and 0 <= age_ms < HELD_MS:
            until_ms = now.line_ms + HELD_MS - age_ms
            self._held[vehicle] = _Held(position, now.wall_ms - age_ms, reading.odometer_m, until_ms)

    def elapsed(self, now: Now) -> None:
        for vehicle in [vehicle for vehicle, held in self._held.items() if now.line_ms >= held.until_line_ms]:
            del self._held[vehicle]

    def left(self, vehicle: str) -> None:
        """Somebody has its key: nothing is kept of where it stood."""
        self._held.pop(vehicle, None)
        self._outside.pop(vehicle, None)

    def came(self, now: Now, vehicle: str, bay: Bay | None) -> bool | None:
        """Its key came home: whether it stands in its bay. None: nobody told, not lately, or not where that is."""
        self.elapsed(now)
        self._outside.pop(vehicle, None)
        held = self._held.pop(vehicle, None)
        if held is None or bay is None or not 0 <= now.wall_ms - held.at_ms < HELD_MS:
            return None
        is_at_home = bay.holds(held.position)
        if not is_at_home:
            self._outside[vehicle] = held.position
        return is_at_home

    def _has_driven(self, vehicle: str, odometer_m: int | None) -> bool:
        """Whether the odometer says so, where that the engine ran was not heard."""
        held = self._held.get(vehicle)
        if held is None or held.odometer_m is None or odometer_m is None:
            return False
        return abs(odometer_m - held.odometer_m) >= ROLLS_M

    def outside(self, vehicle: str) -> Position | None:
        """Where it stands, if it came home to another place than its bay and nobody has taken it since."""
        return self._outside.get(vehicle)
