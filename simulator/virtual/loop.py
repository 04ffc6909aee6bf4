"""An asyncio loop whose waiting takes no time: the programs' own tasks, queues and timeouts in virtual time.

It has no sockets, no threads and no signals: whatever wants real I/O fails loudly.
"""

import asyncio
import heapq
from collections.abc import Callable
from contextvars import Context
from itertools import count
from typing import Any

from simulator.virtual.timers import SAME_INSTANT_MAX, Call, Do, Stuck

SECOND_US = 1_000_000


class _FifoTimer(asyncio.TimerHandle):
    """Timers due at one instant fire in the order they were set; asyncio's own do not."""

    __slots__ = ("order",)
    order: int

    def __lt__(self, other: Any) -> bool:
        mine: bool = (self._when, self.order) < (other._when, other.order)  # type: ignore[attr-defined]
        return mine


class VirtualTimeLoop(asyncio.BaseEventLoop):
    """Moves its clock to the next timer instead of waiting for it. Also `simulator.virtual.timers.Timers`."""

    def __init__(self) -> None:
        super().__init__()
        self._now_us = 0
        self._clock_resolution = 1e-9  # asyncio also runs what is due this soon after now: keep it under 1 us
        self._selector = self  # BaseEventLoop asks `_selector.select(timeout)` to wait
        self._turns = 0
        self._orders = count()

    # --- asyncio's side

    def time(self) -> float:
        return self._now_us / SECOND_US

    def call_at(  # type: ignore[override]  # a timer that keeps its place in the order
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = _FifoTimer(round(when * SECOND_US) / SECOND_US, callback, args, self, context)
        timer.order = next(self._orders)
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True  # type: ignore[attr-defined]  # noqa: SLF001  # as BaseEventLoop.call_at does
        return timer

    def select(self, timeout: float | None) -> list[object]:
        """Instead of waiting for a file: time moves."""
        if timeout is None:
            raise Stuck(f"every task waits and no timer is set, at {self.time():.6f} s")
        waited_us = round(timeout * SECOND_US)
        self._now_us += waited_us
        self._turns = 0 if waited_us else self._turns + 1
        if self._turns > SAME_INSTANT_MAX:
            raise Stuck(f"{self._turns} turns at {self.time():.6f} s, and still time does not move")
        return []

    def _process_events(self, event_list: list[object]) -> None:
        assert not event_list

    def _write_to_self(self) -> None:
        raise RuntimeError("threads and signals have no place in virtual time")


class LoopTimers:
    """The `Timers` of a world that lives on a virtual loop."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop

    def now_us(self) -> int:
        return round(self._loop.time() * SECOND_US)

    def call_at(self, at_us: int, do: Do) -> Call:
        call = Call(do)
        self._loop.call_at(max(at_us, self.now_us()) / SECOND_US, call)
        return call

    def call_soon(self, do: Do) -> Call:
        call = Call(do)
        self._loop.call_soon(call)
        return call
