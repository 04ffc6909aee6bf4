"""PINs: whether one is right, and what comes of wrong ones.

Tries count per badge and block it; they survive a reboot. Tries at the whole cabinet slow its answers down and are
told, and never refuse a badge whose own count is clean: else a child with a dead card could shut a station.
"""

from collections import deque

from contract.credentials import pin_digest
from contract.facts import PinGuessing
from station_agent.core.model import Now
from station_agent.core.notebook import Notebook
from station_agent.core.picture import Picture, PinFailures
from station_agent.core.wanted import Wanted

GUESSES_MAX = 10  # at one cabinet within the time below: three members in a row who all forgot theirs
GUESSES_WITHIN_MS = 600_000
SLOW_MS = 5_000  # each answer from then on: a thousand badges at three tries each take hours at one reader


class Pins:
    """Counts wrong PINs. What has to outlast a reboot is in the picture."""

    def __init__(self, picture: Picture, wanted: Wanted, notebook: Notebook, digest_key: bytes) -> None:
        self._picture = picture
        self._wanted = wanted
        self._notebook = notebook
        self._digest_key = digest_key
        self._wrong_line_ms: deque[int] = deque(maxlen=GUESSES_MAX)

    def has_one(self, badge: str) -> bool:
        return badge in self._wanted.pin_of_badge

    def is_blocked(self, now: Now, badge: str) -> bool:
        """Whether there were too many wrong ones in a row, not long ago."""
        failures, settings = self._picture.pin_failures.get(badge), self._wanted.settings
        if failures is None or failures.count < settings.pin_tries:
            return False
        return now.wall_ms - failures.last_ms < settings.pin_block_s * 1000

    def is_right(self, now: Now, reader: str, badge: str, digest: str, pin: str) -> bool:
        """Compare, and count."""
        if pin_digest(self._digest_key, digest, pin) == self._wanted.pin_of_badge.get(badge):
            self._picture.pin_failures.pop(badge, None)
            return True
        before, settings = self._picture.pin_failures.get(badge), self._wanted.settings
        over = before is not None and now.wall_ms - before.last_ms >= settings.pin_block_s * 1000
        count = 0 if before is None or over else before.count
        self._picture.pin_failures[badge] = PinFailures(count=count + 1, last_ms=now.wall_ms)
        was_told = self.are_guessed(now)
        self._wrong_line_ms.append(now.line_ms)
        if self.are_guessed(now) and not was_told:
            self._notebook.note(now, PinGuessing, reader=reader, tries=GUESSES_MAX)
        return False

    def are_guessed(self, now: Now) -> bool:
        """Whether so many were wrong at this cabinet of late that its answers come slowly."""
        if len(self._wrong_line_ms) < GUESSES_MAX:
            return False
        return now.line_ms - self._wrong_line_ms[0] < GUESSES_WITHIN_MS

    def forget_unknown(self) -> None:
        """Failures of badges that are not wanted any more."""
        for badge in [badge for badge in self._picture.pin_failures if badge not in self._wanted.digest_of_badge]:
            del self._picture.pin_failures[badge]
