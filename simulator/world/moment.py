"""An instant on both clocks: the wall's, which a simulator may hurry, and the line's, which hands keep."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moment:
    at_ms: int
    """Wall time, unix milliseconds: bookings, driving, punctuality."""
    line_us: int
    """Line time, microseconds: cards, locks, doors, keys."""
