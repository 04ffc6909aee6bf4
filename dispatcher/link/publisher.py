"""Keeps every box's desired state what it should be. Level-triggered: compares, and tells again.

A round computes what is dirty, publishes what is new, and repeats what a box that is online still does not
hold. After each connection everything is published again: nothing of record rests in a broker.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from contract.topics import ACKNOWLEDGED, DESIRED
from dispatcher.link.courier import Courier
from dispatcher.store.database import Database
from dispatcher.store.desired import DesiredMaker, Told, mark_unknown_dirty, told, wire_of
from dispatcher.store.ledger import watermarks
from dispatcher.store.rounds import ToDo, to_do
from runtime.clocks import Clock, LineClock
from runtime.steps import Steps

log = structlog.get_logger()

RESEND_US = 10_000_000  # several times the worst link delay simulated (2 s each way); a box answers in milliseconds
QUIET_US = 30_000_000  # while every box holds what it should: for what another program left undone
RECOMPUTE_MS = 900_000  # grants enter the horizon and leave it by time alone: a quarter of an hour is exact enough
AT_ONCE = 10  # cabinets per transaction: about 50 ms, so that facts do not wait behind a whole fleet
WIRES_AT_ONCE = 20  # at most 342 KiB each


@dataclass(frozen=True, slots=True)
class _Sent:
    version: int
    at_us: int


class Publisher:
    def __init__(
        self,
        database: Database,
        maker: DesiredMaker,
        courier: Courier,
        ledger: str,
        clocks: tuple[Clock, LineClock],
        steps: Steps,
    ) -> None:
        self.failed = 0
        """Rounds that a mistake of ours ended, in the log with its traceback."""
        self._database = database
        self._maker = maker
        self._courier = courier
        self._ledger = ledger
        self._clock, self._line_clock = clocks
        self._sent: dict[str, _Sent] = {}
        self._forgotten: set[str] = set()
        """Retired cabinets for which this connection's broker was told to keep nothing."""
        self._connected = False
        self._connected_anew = False
        self._working = steps.step("publisher", self._work)

    def wake(self) -> None:
        """Something may have changed: look at once."""
        self._working.soon()

    def connected(self) -> None:
        """A new connection: the broker may have forgotten everything, so everything is published again."""
        self._connected = self._connected_anew = True
        self._working.soon()

    def disconnected(self) -> None:
        """What changes from now on is computed, and published at the next connection."""
        self._connected = False

    async def _work(self) -> None:
        """A round whenever woken, and now and then."""
        again_us = RESEND_US
        try:
            if await self._round():
                again_us = QUIET_US
        except OperationalError as error:
            log.warning("desired_not_computed", reason=str(error.orig))
        except Exception:  # a mistake of ours: the next round may do better, and facts still want answers
            self.failed += 1
            log.exception("publisher_round_failed")
        self._working.at_us(self._line_clock.now_us() + again_us)

    async def _round(self) -> bool:
        """Whether every box says that it holds what it should."""
        work = await self._database.read(self._to_do)
        if work.compute:
            await self._compute()
            work = await self._database.read(self._to_do)
        if not self._connected:
            return False
        if self._connected_anew:
            self._connected_anew = False
            try:
                await self._tell_everything()
            except BaseException:
                self._connected_anew = True  # the next round begins with all of it
                raise
        else:
            await self._tell(work.unlike)
        self._forget(work.gone)
        return not work.unlike

    def _forget(self, gone: Sequence[str]) -> None:
        """An empty retained message takes back the one before: no grants lie there for who has the box."""
        for cabinet_id in gone:
            if cabinet_id not in self._forgotten:
                self._forgotten.add(cabinet_id)
                for rule in (DESIRED, ACKNOWLEDGED):
                    self._courier.send_signed(rule, cabinet_id, b"")

    async def _tell_everything(self) -> None:
        self._sent.clear()
        self._forgotten.clear()
        for acknowledged in await self._database.read(partial(watermarks, ledger=self._ledger)):
            self._courier.send(acknowledged)
        await self._tell(await self._database.read(told))

    async def _tell(self, states: Sequence[Told]) -> None:
        due = [state for state in states if self._is_due(state)]
        for first in range(0, len(due), WIRES_AT_ONCE):
            await self._send([state.cabinet_id for state in due[first : first + WIRES_AT_ONCE]])

    async def _send(self, cabinet_ids: Sequence[str]) -> None:
        wires = await self._database.read(partial(wire_of, cabinet_ids=cabinet_ids))
        for cabinet_id, (version, wire) in wires.items():
            self._courier.send_signed(DESIRED, cabinet_id, wire.encode())
            self._sent[cabinet_id] = _Sent(version, self._line_clock.now_us())

    def _to_do(self, connection: Connection) -> ToDo:
        return to_do(connection, self._clock.now_ms() - RECOMPUTE_MS)

    async def _compute(self) -> None:
        while await self._database.write(self._refresh) == AT_ONCE:
            pass

    def _refresh(self, connection: Connection) -> int:
        mark_unknown_dirty(connection)
        now_ms = self._clock.now_ms()
        return self._maker.refresh(connection, now_ms, now_ms - RECOMPUTE_MS, AT_ONCE)

    def _is_due(self, state: Told) -> bool:
        sent = self._sent.get(state.cabinet_id)
        if sent is None or sent.version != state.version:
            return True
        waited_us = self._line_clock.now_us() - sent.at_us
        return state.online and state.held < state.version and waited_us >= RESEND_US
