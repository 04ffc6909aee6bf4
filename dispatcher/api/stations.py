"""Stations: where they are, what their cabinets last said, which vehicles live there."""

from datetime import datetime
from functools import partial
from typing import Annotated, Literal

from fastapi import Query
from sqlalchemy import Connection

from dispatcher.api.context import ApiContext, Context
from dispatcher.api.problems import not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Id, Listing, PageQuery, instant_of, next_cursor, page_request
from dispatcher.store.registry import Cabinet, Station, station_by_id, stations_page

router = resource("stations", read=Scope.NETWORK_READ)


class MunicipalityOut(Answer):
    id: str
    name: str


class CabinetOut(Answer):
    id: str
    slots: int
    life_cycle: str
    link: Literal["online", "unreachable"]
    heard_at: datetime | None
    """When the cabinet said anything last; null: never."""
    heard_age_s: int | None
    """Seconds since then: how old is what is known of the keys."""


class VehicleHereOut(Answer):
    id: str
    category: str


class StationOut(Answer):
    TOLD = frozenset({"cabinets", "vehicles"})

    id: str
    name: str
    municipality: MunicipalityOut
    latitude: float
    longitude: float
    public: bool
    """False: for one organisation, left out of the open data."""
    life_cycle: str
    cabinets: list[CabinetOut]
    vehicles: list[VehicleHereOut]
    """Vehicles that live here, retired ones left out."""


class StationList(Listing):
    items: list[StationOut]


@router.get("", responses=answers(422))
async def list_stations(context: Context, query: Annotated[PageQuery, Query()]) -> StationList:
    """All stations, in the order of their ids."""
    request = page_request(query, str)
    page = await context.database.read(partial(stations_page, request=request))
    return StationList(items=[_out(station, context) for station in page.items], next=next_cursor(page))


@router.get("/{station_id}", responses=answers(404, 422))
async def read_station(context: Context, station_id: Id) -> StationOut:
    return await context.database.read(lambda connection: show_station(connection, context, station_id))


def show_station(connection: Connection, context: ApiContext, station_id: str) -> StationOut:
    """Raises `Refusal` where there is none."""
    found = station_by_id(connection, station_id)
    if found is None:
        raise not_found("station", station_id)
    return _out(found, context)


def _out(station: Station, context: ApiContext) -> StationOut:
    fields = station.fields
    return StationOut(
        id=fields.id,
        name=fields.name,
        municipality=MunicipalityOut(id=fields.municipality_id, name=fields.municipality_name),
        latitude=fields.latitude,
        longitude=fields.longitude,
        public=fields.public,
        life_cycle=fields.life_cycle,
        cabinets=[_cabinet_out(cabinet, context) for cabinet in station.cabinets],
        vehicles=[VehicleHereOut(id=vehicle.id, category=vehicle.category) for vehicle in station.vehicles],
    )


def _cabinet_out(cabinet: Cabinet, context: ApiContext) -> CabinetOut:
    now_ms = context.clock.now_ms()
    return CabinetOut(
        id=cabinet.id,
        slots=cabinet.slots,
        life_cycle=cabinet.life_cycle,
        link="online" if cabinet.reachable else "unreachable",
        heard_at=instant_of(cabinet.heard_ms),
        heard_age_s=None if cabinet.heard_ms is None else max(now_ms - cabinet.heard_ms, 0) // 1000,
    )
