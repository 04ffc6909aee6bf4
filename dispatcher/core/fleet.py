"""Which vehicles a fleet could do without: by playing a period again without them."""

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dispatcher.core.windows import Window


@dataclass(frozen=True, slots=True)
class Car:
    """A vehicle and what held it in the period; its windows do not overlap."""

    vehicle_id: str
    station_id: str
    category: str
    held: tuple[Window, ...]

    @property
    def held_ms(self) -> int:
        return sum(window.length_ms for window in self.held)


@dataclass(frozen=True, slots=True)
class Played:
    """What became of a vehicle's bookings when they were given to the others of its category."""

    car: Car
    same_station: int
    """Bookings that fitted into other vehicles of its station."""
    nearby: int
    """That fitted into vehicles of stations within walking distance."""
    unplaced: int
    """That no other vehicle had room for."""

    @property
    def could_go(self) -> bool:
        return self.unplaced == 0


@dataclass(slots=True)
class _Calendar:
    """What holds one vehicle, in order."""

    windows: list[Window] = field(default_factory=list)

    def has_room(self, window: Window) -> bool:
        at = bisect_left(self.windows, window)
        around = self.windows[max(at - 1, 0) : at + 1]
        return not any(held.overlaps(window) for held in around)

    def add(self, window: Window) -> None:
        self.windows.insert(bisect_left(self.windows, window), window)


def play_without(
    cars: Sequence[Car], candidates: Sequence[str], near: Mapping[str, Sequence[str]]
) -> tuple[Played, ...]:
    """Take the candidates out one after the other, in the order given, and place their bookings elsewhere.

    Each booking keeps its window and goes to the first vehicle of the category that has room: at its own station,
    then at the stations of `near`, nearest first. Where all of them fit, the vehicle stays out and what it left
    stays where it went, so that all that could go can go together; otherwise everything is put back.
    """
    by_id = {car.vehicle_id: car for car in cars}
    calendars = {car.vehicle_id: _Calendar(sorted(car.held)) for car in cars}
    there: dict[tuple[str, str], list[str]] = {}
    for car in sorted(cars, key=lambda car: car.vehicle_id):
        there.setdefault((car.station_id, car.category), []).append(car.vehicle_id)
    played = []
    for vehicle_id in candidates:
        car, own = by_id[vehicle_id], calendars[vehicle_id]
        there[car.station_id, car.category].remove(vehicle_id)
        places = [(car.station_id, True), *((station, False) for station in near.get(car.station_id, ()))]
        others = [(other, is_own) for station, is_own in places for other in there.get((station, car.category), ())]
        placed: list[tuple[str, Window, bool]] = []
        for window in own.windows:
            found = next((it for it in others if calendars[it[0]].has_room(window)), None)
            if found is not None:
                calendars[found[0]].add(window)
                placed.append((found[0], window, found[1]))
        here = sum(is_own for _, _, is_own in placed)
        result = Played(car, here, len(placed) - here, len(own.windows) - len(placed))
        if not result.could_go:
            for other, window, _ in placed:
                calendars[other].windows.remove(window)
            insort(there[car.station_id, car.category], vehicle_id)
        played.append(result)
    return tuple(played)
