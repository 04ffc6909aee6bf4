"""Blocks: vehicles out of service for a while, laid, listed, changed, ended."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field
from sqlalchemy import Connection

from dispatcher.api.context import Context
from dispatcher.api.problems import ApiReason, FieldFault, Refusal, not_found, refusal_of
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Body, Id, Listing, PageQuery, instant_of, next_cursor, page_request
from dispatcher.api.writing import Change, Location, Write, Writer
from dispatcher.core.blocks import BlockKind
from dispatcher.core.booking_states import BookingState
from dispatcher.core.rules import Refused
from dispatcher.core.windows import to_ms, to_utc
from dispatcher.instants import Instant
from dispatcher.store.block_desk import BlockDesk, WantedBlock
from dispatcher.store.blocks import Block, BlockFilter, Hit, block_by_id, blocks_page, bookings_under
from dispatcher.store.changes import Author

router = resource("blocks", read=Scope.FLEET_READ, write=Scope.FLEET_WRITE)

Note = Annotated[str, Field(min_length=1, max_length=500)]
Why = Annotated[str, Field(min_length=1, max_length=200)]


class NewBlock(Body):
    vehicle_id: Id
    kind: BlockKind
    start: Instant | None = None
    """null: now."""
    expected_end: Instant | None = None
    """null: nobody knows; until somebody says or ends it, nothing later can be booked."""
    note: Note | None = None
    """What is wrong. No names."""


class BlockPatch(Body):
    """What is to be different; absent: as it is."""

    kind: BlockKind | None = None
    start: Instant | None = None
    """Only before the block begins."""
    expected_end: Instant | None = None
    """null: nobody knows any more."""
    note: Note | None = None
    reason: Why | None = None
    """Why it is changed, for the record. No names."""


class BlockEnding(Body):
    reason: Why | None = None
    """For the record. No names."""


class BlockQuery(PageQuery):
    vehicle: Id | None = None
    kind: tuple[BlockKind, ...] = ()
    """May be given more than once."""
    going_on: bool | None = None
    """true: those that nobody ended, also those that are yet to begin; false: the others."""


class BookingUnderOut(Answer):
    """A booking that is to be given another vehicle, or called off; a running one goes on."""

    booking_id: str
    state: BookingState
    start: datetime
    end: datetime


class BlockOut(Answer):
    id: str
    vehicle_id: str
    kind: BlockKind
    note: str | None
    start: datetime
    expected_end: datetime | None
    ended_at: datetime | None
    """null: it goes on, also past its expected end."""
    author: str
    """The name of the token that laid it."""
    created_at: datetime
    changed_at: datetime
    version: int
    """Counts the changes."""


class BlockDetailOut(BlockOut):
    bookings: list[BookingUnderOut]
    """What it was laid over."""


class BlockList(Listing):
    items: list[BlockOut]


@router.post("", status_code=201, responses=answers(400, 409, 413, 422))
async def create_block(writer: Write, wanted: NewBlock) -> BlockDetailOut:
    """Take a vehicle out of service. New bookings are refused; the answer names those that are there already."""

    def work(desk: BlockDesk) -> Block | Refused:
        return desk.create(
            WantedBlock(
                vehicle_id=wanted.vehicle_id,
                kind=wanted.kind,
                start_ms=desk.now_ms if wanted.start is None else to_ms(wanted.start),
                expected_end_ms=None if wanted.expected_end is None else to_ms(wanted.expected_end),
                note=wanted.note,
            )
        )

    return await _write(writer, None, work, location=lambda made: f"/api/v1/blocks/{made.id}")


@router.get("", responses=answers(422))
async def list_blocks(context: Context, query: Annotated[BlockQuery, Query()]) -> BlockList:
    """Blocks that fit every field given, in the order of their start."""
    wanted = BlockFilter(query.vehicle, query.kind, query.going_on)
    request = page_request(query, int, str)
    page = await context.database.read(partial(blocks_page, wanted=wanted, request=request))
    return BlockList(items=[BlockOut(**_fields(block)) for block in page.items], next=next_cursor(page))


@router.get("/{block_id}", responses=answers(404, 422))
async def read_block(context: Context, block_id: Id) -> BlockDetailOut:
    """A block, and the bookings that it is laid over as things stand."""
    now_ms = context.clock.now_ms()

    def read(connection: Connection) -> BlockDetailOut | None:
        block = block_by_id(connection, block_id)
        return None if block is None else _detail(connection, block, now_ms)

    found = await context.database.read(read)
    if found is None:
        raise not_found("block", block_id)
    return found


@router.patch("/{block_id}", responses=answers(400, 404, 409, 412, 413, 422))
async def change_block(writer: Change, block_id: Id, change: BlockPatch) -> BlockDetailOut:
    """Say what is wrong, or when it will be over."""
    different = _different(change)
    if not different:
        fault = FieldFault(field="body", expected="at least one of kind, start, expected_end, note")
        raise Refusal(ApiReason.INVALID_REQUEST, "nothing is to be changed", [fault])
    return await _write_one(writer, block_id, change.reason, lambda desk, it: desk.change(it, different))


@router.post("/{block_id}/end", responses=answers(400, 404, 409, 412, 413, 422))
async def end_block(writer: Change, block_id: Id, ending: BlockEnding) -> BlockDetailOut:
    """The vehicle is fit: it can be booked again, and bookings that waited get their right back."""
    return await _write_one(writer, block_id, ending.reason, lambda desk, it: desk.end(it))


def _different(change: BlockPatch) -> dict[str, Any]:
    """By column. A kind and a start cannot be taken away; an end and a note can."""
    given = change.model_fields_set
    different: dict[str, Any] = {}
    if change.kind is not None:
        different["kind"] = change.kind
    if change.start is not None:
        different["start_ms"] = to_ms(change.start)
    if "expected_end" in given:
        different["expected_end_ms"] = None if change.expected_end is None else to_ms(change.expected_end)
    if "note" in given:
        different["note"] = change.note
    return different


async def _write_one(
    writer: Writer,
    block_id: str,
    reason: str | None,
    work: Callable[[BlockDesk, Block], Block | Refused],
) -> BlockDetailOut:
    def one(desk: BlockDesk) -> Block | Refused | None:
        block = writer.expected(block_by_id(desk.connection, block_id, lock=True))
        return None if block is None else work(desk, block)

    return await _write(writer, reason, one, block_id)


async def _write(
    writer: Writer,
    reason: str | None,
    work: Callable[[BlockDesk], Block | Refused | None],
    block_id: str = "",
    location: Location | None = None,
) -> BlockDetailOut:
    """Run `work` in one transaction; the publisher is woken."""
    context = writer.context

    def run(connection: Connection) -> BlockDetailOut | Refused | None:
        now_ms = context.clock.now_ms()  # here, so that instants follow one another as transactions do
        desk = BlockDesk(connection, Author(f"api/{writer.caller}", now_ms, reason), context.random_bytes)
        outcome = work(desk)
        return _detail(connection, outcome, now_ms) if isinstance(outcome, Block) else outcome

    outcome = await writer(run, location)
    if outcome is None:
        raise not_found("block", block_id)
    if isinstance(outcome, Refused):
        raise refusal_of(outcome)
    context.wake()
    return outcome


def _detail(connection: Connection, block: Block, now_ms: int) -> BlockDetailOut:
    under = [_under_out(hit) for hit in bookings_under(connection, block, now_ms)]
    return BlockDetailOut(**_fields(block), bookings=under)


def _under_out(hit: Hit) -> BookingUnderOut:
    return BookingUnderOut(
        booking_id=hit.booking_id, state=hit.state, start=to_utc(hit.start_ms), end=to_utc(hit.end_ms)
    )


def _fields(block: Block) -> dict[str, Any]:
    return {
        "id": block.id,
        "vehicle_id": block.vehicle_id,
        "kind": block.kind,
        "note": block.note,
        "start": to_utc(block.start_ms),
        "expected_end": instant_of(block.expected_end_ms),
        "ended_at": instant_of(block.ended_ms),
        "author": block.author,
        "created_at": to_utc(block.created_ms),
        "changed_at": to_utc(block.changed_ms),
        "version": block.version,
    }
