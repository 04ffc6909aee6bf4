"""A wall clock that runs faster than the real one, for demonstrations on real lines and a real broker."""

from typing import Final

from runtime.clocks import LineClock, sleep_until_ms


class ScaledClock:
    """Reads `start_ms` at its origin, and gains `speed` seconds for each second of the line clock after it.

    The origin is the moment it is made, or a reading of the line clock: so that several processes share one.

    Limits: 0 < speed. Only the simulator's entry points make one; the programs have no such setting.
    """

    def __init__(
        self,
        start_ms: int,
        speed: float,
        line_clock: LineClock,
        *,
        origin_us: int | None = None,
        synchronised: bool = True,
    ) -> None:
        assert speed > 0, "time does not stand still or run backwards"
        self.speed = speed
        self.start_ms = start_ms
        self._line_clock = line_clock
        self.origin_us = line_clock.now_us() if origin_us is None else origin_us
        self._synchronised = synchronised

    def now_ms(self) -> int:
        return int(self.start_ms + self._gained_ms())

    def synchronised(self) -> bool:
        return self._synchronised

    def line_delay_s(self, at_ms: int) -> float:
        if self.now_ms() >= at_ms:
            return 0.0
        return (at_ms - self.start_ms - self._gained_ms()) / 1000 / self.speed

    async def sleep_until_ms(self, at_ms: int) -> None:
        await sleep_until_ms(self, at_ms)

    def _gained_ms(self) -> float:
        return (self._line_clock.now_us() - self.origin_us) * self.speed / 1000


class JumpingClock(ScaledClock):
    """One that can be moved on while it is read: whoever waits for it looks again at least once a second."""

    LOOK_AGAIN_S: Final = 1.0

    def jump(self, ms: int) -> None:
        """Moves it on. Nobody's clock is set back here: that is a fault of one box, and none of a whole network."""
        assert ms > 0, "time does not stand still or run backwards"
        self.start_ms += ms

    def line_delay_s(self, at_ms: int) -> float:
        return min(super().line_delay_s(at_ms), self.LOOK_AGAIN_S)
