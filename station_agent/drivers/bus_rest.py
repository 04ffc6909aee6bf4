"""When the bus may be used: the gap between frames, and the quiet time after an exchange that went wrong.

In the quiet time late answers come and are dropped: it lasts as long as an answer may take, and whatever comes
starts it anew, within a limit.
"""

from typing import Final

STRETCH: Final = 4  # a line that never falls silent is used all the same after this many quiet times


class BusRest:
    """Keeps `free_at_us`, the earliest instant of the next request."""

    def __init__(self, *, gap_us: int, quiet_us: int, frame_min: int) -> None:
        """`frame_min`: bytes of the smallest frame that answers anything."""
        self.free_at_us = 0
        self._gap_us = gap_us
        self._quiet_us = quiet_us
        self._frame_min = frame_min
        self._quiet_until_us = 0
        self._unasked_count = 0  # bytes since the last request
        self._unasked_since_us = 0

    def asked(self) -> None:
        """A request goes out: what comes now is its answer."""
        self._unasked_count = 0

    def heard(self, now_us: int) -> None:
        """Something of an answer came."""
        self.free_at_us = now_us + self._gap_us

    def keep_quiet(self, now_us: int) -> None:
        self.free_at_us = self._quiet_until_us = now_us + self._quiet_us

    def heard_unasked(self, now_us: int, byte_count: int) -> bool:
        """Noise, a late answer or another sender: never read, only heeded. True if it is the first of it."""
        is_first = self._unasked_count == 0
        if is_first:
            self._unasked_since_us = now_us
        self._unasked_count += byte_count
        limit_us = self._unasked_since_us + STRETCH * self._quiet_us
        if now_us < self._quiet_until_us or self._unasked_count >= self._frame_min:  # it can be a whole frame
            self._quiet_until_us = max(self._quiet_until_us, min(now_us + self._quiet_us, limit_us))
        wanted_us = max(self._quiet_until_us, now_us + self._gap_us)
        self.free_at_us = max(self.free_at_us, min(wanted_us, limit_us))
        return is_first

    def skip(self, by_us: int) -> None:
        """So much time passed with nothing but good exchanges."""
        self.free_at_us += by_us
