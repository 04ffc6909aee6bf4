"""How fast somebody can be at another station: a badge that is faster is two badges, or was lent."""

import math

from contract.places import Place, distance_m

SPEED_M_PER_S = 60 / 3.6  # 60 km/h as the crow flies: nobody crosses a city faster, door to door


def needed_ms(one: Place, other: Place) -> int:
    """The shortest time between two sights of one badge, whichever of them came first."""
    return math.ceil(distance_m(one, other) / SPEED_M_PER_S * 1000)
