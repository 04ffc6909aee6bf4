"""The network drawn from its coordinates: stations as circles, municipalities as words, nobody else's tiles."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from dispatcher.pages.views.network import StationCard

WIDTH = 420.0
HEIGHT_MAX = 520.0  # a network along a motorway is not drawn taller than a screen
MARGIN = 34.0  # room for a circle and the end of a name
APART = 29.0  # squares of 26 units, and a gap: two stations at one corner are two signs
LINE, CHARACTER = 12.0, 6.0  # of a name: its height, and how wide a letter is on average
PUSHES = 40  # rounds of pushing overlapping circles apart; 30 stations are at rest after some 10


@dataclass(frozen=True, slots=True)
class Dot:
    station: StationCard
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Label:
    text: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class NetworkMap:
    width: float
    height: float
    dots: tuple[Dot, ...]
    labels: tuple[Label, ...]


def network_map(stations: Iterable[StationCard]) -> NetworkMap | None:
    """Where everything is drawn; None: there is no station."""
    known = tuple(stations)
    if not known:
        return None
    spots = {each.id: _spot(each) for each in known}
    xs, ys = [x for x, _ in spots.values()], [y for _, y in spots.values()]
    scale = min(_scales((xs, WIDTH), (ys, HEIGHT_MAX)), default=1.0)
    width = WIDTH
    height = min(HEIGHT_MAX, max(4 * MARGIN, (max(ys) - min(ys)) * scale + 2 * MARGIN))
    left = (width - (max(xs) - min(xs)) * scale) / 2
    placed = {
        name: (left + (x - min(xs)) * scale, height - MARGIN - (y - min(ys)) * scale)
        for name, (x, y) in spots.items()
    }
    placed = _apart(placed, width, height)
    dots = tuple(Dot(each, *_rounded(placed[each.id])) for each in known)
    return NetworkMap(width, round(height), dots, _labels(dots))


def _spot(station: StationCard) -> tuple[float, float]:
    """On a plane, in degrees of latitude: good to a per cent for the size of a region."""
    return station.longitude * math.cos(math.radians(station.latitude)), station.latitude


def _scales(*axes: tuple[list[float], float]) -> Iterator[float]:
    """Units for a degree that each axis has room for; a network at one point has all the room there is."""
    for values, room in axes:
        span = max(values) - min(values)
        if span > 0:
            yield (room - 2 * MARGIN) / span


def _rounded(place: tuple[float, float]) -> tuple[float, float]:
    return round(place[0], 1), round(place[1], 1)


def _apart(
    placed: Mapping[str, tuple[float, float]], width: float, height: float
) -> dict[str, tuple[float, float]]:
    """Circles that would cover one another, pushed apart. The same stations are always drawn the same."""
    now = dict(placed)
    names = sorted(now)
    for _ in range(PUSHES):
        moved = False
        for index, one in enumerate(names):
            for other in names[index + 1 :]:
                dx, dy = now[other][0] - now[one][0], now[other][1] - now[one][1]
                distance = math.hypot(dx, dy)
                if distance >= APART:
                    continue
                moved = True
                if distance == 0:
                    dx, dy, distance = 1.0, 0.0, 1.0
                push = (APART - min(distance, APART)) / 2 + 0.1
                step_x, step_y = dx / distance * push, dy / distance * push
                now[one] = _inside((now[one][0] - step_x, now[one][1] - step_y), width, height)
                now[other] = _inside((now[other][0] + step_x, now[other][1] + step_y), width, height)
        if not moved:
            break
    return now


def _inside(place: tuple[float, float], width: float, height: float) -> tuple[float, float]:
    return min(max(place[0], MARGIN / 2), width - MARGIN / 2), min(max(place[1], MARGIN / 2), height - MARGIN / 2)


def _labels(dots: Iterable[Dot]) -> tuple[Label, ...]:
    """Each municipality by name, above its northernmost station."""
    groups: dict[str, list[Dot]] = defaultdict(list)
    for dot in dots:
        groups[dot.station.municipality].append(dot)
    found: list[Label] = []
    for name, members in sorted(groups.items()):
        x = sum(dot.x for dot in members) / len(members)
        top = min(members, key=lambda dot: dot.y)
        label = Label(name, round(x, 1), round(top.y - 17, 1))
        while any(_covers(label, other) for other in found):
            label = replace(label, y=round(label.y - LINE, 1))
        found.append(label)
    return tuple(found)


def _covers(one: Label, other: Label) -> bool:
    reach = (len(one.text) + len(other.text)) * CHARACTER / 2
    return abs(one.y - other.y) < LINE and abs(one.x - other.x) < reach
