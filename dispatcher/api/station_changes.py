"""Stations: added, renamed, opened, closed."""

from dispatcher.api.network_writes import ChangeBody, Kind, Name, New, Why, added, changed, different
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.stations import StationOut, show_station
from dispatcher.api.values import Body, Id
from dispatcher.api.writing import Change, Write
from dispatcher.core.life_cycles import LifeCycle, Thing
from dispatcher.importing.rows import Latitude, Longitude

router = resource("stations", write=Scope.FLEET_WRITE)
STATION = Kind("station", "stations", show_station)


class NewStation(Body):
    id: Id | None = None
    """As the open data names it. Absent: a random one."""
    name: Name
    municipality_id: Id
    """One that is there: `POST /municipalities` makes it."""
    latitude: Latitude
    longitude: Longitude
    public: bool = True
    """false: for one organisation, left out of the open data."""
    life_cycle: New = LifeCycle.ORDERED
    reason: Why | None = None


class StationChange(ChangeBody):
    name: Name | None = None
    public: bool | None = None
    """false: for one organisation, left out of the open data."""
    life_cycle: LifeCycle | None = None


@router.post("", status_code=201, responses=answers(400, 409, 413, 422))
async def create_station(writer: Write, wanted: NewStation) -> StationOut:
    """Add a station. Its cabinets come after: `POST /cabinets`."""
    columns = wanted.model_dump(exclude={"reason"}, exclude_none=True)
    return await added(writer, wanted.reason, Thing.STATIONS, STATION, columns)


@router.patch("/{station_id}", responses=answers(400, 404, 409, 412, 413, 422))
async def change_station(writer: Change, station_id: Id, change: StationChange) -> StationOut:
    """Rename a station, open or close it."""
    sent = different(change, frozenset(StationChange.model_fields))
    return await changed(writer, change.reason, Thing.STATIONS, STATION, station_id, sent)
