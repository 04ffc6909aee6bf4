"""Reads the stations and their cabinets, with how much is known of each."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Select, bindparam, or_, select

from dispatcher.store.paging import Page, PageRequest, cut, in_order
from dispatcher.store.reachability import reachable_cabinets
from dispatcher.store.schema import cabinet_links, cabinet_stations, cabinets, municipalities, stations, vehicles

_SERVED = (
    select(cabinet_stations.c.cabinet_id, cabinet_stations.c.station_id)
    .join(cabinets, cabinets.c.id == cabinet_stations.c.cabinet_id)
    .where(
        cabinet_stations.c.cabinet_id.in_(bindparam("cabinets", expanding=True)),
        cabinet_stations.c.serves.is_(True),
        cabinet_stations.c.station_id != cabinets.c.station_id,
    )
    .order_by(cabinet_stations.c.cabinet_id, cabinet_stations.c.station_id)
)


@dataclass(frozen=True, slots=True)
class Cabinet:
    id: str
    station_id: str
    slots: int
    life_cycle: str
    reachable: bool
    """Online, and not called silent."""
    heard_ms: int | None
    """When anything was heard of it last; None: never."""
    also_serves: tuple[str, ...] = ()
    """Stations beside its main one."""


@dataclass(frozen=True, slots=True)
class StationFields:
    id: str
    name: str
    municipality_id: str
    municipality_name: str
    latitude: float
    longitude: float
    public: bool
    life_cycle: str


@dataclass(frozen=True, slots=True)
class VehicleHere:
    id: str
    category: str


@dataclass(frozen=True, slots=True)
class Station:
    fields: StationFields
    cabinets: tuple[Cabinet, ...]
    vehicles: tuple[VehicleHere, ...]
    """Those that live here and are not retired."""


def stations_page(connection: Connection, request: PageRequest) -> Page[Station]:
    """Stations in the order of their ids."""
    rows = connection.execute(in_order(_station_statement(), [stations.c.id], request)).all()
    found = _with_content(connection, [StationFields(**row._asdict()) for row in rows])
    return cut(found, request, lambda station: (station.fields.id,))


def public_stations(connection: Connection) -> list[Station]:
    """All stations in service that everybody may book at, in the order of their ids."""
    open_to_all = _station_statement().where(stations.c.public, stations.c.life_cycle == "in_service")
    rows = connection.execute(open_to_all.order_by(stations.c.id)).all()
    return _with_content(connection, [StationFields(**row._asdict()) for row in rows])


def station_by_id(connection: Connection, station_id: str) -> Station | None:
    row = connection.execute(_station_statement().where(stations.c.id == station_id)).one_or_none()
    if row is None:
        return None
    return _with_content(connection, [StationFields(**row._asdict())])[0]


@dataclass(frozen=True, slots=True)
class CabinetFields:
    slots: int
    in_service: bool


def cabinet_fields(connection: Connection, cabinet_id: str) -> CabinetFields | None:
    statement = select(cabinets.c.slots, cabinets.c.life_cycle).where(cabinets.c.id == cabinet_id)
    row = connection.execute(statement).one_or_none()
    return None if row is None else CabinetFields(row.slots, row.life_cycle == "in_service")


def stations_served(connection: Connection, cabinet_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The stations that cabinets serve beside their main one, in the order of their ids."""
    found: dict[str, tuple[str, ...]] = {}
    for row in connection.execute(_SERVED, {"cabinets": list(cabinet_ids)}):
        found[row.cabinet_id] = (*found.get(row.cabinet_id, ()), row.station_id)
    return found


def station_exists(connection: Connection, station_id: str) -> bool:
    found = connection.execute(select(stations.c.id).where(stations.c.id == station_id))
    return found.one_or_none() is not None


def _station_statement() -> Select[tuple[object, ...]]:
    return select(
        stations.c.id,
        stations.c.name,
        stations.c.municipality_id,
        municipalities.c.name.label("municipality_name"),
        stations.c.latitude,
        stations.c.longitude,
        stations.c.public,
        stations.c.life_cycle,
    ).join(municipalities, municipalities.c.id == stations.c.municipality_id)


def _with_content(connection: Connection, found: Sequence[StationFields]) -> list[Station]:
    ids = [station.id for station in found]
    cabinets_of = defaultdict(list)
    statement = (
        select(
            cabinets.c.id,
            cabinets.c.station_id,
            cabinets.c.slots,
            cabinets.c.life_cycle,
            cabinet_links.c.heard_ms,
        )
        .outerjoin(cabinet_links, cabinet_links.c.cabinet_id == cabinets.c.id)
        .where(or_(cabinets.c.station_id.in_(ids), cabinets.c.id.in_(select(cabinet_stations.c.cabinet_id))))
        .order_by(cabinets.c.id)
    )
    reachable = reachable_cabinets(connection)
    rows = connection.execute(statement).all()
    also = stations_served(connection, [row.id for row in rows])
    for row in rows:
        cabinet = Cabinet(**row._asdict(), reachable=row.id in reachable, also_serves=also.get(row.id, ()))
        for station_id in (cabinet.station_id, *cabinet.also_serves):
            cabinets_of[station_id].append(cabinet)
    vehicles_of = defaultdict(list)
    living = (
        select(vehicles.c.home_station_id, vehicles.c.id, vehicles.c.category)
        .where(vehicles.c.home_station_id.in_(ids), vehicles.c.life_cycle != "retired")
        .order_by(vehicles.c.id)
    )
    for station_id, vehicle_id, category in connection.execute(living):
        vehicles_of[station_id].append(VehicleHere(vehicle_id, category))
    return [Station(station, tuple(cabinets_of[station.id]), tuple(vehicles_of[station.id])) for station in found]
