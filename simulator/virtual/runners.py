"""The drivers of a world: the bare heap, and an asyncio loop under virtual time."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any

from dispatcher.api.context import ApiContext
from dispatcher.dispatcher import Dispatcher
from runtime.steps import LoopSteps, Step, Steps, Work
from simulator.virtual.asgi_desk import AsgiDesk
from simulator.virtual.broker import MemoryLink
from simulator.virtual.line import Cable, VirtualLine
from simulator.virtual.loop import VirtualTimeLoop
from simulator.virtual.phone import Desk, StoreDesk
from simulator.virtual.ports import RealLine
from simulator.virtual.stage import Program
from simulator.virtual.steps import HeapSteps, Life
from simulator.virtual.switch import KillSwitch
from simulator.virtual.timers import Timers
from station_agent.core.device_events import DeviceEvent
from station_agent.drivers.base import Line, RestfulCodec


class HeapRunner:
    """Programs as steps in line: no task, no loop."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers

    def steps(self, life: Life) -> Steps:
        return HeapSteps(self._timers, life)

    def line(
        self,
        cable: Cable,
        codec: RestfulCodec,
        on_event: Callable[[DeviceEvent], None],
        life: Life,
        switch: KillSwitch,
    ) -> Line:
        return VirtualLine(cable, codec, on_event, self._timers, life, switch.passes)

    def desk(self, _dispatcher: Dispatcher, context: ApiContext, _life: Life) -> Desk:
        return StoreDesk(context)

    def start(self, program: Program, life: Life, link: MemoryLink, lines: Sequence[Line]) -> None:
        life.do(program.begin())
        if life.is_alive:
            link.start()
            for line in lines:
                assert isinstance(line, VirtualLine), "a real line needs a loop"
                line.start()


class LoopRunner:
    """Programs as what they are: `run` as a task, their steps as tasks, phones through the API.

    With `real_lines` the agents' own `SerialLine` polls the devices, and no exchange is left out.
    """

    def __init__(self, loop: VirtualTimeLoop, timers: Timers, *, real_lines: bool) -> None:
        self._loop = loop
        self._timers = timers
        self._real_lines = real_lines
        self._running: dict[asyncio.Task[None], None] = {}

    def steps(self, life: Life) -> Steps:
        return _MortalSteps(LoopSteps(self._timers), life)

    def line(
        self,
        cable: Cable,
        codec: RestfulCodec,
        on_event: Callable[[DeviceEvent], None],
        life: Life,
        switch: KillSwitch,
    ) -> Line:
        if self._real_lines:
            return RealLine(cable, codec, on_event, self._timers, switch.passes)
        return VirtualLine(cable, codec, on_event, self._timers, life, switch.passes)

    def desk(self, dispatcher: Dispatcher, context: ApiContext, life: Life) -> Desk:
        return AsgiDesk(dispatcher, context, life, self._loop)

    def start(self, program: Program, life: Life, _link: MemoryLink, _lines: Sequence[Line]) -> None:
        """Link and lines are started by the program itself."""
        task = self._loop.create_task(program.run())
        self._running[task] = None
        life.at_end = task.cancel
        task.add_done_callback(partial(self._ended, life))

    async def stop(self) -> None:
        """The world stands still: no program goes on, and none is told that its life is over."""
        for task in self._running:
            task.cancel()
        while self._running:
            await asyncio.wait(self._running)

    def _ended(self, life: Life, task: asyncio.Task[None]) -> None:
        del self._running[task]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            life.fail(_first_of(error))


class _MortalSteps:
    """Steps of a loop that end with a life at once; cancelling their tasks takes a few turns of the loop."""

    def __init__(self, steps: LoopSteps, life: Life) -> None:
        self._steps = steps
        self._life = life

    def step(self, name: str, work: Work) -> Step:
        async def living() -> None:
            if not self._life.is_alive:
                return
            try:
                await work()
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                self._life.fail(error)
                raise

        return self._steps.step(name, living)

    async def together(self, work: Iterable[Coroutine[Any, Any, None]]) -> None:
        await self._steps.together(work)

    async def run(self) -> None:
        await self._steps.run()


def _first_of(error: BaseException) -> BaseException:
    """What a task group's error began with."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
