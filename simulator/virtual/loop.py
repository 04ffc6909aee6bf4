"""An asyncio loop whose waiting takes no time: the programs' own tasks, queues and timeouts in virtual time.

It has no sockets, no threads and no signals: whatever wants real I/O fails loudly. An exception that nobody
catches ends the run, as it does on the heap.
"""

import asyncio
import heapq
import threading
from collections.abc import Callable
from contextvars import Context
from itertools import count
from typing import Any, NoReturn

from simulator.virtual.timers import SAME_INSTANT_MAX, SECOND_US, Call, Do, Stuck


class _FifoTimer(asyncio.TimerHandle):
    """Timers due at one instant fire in the order they were set; asyncio's own do not."""

    __slots__ = ("order",)
    order: int

    def __lt__(self, other: Any) -> bool:
        mine: bool = (self._when, self.order) < (other._when, other.order)  # type: ignore[attr-defined]  # asyncio's own, not in its stubs
        return mine


class VirtualTimeLoop(asyncio.BaseEventLoop):
    """Moves its clock to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self._now_us = 0
        self._clock_resolution = 1e-9  # asyncio also runs what is due this soon after now: keep it under 1 us
        self._selector = self  # BaseEventLoop asks `_selector.select(timeout)` to wait
        self._turns = 0
        self._orders = count()
        self._wanted_us = 0
        self._reached: asyncio.Future[None] | None = None
        self._broken: BaseException | None = None
        self.set_exception_handler(self._note_broken)

    # --- for whoever runs a world

    async def reach(self, at_us: int) -> None:
        """Returns when everything due before then is done, and nothing that is due then or later."""
        assert self._reached is None, "one waits for the end of a run, not several"
        self._wanted_us = at_us
        self._reached = self.create_future()
        await self._reached
        self._reached = None
        self._now_us = at_us

    def forget_timers(self) -> None:
        """Time ends: whatever is due later is not done. What is ready now still is."""
        self._scheduled.clear()  # type: ignore[attr-defined]  # asyncio's own, not in its stubs

    # --- asyncio's side

    def time(self) -> float:
        return self._now_us / SECOND_US

    def call_at(  # type: ignore[override]  # a timer that keeps its place in the order
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        at_us = max(round(when * SECOND_US), self._now_us)
        timer = _FifoTimer(at_us / SECOND_US, callback, args, self, context)
        if at_us == self._now_us:  # in line with what was asked to be called soon
            self._ready.append(timer)  # type: ignore[attr-defined]  # asyncio's own, not in its stubs
        else:
            timer.order = next(self._orders)
            heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]  # asyncio's own, not in its stubs
            timer._scheduled = True  # type: ignore[attr-defined]  # noqa: SLF001  # as BaseEventLoop.call_at does
        return timer

    def select(self, timeout: float | None) -> list[object]:
        """Instead of waiting for a file: time moves."""
        if self._broken is not None:
            error, self._broken = self._broken, None
            raise error
        if timeout != 0 and self._reached is not None and not self._reached.done():
            next_us = None if timeout is None else self._now_us + round(timeout * SECOND_US)
            if next_us is None or next_us >= self._wanted_us:
                self._reached.set_result(None)
                return []
        if timeout is None:
            raise Stuck(f"every task waits and no timer is set, at {self.time():.6f} s")
        waited_us = round(timeout * SECOND_US)
        self._now_us += waited_us
        self._turns = 0 if waited_us else self._turns + 1
        if self._turns > SAME_INSTANT_MAX:
            raise Stuck(f"{self._turns} turns at {self.time():.6f} s, and still time does not move")
        return []

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> NoReturn:  # type: ignore[override]  # it only raises
        raise RuntimeError(f"threads have no place in virtual time: {func!r} wants one")

    def _process_events(self, event_list: list[object]) -> None:
        assert not event_list

    def _write_to_self(self) -> None:
        """Called after `call_soon_threadsafe`. From our own thread (Ctrl-C) there is nobody to wake."""
        if threading.get_ident() != self._thread_id:  # type: ignore[attr-defined]  # asyncio's own, not in its stubs
            self._broken = RuntimeError("threads have no place in virtual time: one wants to tell something")
            raise self._broken

    def _note_broken(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Something raised where no one listens, or was forgotten: the next turn raises it."""
        if self._broken is None:
            self._broken = context.get("exception") or RuntimeError(context["message"])


class LoopTimers:
    """The `Timers` of a world that lives on a virtual loop."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop

    def now_us(self) -> int:
        return round(self._loop.time() * SECOND_US)

    def call_at(self, at_us: int, do: Do) -> Call:
        call = Call(do)
        self._loop.call_at(at_us / SECOND_US, call)
        return call

    def call_soon(self, do: Do) -> Call:
        call = Call(do)
        self._loop.call_soon(call)
        return call
