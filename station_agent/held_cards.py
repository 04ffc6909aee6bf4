"""A card that is held to a reader: refused once, it is not asked about again with every time that it is read.

Some readers tell a card as often as they read it, many times a second for as long as it is there. Each time
would be a fact. A card that was taken away and shown anew is a new wish, however soon.
"""

from dataclasses import dataclass
from typing import Final

from station_agent.core.device_events import CardRead

AWAY_US: Final = 1_000_000  # readers that repeat do so at least twice a second; hands show a card anew later
AGAIN_FIRST_US: Final = 10_000_000  # a right that comes meanwhile opens soon: somebody may wait for it like that
AGAIN_MAX_US: Final = 600_000_000  # a card that was left there for a day makes 150 facts, not a million
CARDS_MAX: Final = 16  # readers read one card at a time; two that are held together take turns


@dataclass(slots=True)
class _Held:
    read_us: int
    asked_us: int
    again_us: int


class HeldCards:
    """Told of every card that is read, and of what came of those that were asked about. Line time in microseconds.

    What was on a card is kept in memory, for as long as the card is there and a few others after it.
    """

    def __init__(self) -> None:
        self._refused: dict[CardRead, _Held] = {}

    def is_held(self, card: CardRead, at_us: int) -> bool:
        """Whether this card was refused and has been there ever since: nothing is to be said of it now."""
        held = self._refused.get(card)
        if held is None or at_us - held.read_us > AWAY_US:
            return False
        held.read_us = at_us
        return at_us - held.asked_us < held.again_us

    def answered(self, card: CardRead, at_us: int, *, refused: bool) -> None:
        """A card that `is_held` let pass was read at that time, and then refused or not."""
        before = self._refused.pop(card, None)
        if not refused:
            return
        was_there = before is not None and before.read_us == at_us
        again_us = min(before.again_us * 2, AGAIN_MAX_US) if before is not None and was_there else AGAIN_FIRST_US
        self._refused[card] = _Held(at_us, at_us, again_us)
        if len(self._refused) > CARDS_MAX:
            del self._refused[next(iter(self._refused))]
