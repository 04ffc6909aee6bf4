"""What passed on a line lately, for `station-agent trace`: kept only while somebody looks."""

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, TypedDict

from station_agent.drivers.annotation import Annotator

LOOKED_AT_US: Final = 10_000_000  # after somebody asked: a person's pause, a terminal's hiccup
KEPT: Final = 2_000  # half a minute of two readers that are polled every 50 ms


class Piece(NamedTuple):
    """One frame that passed, or bytes that are none."""

    number: int
    at_us: int
    """On the line clock."""
    sent: bool
    """By the agent; else by a device."""
    octets: str
    words: str


class Page(TypedDict):
    """What passed since the last page. `lost`: pieces that are no longer kept."""

    line: str
    now_us: int
    next: int
    lost: int
    pieces: list[dict[str, object]]


class LineTrace:
    """Reads along on one line from the first time that somebody asks until nobody did for a while."""

    def __init__(self, line: str, make_annotator: Callable[[], Annotator]) -> None:
        self._line = line
        self._make_annotator = make_annotator
        self._annotator: Annotator | None = None
        self._pieces: deque[Piece] = deque(maxlen=KEPT)
        self._count = 0
        self._until_us = 0

    def note(self, now_us: int, data: bytes, *, sent: bool) -> None:
        """What passed just now. Costs a comparison while nobody looks."""
        if self._annotator is None:
            return
        if now_us > self._until_us:
            self._annotator = None
            self._pieces.clear()
            return
        for shown in self._annotator.feed(data, sent=sent):
            self._pieces.append(Piece(self._count, now_us, sent, shown.octets, shown.words))
            self._count += 1

    def page(self, now_us: int, first: int) -> Page:
        """The pieces from number `first` on; who asks goes on with `next`."""
        if self._annotator is None or now_us > self._until_us:  # what passed for somebody else is over
            self._annotator = self._make_annotator()
            self._pieces.clear()
        self._until_us = now_us + LOOKED_AT_US
        pieces = [piece for piece in self._pieces if piece.number >= first]
        oldest = pieces[0].number if pieces else self._count
        return Page(
            line=self._line,
            now_us=now_us,
            next=self._count,
            lost=max(oldest - first, 0) if first else 0,
            pieces=[piece._asdict() for piece in pieces],
        )
