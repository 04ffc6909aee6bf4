"""Times as a person types them: with their offset, or as the clock on this machine's wall reads."""

import argparse
from datetime import datetime

HELP = "such as 2026-03-29T10:00, or with its offset"
EXPECTED = "expected a time such as 2026-03-29T10:00, or with its offset 2026-03-29T10:00+02:00"


def instant(text: str) -> str:
    """RFC 3339 of what was typed, for the API. A wall time is in the zone of this machine; a day is its midnight.

    Raises:
        argparse.ArgumentTypeError: it is no time, or a wall time that comes twice or never.
    """
    try:
        given = datetime.fromisoformat(text)
        return (given if given.tzinfo is not None else _here(given, text)).isoformat()
    except (ValueError, OverflowError):  # the zone of a year 1 is beyond the calendar
        raise argparse.ArgumentTypeError(f"{text!r}: {EXPECTED}") from None


def _here(wall: datetime, text: str) -> datetime:
    """The one instant at which the wall clock reads this."""
    first, second = (wall.replace(fold=fold).astimezone() for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first
    if first.replace(tzinfo=None) == wall:  # clocks are put back
        either = " or ".join(at.isoformat(timespec="minutes") for at in (first, second))
        raise argparse.ArgumentTypeError(f"{text!r} comes twice: expected {either}")
    raise argparse.ArgumentTypeError(f"{text!r} never comes: clocks are put forward over it")
