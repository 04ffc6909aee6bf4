"""What every actor of a world stands on: the place, the seed, time, the broker, and whoever runs programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dispatcher.core.rules import FleetRules
from runtime.steps import Steps
from simulator.virtual.broker import MemoryBroker, MemoryLink
from simulator.virtual.clocks import TrueClock
from simulator.virtual.line import VirtualLine
from simulator.virtual.premises import Premises
from simulator.virtual.steps import Life
from simulator.virtual.timers import Timers


class Program(Protocol):
    """An agent or a dispatcher, as far as whoever runs it is concerned."""

    async def begin(self) -> None:
        """Make everything due that a start asks for."""

    async def run(self) -> None:
        """Begin, and go on until cancelled."""


class Runner(Protocol):
    """A driver: runs programs on the heap in line, or as tasks of a loop."""

    def steps(self, life: Life) -> Steps: ...

    def start(self, program: Program, life: Life, link: MemoryLink, lines: Sequence[VirtualLine]) -> None:
        """Let a program live until its life is over."""
        ...


@dataclass(frozen=True)
class Stage:
    premises: Premises
    seed: int
    timers: Timers
    clock: TrueClock
    broker: MemoryBroker
    runner: Runner
    rules: FleetRules
