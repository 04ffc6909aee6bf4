"""How fast somebody can be at another station: a badge that is faster is two badges, or was lent."""

import math
from dataclasses import dataclass

EARTH_RADIUS_M = 6_371_000  # mean; a sphere is wrong by less than 1 %, far less than how people travel
SPEED_M_PER_S = 60 / 3.6  # 60 km/h as the crow flies: nobody crosses a city faster, door to door


@dataclass(frozen=True, slots=True)
class Place:
    """Degrees, WGS 84."""

    latitude: float
    longitude: float


def distance_m(one: Place, other: Place) -> float:
    """Along the great circle (haversine: exact also for neighbours)."""
    lat_1, lat_2 = math.radians(one.latitude), math.radians(other.latitude)
    half_lat, half_lon = (lat_2 - lat_1) / 2, math.radians(other.longitude - one.longitude) / 2
    root = math.sin(half_lat) ** 2 + math.cos(lat_1) * math.cos(lat_2) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(root)))


def needed_ms(one: Place, other: Place) -> int:
    """The shortest time between two sights of one badge, whichever of them came first."""
    return math.ceil(distance_m(one, other) / SPEED_M_PER_S * 1000)
