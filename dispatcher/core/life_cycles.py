"""The life of what the network is made of: ordered, in service, retired. Nothing with history is deleted.

Each kind of thing has its row: what has to be so before one of it goes into service, and before it leaves it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal


class LifeCycle(StrEnum):
    ORDERED = "ordered"
    IN_SERVICE = "in_service"
    RETIRED = "retired"


class Thing(StrEnum):
    """By the name of its table."""

    STATIONS = "stations"
    CABINETS = "cabinets"
    VEHICLES = "vehicles"
    KEYS = "keys"


class NetworkReason(StrEnum):
    """Why the network is not changed: `reason` in the API, label in the metric."""

    LIFE_CYCLE_BACKWARDS = "life_cycle_backwards"
    KEY_IS_OUT = "key_is_out"
    HAS_BOOKINGS = "has_bookings"  # or service orders
    HAS_KEYS = "has_keys"
    HAS_VEHICLES = "has_vehicles"
    HAS_CABINETS = "has_cabinets"
    STATION_RETIRED = "station_retired"
    CABINET_RETIRED = "cabinet_retired"
    VEHICLE_RETIRED = "vehicle_retired"
    SLOT_TAKEN = "slot_taken"  # another key lives there
    SLOT_NOT_IN_USE = "slot_not_in_use"  # spare, or out of use
    NO_SUCH_SLOT = "no_such_slot"
    NO_SUCH_MUNICIPALITY = "no_such_municipality"
    NO_SUCH_STATION = "no_such_station"
    NO_SUCH_CABINET = "no_such_cabinet"
    NO_SUCH_VEHICLE = "no_such_vehicle"
    NO_SUCH_ORGANISATION = "no_such_organisation"
    NO_SUCH_MEMBER = "no_such_member"
    NOT_OF_ORGANISATION = "not_of_organisation"  # a pool is of one
    IN_POOL = "in_pool"
    POOL_IS_FULL = "pool_is_full"
    ID_IN_USE = "id_in_use"
    CREDENTIAL_IN_USE = "credential_in_use"
    BADGE_REVOKED = "badge_revoked"
    PIN_LENGTH = "pin_length"
    MEMBER_ERASED = "member_erased"
    NOT_OUR_ROW = "not_our_row"  # somebody wrote it past this program: its origin does not hold


@dataclass(frozen=True, slots=True)
class NetworkRefused:
    """Why not, for which field, and what would have been accepted."""

    reason: NetworkReason
    field: str
    value: str
    expected: str


_ORDER = tuple(LifeCycle)

Direction = Literal["into_service", "out_of_service"]

HINDRANCES: Mapping[tuple[Thing, Direction], Mapping[NetworkReason, str]] = MappingProxyType(
    {
        (Thing.STATIONS, "into_service"): {},
        (Thing.STATIONS, "out_of_service"): {
            NetworkReason.HAS_VEHICLES: "a station where no vehicle lives",
            NetworkReason.HAS_CABINETS: "a station whose cabinets are retired",
        },
        (Thing.CABINETS, "into_service"): {NetworkReason.STATION_RETIRED: "a cabinet of a station in use"},
        (Thing.CABINETS, "out_of_service"): {
            NetworkReason.HAS_BOOKINGS: "a cabinet where nobody is to take a key",
            NetworkReason.HAS_KEYS: "a cabinet where no key lives",
        },
        (Thing.VEHICLES, "into_service"): {NetworkReason.STATION_RETIRED: "a vehicle of a station in use"},
        (Thing.VEHICLES, "out_of_service"): {
            NetworkReason.KEY_IS_OUT: "a vehicle whose keys are in their cabinets",
            NetworkReason.HAS_BOOKINGS: "a vehicle that nothing holds",
        },
        (Thing.KEYS, "into_service"): {
            NetworkReason.VEHICLE_RETIRED: "a key of a vehicle in use",
            NetworkReason.CABINET_RETIRED: "a key of a cabinet in use",
            NetworkReason.NO_SUCH_SLOT: "a slot that its cabinet has",
            NetworkReason.SLOT_TAKEN: "a slot of its own",
            NetworkReason.SLOT_NOT_IN_USE: "a slot in use",
        },
        (Thing.KEYS, "out_of_service"): {
            NetworkReason.KEY_IS_OUT: "a key that is in a cabinet",
            NetworkReason.HAS_BOOKINGS: "a key that nobody is to take",
        },
    }
)
"""What is in the way, by kind and direction, and what would have been accepted instead. In this order."""


def may_become(
    thing: Thing, now: LifeCycle, wanted: LifeCycle, found: frozenset[NetworkReason]
) -> NetworkRefused | None:
    """Whether a thing may go on to `wanted`; `found`: what of `HINDRANCES` is so."""
    if wanted is now:
        return None
    if _ORDER.index(wanted) < _ORDER.index(now):
        expected = f"{now}, or what comes after it"
        return NetworkRefused(NetworkReason.LIFE_CYCLE_BACKWARDS, "life_cycle", wanted, expected)
    return hindrance(thing, wanted, found)


def hindrance(thing: Thing, wanted: LifeCycle, found: frozenset[NetworkReason]) -> NetworkRefused | None:
    """The first thing in the way of `wanted`, if anything is."""
    if wanted is LifeCycle.ORDERED:
        return None
    direction: Direction = "into_service" if wanted is LifeCycle.IN_SERVICE else "out_of_service"
    for reason, expected in HINDRANCES[thing, direction].items():
        if reason in found:
            return NetworkRefused(reason, "life_cycle", wanted, expected)
    return None
