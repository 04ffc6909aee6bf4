"""The drivers of a world: the bare heap, and an asyncio loop under virtual time."""

from collections.abc import Sequence

from runtime.steps import Steps
from simulator.virtual.broker import MemoryLink
from simulator.virtual.line import VirtualLine
from simulator.virtual.stage import Program
from simulator.virtual.steps import HeapSteps, Life
from simulator.virtual.timers import Timers


class HeapRunner:
    """Programs as steps in line: no task, no loop."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers

    def steps(self, life: Life) -> Steps:
        return HeapSteps(self._timers, life)

    def start(self, program: Program, life: Life, link: MemoryLink, lines: Sequence[VirtualLine]) -> None:
        life.do(program.begin())
        if life.is_alive:
            link.start()
            for line in lines:
                line.start()
