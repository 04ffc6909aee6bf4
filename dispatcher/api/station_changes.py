"""Stations: renamed, opened, closed."""

from dispatcher.api.network_writes import ChangeBody, Kind, Name, changed, different
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.stations import StationOut, show_station
from dispatcher.api.values import Id
from dispatcher.api.writing import Write
from dispatcher.core.life_cycles import LifeCycle, Thing

router = resource("stations", write=Scope.FLEET_WRITE)
STATION = Kind("station", "stations", show_station)


class StationChange(ChangeBody):
    name: Name | None = None
    public: bool | None = None
    """false: for one organisation, left out of the open data."""
    life_cycle: LifeCycle | None = None


@router.patch("/{station_id}", responses=answers(400, 404, 409, 413, 422))
async def change_station(writer: Write, station_id: Id, change: StationChange) -> StationOut:
    """Rename a station, open or close it."""
    sent = different(change, frozenset(StationChange.model_fields))
    return await changed(writer, change.reason, Thing.STATIONS, STATION, station_id, sent)
