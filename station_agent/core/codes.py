"""Offline release codes: the hotline's word, carried by the member who keys it in (`contract/release_codes.py`).

A code is valid for the ten minutes in which it was made and for the ten after, by a clock that is trusted. A box
that lost power and network at once has no such clock, and is just the one that needs a code: then it takes those of
a day from the earliest that it can be. Each is used once: at a slot, numbers only go up.
"""

from collections.abc import Collection

from contract.facts import Identity, Purpose
from contract.reasons import Reason
from contract.release_codes import release_code, release_code_key, window_number
from station_agent.core.decisions import Open, Refuse
from station_agent.core.model import Now
from station_agent.core.picture import Picture

TRIES_MAX = 3  # domain.md, rule 17
TRIES_WITHIN_MS = 3_600_000
AHEAD = 6  # codes of one cabinet made within one window have one number each
UNCERTAIN_REACH_MS = 24 * 3_600_000  # 16 slots x 150 numbers: one guess in 40,000 opens one of them, three an hour


class ReleaseCodes:
    """What was used and tried is in the picture."""

    def __init__(self, picture: Picture, digest_key: bytes) -> None:
        self._picture = picture
        self._key = release_code_key(digest_key)

    def decide(self, now: Now, digits: str, lower_bound_ms: int | None) -> Open | Refuse:
        """What a code opens. With `lower_bound_ms` the clock is not trusted; 0: nothing is known of the time."""
        if lower_bound_ms == 0:
            return Refuse(Reason.CLOCK_NOT_TRUSTED)
        failures = self._picture.code_failures
        failures[:] = [at_ms for at_ms in failures if abs(now.wall_ms - at_ms) < TRIES_WITHIN_MS]
        if len(failures) >= TRIES_MAX:
            return Refuse(Reason.TOO_MANY_TRIES)
        found = self._find(digits, _valid_numbers(now.wall_ms, lower_bound_ms))
        if found is None:
            failures.append(now.wall_ms)
            return Refuse(Reason.WRONG_CODE)
        slot, number = found
        picture, release = self._picture.slots[slot], self._picture.releases.get(slot)
        if release is not None and not release.opened:
            return Refuse(Reason.BUSY, key=picture.key)
        identity = picture.identity if picture.key is not None else Identity.UNKNOWN
        return Open(slot, Purpose.RELEASE_CODE, picture.key, identity, code=number, lower_bound_ms=lower_bound_ms)

    def used(self, slot: int, number: int) -> None:
        self._picture.codes_used[slot] = number

    def _find(self, digits: str, numbers: Collection[int]) -> tuple[int, int] | None:
        """Slot and number that these digits were made for."""
        for slot in sorted(self._picture.slots):
            used = self._picture.codes_used.get(slot, 0)
            for number in numbers:
                if number > used and release_code(self._key, slot, number) == digits:
                    return slot, number
        return None


def _valid_numbers(wall_ms: int, lower_bound_ms: int | None) -> range:
    if lower_bound_ms is None:
        return range(window_number(wall_ms) - 1, window_number(wall_ms) + 1 + AHEAD)
    last = window_number(lower_bound_ms + UNCERTAIN_REACH_MS) + AHEAD
    return range(window_number(lower_bound_ms) - 1, last + 1)
