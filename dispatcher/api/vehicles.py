"""Vehicles: what they are, where their key is, what they said last."""

import re
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import Query
from pydantic import Field
from sqlalchemy import Connection

from dispatcher.api.context import ApiContext, Context
from dispatcher.api.problems import not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope, needs
from dispatcher.api.values import (
    Answer,
    Category,
    Id,
    Listing,
    PageQuery,
    instant_of,
    next_cursor,
    page_request,
)
from dispatcher.core.availability import KeyPlace
from dispatcher.core.windows import to_utc
from dispatcher.store.vehicles import (
    LeftAt,
    Reading,
    Vehicle,
    VehicleFilter,
    VehicleKey,
    vehicle_by_id,
    vehicles_page,
)

router = resource("vehicles", read=Scope.NETWORK_READ)

PLATE_SPACE = re.compile(r"[ -]")


class KeyOut(Answer):
    """The key that rentals use. Which slot it hangs in is for the station alone."""

    id: str
    state: KeyPlace
    """`unknown`: its cabinet has not said anything of it yet."""
    home_cabinet_id: str
    cabinet_id: str | None
    """Where it hangs, or was taken from."""
    identity: str | None
    """`read` from its tag, `presumed`, or `unknown`."""
    since: datetime | None
    ordered_by: str | None
    """Who released it from afar, while it is out under an operator's command."""
    held_by: str | None
    """Who has it while it is `elsewhere`, in an operator's words."""


class ReadingOut(Answer):
    """The vehicle's last signals; what is not known is null, never 0."""

    at: datetime
    odometer_m: int | None
    energy_percent: int | None
    charging: bool | None
    low_voltage_mv: int | None
    doors_open: bool | None
    """Any door, the bonnet or the boot."""
    plugged_in: bool | None
    """Whether a charging cable is connected."""


class LeftAtOut(Answer):
    """Where it was left outside its bay. For whoever is to drive it next, and for operators: nobody else."""

    latitude: float
    longitude: float
    at: datetime


class VehicleOut(Answer):
    TOLD = frozenset({"key", "reading", "left_at"})

    id: str
    name: str
    plate: str | None
    category: str
    energy: str
    home_station_id: str
    life_cycle: str
    key: KeyOut | None
    """null: it has no key in service and cannot be booked."""
    reading: ReadingOut | None
    left_at: LeftAtOut | None
    """null: it stands in its bay, as far as that is known, or somebody has its key."""


class VehicleList(Listing):
    items: list[VehicleOut]


class VehicleQuery(PageQuery):
    station: Id | None = None
    """Only vehicles that live at this station."""
    category: Category | None = None


class VehicleSearch(VehicleQuery):
    name: Annotated[str, Field(min_length=2, max_length=100)] | None = None
    """Part of the name, in any case."""
    plate: Annotated[str, Field(pattern=r"^[A-Za-z0-9 -]{2,20}$")] | None = None
    """Number plate, with or without its spaces and hyphens, in any case."""


@router.get("", responses=answers(422))
async def list_vehicles(context: Context, query: Annotated[VehicleQuery, Query()]) -> VehicleList:
    """Vehicles, in the order of their ids."""
    wanted = VehicleFilter(query.station, query.category)
    request = page_request(query, str)
    page = await context.database.read(partial(vehicles_page, wanted=wanted, request=request))
    return VehicleList(items=[_out(vehicle) for vehicle in page.items], next=next_cursor(page))


@router.post("/search", dependencies=[needs(Scope.NETWORK_READ)], responses=answers(400, 413, 422))
async def search_vehicles(context: Context, query: VehicleSearch) -> VehicleList:
    """Vehicles that fit every field given, in the order of their ids. By POST: a plate stands in no path or log."""
    plate = None if query.plate is None else PLATE_SPACE.sub("", query.plate).upper()
    wanted = VehicleFilter(query.station, query.category, name=query.name, plate=plate)
    request = page_request(query, str)
    page = await context.database.read(partial(vehicles_page, wanted=wanted, request=request))
    return VehicleList(items=[_out(vehicle) for vehicle in page.items], next=next_cursor(page))


@router.get("/{vehicle_id}", responses=answers(404, 422))
async def read_vehicle(context: Context, vehicle_id: Id) -> VehicleOut:
    return await context.database.read(lambda connection: show_vehicle(connection, context, vehicle_id))


def show_vehicle(connection: Connection, _context: ApiContext, vehicle_id: str) -> VehicleOut:
    """Raises `Refusal` where there is none."""
    found = vehicle_by_id(connection, vehicle_id, signals=True)
    if found is None:
        raise not_found("vehicle", vehicle_id)
    return _out(found)


def _out(vehicle: Vehicle) -> VehicleOut:
    return VehicleOut(
        id=vehicle.id,
        name=vehicle.name,
        plate=vehicle.plate,
        category=vehicle.category,
        energy=vehicle.energy,
        home_station_id=vehicle.home_station_id,
        life_cycle=vehicle.life_cycle,
        key=_key_out(vehicle.key) if vehicle.key is not None else None,
        reading=_reading_out(vehicle.reading) if vehicle.reading is not None else None,
        left_at=_left_at_out(vehicle.left_at) if vehicle.left_at is not None else None,
    )


def _key_out(key: VehicleKey) -> KeyOut:
    return KeyOut(
        id=key.key_id,
        state=key.place,
        home_cabinet_id=key.home_cabinet_id,
        cabinet_id=key.cabinet_id,
        identity=key.identity,
        since=instant_of(key.since_ms),
        ordered_by=key.ordered_by,
        held_by=key.holder,
    )


def _left_at_out(left: LeftAt) -> LeftAtOut:
    return LeftAtOut(latitude=left.latitude, longitude=left.longitude, at=to_utc(left.at_ms))


def _reading_out(reading: Reading) -> ReadingOut:
    return ReadingOut(
        at=to_utc(reading.at_ms),
        odometer_m=reading.odometer_m,
        energy_percent=reading.energy_percent,
        charging=reading.charging,
        low_voltage_mv=reading.low_voltage_mv,
        doors_open=reading.doors_open,
        plugged_in=reading.plugged_in,
    )
