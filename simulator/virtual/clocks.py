"""Wall clocks in virtual time: the true one, and a box's, which can be set, can drift and can lie."""

from itertools import pairwise

from runtime.clocks import sleep_until_ms
from simulator.virtual.timers import Timers

PPM = 1_000_000
SLACK_US = 2_000_000  # what a clock that drifts gains within an hour, and some


class TrueClock:
    """The time that it is. Reads `start_ms` when virtual time is 0."""

    speed = 1.0

    def __init__(self, timers: Timers, start_ms: int) -> None:
        self._timers = timers
        self.start_ms = start_ms

    def now_ms(self) -> int:
        return self.start_ms + self._timers.now_us() // 1000

    def synchronised(self) -> bool:
        return True

    def line_delay_s(self, at_ms: int) -> float:
        return max(at_ms - self.now_ms(), 0) / 1000

    async def sleep_until_ms(self, at_ms: int) -> None:
        await sleep_until_ms(self, at_ms)

    def at_us(self, at_ms: int) -> int:
        """The line time of a wall time."""
        return (at_ms - self.start_ms) * 1000


class BoxClock(TrueClock):
    """One box's clock: right, synchronised and steady until told otherwise."""

    def __init__(self, timers: Timers, start_ms: int) -> None:
        super().__init__(timers, start_ms)
        self._offset_ms = 0
        self._drift_ppm = 0
        self._since_us = 0  # of the drift
        self.is_synchronised = True
        self._history: list[tuple[int, int]] = [(0, 0)]
        """Since when, by the line clock, it has been how far ahead of the time that it is."""

    def now_ms(self) -> int:
        now_us = self._timers.now_us()
        drifted_us = (now_us - self._since_us) * self._drift_ppm // PPM
        return self.start_ms + self._offset_ms + (now_us + drifted_us) // 1000

    def synchronised(self) -> bool:
        """What the kernel says: as true as whoever feeds it."""
        return self.is_synchronised

    @property
    def error_ms(self) -> int:
        """How far this clock is ahead of the time that it is."""
        return self.now_ms() - super().now_ms()

    def noted_us(self, at_ms: int) -> list[int]:
        """When this clock may have read so, by the line clock: more than once where it was set back."""
        now_us = self._timers.now_us()
        spans = pairwise([*self._history, (now_us + 1, 0)])
        found = [(from_us, until_us, self.at_us(at_ms - error_ms)) for (from_us, error_ms), (until_us, _) in spans]
        return [at_us for from_us, until_us, at_us in found if from_us - SLACK_US <= at_us <= until_us + SLACK_US]

    def step(self, by_ms: int) -> None:
        """Set forward or back, at once."""
        self._offset_ms += by_ms
        self._note()

    def _note(self) -> None:
        self._history.append((self._timers.now_us(), self.error_ms))

    def drift(self, ppm: int) -> None:
        """Gain (or lose) so many microseconds a second from now on, on top of what is wrong already."""
        self._offset_ms = self.error_ms
        self._since_us = self._timers.now_us()
        self._drift_ppm = ppm
        self._note()

    def set_right(self) -> None:
        self._offset_ms = self._drift_ppm = 0
        self._note()
