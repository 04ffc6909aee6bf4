"""The world's own record: what physically happened at each cabinet, in order, whatever a program says about it.

Nothing in here comes from an agent or a dispatcher, but for one remark of a member: that the API had told
them that their right is on the box (`PhysicalFact.on_box`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from simulator.world.moment import Moment


class What(StrEnum):
    """The kinds of physical facts."""

    BADGE_SHOWN = "badge_shown"
    TAG_SHOWN = "tag_shown"
    PIN_KEYED = "pin_keyed"
    LOCK_PULSED = "lock_pulsed"
    DOOR_OPENED = "door_opened"
    DOOR_CLOSED = "door_closed"
    KEY_REMOVED = "key_removed"
    KEY_INSERTED = "key_inserted"


class Intent(StrEnum):
    """What somebody wanted when they showed a card."""

    TAKE = "take"
    RETAKE = "retake"  # a forgotten bag: out again within the hold
    BRING_BACK = "bring_back"
    SAY_DONE = "say_done"  # a second tap right after the return
    MISTAKE = "mistake"  # the wrong card
    THEFT = "theft"


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person or a part did, before it has its place in the record."""

    what: What
    who: str
    """`member:...`, `lock board`, `spring`, `override key`."""
    slot: int | None = None
    key: str | None = None
    """The key that was taken out or hung up."""
    reader: str | None = None
    credential: str | None = None
    """Of the card that was shown."""
    intent: Intent | None = None
    booking: str | None = None
    """What they came for."""
    on_box: bool = False
    """The API had told them that this booking's right is on the box."""
    is_right: bool = False
    """Of a PIN: whether it is the one of the card that was shown."""


@dataclass(frozen=True, slots=True)
class PhysicalFact:
    """One deed in its place."""

    cabinet: str
    number: int
    """From 1, per cabinet."""
    moment: Moment
    deed: Deed

    def __str__(self) -> str:
        deed = self.deed
        where = f"slot {deed.slot}" if deed.slot is not None else deed.reader or "?"
        what = " ".join(part for part in (deed.what, deed.key, deed.credential) if part)
        return f"{self.cabinet} #{self.number} {where}: {what} by {deed.who}"


class WorldRecord:
    """Ordered physical facts per cabinet. `on_fact` hears of each as it is written: for a live line."""

    def __init__(self, on_fact: Callable[[PhysicalFact], None] | None = None) -> None:
        self.on_fact = on_fact
        self._facts: dict[str, list[PhysicalFact]] = {}

    def write(self, cabinet: str, moment: Moment, deed: Deed) -> PhysicalFact:
        written = self._facts.setdefault(cabinet, [])
        assert not written or written[-1].moment.line_us <= moment.line_us, "line time does not run backwards"
        fact = PhysicalFact(cabinet, len(written) + 1, moment, deed)
        written.append(fact)
        if self.on_fact is not None:
            self.on_fact(fact)
        return fact

    def of(self, cabinet: str) -> tuple[PhysicalFact, ...]:
        return tuple(self._facts.get(cabinet, ()))

    def __iter__(self) -> Iterator[PhysicalFact]:
        """Cabinet by cabinet, each in order."""
        for facts in self._facts.values():
            yield from facts

    def count(self, *kinds: What) -> int:
        return sum(fact.deed.what in kinds for fact in self)
