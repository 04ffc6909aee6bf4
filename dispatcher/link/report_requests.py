"""Asks cabinets for a report that a decision waits for: a no-show, a retake hold that is over."""

from collections.abc import Callable, Collection

from contract.messages import Command
from dispatcher.link.courier import Courier
from runtime.clocks import Clock, LineClock

ASK_EVERY_US = 10_000_000  # a box answers within a second; one that cannot say (its clock) is not pressed
EXPIRY_MS = 60_000  # the report is of use whenever it comes, the command is not: the next one asks again


class ReportRequests:
    """Level-triggered: asked again while it waits, whether or not a command was answered."""

    def __init__(
        self, courier: Courier, clock: Clock, line_clock: LineClock, random_bytes: Callable[[int], bytes]
    ) -> None:
        self._courier = courier
        self._clock = clock
        self._line_clock = line_clock
        self._random_bytes = random_bytes
        self._asked_us: dict[str, int] = {}
        self._counter = 0

    def ask(self, waiting: Collection[str]) -> None:
        """Ask the cabinets that were not asked a moment ago."""
        now_us = self._line_clock.now_us()
        self._asked_us = {
            cabinet: asked_us
            for cabinet, asked_us in self._asked_us.items()
            if cabinet in waiting and now_us - asked_us < ASK_EVERY_US
        }
        for cabinet in sorted(set(waiting) - self._asked_us.keys()):
            self._asked_us[cabinet] = now_us
            self._courier.send(self._command(cabinet))

    def _command(self, cabinet: str) -> Command:
        now_ms = self._clock.now_ms()
        self._counter = max(self._counter + 1, now_ms)
        return Command(
            cabinet=cabinet,
            command=self._random_bytes(16).hex(),
            counter=self._counter,
            action="report_now",
            issued_ms=now_ms,
            expires_ms=now_ms + EXPIRY_MS,
        )
