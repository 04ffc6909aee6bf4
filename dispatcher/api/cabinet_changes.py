"""Cabinets and their slots: added, put in and out of service, kept spare; the key of their box registered."""

from functools import partial
from typing import Annotated, Literal

from fastapi import Path
from pydantic import Field
from sqlalchemy import Connection

from contract.values import CabinetId
from contract.values import Slot as SlotCount
from dispatcher.api.cabinets import CabinetDetailOut, show_cabinet
from dispatcher.api.context import ApiContext, Context
from dispatcher.api.network_writes import ChangeBody, Kind, New, Row, Why, different, written
from dispatcher.api.problems import not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Body, Id
from dispatcher.api.writing import Change, Write
from dispatcher.core.life_cycles import LifeCycle, NetworkRefused, Thing
from dispatcher.importing.rows import PublicKey
from dispatcher.store.changes import Author
from dispatcher.store.fleet_desk import FleetDesk
from dispatcher.store.registry import cabinet_fields
from dispatcher.store.slots import slot_uses_of

router = resource("cabinets", read=Scope.FLEET_READ, write=Scope.FLEET_WRITE)
CABINET = Kind("cabinet", "cabinets", show_cabinet)

SlotInPath = Annotated[int, Path(ge=1, le=128)]  # contract.values.Slot


AlsoServes = Annotated[tuple[Id, ...], Field(max_length=20)]


class NewCabinet(Body):
    id: CabinetId
    """As the configuration of its box says it, and the topics that it speaks under."""
    station_id: Id
    slots: SlotCount
    """How many."""
    also_serves: AlsoServes = ()
    """Other stations whose keys may hang in it."""
    public_key: PublicKey | None = None
    """Of its box, as `station-agent signing-key` prints it. Absent: registered later, and nothing that the box says
    is believed until then."""
    life_cycle: New = LifeCycle.ORDERED
    reason: Why | None = None


class CabinetChange(ChangeBody):
    station_id: Id | None = None
    """Its main station. Not while somebody is to take a key there."""
    also_serves: AlsoServes | None = None
    """The other stations that it serves: all of them."""
    public_key: PublicKey | None = None
    """Of its box, as `station-agent signing-key` prints it; null: no box is believed any more. Within 15 s."""
    life_cycle: LifeCycle | None = None


class SlotChange(Body):
    use: Literal["normal", "spare", "out_of_use"]
    """In slots that are spare or out of use no key lives."""
    reason: Why | None = None


class SlotUseOut(Answer):
    TOLD = frozenset[str]()

    cabinet_id: str
    slot: int
    use: Literal["normal", "spare", "out_of_use"]


class SlotUseList(Answer):
    items: list[SlotUseOut]
    """Those that are not in normal use."""


@router.post("", status_code=201, responses=answers(400, 409, 413, 422))
async def create_cabinet(writer: Write, wanted: NewCabinet) -> CabinetDetailOut:
    """Add a cabinet. Keys live in it once they are given their slots: `POST /keys`."""
    columns = wanted.model_dump(exclude={"reason", "also_serves"})

    def work(connection: Connection, by: Author) -> Row | NetworkRefused | None:
        desk = FleetDesk(connection, by, writer.context.random_bytes)
        done = desk.add(Thing.CABINETS, columns)
        if isinstance(done, NetworkRefused) or not wanted.also_serves:
            return done
        return desk.set_stations(wanted.id, wanted.also_serves)

    return await written(writer, wanted.reason, work, CABINET)


@router.patch("/{cabinet_id}", responses=answers(400, 404, 409, 412, 413, 422))
async def change_cabinet(writer: Change, cabinet_id: Id, change: CabinetChange) -> CabinetDetailOut:
    """Put a cabinet in or out of service, or at another station; register the key of its box."""
    sent = different(change, frozenset(CabinetChange.model_fields) - {"public_key"})
    also_serves = sent.pop("also_serves", None)

    def work(connection: Connection, by: Author) -> Row | NetworkRefused | None:
        desk = FleetDesk(connection, by, writer.context.random_bytes)
        done = desk.change(Thing.CABINETS, cabinet_id, sent)
        if also_serves is None or done is None or isinstance(done, NetworkRefused):
            return done
        return desk.set_stations(cabinet_id, also_serves)

    return await written(writer, change.reason, work, CABINET, ("cabinet", cabinet_id))


@router.patch("/{cabinet_id}/slots/{slot}", responses=answers(400, 404, 409, 412, 413, 422))
async def change_slot(writer: Change, cabinet_id: Id, slot: SlotInPath, change: SlotChange) -> SlotUseOut:
    """Keep a slot spare, or out of use until it is repaired."""
    use = None if change.use == "normal" else change.use

    def work(connection: Connection, by: Author) -> Row | NetworkRefused | None:
        return FleetDesk(connection, by, writer.context.random_bytes).set_slot_use(cabinet_id, slot, use)

    kind = Kind("cabinet", "cabinets", partial(show_slot, slot=slot))
    return await written(writer, change.reason, work, kind, ("cabinet", cabinet_id))


@router.get("/{cabinet_id}/slots/{slot}", responses=answers(404, 422))
async def read_slot_use(context: Context, cabinet_id: Id, slot: SlotInPath) -> SlotUseOut:
    """What one slot is used for."""
    return await context.database.read(lambda connection: show_slot(connection, context, cabinet_id, slot))


def show_slot(connection: Connection, _context: ApiContext, cabinet_id: str, slot: int) -> SlotUseOut:
    """Raises `Refusal` where there is none."""
    fields = cabinet_fields(connection, cabinet_id)
    if fields is None:
        raise not_found("cabinet", cabinet_id)
    if slot > fields.slots:
        raise not_found("slot", f"{cabinet_id}/{slot}")
    use = slot_uses_of(connection, cabinet_id).get(slot, "normal")
    return SlotUseOut.model_validate({"cabinet_id": cabinet_id, "slot": slot, "use": use})


@router.get("/{cabinet_id}/slots", responses=answers(404, 422))
async def list_slot_uses(context: Context, cabinet_id: Id) -> SlotUseList:
    """The slots of a cabinet that are spare or out of use."""

    def read(connection: Connection) -> SlotUseList | None:
        if cabinet_fields(connection, cabinet_id) is None:
            return None
        uses = slot_uses_of(connection, cabinet_id)
        return SlotUseList.model_validate(
            {"items": [{"cabinet_id": cabinet_id, "slot": slot, "use": use} for slot, use in uses.items()]}
        )

    found = await context.database.read(read)
    if found is None:
        raise not_found("cabinet", cabinet_id)
    return found
