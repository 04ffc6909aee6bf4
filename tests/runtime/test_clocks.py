import asyncio
import time

import pytest

from runtime import clocks
from runtime.clocks import RECHECK_S, SystemClock, SystemLineClock, sleep_until_ms


class SteppedClock:
    """Its readings are given beforehand; each `sleep` takes the next one."""

    speed = 1.0

    def __init__(self, *readings_ms: int) -> None:
        self.readings_ms = list(readings_ms)

    def now_ms(self) -> int:
        return self.readings_ms[0]

    def synchronised(self) -> bool:
        return True

    def line_delay_s(self, at_ms: int) -> float:
        left_ms = at_ms - self.readings_ms.pop(0)
        return 1e-6 if left_ms > 0 else 0.0

    async def sleep_until_ms(self, at_ms: int) -> None:
        await sleep_until_ms(self, at_ms)


def test_the_system_clock_reads_unix_milliseconds() -> None:
    before = time.time()
    now_ms = SystemClock().now_ms()
    assert before * 1000 - 1 <= now_ms <= time.time() * 1000


def test_the_line_clock_is_the_clock_of_asyncio_timers() -> None:
    loop = asyncio.new_event_loop()
    before = loop.time()
    now_us = SystemLineClock().now_us()
    assert before * 1_000_000 - 1 <= now_us <= loop.time() * 1_000_000
    loop.close()


async def test_sleeping_ends_when_the_clock_reads_the_instant() -> None:
    clock = SystemClock()
    at_ms = clock.now_ms() + 20
    async with asyncio.timeout(5):
        await clock.sleep_until_ms(at_ms)
    assert clock.now_ms() >= at_ms


async def test_an_instant_in_the_past_needs_no_waiting() -> None:
    clock = SystemClock()
    assert clock.line_delay_s(clock.now_ms()) == 0
    assert clock.line_delay_s(0) == 0


async def test_a_clock_stepped_back_is_waited_for_again() -> None:
    clock = SteppedClock(100, 900, 200, 999, 1000)
    await clock.sleep_until_ms(1000)
    assert not clock.readings_ms


async def test_a_clock_stepped_forward_ends_the_wait_at_the_next_look() -> None:
    clock = SteppedClock(100, 5_000_000)
    await clock.sleep_until_ms(1000)
    assert not clock.readings_ms


def test_the_system_clock_is_looked_at_again_at_least_every_recheck() -> None:
    clock = SystemClock()
    assert clock.line_delay_s(clock.now_ms() + 3_600_000) == RECHECK_S


def test_the_kernel_is_asked_whether_the_clock_is_synchronised(monkeypatch: pytest.MonkeyPatch) -> None:
    for status, synchronised in ((0x2001, True), (0x0040, False), (0x0041, False), (None, False)):
        monkeypatch.setattr(clocks, "_kernel_clock_status", lambda status=status: status)
        assert SystemClock().synchronised() is synchronised


def test_the_kernel_answers_here() -> None:
    status = clocks._kernel_clock_status()
    assert status is None or 0 <= status <= 0xFFFF  # <linux/timex.h>: the status bits are 16
