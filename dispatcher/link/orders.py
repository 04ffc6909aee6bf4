"""Sends operators' commands until they are answered or their time is over. Level-triggered, like the publisher.

Of the commands to one cabinet the oldest is sent, and the next one when that is answered: a box decides in the
order of their counters, and refuses one that a later one overtook.
"""

from collections.abc import Iterable
from typing import Literal

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from contract.messages import Command
from dispatcher.link.courier import Courier
from dispatcher.store.commands import OpenCommands, StoredCommand, close_over, open_commands
from dispatcher.store.database import Database
from runtime.clocks import Clock, LineClock
from runtime.steps import Steps

log = structlog.get_logger()

RESEND_US = 10_000_000  # several times the worst link delay simulated (2 s each way); a box answers in milliseconds
QUIET_US = 30_000_000  # while none is open: for one that another program wrote and did not send
LOOK_US = 2_000_000  # while one is open: so late at most it is sent again, or its time declared over


class Orders:
    def __init__(self, database: Database, courier: Courier, clocks: tuple[Clock, LineClock], steps: Steps) -> None:
        self.failed = 0
        """Rounds that a mistake of ours ended, in the log with its traceback."""
        self._database = database
        self._courier = courier
        self._clock, self._line_clock = clocks
        self._sent_us: dict[str, int] = {}
        self._connected = False
        self._working = steps.step("orders", self._work)

    def wake(self) -> None:
        """A command may be new: look at once."""
        self._working.soon()

    def answered(self) -> None:
        """A cabinet spoke, maybe of a command that is under way."""
        if self._sent_us:
            self._working.soon()

    def connected(self) -> None:
        """A new connection: what was under way may be lost."""
        self._connected = True
        self._sent_us.clear()
        self._working.soon()

    def disconnected(self) -> None:
        self._connected = False

    async def _work(self) -> None:
        """A round whenever woken, often while a command is open, and now and then for one that another wrote."""
        is_open = True
        try:
            is_open = await self._round()
        except OperationalError as error:
            log.warning("commands_not_read", reason=str(error.orig))
        except Exception:  # a mistake of ours: the next round may do better
            self.failed += 1
            log.exception("orders_round_failed")
        self._working.at_us(self._line_clock.now_us() + (LOOK_US if is_open else QUIET_US))

    async def _round(self) -> bool:
        """Whether any command is open after it."""
        found = await self._database.read(self._open)
        if found.some_are_over:
            await self._database.write(self._close_over)
        self._sent_us = {
            command.id: self._sent_us[command.id] for command in found.waiting if command.id in self._sent_us
        }
        if self._connected:
            for command in _first_of_each_cabinet(found.waiting):
                self._send(command)
        return bool(found.waiting)

    def _open(self, connection: Connection) -> OpenCommands:
        return open_commands(connection, self._clock.now_ms())

    def _close_over(self, connection: Connection) -> None:
        close_over(connection, self._clock.now_ms())

    def _send(self, command: StoredCommand) -> None:
        """Send it unless it was sent a moment ago, under whatever number."""
        now_us = self._line_clock.now_us()
        sent_us = self._sent_us.get(command.id)
        if sent_us is None or now_us - sent_us >= RESEND_US:
            self._sent_us[command.id] = now_us
            self._courier.send(as_message(command))


def as_message(command: StoredCommand) -> Command:
    action: Literal["release_slot"] = "release_slot"
    assert command.action == action, "reports are asked for without a row"
    return Command(
        cabinet=command.cabinet_id,
        command=command.id,
        counter=command.counter,
        action=action,
        slot=command.slot,
        issued_ms=command.issued_ms,
        expires_ms=command.expires_ms,
    )


def _first_of_each_cabinet(waiting: Iterable[StoredCommand]) -> Iterable[StoredCommand]:
    """`waiting` is in the order of the counters."""
    firsts: dict[str, StoredCommand] = {}
    for command in waiting:
        firsts.setdefault(command.cabinet_id, command)
    return firsts.values()
