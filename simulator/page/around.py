"""What lies around a cabinet, as far as it can be moved from a page. What is not there is None."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from simulator.clocks import JumpingClock
from simulator.page.people import Person
from simulator.page.picture import AroundSeen
from simulator.page.place import Place
from simulator.page.rows import Source
from simulator.page.uplink import Uplink


class AgentProcess(Protocol):
    """An agent that is a process of its own."""

    @property
    def is_running(self) -> bool: ...
    async def start(self) -> None: ...
    async def kill(self) -> None:
        """As a crash does it."""

    async def stop(self) -> None:
        """Tells it to end, and waits for that."""


class BookingDesk(Protocol):
    """Books vehicles of the cabinet through the dispatcher's API."""

    async def book(self, person: Person, slot: int | None) -> str:
        """The vehicle of the key in this slot, or the first that is free. Answers in words; raises BadCommand."""


@dataclass(frozen=True, slots=True)
class Around:
    """Around one cabinet."""

    vehicles: Mapping[str, str] = field(default_factory=dict)
    """What people call a key's vehicle, by key."""
    people: tuple[Person, ...] = ()
    desk: BookingDesk | None = None
    place: Place | None = None
    uplink: Uplink | None = None
    forget: Callable[[], Awaitable[None]] | None = None
    """Kills the broker, which forgets everything, and starts it again."""
    agent: AgentProcess | None = None
    clock: JumpingClock | None = None
    messages: Source | None = None
    journal: Source | None = None

    def seen(self) -> AroundSeen:
        return AroundSeen(
            network=None if self.uplink is None else _network(self.uplink),
            agent=None if self.agent is None else "running" if self.agent.is_running else "stopped",
            forgets=self.forget is not None,
            jumps=self.clock is not None,
        )

    async def mend(self) -> None:
        """The network is whole again, the agent runs, the place is free."""
        if self.uplink is not None:
            self.uplink.mend()
        if self.agent is not None and not self.agent.is_running:
            await self.agent.start()
        if self.place is not None:
            self.place.leave()


def _network(uplink: Uplink) -> str:
    return "cut" if uplink.is_cut else "connected" if uplink.is_connected else "waiting"
