"""Offline release codes: what the hotline reads out to a member whose box has no network."""

from datetime import datetime

from sqlalchemy import Connection

from contract.credentials import cabinet_digest_key
from contract.release_codes import release_code, release_code_key
from contract.values import Slot
from dispatcher.api.commands import Order, ReasonText, check_slot
from dispatcher.api.context import ApiContext
from dispatcher.api.problems import ApiReason, Refusal
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Body, Id
from dispatcher.api.writing import Write
from dispatcher.core.windows import to_utc
from dispatcher.store.audit import AuditAction, record
from dispatcher.store.commands import RELEASE_CODE, StoredCommand
from dispatcher.store.ids import new_id
from dispatcher.store.release_codes import TooManyCodes, insert_code, next_number, valid_until_ms

router = resource("cabinets", write=Scope.OPERATIONS)


class NewReleaseCode(Body):
    """Let a member open one slot, whatever hangs in it."""

    slot: Slot
    reason: ReasonText
    """Why, for whoever asks later. No names: the order is kept."""


class ReleaseCodeOut(Answer):
    command_id: str
    """The order as GET .../commands/{id} tells it: `completed` once the box has told that the code was used."""
    cabinet_id: str
    slot: int
    code: str
    """Eight digits, keyed in at the cabinet's badge reader, without a badge. They are told once, and again only
    under the same `Idempotency-Key`."""
    author: str
    reason: str
    valid_until: datetime
    """By a box whose clock is right. One that lost power and network takes it for up to a day longer, once."""


@router.post("/{cabinet_id}/release-codes", status_code=201, responses=answers(400, 404, 409, 413, 422))
async def create_release_code(write: Write, cabinet_id: Id, wanted: NewReleaseCode) -> ReleaseCodeOut:
    """Make a code for one slot. Nothing is sent: the member carries it, and it opens once."""
    order = Order(cabinet_id, wanted.slot, wanted.reason)
    return await write(lambda connection: make_code(connection, write.context, write.caller, order), path_of_code)


def path_of_code(made: ReleaseCodeOut) -> str:
    return f"/api/v1/cabinets/{made.cabinet_id}/commands/{made.command_id}"


def make_code(connection: Connection, context: ApiContext, caller: str, order: Order) -> ReleaseCodeOut:
    """Write a code's order, with its audit record.

    Raises:
        Refusal: no box could take it, or there are too many.
    """
    cabinet_id, slot = order.cabinet_id, order.slot
    check_slot(connection, cabinet_id, slot)
    now_ms = context.clock.now_ms()  # here, so that numbers follow one another as transactions do
    try:
        number = next_number(connection, cabinet_id, now_ms)
    except TooManyCodes as error:
        raise Refusal(ApiReason.TOO_MANY_CODES, f"cabinet {cabinet_id!r}: {error}") from None
    command = StoredCommand(
        id=new_id(context.random_bytes),
        cabinet_id=cabinet_id,
        slot=slot,
        counter=number,
        action=RELEASE_CODE,
        author=caller,
        reason=order.reason,
        issued_ms=now_ms,
        expires_ms=valid_until_ms(number),
        booking_id=order.booking_id,
    )
    insert_code(connection, command)
    subject = f"{cabinet_id}/{slot}"
    record(connection, now_ms, caller, AuditAction.RELEASE_CODE_MADE, subject, reason=order.reason)
    key = release_code_key(cabinet_digest_key(context.digest_secret, cabinet_id))
    return ReleaseCodeOut(
        command_id=command.id,
        cabinet_id=cabinet_id,
        slot=slot,
        code=release_code(key, slot, number),
        author=caller,
        reason=order.reason,
        valid_until=to_utc(command.expires_ms),
    )
