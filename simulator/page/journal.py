"""What the agent writes down, read along in its journal as another program sees it."""

import asyncio
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from runtime.clocks import Clock, LineClock
from simulator.page.rows import Follow, Row, Way

LANE: Final = "journal"
READS_EVERY_US: Final = 300_000  # each look opens the file anew: it may be set aside meanwhile
AT_FIRST: Final = 20  # facts from before somebody looked
AT_ONCE: Final = 200
ROUNDING_US: Final = 2000  # both times are cut to milliseconds, and what made an agent decide comes before
AGO_US_MAX: Final = 60_000_000  # whatever a wall clock says: a row has its place near the end
HEAD: Final = frozenset({"kind", "seq", "at_ms", "clock_trusted"})
BUSY_S: Final = 0.2  # an agent that is starting may have the file for itself: the next look comes soon

Number = tuple[int, int]
"""Epoch and number within it."""
_LAST: Final = "SELECT epoch, seq FROM facts ORDER BY epoch DESC, seq DESC LIMIT 1 OFFSET ?"
_SINCE: Final = "SELECT epoch, seq, text FROM facts WHERE (epoch, seq) > (?, ?) ORDER BY epoch, seq LIMIT ?"


class JournalLane:
    """Facts of one journal; while there is no file, none."""

    def __init__(self, file: Path, clock: Clock, line_clock: LineClock) -> None:
        self._file = file
        self._clock = clock
        self._line_clock = line_clock

    def follow(self) -> Follow:
        last: Number | None = None
        due_us = 0

        async def rows() -> list[Row]:
            nonlocal last, due_us
            now_us = self._line_clock.now_us()
            if now_us < due_us:
                return []
            due_us = now_us + READS_EVERY_US
            found, last = await asyncio.to_thread(facts_since, self._file, last)
            return [self._row(now_us, json.loads(text), text) for text in found]

        return rows

    def _row(self, now_us: int, said: dict[str, Any], text: str) -> Row:
        """In its place among what passed: by its own time, from before its agent did anything about it."""
        ago_us = round((self._clock.now_ms() - said["at_ms"]) * 1000 / self._clock.speed) - ROUNDING_US
        return Row(LANE, now_us - min(max(ago_us, 0), AGO_US_MAX), Way.NEITHER, words_of(said), text)


def facts_since(file: Path, last: Number | None) -> tuple[list[str], Number | None]:
    """Texts of the facts behind number `last`, or of the last few, and the number to go on with."""
    if not file.exists():
        return [], last
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", timeout=BUSY_S, uri=True)) as database:
            since = last or database.execute(_LAST, (AT_FIRST,)).fetchone() or (0, 0)
            found = database.execute(_SINCE, (*since, AT_ONCE)).fetchall()
    except sqlite3.OperationalError:  # not made yet, or its agent has it for itself
        return [], last
    return [text for _, _, text in found], (found[-1][:2] if found else since)


def words_of(said: Mapping[str, Any]) -> str:
    """A fact on one line: its number, its kind, and what it says; what it says no to is left out."""
    words = [f"{name} {value}" for name, value in said.items() if name not in HEAD and _is_told(value)]
    if said.get("clock_trusted") is False:
        words.append("clock not trusted")
    return f"{said['seq']} {said['kind']}{': ' if words else ''}{', '.join(words)}"


def _is_told(value: object) -> bool:
    return bool(value) and not isinstance(value, dict)
