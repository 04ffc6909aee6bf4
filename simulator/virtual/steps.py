"""A program's life and its steps in virtual time: done in line, and all over when the program is killed."""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from runtime.steps import Step, Work, run_inline
from simulator.virtual.timers import Call, Timers


class Life:
    """One life of a program, from its start to its end. `on_error` hears what ended it before its time."""

    def __init__(self, on_error: Callable[[BaseException], None]) -> None:
        self._on_error = on_error
        self.is_alive = True

    def end(self) -> None:
        """Nothing of it goes on."""
        self.is_alive = False

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something of the program's in line; a program that breaks is dead."""
        if not self.is_alive:
            work.close()
            return
        try:
            run_inline(work)
        except BaseException as error:  # noqa: BLE001  # a kill is one too; whoever listens tells them apart
            self.fail(error)

    def fail(self, error: BaseException) -> None:
        """The program broke."""
        if self.is_alive:
            self.is_alive = False
            self._on_error(error)


class HeapSteps:
    """The steps of one life of a program, on a world's timers."""

    def __init__(self, timers: Timers, life: Life) -> None:
        self._timers = timers
        self._life = life

    def step(self, name: str, work: Work) -> Step:
        return _HeapStep(name, work, self._timers, self._life)

    async def together(self, work: Iterable[Coroutine[Any, Any, None]]) -> None:
        for one in work:
            await one

    async def run(self) -> None:
        raise AssertionError("on the heap nobody waits for steps: they are done when they are due")


class _HeapStep:
    def __init__(self, name: str, work: Work, timers: Timers, life: Life) -> None:
        self.name = name
        self._work = work
        self._timers = timers
        self._life = life
        self._asked = False
        self._alarm: Call | None = None
        self._alarm_us: int | None = None

    def soon(self) -> None:
        if not self._asked:
            self._asked = True
            self._timers.call_soon(self._do)

    def at_us(self, line_us: int | None) -> None:
        if line_us == self._alarm_us:
            return
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._alarm_us = line_us
        if line_us is not None:
            self._alarm = self._timers.call_at(line_us, self._elapsed)

    def _elapsed(self) -> None:
        self._alarm = self._alarm_us = None
        self.soon()

    def _do(self) -> None:
        self._asked = False
        if self._life.is_alive:
            work = self._work()
            assert isinstance(work, Coroutine), "steps are coroutines"
            self._life.do(work)
