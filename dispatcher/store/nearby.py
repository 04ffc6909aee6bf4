"""Which stations lie within so many metres of a place: a box by index, then the distance."""

import math
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from contract.places import EARTH_RADIUS_M, Place, distance_m
from dispatcher.store.schema import stations

DEGREE_M = EARTH_RADIUS_M * math.pi / 180  # of latitude
NARROWEST = 0.01  # of a degree of longitude beside one of latitude: at the poles all longitudes are near

_NEAR = select(stations.c.id, stations.c.latitude, stations.c.longitude).where(
    stations.c.latitude.between(bindparam("south"), bindparam("north")),
    stations.c.longitude.between(bindparam("west"), bindparam("east")),
    stations.c.life_cycle == "in_service",
)


@dataclass(frozen=True, slots=True, order=True)
class Nearby:
    """In the order of the distance."""

    distance_m: int
    station_id: str


def stations_near(connection: Connection, place: Place, radius_m: int) -> tuple[Nearby, ...]:
    """Stations in service within a radius, nearest first. None is found across the 180th meridian."""
    rows = connection.execute(_NEAR, box_around(place, radius_m))
    found = [Nearby(round(distance_m(place, Place(row.latitude, row.longitude))), row.id) for row in rows]
    return tuple(sorted(near for near in found if near.distance_m <= radius_m))


def box_around(place: Place, radius_m: float) -> dict[str, float]:
    """A box of coordinates that holds the circle: `south`, `north`, `west`, `east`."""
    high = radius_m / DEGREE_M
    wide = high / max(math.cos(math.radians(place.latitude)), NARROWEST)
    return {
        "south": place.latitude - high,
        "north": place.latitude + high,
        "west": place.longitude - wide,
        "east": place.longitude + wide,
    }
