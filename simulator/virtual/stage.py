"""What every actor of a world stands on: the place, the seed, time, the broker, and whoever runs programs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from dispatcher.api.context import ApiContext
from dispatcher.core.rules import FleetRules
from dispatcher.dispatcher import Dispatcher
from runtime.steps import Steps
from simulator.virtual.broker import MemoryBroker, MemoryLink
from simulator.virtual.clocks import TrueClock
from simulator.virtual.line import Cable
from simulator.virtual.phone import Desk
from simulator.virtual.premises import Premises
from simulator.virtual.steps import Life
from simulator.virtual.switch import KillSwitch
from simulator.virtual.timers import Timers
from station_agent.core.device_events import DeviceEvent
from station_agent.drivers.base import Line, RestfulCodec


class Program(Protocol):
    """An agent or a dispatcher, as far as whoever runs it is concerned."""

    async def begin(self) -> None:
        """Make everything due that a start asks for."""

    async def run(self) -> None:
        """Begin, and go on until cancelled."""


class Runner(Protocol):
    """A driver: runs programs on the heap in line, or as tasks of a loop."""

    def steps(self, life: Life) -> Steps: ...

    def line(
        self,
        cable: Cable,
        codec: RestfulCodec,
        on_event: Callable[[DeviceEvent], None],
        life: Life,
        switch: KillSwitch,
    ) -> Line:
        """What an agent reaches its devices through during one life of it. Orders pass the switch."""
        ...

    def desk(self, dispatcher: Dispatcher, context: ApiContext, life: Life) -> Desk:
        """Who answers phones during one life of a dispatcher."""
        ...

    def start(self, program: Program, life: Life, link: MemoryLink, lines: Sequence[Line]) -> None:
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
