"""Cabinets and vehicles by what people call them."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from dispatcher.store.schema import cabinets, municipalities, stations, vehicles

_PLACES = (
    select(
        cabinets.c.id,
        stations.c.id.label("station_id"),
        stations.c.name.label("station"),
        municipalities.c.name.label("municipality"),
    )
    .join(stations, stations.c.id == cabinets.c.station_id)
    .join(municipalities, municipalities.c.id == stations.c.municipality_id)
    .where(cabinets.c.id.in_(bindparam("ids", expanding=True)))
)
_VEHICLES = select(vehicles.c.id, vehicles.c.name).where(vehicles.c.id.in_(bindparam("ids", expanding=True)))


@dataclass(frozen=True, slots=True)
class Place:
    cabinet_id: str
    station_id: str
    station: str
    municipality: str


@dataclass(frozen=True, slots=True)
class Named:
    id: str
    name: str


def places_of(connection: Connection, cabinet_ids: Iterable[str]) -> dict[str, Place]:
    """By cabinet, those that there are."""
    ids = sorted(cabinet_ids)
    if not ids:
        return {}
    rows = connection.execute(_PLACES, {"ids": ids})
    return {row.id: Place(row.id, row.station_id, row.station, row.municipality) for row in rows}


def vehicles_named(connection: Connection, vehicle_ids: Iterable[str]) -> dict[str, Named]:
    """By id, those that there are."""
    ids = sorted(vehicle_ids)
    if not ids:
        return {}
    return {row.id: Named(row.id, row.name) for row in connection.execute(_VEHICLES, {"ids": ids})}
