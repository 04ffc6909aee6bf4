"""Members who leave a car otherwise than they should, and somebody who drives one whose key hangs at home.

Nothing is wrong with lines and programs, so none of these touches anything. What came of them is in the trackers'
own words: the world's record of those is what the checkers compare with.
"""

from functools import partial

from simulator.hunt.faults.menu import Cast, End, Fault
from simulator.virtual.spells import Touches
from simulator.world.vehicle import Parking, PhysicalVehicle

NOBODY = frozenset[Touches]()
JOYRIDE_M = 6_000


def _of_cabinet(cast: Cast, *, electric: bool = False) -> list[PhysicalVehicle]:
    """Vehicles that live there, in the order of their ids."""
    ids = (one.id for one in cast.world.network.vehicles if one.key.cabinet == cast.cabinet)
    here = [cast.world.around.traffic.vehicles[name] for name in sorted(ids)]
    return [one for one in here if one.is_electric or not electric]


def _leave(parking: Parking, cast: Cast) -> End | None:
    """Whoever parks one of the vehicles there next leaves it like this."""
    found = _of_cabinet(cast, electric=parking.unplugged)
    if not found:
        return None
    one = cast.rng.choice(found)
    cast.spell.detail = one.vehicle.id
    one.next_parking = parking

    def end() -> None:
        if one.next_parking is parking:
            one.next_parking = Parking()

    return end


def _driven_after_return(cast: Cast) -> End | None:
    """Somebody with another key, or with none, takes a car whose key hangs in its slot, and brings it back."""
    world, cabinet = cast.world, cast.site.cabinet
    hanging = {key.vehicle for slot in cabinet.slots if (key := cabinet.key_in(slot)) is not None}
    found = [one.vehicle.id for one in _of_cabinet(cast) if one.vehicle.id in hanging - world.around.driving]
    if not found:
        return None
    vehicle, traffic = cast.rng.choice(found), world.around.traffic
    cast.spell.detail = vehicle
    traffic.drive_off(vehicle, world.now().at_ms + cast.lasts_us // 1000, JOYRIDE_M)

    def end() -> None:
        if vehicle not in world.around.driving:  # else a member has driven off with it since
            traffic.park(vehicle)

    return end


PARKING = (
    Fault("parked_elsewhere", NOBODY, 4, (1800, 7200), partial(_leave, Parking(elsewhere=True))),
    Fault("doors_left_open", NOBODY, 4, (1800, 7200), partial(_leave, Parking(doors_open=True))),
    Fault("cable_forgotten", NOBODY, 3, (1800, 7200), partial(_leave, Parking(unplugged=True))),
    Fault("lights_left_on", NOBODY, 6, (1800, 7200), partial(_leave, Parking(lights_on=True))),
    Fault("driven_after_return", NOBODY, 4, (900, 3600), _driven_after_return),
)
