"""What could be booked instead: the same category for the same window, where the cabinet can be told."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, bindparam, exists, or_, select

from contract.places import Place, distance_m
from dispatcher.core.availability import by_fit, judge
from dispatcher.core.grants import horizon_ms
from dispatcher.core.rules import FleetRules
from dispatcher.core.windows import Window
from dispatcher.store.booking_requests import Alternative
from dispatcher.store.nearby import box_around
from dispatcher.store.reachability import reachable_cabinets
from dispatcher.store.schema import stations, vehicles
from dispatcher.store.vehicles import Vehicle, VehicleFilter, vehicles_of, views

ALTERNATIVES_MAX = 5  # what fits on a phone
WITHIN_M = 15_000  # nobody crosses a city's region for a car
STATIONS_LOOKED_AT = 12  # each costs a few reads, and a crowded evening asks for many

_HERE = select(stations.c.latitude, stations.c.longitude).where(stations.c.id == bindparam("station"))
_NEAR = select(stations.c.id, stations.c.latitude, stations.c.longitude).where(
    or_(
        stations.c.id == bindparam("station"),
        and_(
            stations.c.public,  # the others are one organisation's
            stations.c.latitude.between(bindparam("south"), bindparam("north")),
            stations.c.longitude.between(bindparam("west"), bindparam("east")),
        ),
    ),
    stations.c.life_cycle == "in_service",
    exists().where(
        vehicles.c.home_station_id == stations.c.id,
        vehicles.c.category == bindparam("category"),
        vehicles.c.life_cycle == "in_service",
    ),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was not to be had."""

    station_id: str
    category: str
    window: Window


def silent_towards(
    connection: Connection, rules: FleetRules, found: Sequence[Vehicle], start_ms: int, now_ms: int
) -> frozenset[str]:
    """Those of the vehicles whose box would have to be told of a right soon, and cannot be."""
    if start_ms > horizon_ms(rules, now_ms):
        return frozenset()  # not told yet whatever it is now
    reachable = reachable_cabinets(connection)
    return frozenset(
        vehicle.id for vehicle in found if vehicle.key is not None and vehicle.key.home_cabinet_id not in reachable
    )


def alternatives(
    connection: Connection, rules: FleetRules, asked: Asked, tried: Sequence[Vehicle], now_ms: int
) -> tuple[Alternative, ...]:
    """At most five: all there are at the same station, then one of each station, nearest first."""
    without = {vehicle.id for vehicle in tried}
    found: list[Alternative] = []
    for station_id, metres in _stations(connection, asked):
        here = _free_at(connection, rules, asked, station_id, without, now_ms)
        several = ALTERNATIVES_MAX if station_id == asked.station_id else 1
        for vehicle in here[:several]:
            assert vehicle.key is not None, "a vehicle without a key in service is not free"
            cabinet_id = vehicle.key.home_cabinet_id
            found.append(Alternative(vehicle.id, station_id, cabinet_id, vehicle.category, metres))
        if len(found) >= ALTERNATIVES_MAX:
            break
    return tuple(found[:ALTERNATIVES_MAX])


def _stations(connection: Connection, asked: Asked) -> list[tuple[str, int]]:
    """The station itself and those around it, nearest first, with metres between."""
    here = Place(*connection.execute(_HERE, {"station": asked.station_id}).one())
    box = box_around(here, WITHIN_M)
    rows = connection.execute(_NEAR, {"station": asked.station_id, "category": asked.category, **box})
    far = [(round(distance_m(here, Place(row.latitude, row.longitude))), str(row.id)) for row in rows]
    nearest = sorted(far, key=lambda it: (it[1] != asked.station_id, it))
    return [(station_id, metres) for metres, station_id in nearest if metres <= WITHIN_M][:STATIONS_LOOKED_AT]


def _free_at(
    connection: Connection,
    rules: FleetRules,
    asked: Asked,
    station_id: str,
    without: Collection[str],
    now_ms: int,
) -> list[Vehicle]:
    here = vehicles_of(connection, VehicleFilter(station_id, asked.category, in_use=True))
    found = {vehicle.id: vehicle for vehicle in here if vehicle.id not in without}
    silent = silent_towards(connection, rules, list(found.values()), asked.window.start_ms, now_ms)
    fitting = by_fit(views(connection, list(found.values()), now_ms, around=asked.window), asked.window, now_ms)
    return [
        found[view.vehicle_id]
        for view in fitting
        if view.vehicle_id not in silent and judge(rules, view, asked.window, now_ms) is None
    ]
