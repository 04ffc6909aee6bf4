"""A computer in virtual time: its program lives, is killed between any two effects, breaks, and starts again."""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

from runtime.link import Link, LinkOwner
from simulator.virtual.broker import Account, MemoryLink
from simulator.virtual.routes import RouteFaults
from simulator.virtual.stage import Stage
from simulator.virtual.steps import Life
from simulator.virtual.switch import Killed, KillSwitch

BOOT_US = 4_000_000  # a small computer whose service manager starts a program that ended


@dataclass
class Fate:
    """What a program went through, for the story and for the checkers."""

    boots: int = 0
    kills: int = 0
    crashes: list[str] = field(default_factory=list)
    """What it died of though nobody killed it."""


class Computer(ABC):
    """What a box and a centre have in common: one program, one link, one switch that kills."""

    def __init__(self, stage: Stage) -> None:
        self.way = RouteFaults()
        self.fate = Fate()
        self.switch = KillSwitch()
        self.link: MemoryLink | None = None
        self._stage = stage
        self._timers = stage.timers
        self._life: Life | None = None

    @property
    def is_alive(self) -> bool:
        return self._life is not None and self._life.is_alive

    @abstractmethod
    def boot(self) -> None:
        """The program starts. Nothing where it runs."""

    def kill(self, back_after_us: int | None = BOOT_US) -> None:
        """The process is gone from one instant to the next; None: whoever kills it boots it again."""
        if self._life is not None and self.is_alive:
            self._life.end()
            self._gone(back_after_us)
            self.fate.kills += 1

    def _begin_life(self) -> Life:
        self.fate.boots += 1
        self.link = None
        self._life = Life(self._broke)
        return self._life

    def _linking(self, account: Account, life: Life, rng: random.Random) -> Callable[[LinkOwner], Link]:
        """What the program of this life makes its link with; the computer keeps it as `link`."""

        def make_link(owner: LinkOwner) -> Link:
            self.link = MemoryLink(
                self._stage.broker, account, owner, faults=self.way, rng=rng, life=life, switch=self.switch
            )
            return self.link

        return make_link

    def _own_link(self) -> MemoryLink:
        assert self.link is not None, "a program makes its link as it is made"
        return self.link

    def _put_away(self) -> None:
        """What the dead program held is let go."""
        if self.link is not None:
            self.link.kill()

    def _broke(self, error: BaseException) -> None:
        if isinstance(error, Killed):
            self.fate.kills += 1
        else:
            self.fate.crashes.append(f"{type(error).__name__}: {error}")
        self._gone(BOOT_US)

    def _gone(self, back_after_us: int | None) -> None:
        self.switch.disarm()
        self._put_away()
        if back_after_us is not None:
            self._timers.call_at(self._timers.now_us() + back_after_us, self.boot)
