"""A program's life and its steps in virtual time: done in line, and all over when the program is killed."""

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from runtime.steps import Step, Work, run_inline
from simulator.virtual.timers import SAME_INSTANT_MAX, Call, Stuck, Timers


class Life:
    """One life of a program, from its start to its end. `on_error` hears what ended it before its time."""

    def __init__(self, on_error: Callable[[BaseException], None]) -> None:
        self._on_error = on_error
        self.is_alive = True
        self.at_end: Callable[[], object] = _nothing_more
        """Called once, however it ends: a loop cancels the program's task."""

    def end(self) -> None:
        """Nothing of it goes on."""
        if self.is_alive:
            self.is_alive = False
            self.at_end()

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
            self.end()
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
        self._working = False
        self._alarm: Call | None = None
        self._alarm_us: int | None = None

    def soon(self) -> None:
        if not self._asked:
            self._asked = True
            if not self._working:
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
        """Once, and again at once where the work asked for itself, as a task would do it."""
        self._working = True
        for _ in range(SAME_INSTANT_MAX):
            self._asked = False
            if self._life.is_alive:
                work = self._work()
                assert isinstance(work, Coroutine), "steps are coroutines"
                self._life.do(work)
            if not self._asked:
                self._working = False
                return
        raise Stuck(f"the step {self.name!r} asks for itself again and again")


def _nothing_more() -> None:
    """On the heap nothing of a program is left to be ended: what is due later asks whether it is alive."""
