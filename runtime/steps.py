"""Work that is done when asked for or when its time has come: what the loops of both programs are made of.

    facts = steps.step("facts", self._send_due)
    facts.soon()              # do it now
    facts.at_us(line_us)      # or then; the newest wish counts

A step never overlaps itself, and one that is asked for several times before it begins is done once. `LoopSteps`
makes each a task of asyncio. In virtual time the simulator's event heap does them, with neither task nor loop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Protocol, TypeVar

from runtime.clocks import LineClock

T = TypeVar("T")
Work = Callable[[], Awaitable[None]]


class Step(Protocol):
    """One piece of work."""

    def soon(self) -> None:
        """Do it as soon as what runs now is over."""
        ...

    def at_us(self, line_us: int | None) -> None:
        """Do it at this reading of the line clock, instead of any instant named before; None: only when asked."""
        ...


class Steps(Protocol):
    """Makes a program's steps, and runs them."""

    def step(self, name: str, work: Work) -> Step:
        """A step that is not yet due."""
        ...

    async def together(self, work: Iterable[Coroutine[Any, Any, None]]) -> None:
        """Returns when all of them (at least one) are done; each may wait while another goes on."""
        ...

    async def run(self) -> None:
        """Do the steps that were made, until cancelled. Raises what the first of them raised, in a group."""
        ...


class LoopSteps:
    """Steps on a loop of asyncio."""

    def __init__(self, line_clock: LineClock) -> None:
        self._line_clock = line_clock
        self._steps: list[_LoopStep] = []

    def step(self, name: str, work: Work) -> Step:
        made = _LoopStep(name, work, self._line_clock)
        self._steps.append(made)
        return made

    async def together(self, work: Iterable[Coroutine[Any, Any, None]]) -> None:
        first, *others = work  # one alone needs no task
        if others:
            await asyncio.gather(first, *others)
        else:
            await first

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                for step in self._steps:
                    tasks.create_task(step.run(), name=step.name)
        finally:
            for step in self._steps:
                step.at_us(None)


class _LoopStep:
    def __init__(self, name: str, work: Work, line_clock: LineClock) -> None:
        self.name = name
        self._work = work
        self._line_clock = line_clock
        self._asked = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._at_us: int | None = None

    def soon(self) -> None:
        self._asked.set()

    def at_us(self, line_us: int | None) -> None:
        if line_us == self._at_us:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._at_us = line_us
        if line_us is not None:
            delay_s = max(line_us - self._line_clock.now_us(), 0) / 1e6
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._elapsed)

    def _elapsed(self) -> None:
        self._timer = self._at_us = None
        self._asked.set()

    async def run(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            await self._work()


def run_inline(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits: over an `InlineExecutor`, and a link that answers at once.

    Raises what the coroutine raises. One that waits all the same is a mistake of ours.
    """
    try:
        work.send(None)
    except StopIteration as done:
        value: T = done.value
        return value
    work.close()
    raise AssertionError(f"{work!r} waits for something: it cannot be done in line")
