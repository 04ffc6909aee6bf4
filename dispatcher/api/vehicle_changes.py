"""Vehicles: added, renamed, moved, put in and out of service."""

from typing import Annotated

from fastapi import Response
from pydantic import Field

from dispatcher.api.context import Caller, Context
from dispatcher.api.network_writes import Change, Name, New, Why, added, changed, different
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Body, Category, Id
from dispatcher.api.vehicles import VehicleOut, read_vehicle
from dispatcher.core.life_cycles import LifeCycle, Thing
from dispatcher.importing.rows import Energy

router = resource("vehicles", write=Scope.FLEET_WRITE)

Plate = Annotated[str, Field(pattern=r"^[A-Z0-9]{2,12}$")]


class NewVehicle(Body):
    name: Name
    category: Category
    energy: Energy
    home_station_id: Id
    plate: Plate | None = None
    """Capital letters and digits alone."""
    life_cycle: New = LifeCycle.ORDERED
    reason: Why | None = None


class VehicleChange(Change):
    name: Name | None = None
    category: Category | None = None
    home_station_id: Id | None = None
    """Not while it is booked."""
    plate: Plate | None = None
    """null: it has none."""
    life_cycle: LifeCycle | None = None
    """Forwards only: ordered, in service, retired."""


@router.post("", status_code=201, responses=answers(400, 409, 413, 422))
async def create_vehicle(context: Context, caller: Caller, wanted: NewVehicle, response: Response) -> VehicleOut:
    """Add a vehicle. It can be booked once it is in service and has a key in service."""
    columns = wanted.model_dump(exclude={"reason"})
    made = await added(context, caller, wanted.reason, Thing.VEHICLES, columns)
    response.headers["location"] = f"/api/v1/vehicles/{made['id']}"
    return await read_vehicle(context, str(made["id"]))


@router.patch("/{vehicle_id}", responses=answers(400, 404, 409, 413, 422))
async def change_vehicle(context: Context, caller: Caller, vehicle_id: Id, change: VehicleChange) -> VehicleOut:
    """Rename, move or retire a vehicle."""
    sent = different(change, frozenset({"name", "category", "home_station_id", "life_cycle"}))
    await changed(context, caller, change.reason, Thing.VEHICLES, ("vehicle", vehicle_id), sent)
    return await read_vehicle(context, vehicle_id)
