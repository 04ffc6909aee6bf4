"""Feeds systemd's watchdog while the agent makes progress, and lets it starve when it does not.

Progress is: what came in is handled, the journal's thread answers, and every open line does what is due on it.
Who merely runs is no use to a member at the cabinet; systemd starts the agent again.
"""

import asyncio
from typing import Final

import structlog

from runtime.clocks import LineClock
from runtime.executor import Executor
from runtime.service_manager import ServiceManager
from station_agent.agent import Agent
from station_agent.serial_line import SerialLine

FEEDS_PER_PERIOD: Final = 3  # one that comes late costs nothing
PATIENCE_S: Final = 10.0  # a slow card takes a second for an fsync, and a commit may need several

log = structlog.get_logger()


class Watchdog:
    """`run` beside the agent; it ends by cancellation alone."""

    def __init__(
        self,
        agent: Agent,
        executor: Executor,
        line_clock: LineClock,
        manager: ServiceManager,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._agent = agent
        self._executor = executor
        self._line_clock = line_clock
        self._manager = manager
        self._patience_s = patience_s
        self._is_ready = False

    async def run(self) -> None:
        """Tell when the agent is ready, then feed until it is stuck, and again when it is not any more."""
        period_us = self._manager.watchdog_us
        pause_s = period_us / 1e6 / FEEDS_PER_PERIOD if period_us is not None else 1.0
        while True:
            stuck = await self.stuck()
            if stuck:
                log.error("no_progress", where=stuck)
            elif not self._is_ready:
                if self._agent.opened is not None:
                    self._is_ready = True
                    self._manager.tell("READY=1", f"STATUS={self._agent.config.cabinet} runs", "WATCHDOG=1")
            else:
                self._manager.tell("WATCHDOG=1")
            await asyncio.sleep(min(pause_s, 0.05) if not self._is_ready else pause_s)

    async def stuck(self) -> str:
        """What makes no progress; empty: everything does."""
        now_us, late_us = self._line_clock.now_us(), round(self._patience_s * 1e6)
        if self._agent.waits_since_us is not None and now_us - self._agent.waits_since_us > late_us:
            return "core"
        try:
            async with asyncio.timeout(self._patience_s):
                await self._executor.run(_nothing)
        except TimeoutError:
            return "journal"
        for name, line in self._agent.hardware.lines.items():
            if isinstance(line, SerialLine) and line.is_late(now_us, late_us):
                return name
        return ""


def _nothing() -> None:
    """Done by the journal's thread when it is its turn."""
