"""What happens, as it happens: one line on a terminal, a line every ten seconds elsewhere."""

import asyncio
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TextIO
from zoneinfo import ZoneInfo

from runtime.clocks import Clock
from simulator.world.record import PhysicalFact, What

PARIS = ZoneInfo("Europe/Paris")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
REDRAW_S = 0.5  # twice a second reads as live and costs nothing
PLAIN_S = 10.0  # a log of a five-minute run stays on one screen
CLEAR_LINE = "\r\x1b[2K"

_PHRASES = {
    What.BADGE_SHOWN: "shows a badge",
    What.TAG_SHOWN: "brings a key",
    What.KEY_REMOVED: "takes the key out of slot {slot}",
    What.KEY_INSERTED: "hangs the key into slot {slot}",
}


def local_time(at_ms: int) -> str:
    """Wall time in Lille, as people there read it."""
    return f"{(EPOCH + timedelta(milliseconds=at_ms)).astimezone(PARIS):%H:%M:%S}"


def local_day(at_ms: int) -> str:
    """The date in Lille, as the API takes it."""
    return f"{(EPOCH + timedelta(milliseconds=at_ms)).astimezone(PARIS):%Y-%m-%d}"


class LiveLine:
    """Fed by the world's record; draws until cancelled."""

    def __init__(self, clock: Clock, stream: TextIO = sys.stdout) -> None:
        self._clock = clock
        self._stream = stream
        self._counts: Counter[What] = Counter()
        self._last = "the network wakes up"

    def on_fact(self, fact: PhysicalFact) -> None:
        deed = fact.deed
        self._counts[deed.what] += 1
        phrase = _PHRASES.get(deed.what)
        if phrase is not None:
            self._last = f"{fact.cabinet}: {deed.who} {phrase.format(slot=deed.slot)}"

    def text(self) -> str:
        counts = self._counts
        return (
            f"{local_time(self._clock.now_ms())}  taken {counts[What.KEY_REMOVED]}  "
            f"returned {counts[What.KEY_INSERTED]}  badges {counts[What.BADGE_SHOWN]}  |  {self._last}"
        )

    async def run(self) -> None:
        terminal = self._stream.isatty()
        try:
            while True:
                await asyncio.sleep(REDRAW_S if terminal else PLAIN_S)
                self._write(f"{CLEAR_LINE}{self.text()[:118]}" if terminal else f"{self.text()}\n")
        finally:
            if terminal:
                self._write(CLEAR_LINE)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
