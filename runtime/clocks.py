"""The two clocks, and the one place that reads the real ones.

`Clock` is wall time: booking windows, people, grants, signatures. It can be wrong, be stepped in either
direction, and in the simulator run faster. `LineClock` is monotonic and always real: serial lines, MQTT,
watchdogs (a 500 ms Modbus timeout at speed 60 would be 8 ms). Virtual time replaces both.
"""

import asyncio
import ctypes
import time
from typing import Final, Protocol

RECHECK_S = 10.0  # a stepped wall clock is noticed within this; an idle program wakes 6 times a minute


class Clock(Protocol):
    """Wall time, in milliseconds since 1970-01-01 UTC."""

    @property
    def speed(self) -> float:
        """Seconds gained in a second of the line clock, where nobody steps it: 1, but for the simulator's."""
        ...

    def now_ms(self) -> int: ...

    def synchronised(self) -> bool:
        """Whether the time can be trusted: for the system's clock, whether the kernel says so."""
        ...

    def line_delay_s(self, at_ms: int) -> float:
        """How long to wait on the line clock (`loop.call_later`) before looking at this clock again.

        0 once the clock reads `at_ms`. Never too long, but perhaps too short, since the clock may be
        stepped meanwhile: whoever wakes up early asks again.
        """
        ...

    async def sleep_until_ms(self, at_ms: int) -> None:
        """Returns when the clock reads `at_ms` or later, also when it was stepped on the way there."""
        ...


class LineClock(Protocol):
    """Monotonic time in microseconds since an arbitrary instant. Never scaled, never stepped."""

    def now_us(self) -> int: ...


class SystemClock:
    """The wall clock of the operating system."""

    speed: Final = 1.0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def synchronised(self) -> bool:
        """False where the kernel cannot be asked (not Linux, or the sandbox forbids `adjtimex`).

        The kernel itself withdraws its word when nothing disciplined the clock for so long that the error
        may exceed 16 s (adjtimex(2), STA_UNSYNC).
        """
        status = _kernel_clock_status()
        return status is not None and not status & _STA_UNSYNC

    def line_delay_s(self, at_ms: int) -> float:
        return min(max(at_ms - self.now_ms(), 0) / 1000, RECHECK_S)

    async def sleep_until_ms(self, at_ms: int) -> None:
        await sleep_until_ms(self, at_ms)


class SystemLineClock:
    """The monotonic clock of the operating system, the one asyncio's own timers use."""

    def now_us(self) -> int:
        return time.monotonic_ns() // 1000


async def sleep_until_ms(clock: Clock, at_ms: int) -> None:
    """What `sleep_until_ms` of any clock can be: wait in portions, and look again after each."""
    while (delay_s := clock.line_delay_s(at_ms)) > 0:  # noqa: ASYNC110  # no event tells of a stepped clock
        await asyncio.sleep(delay_s)


_STA_UNSYNC = 0x0040  # <linux/timex.h>


class _Timex(ctypes.Structure):
    """`struct timex` of the C library as far as `status`, then room for the rest of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),  # 0: only read, which needs no privilege
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 512),  # the whole structure has 208 bytes on 64-bit Linux
    )


def _kernel_clock_status() -> int | None:
    """The status bits of adjtimex(2); None where there is no such call or it is refused."""
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError, TypeError):  # TypeError: Windows has no `CDLL(None)`
        return None
    timex = _Timex()
    if adjtimex(ctypes.byref(timex)) < 0:
        return None
    return int(timex.status)
