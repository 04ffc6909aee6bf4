"""What a fault is: its name, how often it comes, how long it lasts, and what it does to a world."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from simulator.virtual.box import VirtualBox
from simulator.virtual.site import VirtualSite
from simulator.virtual.spells import Spell, Touches
from simulator.virtual.world import VirtualWorld

End = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Cast:
    """One fault as it begins: where, and with whose randomness."""

    world: VirtualWorld
    cabinet: str | None
    rng: random.Random
    spell: Spell
    lasts_us: int

    @property
    def box(self) -> VirtualBox:
        assert self.cabinet is not None, "a fault of one cabinet"
        return self.world.boxes[self.cabinet]

    @property
    def site(self) -> VirtualSite:
        assert self.cabinet is not None, "a fault of one cabinet"
        return self.world.sites[self.cabinet]

    def later(self, after_us: int, do: Callable[[], object]) -> None:
        timers = self.world.stage.timers
        timers.call_at(timers.now_us() + after_us, do)


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry of the menu."""

    name: str
    touches: frozenset[Touches]
    every_h: float
    """Hours between two of them, on average: at one cabinet, or in the network where `everywhere`."""
    lasts_s: tuple[float, float]
    begin: Callable[[Cast], End | None]
    """Does it; returns how it ends, or None where it is over by itself."""
    everywhere: bool = False
    """Of the network and not of one cabinet."""
