"""Stations: renamed, opened, closed."""

from dispatcher.api.context import Caller, Context
from dispatcher.api.network_writes import Change, Name, changed, different
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.stations import StationOut, read_station
from dispatcher.api.values import Id
from dispatcher.core.life_cycles import LifeCycle, Thing

router = resource("stations", write=Scope.FLEET_WRITE)


class StationChange(Change):
    name: Name | None = None
    public: bool | None = None
    """false: for one organisation, left out of the open data."""
    life_cycle: LifeCycle | None = None


@router.patch("/{station_id}", responses=answers(400, 404, 409, 413, 422))
async def change_station(context: Context, caller: Caller, station_id: Id, change: StationChange) -> StationOut:
    """Rename a station, open or close it."""
    sent = different(change, frozenset(StationChange.model_fields))
    await changed(context, caller, change.reason, Thing.STATIONS, ("station", station_id), sent)
    return await read_station(context, station_id)
