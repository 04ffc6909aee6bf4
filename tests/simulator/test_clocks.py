import asyncio

import pytest

from runtime.clocks import SystemLineClock
from simulator.clocks import ScaledClock

NOON_MS = 1_750_000_000_000


class HandClock:
    """A line clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.us = 5_000_000

    def now_us(self) -> int:
        return self.us


def test_it_starts_where_it_is_told_and_gains_by_its_speed() -> None:
    line_clock = HandClock()
    clock = ScaledClock(NOON_MS, 60, line_clock)
    assert clock.now_ms() == NOON_MS
    line_clock.us += 1_000_000
    assert clock.now_ms() == NOON_MS + 60_000


def test_a_scaled_delay_is_real_time() -> None:
    clock = ScaledClock(NOON_MS, 60, HandClock())
    assert clock.line_delay_s(NOON_MS + 60_000) == 1.0
    assert clock.line_delay_s(NOON_MS) == clock.line_delay_s(0) == 0.0


def test_a_clock_slower_than_life_is_possible() -> None:
    assert ScaledClock(NOON_MS, 0.5, HandClock()).line_delay_s(NOON_MS + 1000) == 2.0


@pytest.mark.parametrize("speed", [0, -1])
def test_time_does_not_stand_still_or_run_backwards(speed: float) -> None:
    with pytest.raises(AssertionError):
        ScaledClock(NOON_MS, speed, HandClock())


def test_it_is_synchronised_unless_told_otherwise() -> None:
    assert ScaledClock(NOON_MS, 60, HandClock()).synchronised()
    assert not ScaledClock(NOON_MS, 60, HandClock(), synchronised=False).synchronised()


@pytest.mark.parametrize("after_ms", [1, 999, 1000, 60_000, 77_777])
async def test_sleeping_ends_at_the_instant_and_not_before(after_ms: int) -> None:
    clock = ScaledClock(NOON_MS, 3000, SystemLineClock())
    async with asyncio.timeout(5):
        await clock.sleep_until_ms(NOON_MS + after_ms)
    assert clock.now_ms() >= NOON_MS + after_ms
