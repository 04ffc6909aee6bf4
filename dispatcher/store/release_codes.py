"""Offline release codes as orders: each has an author and a reason, and the box's fact says that it was used.

They are rows of `commands` whose counter is the code's number: a key that left under one names it as it would name
an order that was sent. The digits are kept nowhere: they follow from cabinet, slot and number.
"""

from sqlalchemy import Connection, bindparam, func, select, update

from contract.release_codes import WINDOW_MS, window_number
from dispatcher.store.commands import RELEASE_CODE, CommandOutcome, StoredCommand, insert_command
from dispatcher.store.schema import command_counters, commands

AHEAD_MAX = 5  # a box takes codes whose number is up to 6 ahead of the time (station_agent/core/codes.py)
VALID_WINDOWS = 2  # the one in which it is made, and the next
_LAST = select(func.max(commands.c.counter)).where(
    commands.c.cabinet_id == bindparam("cabinet"), commands.c.action == RELEASE_CODE
)
_OF_NUMBER = select(commands.c.id, commands.c.outcome).where(
    commands.c.cabinet_id == bindparam("cabinet"),
    commands.c.counter == bindparam("number"),
    commands.c.action == RELEASE_CODE,
)
_OF_CABINET = select(command_counters).where(command_counters.c.cabinet_id == bindparam("cabinet"))


class TooManyCodes(Exception):
    """So many were made within ten minutes that the box would not take another. The text says when it will."""


def next_number(connection: Connection, cabinet_id: str, now_ms: int) -> int:
    """The number of the next code for a cabinet.

    Raises:
        TooManyCodes: it would be too far ahead of the time.
    """
    connection.execute(_OF_CABINET.with_for_update(), {"cabinet": cabinet_id})  # one after the other
    last = connection.execute(_LAST, {"cabinet": cabinet_id}).scalar_one_or_none() or 0
    number = max(last + 1, window_number(now_ms))
    if number > window_number(now_ms) + AHEAD_MAX:
        wait_s = (WINDOW_MS - now_ms % WINDOW_MS + 999) // 1000
        raise TooManyCodes(f"expected fewer codes for one cabinet; the next can be made in {wait_s} s")
    return number


def valid_until_ms(number: int) -> int:
    """When a box whose clock is right takes the code no more."""
    return (number + VALID_WINDOWS) * WINDOW_MS


def insert_code(connection: Connection, command: StoredCommand) -> None:
    assert command.action == RELEASE_CODE, "orders that are sent are inserted as such"
    insert_command(connection, command)


def code_used(connection: Connection, cabinet_id: str, number: int, now_ms: int) -> None:
    """The box says that a code opened its slot; of one that is not ours nothing is kept."""
    row = connection.execute(_OF_NUMBER, {"cabinet": cabinet_id, "number": number}).one_or_none()
    if row is not None and row.outcome != CommandOutcome.COMPLETED:
        used = {"outcome": CommandOutcome.COMPLETED, "outcome_reason": None, "answered_ms": now_ms}
        connection.execute(update(commands).where(commands.c.id == row.id).values(**used))


def command_of_code(connection: Connection, cabinet_id: str, number: int | None) -> str | None:
    """Id of the order that a code carries out; a word that no order has, where this program made no such code."""
    if number is None:
        return None
    row = connection.execute(_OF_NUMBER, {"cabinet": cabinet_id, "number": number}).one_or_none()
    return row.id if row is not None else f"code-{number}"
