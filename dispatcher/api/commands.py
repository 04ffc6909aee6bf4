"""Operators' commands to a cabinet: a slot released from afar, with author and reason."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import Query
from pydantic import Field
from sqlalchemy import Connection

from contract.values import Slot
from dispatcher.api.context import ApiContext, Context
from dispatcher.api.problems import ApiReason, FieldFault, Refusal, not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Body, Id, Listing, PageQuery, instant_of, next_cursor, page_request
from dispatcher.api.writing import Write
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
WAIT_MAX_S = 10  # somebody is on the phone: after this the release code is the better word
LOOK_S = 0.1  # a box that is there answers within a second

Wait = Annotated[int, Field(ge=0, le=WAIT_MAX_S)]
ReasonText = Annotated[str, Field(min_length=1, max_length=REASON_CHARACTERS_MAX)]


class NewCommand(Body):
    """Release one slot, whatever hangs in it."""

    slot: Slot
    reason: ReasonText
    """Why, for whoever asks later. No names: the command is kept."""
    expires_in_s: Annotated[int, Field(ge=EXPIRES_MIN_S, le=EXPIRES_MAX_S)] = EXPIRES_DEFAULT_S
    """Seconds after which the box does not carry it out any more."""
    wait_s: Wait = 0
    """Seconds that the answer waits for what the box says."""


class CommandOut(Answer):
    id: str
    cabinet_id: str
    action: str
    slot: int | None
    booking_id: str | None
    """Whose key it hands out; null: whatever hangs in the slot."""
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
async def create_command(write: Write, cabinet_id: Id, wanted: NewCommand) -> CommandOut:
    """Have a slot released. It is sent at once, and again until the box answers or its time is over.

    Asked again under its `Idempotency-Key`, it is told as it was given, without an outcome.
    """

    def work(connection: Connection) -> CommandOut:
        order = Order(cabinet_id, wanted.slot, wanted.reason)
        given = give_command(connection, write.context, write.caller, order, wanted.expires_in_s)
        return command_out(given)

    made = await write(work, location_of)
    write.context.wake()
    return await answered(write.context, made, wanted.wait_s)


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
    return CommandList(items=[command_out(command) for command in page.items], next=next_cursor(page))


@router.get("/{cabinet_id}/commands/{command_id}", responses=answers(404, 422))
async def read_command(context: Context, cabinet_id: Id, command_id: Id) -> CommandOut:
    """What became of a command."""
    found = await context.database.read(lambda connection: command_by_id(connection, cabinet_id, command_id))
    if found is None:
        raise not_found("command", command_id)
    return command_out(found)


@dataclass(frozen=True, slots=True)
class Order:
    """Which slot is to open, and why."""

    cabinet_id: str
    slot: int
    reason: str
    booking_id: str | None = None
    """Whose key it is for."""


def location_of(command: CommandOut) -> str:
    return f"/api/v1/cabinets/{command.cabinet_id}/commands/{command.id}"


async def answered(context: ApiContext, command: CommandOut, wait_s: int) -> CommandOut:
    """The command once its outcome is final, or as it is after `wait_s`."""
    for _ in range(round(wait_s / LOOK_S)):
        await asyncio.sleep(LOOK_S)
        found = await context.database.read(
            partial(command_by_id, cabinet_id=command.cabinet_id, command_id=command.id)
        )
        assert found is not None, "commands are kept for longer than anybody waits"
        command = command_out(found)
        if command.answered_at is not None:
            break
    return command


def give_command(
    connection: Connection, context: ApiContext, caller: str, order: Order, expires_in_s: int
) -> StoredCommand:
    """Write a command to release a slot, with its audit record.

    Raises:
        Refusal: no box could carry it out.
    """
    check_slot(connection, order.cabinet_id, order.slot)
    now_ms = context.clock.now_ms()  # here, so that counters follow one another as transactions do
    command = StoredCommand(
        id=new_id(context.random_bytes),
        cabinet_id=order.cabinet_id,
        slot=order.slot,
        counter=next_counter(connection, order.cabinet_id, now_ms),
        action=RELEASE_SLOT,
        author=caller,
        reason=order.reason,
        issued_ms=now_ms,
        expires_ms=now_ms + expires_in_s * 1000,
        booking_id=order.booking_id,
    )
    insert_command(connection, command)
    subject = f"{order.cabinet_id}/{order.slot}"
    record(connection, now_ms, caller, AuditAction.SLOT_RELEASED, subject, reason=order.reason)
    return command


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


def command_out(command: StoredCommand) -> CommandOut:
    return CommandOut(
        id=command.id,
        cabinet_id=command.cabinet_id,
        action=command.action,
        slot=command.slot,
        booking_id=command.booking_id,
        author=command.author,
        reason=command.reason,
        issued_at=to_utc(command.issued_ms),
        expires_at=to_utc(command.expires_ms),
        outcome=command.outcome,
        outcome_reason=command.outcome_reason,
        answered_at=instant_of(command.answered_ms),
    )
