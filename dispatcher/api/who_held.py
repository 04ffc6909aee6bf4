"""Who held a vehicle at an instant: asked for one case, with a reason, and recorded (code de la route, L121-6)."""

from datetime import datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection

from dispatcher.api.context import ApiContext, Caller, Context
from dispatcher.api.order_models import CustodyOut, custody_out
from dispatcher.api.problems import ApiReason, FieldFault, Refusal, refusal_of
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Body, Id, instant_of
from dispatcher.core.windows import to_ms, to_utc, utc_text
from dispatcher.instants import Instant
from dispatcher.store.audit import AuditAction, record
from dispatcher.store.booking_requests import unknown_vehicle
from dispatcher.store.vehicles import vehicle_by_id
from dispatcher.store.who_held import Held, who_held

router = resource("reports", write=Scope.AUDIT_READ)

Case = Annotated[str, Field(min_length=1, max_length=100)]
Why = Annotated[str, Field(min_length=1, max_length=200)]


class WhoHeld(Body):
    """One vehicle at one instant."""

    vehicle_id: Id
    at: Instant
    """As on the notice of the offence."""
    case: Case
    """What you file it under, such as the number of the notice."""
    reason: Why
    """Why it is asked. No names: it is kept in the audit record."""


class PersonOut(Answer):
    member_id: str
    """Of an erased member: the random id in that member's place."""
    name: str
    erased: bool
    """The member was erased since; the name is kept for this question alone, until its limit."""


class OrderedOut(Answer):
    command_id: str
    author: str | None
    """The name of the token that released the slot; null: past its limit."""
    reason: str | None


class HeldOut(Answer):
    key_id: str | None
    cabinet_id: str
    """Where it was taken."""
    taken_at: datetime
    returned_at: datetime | None
    """null: it is still out."""
    confidence: str
    """`read`: the key's tag was read; `presumed`: the key that hung there; `unknown`."""
    person: PersonOut | None
    """The person of record: whose badge took the key. null: no badge did, or nobody knows any more."""
    booking_id: str | None
    purpose: str | None
    """Of a service order."""
    organisation_id: str | None
    """On whose account."""
    ordered: OrderedOut | None
    """A command or a release code that opened the slot."""
    declared: list[CustodyOut]
    """To whom the key was said to be handed on until then."""


class WhoHeldOut(Answer):
    vehicle_id: str
    at: datetime
    audit_number: int
    """Of the entry in the audit record that this question made."""
    held: list[HeldOut]
    """One for each key that was out; none: as far as is known all of them hung in a cabinet."""


@router.post("/who-held", responses=answers(400, 413, 422))
async def read_who_held(context: Context, caller: Caller, question: WhoHeld) -> WhoHeldOut:
    """Name the person of record. The question is recorded whatever comes of it."""
    return await context.database.write(lambda connection: _answer(connection, context, caller, question))


def _answer(connection: Connection, context: ApiContext, caller: str, question: WhoHeld) -> WhoHeldOut:
    at_ms, now_ms = to_ms(question.at), context.clock.now_ms()
    if at_ms > now_ms:
        fault = FieldFault(field="at", value=utc_text(at_ms), expected=f"{utc_text(now_ms)} or earlier")
        raise Refusal(ApiReason.INVALID_REQUEST, "nobody knows yet", [fault])
    if vehicle_by_id(connection, question.vehicle_id) is None:
        raise refusal_of(unknown_vehicle(question.vehicle_id))
    subject = f"{question.vehicle_id}/{utc_text(at_ms)}"
    number = record(
        connection,
        now_ms,
        caller,
        AuditAction.WHO_HELD,
        subject,
        reason=question.reason,
        case=question.case,
    )
    held = who_held(connection, question.vehicle_id, at_ms)
    return WhoHeldOut(
        vehicle_id=question.vehicle_id, at=question.at, audit_number=number, held=[_out(one) for one in held]
    )


def _out(held: Held) -> HeldOut:
    person, ordered = held.person, held.ordered
    return HeldOut(
        key_id=held.key_id,
        cabinet_id=held.cabinet_id,
        taken_at=to_utc(held.taken_ms),
        returned_at=instant_of(held.returned_ms),
        confidence=held.identity,
        person=None
        if person is None
        else PersonOut(member_id=person.member_id, name=person.name, erased=person.erased),
        booking_id=held.booking_id,
        purpose=held.purpose,
        organisation_id=held.organisation_id,
        ordered=None
        if ordered is None
        else OrderedOut(command_id=ordered.command_id, author=ordered.author, reason=ordered.reason),
        declared=[custody_out(one) for one in held.declared],
    )
