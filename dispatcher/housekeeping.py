"""Forgets what is past its limit, while the dispatcher runs: a read finds rows, short transactions do the rest."""

from functools import partial

import structlog
from sqlalchemy.exc import OperationalError

from dispatcher.core.retention import Retention
from dispatcher.store.database import Database
from dispatcher.store.ids import RandomBytes
from dispatcher.store.limits import AT_ONCE, LIMITS
from dispatcher.store.retention import Now, enforce, find_past
from runtime.clocks import Clock, LineClock
from runtime.steps import Steps

FIRST_US = 300_000_000  # after a start, when the boxes have told what they had to tell
ROUND_US = 3_600_000_000  # limits are days: an hour more is nothing, and a search of large tables once an hour too
MORE_US = 500_000  # between two pieces, so that facts and bookings come in between

log = structlog.get_logger()


class Housekeeping:
    """One step: a round an hour, and pieces of it one after the other where there is much to do."""

    def __init__(
        self,
        database: Database,
        retention: Retention,
        clocks: tuple[Clock, LineClock],
        random_bytes: RandomBytes,
        steps: Steps,
    ) -> None:
        self.failed = 0
        """Rounds that did not come to their end."""
        self.rows_done = 0
        """Rows that were removed, or of which what was personal was."""
        self._database = database
        self._retention = retention
        self._clock, self._line_clock = clocks
        self._random_bytes = random_bytes
        self._step = steps.step("housekeeping", self._work)

    def begin(self) -> None:
        self._step.at_us(self._line_clock.now_us() + FIRST_US)

    async def _work(self) -> None:
        again_us = ROUND_US
        try:
            if await self.piece():
                again_us = MORE_US
        except OperationalError as error:
            self.failed += 1
            log.warning("retention_not_enforced", reason=str(error.orig))
        except Exception:  # a mistake of ours: the metric of rows past their limit tells it too
            self.failed += 1
            log.exception("retention_not_enforced")
        self._step.at_us(self._line_clock.now_us() + again_us)

    async def piece(self) -> bool:
        """Up to `AT_ONCE` rows of each limit, each in a transaction of its own; whether there may be more."""
        now = Now(self._retention, self._clock.now_ms(), self._random_bytes)
        there_is_more = False
        for limit in LIMITS:
            keys = await self._database.read(partial(find_past, limit=limit, now=now))
            if keys:
                self.rows_done += await self._database.write(partial(enforce, limit=limit, keys=keys, now=now))
            there_is_more |= len(keys) == AT_ONCE
        return there_is_more
