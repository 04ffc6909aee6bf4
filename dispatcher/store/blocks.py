"""Reads and writes blocks, and says what they hold up. New bookings under one are refused by the database."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, func, insert, or_, select, update

from dispatcher.core.blocks import BlockTimes, BookingHit
from dispatcher.core.booking_states import BookingState
from dispatcher.store.columns import literally_in
from dispatcher.store.desired import mark_dirty
from dispatcher.store.paging import Page, PageRequest, cut, in_order
from dispatcher.store.schema import LIVE_BOOKING_STATES, blocks, bookings, keys


@dataclass(frozen=True, slots=True)
class Block:
    id: str
    vehicle_id: str
    kind: str
    note: str | None
    start_ms: int
    expected_end_ms: int | None
    """None: nobody knows."""
    ended_ms: int | None
    """None: it goes on, also past `expected_end_ms`."""
    begun: bool
    """The cabinets were told that it is in force."""
    created_ms: int
    changed_ms: int
    author: str
    version: int

    @property
    def times(self) -> BlockTimes:
        return BlockTimes(self.start_ms, self.expected_end_ms)


@dataclass(frozen=True, slots=True)
class BlockFilter:
    """What blocks are listed by; absent: not asked."""

    vehicle_id: str | None = None
    kinds: tuple[str, ...] = ()
    going_on: bool | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A booking in a block's window."""

    booking_id: str
    state: BookingState
    start_ms: int
    end_ms: int


_NEW = insert(blocks)
_THIS = update(blocks).where(blocks.c.id == bindparam("this"))
_BY_ID: Select[Any] = select(blocks).where(blocks.c.id == bindparam("this"))
_LOCKED = _BY_ID.with_for_update()
_GOES_ON = blocks.c.ended_ms.is_(None)
_TO_BEGIN = select(blocks.c.id, blocks.c.vehicle_id).where(
    _GOES_ON, blocks.c.begun.is_(False), blocks.c.start_ms <= bindparam("now_ms")
)
_BEGUN = update(blocks).where(blocks.c.id == bindparam("this")).values(begun=True)
_NEXT = select(
    func.min(blocks.c.start_ms).filter(blocks.c.start_ms > bindparam("now_ms")),
    func.min(blocks.c.expected_end_ms).filter(blocks.c.expected_end_ms > bindparam("now_ms")),
).where(_GOES_ON)
_CABINETS = select(keys.c.home_cabinet_id).where(keys.c.vehicle_id == bindparam("vehicle")).distinct()
_LIVE_BOOKING = and_(bookings.c.purpose.is_(None), literally_in(bookings.c.state, LIVE_BOOKING_STATES))
_IN_WINDOW = (
    select(bookings.c.id, bookings.c.state, bookings.c.start_ms, bookings.c.end_ms)
    .where(
        bookings.c.vehicle_id == bindparam("vehicle"),
        _LIVE_BOOKING,
        bookings.c.start_ms < bindparam("end_ms"),
        bookings.c.end_ms > bindparam("start_ms"),
    )
    .order_by(bookings.c.start_ms)
)


_BLOCKED_VEHICLES = select(blocks.c.vehicle_id).where(_GOES_ON)
_HITS = (
    select(
        bookings.c.id,
        bookings.c.cabinet_id,
        bookings.c.vehicle_id,
        bookings.c.start_ms,
        blocks.c.kind,
        blocks.c.start_ms,
        blocks.c.expected_end_ms,
    )
    .join(blocks, blocks.c.vehicle_id == bookings.c.vehicle_id)
    .where(
        _LIVE_BOOKING,
        bookings.c.state == BookingState.BOOKED,
        bookings.c.vehicle_id.in_(_BLOCKED_VEHICLES),  # read first: few of many
        _GOES_ON,
        bookings.c.start_ms < bindparam("until_ms"),
        blocks.c.start_ms < bookings.c.end_ms,
        or_(
            blocks.c.expected_end_ms.is_(None),
            blocks.c.expected_end_ms > bookings.c.start_ms,
            bookings.c.start_ms <= bindparam("now_ms"),
        ),
    )
    .order_by(bookings.c.id, blocks.c.start_ms, blocks.c.id)
)


def insert_block(connection: Connection, block: Block) -> None:
    connection.execute(_NEW, asdict(block))


def update_block(connection: Connection, block: Block) -> Block:
    """Write a changed block; as it is then."""
    changed = replace(block, version=block.version + 1)
    row = asdict(changed)
    del row["id"]
    connection.execute(_THIS, {"this": block.id, **row})
    return changed


def block_by_id(connection: Connection, block_id: str, *, lock: bool = False) -> Block | None:
    """`lock`: nobody else changes it before the end of this transaction."""
    row = connection.execute(_LOCKED if lock else _BY_ID, {"this": block_id}).one_or_none()
    return None if row is None else Block(**row._asdict())


def blocks_page(connection: Connection, wanted: BlockFilter, request: PageRequest) -> Page[Block]:
    """Blocks in the order of their start."""
    statement = select(blocks)
    if wanted.vehicle_id is not None:
        statement = statement.where(blocks.c.vehicle_id == wanted.vehicle_id)
    if wanted.kinds:
        statement = statement.where(blocks.c.kind.in_(wanted.kinds))
    if wanted.going_on is not None:
        statement = statement.where(blocks.c.ended_ms.is_(None) == wanted.going_on)
    rows = connection.execute(in_order(statement, [blocks.c.start_ms, blocks.c.id], request))
    found = [Block(**row._asdict()) for row in rows]
    return cut(found, request, lambda block: (block.start_ms, block.id))


def bookings_under(connection: Connection, block: Block, now_ms: int) -> tuple[Hit, ...]:
    """The live bookings of members in a block's window; none once it was ended."""
    if block.ended_ms is not None:
        return ()
    window = block.times.window(now_ms)
    where = {"vehicle": block.vehicle_id, "start_ms": window.start_ms, "end_ms": window.end_ms}
    return tuple(
        Hit(row.id, BookingState(row.state), row.start_ms, row.end_ms)
        for row in connection.execute(_IN_WINDOW, where)
    )


def booking_hits(connection: Connection, now_ms: int, until_ms: int) -> tuple[BookingHit, ...]:
    """Bookings that a block holds up, that are not begun and start before `until_ms`; each once."""
    found: dict[str, BookingHit] = {}
    for row in connection.execute(_HITS, {"now_ms": now_ms, "until_ms": until_ms}):
        found.setdefault(row[0], BookingHit(*row))
    return tuple(found.values())


def begin_blocks(connection: Connection, now_ms: int) -> None:
    """Have the cabinets told of blocks whose start has come."""
    for row in connection.execute(_TO_BEGIN, {"now_ms": now_ms}).all():
        connection.execute(_BEGUN, {"this": row.id})
        mark_cabinets_of(connection, row.vehicle_id)


def next_block_ms(connection: Connection, now_ms: int) -> int | None:
    """The next instant at which a block begins, or was expected to be over; None: there is none."""
    moments = connection.execute(_NEXT, {"now_ms": now_ms}).one()
    return min((at_ms for at_ms in moments if at_ms is not None), default=None)


def mark_cabinets_of(connection: Connection, vehicle_id: str) -> None:
    """Have the rights computed again where a vehicle's keys live."""
    for cabinet_id in connection.execute(_CABINETS, {"vehicle": vehicle_id}).scalars().all():
        mark_dirty(connection, cabinet_id)
