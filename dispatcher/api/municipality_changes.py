"""Municipalities: added and renamed."""

from sqlalchemy import Connection

from dispatcher.api.municipalities import MunicipalityDetailOut, show_municipality
from dispatcher.api.network_writes import ChangeBody, Kind, Name, Row, Why, different, written
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Body, Id
from dispatcher.api.writing import Change, Write
from dispatcher.core.life_cycles import NetworkRefused
from dispatcher.store.changes import Author
from dispatcher.store.fleet_desk import FleetDesk

router = resource("municipalities", write=Scope.FLEET_WRITE)
MUNICIPALITY = Kind("municipality", "municipalities", show_municipality)


class NewMunicipality(Body):
    id: Id | None = None
    """Absent: a random one."""
    name: Name
    reason: Why | None = None


class MunicipalityChange(ChangeBody):
    name: Name | None = None


@router.post("", status_code=201, responses=answers(400, 409, 413, 422))
async def create_municipality(writer: Write, wanted: NewMunicipality) -> MunicipalityDetailOut:
    columns = wanted.model_dump(exclude={"reason"}, exclude_none=True)

    def work(connection: Connection, by: Author) -> Row | NetworkRefused | None:
        return FleetDesk(connection, by, writer.context.random_bytes).add_municipality(columns)

    return await written(writer, wanted.reason, work, MUNICIPALITY)


@router.patch("/{municipality_id}", responses=answers(400, 404, 412, 413, 422))
async def change_municipality(
    writer: Change, municipality_id: Id, change: MunicipalityChange
) -> MunicipalityDetailOut:
    sent = different(change, frozenset({"name"}))

    def work(connection: Connection, by: Author) -> Row | NetworkRefused | None:
        return FleetDesk(connection, by, writer.context.random_bytes).change_municipality(municipality_id, sent)

    return await written(writer, change.reason, work, MUNICIPALITY, ("municipality", municipality_id))
