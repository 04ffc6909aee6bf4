"""Half-open windows of time, [start_ms, end_ms), in unix milliseconds UTC, and how they are written."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * 60 * MINUTE_MS  # elapsed time: a day in UTC always has 24 hours

TOLD_MAX = 4096  # instants kept as they are told: bookings lie on a grid, so that a search tells each of them often


class Window(NamedTuple):
    """A tuple, in the order of the start: a search of a whole network makes and sorts thousands."""

    start_ms: int
    end_ms: int

    @property
    def length_ms(self) -> int:
        return self.end_ms - self.start_ms

    def overlaps(self, other: "Window") -> bool:
        """Windows that only touch do not overlap."""
        return self.start_ms < other.end_ms and other.start_ms < self.end_ms

    def contains(self, other: "Window") -> bool:
        return self.start_ms <= other.start_ms and other.end_ms <= self.end_ms


def to_ms(instant: datetime) -> int:
    """Unix milliseconds of an aware instant; what is finer than a millisecond is cut off."""
    return (instant - EPOCH) // timedelta(milliseconds=1)


@lru_cache(TOLD_MAX)
def to_utc(at_ms: int) -> datetime:
    return EPOCH + timedelta(0, 0, 0, at_ms)


def utc_text(at_ms: int) -> str:
    """As the API writes it: `2026-03-29T01:30:00Z`, with milliseconds only where there are some."""
    instant = to_utc(at_ms)
    timespec = "milliseconds" if at_ms % 1000 else "seconds"
    return instant.isoformat(timespec=timespec).replace("+00:00", "Z")


def round_up(at_ms: int, step_ms: int) -> int:
    return -(-at_ms // step_ms) * step_ms


def round_down(at_ms: int, step_ms: int) -> int:
    return at_ms // step_ms * step_ms
