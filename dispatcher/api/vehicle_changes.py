"""Vehicles: added, renamed, moved, put in and out of service."""

from typing import Annotated

from pydantic import Field

from dispatcher.api.network_writes import ChangeBody, Kind, Name, New, Why, added, changed, different
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Body, Category, Id
from dispatcher.api.vehicles import VehicleOut, show_vehicle
from dispatcher.api.writing import Change, Write
from dispatcher.core.life_cycles import LifeCycle, Thing
from dispatcher.importing.rows import Energy

router = resource("vehicles", write=Scope.FLEET_WRITE)
VEHICLE = Kind("vehicle", "vehicles", show_vehicle)

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


class VehicleChange(ChangeBody):
    name: Name | None = None
    category: Category | None = None
    home_station_id: Id | None = None
    """Not while it is booked."""
    plate: Plate | None = None
    """null: it has none."""
    life_cycle: LifeCycle | None = None
    """Forwards only: ordered, in service, retired."""


@router.post("", status_code=201, responses=answers(400, 409, 413, 422))
async def create_vehicle(writer: Write, wanted: NewVehicle) -> VehicleOut:
    """Add a vehicle. It can be booked once it is in service and has a key in service."""
    columns = wanted.model_dump(exclude={"reason"})
    return await added(writer, wanted.reason, Thing.VEHICLES, VEHICLE, columns)


@router.patch("/{vehicle_id}", responses=answers(400, 404, 409, 412, 413, 422))
async def change_vehicle(writer: Change, vehicle_id: Id, change: VehicleChange) -> VehicleOut:
    """Rename, move or retire a vehicle."""
    sent = different(change, frozenset({"name", "category", "home_station_id", "life_cycle"}))
    return await changed(writer, change.reason, Thing.VEHICLES, VEHICLE, vehicle_id, sent)
