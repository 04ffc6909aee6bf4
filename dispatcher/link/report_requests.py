"""Asks cabinets for a report: where a decision waits for it, and where nobody knows that they are back."""

from collections.abc import Callable, Collection
from functools import partial

from contract.messages import Command
from dispatcher.link.courier import Courier
from dispatcher.store.commands import next_counters
from dispatcher.store.database import Database
from runtime.clocks import Clock, LineClock

ASK_EVERY_US = 10_000_000  # a box answers within a second; one that cannot say (its clock) is not pressed
ASK_OFFLINE_US = 30_000_000  # the "online" of a box that is back can be lost with all that its broker remembered
EXPIRY_MS = 60_000  # the report is of use whenever it comes, the command is not: the next one asks again


class ReportRequests:
    """Level-triggered: asked again while it waits, whether or not a command was answered."""

    def __init__(
        self,
        database: Database,
        courier: Courier,
        clocks: tuple[Clock, LineClock],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._database = database
        self._courier = courier
        self._clock, self._line_clock = clocks
        self._random_bytes = random_bytes
        self._asked_us: dict[str, int] = {}

    async def ask(self, waiting: Collection[str], offline: Collection[str] = ()) -> None:
        """Ask the cabinets that were not asked a moment ago.

        Args:
            waiting: those whose word a decision waits for.
            offline: those that are, as far as anybody told.
        """
        now_us = self._line_clock.now_us()
        every_us = dict.fromkeys(offline, ASK_OFFLINE_US) | dict.fromkeys(waiting, ASK_EVERY_US)
        self._asked_us = {
            cabinet: asked_us
            for cabinet, asked_us in self._asked_us.items()
            if now_us - asked_us < every_us.get(cabinet, 0)
        }
        cabinets = sorted(every_us.keys() - self._asked_us.keys())
        if not cabinets:
            return
        now_ms = self._clock.now_ms()
        # From the same numbers as operators' commands: no two commands to a cabinet have one number.
        numbered = partial(next_counters, cabinet_ids=cabinets, now_ms=now_ms)
        counters = await self._database.write(numbered)
        for cabinet in cabinets:
            self._asked_us[cabinet] = now_us
            self._courier.send(self._command(cabinet, counters[cabinet], now_ms))

    def _command(self, cabinet: str, counter: int, now_ms: int) -> Command:
        return Command(
            cabinet=cabinet,
            command=self._random_bytes(16).hex(),
            counter=counter,
            action="report_now",
            issued_ms=now_ms,
            expires_ms=now_ms + EXPIRY_MS,
        )
