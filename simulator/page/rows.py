"""What passed, one row each, and how somebody who looks follows it: from a few moments ago on, missing nothing.

follow = source.follow()
rows = await follow()       # what is new since the last call
"""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final, Generic, Protocol, TypeVar

from runtime.clocks import LineClock
from simulator.cabinet.bench import Event
from station_agent.drivers.annotation import Annotator
from station_agent.onsite.trace import REPEATS_SHOWN, Repeats
from station_agent.tracing import LineTrace

CABINET_LANE: Final = "cabinet"
KEPT: Final = 500  # rows of a source: some minutes of what people do, and a page is no archive

Kept = TypeVar("Kept")


class Way(StrEnum):
    """Who said it, as seen from the agent."""

    SENT = "sent"
    RECEIVED = "received"
    NEITHER = ""


@dataclass(frozen=True, slots=True)
class Row:
    lane: str
    """A serial line's name, or `mqtt`, `journal`, `cabinet`."""
    at_us: int
    """On the line clock."""
    way: Way
    words: str
    more: str = ""
    """The bytes of a frame, or the content of a message, for whoever wants to look closely."""
    mark: str = ""
    """What was found out about it, such as `verified`."""
    is_repeat: bool = False
    """A poll that brings nothing, as the one before it."""

    def to_document(self) -> dict[str, Any]:
        return asdict(self)


Follow = Callable[[], Awaitable[list[Row]]]


class Source(Protocol):
    """Where rows come from."""

    def follow(self) -> Follow:
        """For one who looks."""


class Ring(Generic[Kept]):
    """The last few things, numbered."""

    def __init__(self) -> None:
        self._kept: deque[Kept] = deque(maxlen=KEPT)
        self._count = 0

    def put(self, item: Kept) -> None:
        self._kept.append(item)
        self._count += 1

    def since(self, first: int) -> tuple[list[Kept], int]:
        """What is still kept from number `first` on, and the number to go on with."""
        new = min(max(self._count - first, 0), len(self._kept))
        return list(self._kept)[len(self._kept) - new :], self._count


class Lane:
    """Rows that somebody puts there."""

    def __init__(self) -> None:
        self._rows: Ring[Row] = Ring()

    def put(self, row: Row) -> None:
        self._rows.put(row)

    def follow(self) -> Follow:
        first = 0

        async def rows() -> list[Row]:
            nonlocal first
            new, first = self._rows.since(first)
            return new

        return rows


class SerialLane:
    """What passes on one serial line, as `station-agent trace` tells it; read along only while somebody looks."""

    def __init__(self, line: str, make_annotator: Callable[[], Annotator], line_clock: LineClock) -> None:
        self._line = line
        self._trace = LineTrace(line, make_annotator)
        self._line_clock = line_clock
        self.note = self._trace.note

    def follow(self) -> Follow:
        repeats = Repeats()
        first = 0

        async def rows() -> list[Row]:
            nonlocal first
            page = self._trace.page(self._line_clock.now_us(), first)
            first = page["next"]
            return [self._row(piece, repeats) for piece in page["pieces"]]

        return rows

    def _row(self, piece: dict[str, Any], repeats: Repeats) -> Row:
        return Row(
            lane=self._line,
            at_us=piece["at_us"],
            way=Way.SENT if piece["sent"] else Way.RECEIVED,
            words=piece["words"],
            more=piece["octets"],
            is_repeat=repeats.times(piece) > REPEATS_SHOWN,
        )


def row_of_event(at_us: int, event: Event) -> Row:
    """What somebody in front of the cabinet notices."""
    words = event.text if event.device == CABINET_LANE else f"{event.device}: {event.text}"
    return Row(CABINET_LANE, at_us, Way.NEITHER, words)
