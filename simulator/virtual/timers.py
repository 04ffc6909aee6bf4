"""Virtual time: what is to happen when, and nothing in between.

`Heap` is a bare event heap: thirty stations live a day on it in about a minute. `simulator.virtual.loop` has the
same `Timers` on an asyncio loop, where the programs' own tasks run. Both drive the very same world.
"""

import heapq
from collections.abc import Callable
from itertools import count
from typing import Protocol

Do = Callable[[], object]

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US

SAME_INSTANT_MAX = 200_000  # more events than this without time moving: two of them call each other for ever


class Stuck(Exception):
    """Time does not move any more: a mistake of ours or of a program's, with where it stands."""


class Call:
    """Something that is to be done; `cancel` and it is not. May be cancelled again, or after it was done."""

    __slots__ = ("_do",)

    def __init__(self, do: Do) -> None:
        self._do: Do | None = do

    def cancel(self) -> None:
        self._do = None

    def __call__(self) -> None:
        do, self._do = self._do, None
        if do is not None:
            do()


class Timers(Protocol):
    """The line clock of a world, and its alarms. What is due at one instant is done in the order of the asking."""

    def now_us(self) -> int: ...

    def call_at(self, at_us: int, do: Do) -> Call:
        """Do it then; at once where that is past."""
        ...

    def call_soon(self, do: Do) -> Call:
        """Do it at this instant, after what is due at it already."""
        ...


class Heap:
    """A priority queue of (time, order, call)."""

    def __init__(self) -> None:
        self._now_us = 0
        self._queue: list[tuple[int, int, Call]] = []
        self._order = count()
        self.events = 0
        """Done so far."""

    def now_us(self) -> int:
        return self._now_us

    def call_at(self, at_us: int, do: Do) -> Call:
        call = Call(do)
        heapq.heappush(self._queue, (max(at_us, self._now_us), next(self._order), call))
        return call

    def call_soon(self, do: Do) -> Call:
        return self.call_at(self._now_us, do)

    def run_until(self, end_us: int) -> None:
        """Do everything that is due before `end_us`, and be there. Raises what an event raises, and Stuck."""
        queue, here = self._queue, 0
        while queue and queue[0][0] < end_us:
            at_us, _, call = heapq.heappop(queue)
            here = here + 1 if at_us == self._now_us else 0
            if here > SAME_INSTANT_MAX:
                raise Stuck(f"{here} events at {self._now_us / 1e6:.6f} s, and still time does not move")
            self._now_us = at_us
            self.events += 1
            call()
        self._now_us = end_us
