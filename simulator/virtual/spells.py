"""What was wrong, where and when: the world's own log of the faults that it made.

The checkers excuse only what a spell explains, and only there, and only for as long as it and its echo last.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum, auto

from simulator.virtual.timers import SECOND_US

FOREVER_US = 1 << 62
HEARS_US = 75 * SECOND_US  # back-off up to 15 s, keepalive 41 s, resend within 10 s: told after so much calm


class Touches(StrEnum):
    """What a fault can be an excuse for."""

    WAY = auto()
    """Messages between a box and the dispatcher are late, lost or many."""
    BOX = auto()
    """The box does not run, or its disk is not what it was."""
    CLOCK = auto()
    """The box's clock is wrong, or not vouched for."""
    LOCKS = auto()
    """The lock bus, its boards or a lock."""
    READERS = auto()
    """The reader bus or a reader."""
    CENTRE = auto()
    """The dispatcher, or what it remembers."""
    DISK = auto()
    """The box can write less than it should, or nothing."""
    MEMORY = auto()
    """What a box or the dispatcher remembers was put back."""
    THEFT = auto()
    """Somebody did what nobody may."""


HEARING = frozenset({Touches.WAY, Touches.BOX, Touches.CENTRE, Touches.MEMORY})
"""Whatever explains that a box and the dispatcher do not know of each other what they should."""


@dataclass(slots=True)
class Spell:
    """One fault, from its beginning to its end. `cabinets` None: all of them."""

    fault: str
    touches: frozenset[Touches]
    cabinets: frozenset[str] | None
    from_us: int
    until_us: int = FOREVER_US
    detail: str = ""

    def covers(self, cabinet: str, from_us: int, until_us: int) -> bool:
        """Whether it lasted at any time between the two."""
        here = self.cabinets is None or cabinet in self.cabinets
        return here and self.from_us <= until_us and from_us <= self.until_us

    @property
    def place(self) -> str:
        """The one cabinet, or how many."""
        if self.cabinets is None:
            return "everywhere"
        return next(iter(self.cabinets)) if len(self.cabinets) == 1 else f"{len(self.cabinets)} cabinets"

    def __str__(self) -> str:
        return f"{self.fault} at {self.place}{f': {self.detail}' if self.detail else ''}"


class Spells:
    """All faults of a run, in the order in which they began."""

    def __init__(self) -> None:
        self._spells: list[Spell] = []
        self._of_fault: dict[str, list[Spell]] = defaultdict(list)
        self._of_cabinet: dict[str, list[Spell]] = defaultdict(list)
        self._wide: list[Spell] = []
        """Those of several cabinets: which, is often drawn only as they begin."""

    def add(self, spell: Spell) -> Spell:
        """Begin one. The place of a spell of one cabinet does not change any more."""
        self._spells.append(spell)
        self._of_fault[spell.fault].append(spell)
        if spell.cabinets is not None and len(spell.cabinets) == 1:
            self._of_cabinet[next(iter(spell.cabinets))].append(spell)
        else:
            self._wide.append(spell)
        return spell

    def __iter__(self) -> Iterator[Spell]:
        return iter(self._spells)

    def __len__(self) -> int:
        return len(self._spells)

    def of(self, fault: str) -> Sequence[Spell]:
        return self._of_fault.get(fault, ())

    def near(
        self, cabinet: str, from_us: int, until_us: int, touches: frozenset[Touches], *, echo_us: int = 0
    ) -> list[Spell]:
        """Faults of these kinds that touched a cabinet between two instants, or ended at most `echo_us` before."""
        near = [
            spell
            for spells in (self._of_cabinet.get(cabinet, ()), self._wide)
            for spell in spells
            if spell.until_us >= from_us - echo_us
            and spell.touches & touches
            and spell.covers(cabinet, from_us - echo_us, until_us)
        ]
        return sorted(near, key=_from_us)

    def clear_from(self, cabinet: str, from_us: int, for_us: int, touches: frozenset[Touches]) -> int:
        """The end of the first stretch of `for_us` from then on that no such fault touched."""
        at_us = from_us
        for spell in self.near(cabinet, from_us, FOREVER_US, touches):
            if spell.from_us <= at_us + for_us:
                at_us = max(at_us, spell.until_us)
        return at_us + for_us


def _from_us(spell: Spell) -> int:
    return spell.from_us
