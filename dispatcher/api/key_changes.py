"""Keys and their tags: added, moved to other slots and cabinets, put in and out of service."""

from sqlalchemy import Connection

from contract.values import Slot
from dispatcher.api.keys import KeyDetailOut, show_key
from dispatcher.api.network_writes import ChangeBody, Kind, New, Row, Why, added, changed, different, written
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Body, Id
from dispatcher.api.writing import Change, Write
from dispatcher.core.life_cycles import LifeCycle, NetworkRefused, Thing
from dispatcher.importing.rows import Credential
from dispatcher.store.changes import Author
from dispatcher.store.fleet_desk import FleetDesk

router = resource("keys", write=Scope.FLEET_WRITE)
KEY = Kind("key", "keys", show_key)


class NewKey(Body):
    vehicle_id: Id
    home_cabinet_id: Id
    home_slot: Slot
    life_cycle: New = LifeCycle.ORDERED
    reason: Why | None = None


class KeyChange(ChangeBody):
    home_cabinet_id: Id | None = None
    """Not while it is booked."""
    home_slot: Slot | None = None
    life_cycle: LifeCycle | None = None


class NewTag(Body):
    credential: Credential
    """Type and number, such as `em4100:0100000001`. Never answered back."""
    reason: Why | None = None


@router.post("", status_code=201, responses=answers(400, 409, 413, 422))
async def create_key(writer: Write, wanted: NewKey) -> KeyDetailOut:
    """Add a key of a vehicle. Its tag comes after: `POST /keys/{id}/tag`."""
    return await added(writer, wanted.reason, Thing.KEYS, KEY, wanted.model_dump(exclude={"reason"}))


@router.patch("/{key_id}", responses=answers(400, 404, 409, 412, 413, 422))
async def change_key(writer: Change, key_id: Id, change: KeyChange) -> KeyDetailOut:
    """Give a key another home, or put it in or out of service."""
    sent = different(change, frozenset(KeyChange.model_fields))
    return await changed(writer, change.reason, Thing.KEYS, KEY, key_id, sent)


@router.post("/{key_id}/tag", responses=answers(400, 404, 409, 412, 413, 422))
async def replace_key_tag(writer: Change, key_id: Id, wanted: NewTag) -> KeyDetailOut:
    """Another tag hangs on the key from now on; the one before it counts no more, and stays in its history."""

    def work(connection: Connection, by: Author) -> Row | NetworkRefused | None:
        return FleetDesk(connection, by, writer.context.random_bytes).replace_tag(key_id, wanted.credential)

    return await written(writer, wanted.reason, work, KEY, ("key", key_id))
