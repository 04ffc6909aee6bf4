"""Places on the earth, in degrees (WGS 84), and how far they are apart.

A vehicle's place is personal data: `Position` is left out of every `repr`, so that no log shows one by mistake.
"""

import math
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from contract.values import Frozen

EARTH_RADIUS_M = 6_371_000  # mean; a sphere is wrong by less than 1 %, far less than a fix in a street
LATITUDE_MAX, LONGITUDE_MAX = 90, 180

Latitude = Annotated[float, Field(ge=-LATITUDE_MAX, le=LATITUDE_MAX, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-LONGITUDE_MAX, le=LONGITUDE_MAX, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Place:
    latitude: float
    longitude: float


class Position(Frozen):
    """Where a vehicle stands."""

    latitude: Annotated[Latitude, Field(repr=False)]
    longitude: Annotated[Longitude, Field(repr=False)]


class Bay(Frozen):
    """Where a vehicle is at home: a circle around the bays of its station."""

    latitude: Latitude
    longitude: Longitude
    radius_m: Annotated[int, Field(ge=10, le=10_000)]

    def holds(self, position: Position) -> bool:
        """Whether what stands there stands in the bay."""
        here = Place(self.latitude, self.longitude)
        return distance_m(here, Place(position.latitude, position.longitude)) <= self.radius_m


def distance_m(one: Place, other: Place) -> float:
    """Along the great circle (haversine: exact also for neighbours)."""
    lat_1, lat_2 = math.radians(one.latitude), math.radians(other.latitude)
    half_lat, half_lon = (lat_2 - lat_1) / 2, math.radians(other.longitude - one.longitude) / 2
    root = math.sin(half_lat) ** 2 + math.cos(lat_1) * math.cos(lat_2) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(root)))
