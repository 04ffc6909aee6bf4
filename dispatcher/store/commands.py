"""Operators' commands: written once, answered once, in the order of their counters. A row of them opens a slot."""

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update

from contract.messages import ReplyOutcome
from contract.reasons import Reason
from dispatcher.core.rules import BookingReason
from dispatcher.store.incidents import open_incident
from dispatcher.store.origin import origin_of, with_origin
from dispatcher.store.paging import Page, PageRequest, cut, in_order
from dispatcher.store.schema import bookings, command_counters, commands
from dispatcher.store.unfounded import without_origin
from dispatcher.store.upsert import upsert_all

RELEASE_SLOT = "release_slot"
RELEASE_CODE = "release_code"
"""Not sent: a member carries it (`dispatcher.store.release_codes`)."""


class CommandOutcome(StrEnum):
    """What is known of a command."""

    RECEIVED = ReplyOutcome.RECEIVED  # not final
    COMPLETED = ReplyOutcome.COMPLETED
    REFUSED = ReplyOutcome.REFUSED
    EXPIRED = ReplyOutcome.EXPIRED
    UNANSWERED = "unanswered"  # our own word: its time is over and the box said nothing


@dataclass(frozen=True, slots=True)
class StoredCommand:
    id: str
    cabinet_id: str
    slot: int | None
    counter: int
    """Of the cabinet: the box decides in this order."""
    action: str
    author: str
    """The name of a token."""
    reason: str
    """Why, in the author's words."""
    issued_ms: int
    expires_ms: int
    outcome: CommandOutcome | None = None
    """None: nothing was heard of it yet."""
    outcome_reason: str | None = None
    answered_ms: int | None = None
    """When its outcome was final; None: it is open."""
    booking_id: str | None = None
    """Whose key it hands out; None: whatever hangs in the slot, for nobody's booking."""


_LAST_COUNTERS = (
    select(command_counters.c.cabinet_id, command_counters.c.counter)
    .where(command_counters.c.cabinet_id.in_(bindparam("cabinets", expanding=True)))
    .order_by(command_counters.c.cabinet_id)
    .with_for_update()
)


def next_counters(connection: Connection, cabinet_ids: Collection[str], now_ms: int) -> dict[str, int]:
    """By cabinet, the next number for a command to it: never one that was given before, whatever our clock does."""
    cabinets = sorted(cabinet_ids)
    last = {row.cabinet_id: row.counter for row in connection.execute(_LAST_COUNTERS, {"cabinets": cabinets})}
    counters = {cabinet: max(last.get(cabinet, 0) + 1, now_ms) for cabinet in cabinets}
    upsert_all(
        connection, command_counters, [{"cabinet_id": cabinet, "counter": n} for cabinet, n in counters.items()]
    )
    return counters


def next_counter(connection: Connection, cabinet_id: str, now_ms: int) -> int:
    """As `next_counters`, for one cabinet."""
    return next_counters(connection, (cabinet_id,), now_ms)[cabinet_id]


def insert_command(connection: Connection, command: StoredCommand) -> None:
    connection.execute(insert(commands).values(with_origin(connection, commands, asdict(command))))


def command_by_id(connection: Connection, cabinet_id: str, command_id: str) -> StoredCommand | None:
    """A command to this cabinet; None also for another's."""
    row = connection.execute(_ONE, {"command": command_id, "cabinet": cabinet_id}).mappings().one_or_none()
    return None if row is None else _read(row)


def commands_page(
    connection: Connection, cabinet_id: str, request: PageRequest, *, only_open: bool = False
) -> Page[StoredCommand]:
    """Commands to a cabinet in the order of their counters, which is that of their making."""
    statement = select(commands).where(commands.c.cabinet_id == cabinet_id)
    if only_open:
        statement = statement.where(commands.c.answered_ms.is_(None))
    rows = connection.execute(in_order(statement, [commands.c.counter], request)).mappings().all()
    return cut([_read(row) for row in rows], request, lambda command: (command.counter,))


def grant_of_command(connection: Connection, cabinet_id: str, command_id: str, key_id: str | None) -> str | None:
    """The grant of the booking whose key a command, or a release code, hands out.

    None where it names no booking, is none of ours, or another key than the booking's came out.
    """
    command = connection.execute(_ONE, {"command": command_id, "cabinet": cabinet_id}).mappings().one_or_none()
    if command is None or command["booking_id"] is None or not origin_of(connection).holds(commands, command):
        return None
    row = connection.execute(_GRANT, {"booking": command["booking_id"]}).one()
    return row.grant_id if key_id in {None, row.key_id} else None


