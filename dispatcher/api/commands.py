"""Operators' commands to a cabinet: a slot released from afar, with author and reason."""

from datetime import datetime
from typing import Annotated

from fastapi import Query, Response
from pydantic import Field
from sqlalchemy import Connection

from contract.values import Slot
from dispatcher.api.context import ApiContext, Caller, Context
from dispatcher.api.problems import ApiReason, FieldFault, Refusal, not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Body, Id, Listing, PageQuery, instant_of, next_cursor, page_request
from dispatcher.core.windows import to_utc
from dispatcher.store.audit import AuditAction, record
from dispatcher.store.commands import (
    RELEASE_SLOT,
    CommandOutcome,
    StoredCommand,
    command_by_id,
    commands_page,
    insert_command,
    next_counter,
)
from dispatcher.store.ids import new_id
from dispatcher.store.paging import Page
from dispatcher.store.registry import cabinet_fields

router = resource("cabinets", read=Scope.OPERATIONS, write=Scope.OPERATIONS)

EXPIRES_MIN_S = 10  # one resend: a shorter one could be lost with a single message
EXPIRES_MAX_S = 600  # somebody stands there and waits: what opens later than this surprises
EXPIRES_DEFAULT_S = 60
REASON_CHARACTERS_MAX = 200


class NewCommand(Body):
    """Release one slot, whatever hangs in it."""

    slot: Slot
    reason: Annotated[str, Field(min_length=1, max_length=REASON_CHARACTERS_MAX)]
    """Why, for whoever asks later. No names: the command is kept."""
    expires_in_s: Annotated[int, Field(ge=EXPIRES_MIN_S, le=EXPIRES_MAX_S)] = EXPIRES_DEFAULT_S
    """Seconds after which the box does not carry it out any more."""


class CommandOut(Answer):
    id: str
    cabinet_id: str
    action: str
    slot: int | None
    author: str
    """The name of the token that it was given with."""
    reason: str
    issued_at: datetime
    expires_at: datetime
    outcome: CommandOutcome | None
    """null: nothing is known yet. `completed`: the lock was pulsed; `unanswered`: its time is over, and the box may
    have carried it out all the same."""
    outcome_reason: str | None
    """Why it was refused."""
    answered_at: datetime | None
    """When the outcome was final; null: it is still being sent."""


class CommandQuery(PageQuery):
    open: bool = False
    """True: only those without a final outcome."""


class CommandList(Listing):
    items: list[CommandOut]


@router.post("/{cabinet_id}/commands", status_code=201, responses=answers(400, 404, 409, 413, 422))
async def create_command(
    context: Context, caller: Caller, cabinet_id: Id, wanted: NewCommand, response: Response
) -> CommandOut:
    """Have a slot released. It is sent at once, and again until the box answers or its time is over."""
    made = await context.database.write(lambda connection: _create(connection, context, caller, cabinet_id, wanted))
    context.wake()
    response.headers["location"] = f"/api/v1/cabinets/{cabinet_id}/commands/{made.id}"
    return made


@router.get("/{cabinet_id}/commands", responses=answers(404, 422))
async def list_commands(context: Context, cabinet_id: Id, query: Annotated[CommandQuery, Query()]) -> CommandList:
    """What a cabinet was told to do, oldest first."""
    request = page_request(query, int)

    def read(connection: Connection) -> Page[StoredCommand] | None:
        if cabinet_fields(connection, cabinet_id) is None:
            return None
        return commands_page(connection, cabinet_id, request, only_open=query.open)

    page = await context.database.read(read)
    if page is None:
        raise not_found("cabinet", cabinet_id)
    return CommandList(items=[_out(command) for command in page.items], next=next_cursor(page))


@router.get("/{cabinet_id}/commands/{command_id}", responses=answers(404, 422))
async def read_command(context: Context, cabinet_id: Id, command_id: Id) -> CommandOut:
    """What became of a command."""
    found = await context.database.read(lambda connection: command_by_id(connection, cabinet_id, command_id))
    if found is None:
        raise not_found("command", command_id)
    return _out(found)


def _create(
    connection: Connection, context: ApiContext, caller: str, cabinet_id: str, wanted: NewCommand
) -> CommandOut:
    check_slot(connection, cabinet_id, wanted.slot)
    now_ms = context.clock.now_ms()  # here, so that counters follow one another as transactions do
    command = StoredCommand(
        id=new_id(context.random_bytes),
        cabinet_id=cabinet_id,
        slot=wanted.slot,
        counter=next_counter(connection, cabinet_id, now_ms),
        action=RELEASE_SLOT,
        author=caller,
        reason=wanted.reason,
        issued_ms=now_ms,
        expires_ms=now_ms + wanted.expires_in_s * 1000,
    )
    insert_command(connection, command)
    subject = f"{cabinet_id}/{wanted.slot}"
    record(connection, now_ms, caller, AuditAction.SLOT_RELEASED, subject, reason=wanted.reason)
    return _out(command)


def check_slot(connection: Connection, cabinet_id: str, slot: int) -> None:
    """Raises `Refusal` where no box could carry it out."""
    cabinet = cabinet_fields(connection, cabinet_id)
    if cabinet is None:
        raise not_found("cabinet", cabinet_id)
    if not cabinet.in_service:
        raise Refusal(
            ApiReason.CABINET_NOT_IN_SERVICE, f"cabinet {cabinet_id!r} opens nothing: it is not in service"
        )
    if slot > cabinet.slots:
        expected = f"at most {cabinet.slots}, the slots of {cabinet_id}"
        fault = FieldFault(field="slot", value=str(slot), expected=expected)
        raise Refusal(ApiReason.INVALID_REQUEST, f"slot is {slot}; expected {expected}", [fault])


def _out(command: StoredCommand) -> CommandOut:
    return CommandOut(
        id=command.id,
        cabinet_id=command.cabinet_id,
        action=command.action,
        slot=command.slot,
        author=command.author,
        reason=command.reason,
        issued_at=to_utc(command.issued_ms),
        expires_at=to_utc(command.expires_ms),
        outcome=command.outcome,
        outcome_reason=command.outcome_reason,
        answered_at=instant_of(command.answered_ms),
    )
