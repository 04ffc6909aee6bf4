"""A cabinet is stolen: one request cuts it off, and says whom to inform and what to plan anew."""

from datetime import datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection

from dispatcher.api.commands import ReasonText
from dispatcher.api.context import Context
from dispatcher.api.problems import not_found, refusal_of
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Body, Id
from dispatcher.api.writing import Write
from dispatcher.core.rules import Refused
from dispatcher.core.windows import to_utc
from dispatcher.store.changes import Author
from dispatcher.store.thefts import Theft, TheftDesk, theft_of

router = resource("cabinets", read=Scope.OPERATIONS, write=Scope.OPERATIONS)


class NewTheft(Body):
    case: Annotated[str, Field(min_length=1, max_length=64)]
    """What it is filed under, such as the number of the complaint."""
    reason: ReasonText
    """How it was found out. No names."""


class InformedOut(Answer):
    """Somebody that the stolen box knew: it is taken to reveal their badges' numbers."""

    member_id: str
    badge_ids: list[str]
    """Their badges. PINs are gone: each needs a new one where its kind asks for one."""


class TheftOut(Answer):
    cabinet_id: str
    stolen_at: datetime
    """Since then nothing that the box signs is believed, and nothing is sent to it."""
    author: str
    case: str
    reason: str
    members: list[InformedOut]
    """To inform: who could take a key there since 31 days before."""
    booking_ids: list[str]
    """Still to come there: each needs another vehicle, or its member's word."""
    vehicle_ids: list[str]
    """Their keys went with it. Blocked: end the block once locks or keys are others."""


@router.post("/{cabinet_id}/theft", status_code=201, responses=answers(400, 404, 409, 413, 422))
async def declare_theft(context: Context, write: Write, cabinet_id: Id, wanted: NewTheft) -> TheftOut:
    """Cut a stolen cabinet off, for good: what replaces it is imported under an id of its own."""

    def work(connection: Connection) -> TheftOut:
        by = Author(write.caller, context.clock.now_ms(), wanted.reason)
        found = TheftDesk(connection, by, context.random_bytes).declare(cabinet_id, wanted.case)
        if found is None:
            raise not_found("cabinet", cabinet_id)
        if isinstance(found, Refused):
            raise refusal_of(found)
        return _out(found)

    made = await write(work, location=lambda _: f"/api/v1/cabinets/{cabinet_id}/theft")
    context.wake()
    return made


@router.get("/{cabinet_id}/theft", responses=answers(404, 422))
async def read_theft(context: Context, cabinet_id: Id) -> TheftOut:
    """What is still to be done about a stolen cabinet."""
    found = await context.database.read(lambda connection: theft_of(connection, cabinet_id))
    if found is None:
        raise not_found("theft of cabinet", cabinet_id)
    return _out(found)


def _out(theft: Theft) -> TheftOut:
    return TheftOut(
        cabinet_id=theft.cabinet_id,
        stolen_at=to_utc(theft.at_ms),
        author=theft.author,
        case=theft.case_no,
        reason=theft.reason,
        members=[InformedOut(member_id=member, badge_ids=list(badges)) for member, badges in theft.members],
        booking_ids=list(theft.bookings),
        vehicle_ids=list(theft.vehicles),
    )