def is_known(connection: Connection, cabinet_id: str, command_id: str | None) -> bool:
    """Whether this program gave the cabinet such a command."""
    return command_id is not None and command_by_id(connection, cabinet_id, command_id) is not None


@dataclass(frozen=True, slots=True)
class OpenCommands:
    waiting: tuple[StoredCommand, ...]
    """For an answer, in the order in which their boxes are to decide."""
    some_are_over: bool
    """Others are open that must not be sent any more: `close_over` closes them."""


def open_commands(connection: Connection, now_ms: int) -> OpenCommands:
    """All that have no final outcome yet: one read, mostly of nothing."""
    rows = connection.execute(_OPEN).mappings().all()
    origin = origin_of(connection) if rows else None
    waiting = [
        _read(row)
        for row in rows
        if origin is not None and origin.holds(commands, row) and row["expires_ms"] > now_ms
    ]
    to_send = tuple(command for command in waiting if command.action == RELEASE_SLOT)
    return OpenCommands(to_send, len(waiting) < len(rows))


def close_over(connection: Connection, now_ms: int) -> None:
    """Close what is open and must not be sent any more: its time is over, or this program did not write it."""
    origin = origin_of(connection)
    for row in connection.execute(_OPEN).mappings().all():
        if not origin.holds(commands, row):
            open_incident(connection, without_origin(commands, row), now_ms)
            _settle(connection, row["id"], CommandOutcome.REFUSED, BookingReason.ROW_WITHOUT_ORIGIN, now_ms)
        elif row["expires_ms"] <= now_ms:
            _settle(connection, row["id"], CommandOutcome.UNANSWERED, None, now_ms)


def keep_outcome(
    connection: Connection,
    cabinet_id: str,
    command_id: str,
    outcome: ReplyOutcome,
    reason: Reason | None,
    now_ms: int,
) -> bool:
    """Keep what a box says of a command; False where that is not news, or not about one of ours.

    The first final word stays: the box repeats it unchanged. Ours, that nothing was heard, gives way to it.
    """
    known = command_by_id(connection, cabinet_id, command_id)
    if known is None or (known.answered_ms is not None and known.outcome is not CommandOutcome.UNANSWERED):
        return False
    if outcome is ReplyOutcome.RECEIVED:
        if known.answered_ms is None:
            _update(connection, command_id, outcome=CommandOutcome.RECEIVED)
    elif reason is Reason.OUT_OF_ORDER and known.answered_ms is None and now_ms < known.expires_ms:
        _number_anew(connection, known, now_ms)
    else:
        _settle(connection, command_id, CommandOutcome(outcome), reason, now_ms)
    return True


def _number_anew(connection: Connection, known: StoredCommand, now_ms: int) -> None:
    """A later command overtook it, so the box decided nothing: it is told again, as the last one.

    Not where the row is no longer what this program wrote: it would be signed as it stands now.
    """
    this = {"command": known.id, "cabinet": known.cabinet_id}
    if not origin_of(connection).holds(commands, connection.execute(_ONE, this).mappings().one()):
        return
    anew = replace(known, counter=next_counter(connection, known.cabinet_id, now_ms))
    row = with_origin(connection, commands, asdict(anew))
    _update(connection, known.id, counter=row["counter"], origin=row["origin"])


def _settle(
    connection: Connection, command_id: str, outcome: CommandOutcome, reason: StrEnum | None, now_ms: int
) -> None:
    _update(connection, command_id, outcome=outcome, outcome_reason=reason, answered_ms=now_ms)


def _update(connection: Connection, command_id: str, **values: Any) -> None:
    connection.execute(update(commands).where(commands.c.id == command_id).values(**values))


_ONE = select(commands).where(commands.c.id == bindparam("command"), commands.c.cabinet_id == bindparam("cabinet"))
_GRANT = select(bookings.c.grant_id, bookings.c.key_id).where(bookings.c.id == bindparam("booking"))
_OPEN = (  # made once: this is asked whenever anything was written
    select(commands).where(commands.c.answered_ms.is_(None)).order_by(commands.c.cabinet_id, commands.c.counter)
)


def _read(row: RowMapping) -> StoredCommand:
    values = {name: value for name, value in row.items() if name != "origin"}
    outcome = None if row["outcome"] is None else CommandOutcome(row["outcome"])
    return StoredCommand(**{**values, "outcome": outcome})
