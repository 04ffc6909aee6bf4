"""Simulated devices behind a pseudo-terminal, at a real bus's pace: any serial program can talk to them.

A pty keeps no pace, recycles its names and, left as it is, echoes; and its master reads an error while no client
is attached. So the pace comes from a `Wire`, the caller gives a stable path for a symlink, the terminal is raw
before anyone opens it, and one client end is kept open here. It does remember which speed its client has set: at
another one than the devices', both sides read garbage, as on a wire.
"""

import asyncio
import os
import random
import termios
import tty
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from runtime.clocks import LineClock
from simulator.devices.duplex import DuplexWire, TalkingDevice
from simulator.devices.spoiling import spoilt
from simulator.devices.wire import Wire, WireDevice

READ_BYTES: Final = 4096  # a terminal holds no more
SPEEDS: Final = {
    getattr(termios, f"B{rate}"): rate for rate in (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
}
TURNAROUND_US: Final = 4000  # 3.5 characters at 9600 baud: sooner no device knows that a request has ended


class Carrier(Protocol):
    """Carries bytes between the port and its devices (`Wire`, `DuplexWire`)."""

    @property
    def wake_at_us(self) -> int | None: ...
    def sent(self, now_us: int, data: bytes) -> None: ...
    def elapsed(self, now_us: int) -> bytes: ...
    def clear(self) -> None: ...


class Tap(Protocol):
    """Hears the bytes of a port, and by the line clock when they passed. `sent`: by the program that opened it."""

    def __call__(self, now_us: int, data: bytes, *, sent: bool) -> None: ...


def _nobody_listens(now_us: int, data: bytes, *, sent: bool) -> None:
    pass


class PacedPty:
    """One simulated port. Needs a running event loop from `open` to `close`."""

    def __init__(
        self,
        link: Path,
        devices: Sequence[WireDevice],
        clock: LineClock,
        *,
        baud_rate: int = 9600,
        turnaround_us: int = TURNAROUND_US,
    ) -> None:
        self.link = link
        """Path for programs to open; a symlink to whichever pty there is."""
        self.wire = Wire(devices, baud_rate=baud_rate, turnaround_us=turnaround_us)
        """Its faults may be switched: echo, turnaround. Of a bus; a device that speaks unasked has none."""
        self.noisy = 0.0
        """Share of the pieces, either way, that arrive with one bit changed."""
        self.tap: Tap = _nobody_listens
        """Hears what the program sends, and what reaches it."""
        self._rng = random.Random(f"noise/{link.name}")
        self._carrier: Carrier = self.wire
        self.baud_rate = baud_rate
        self._clock = clock
        self._master = -1
        self._client = -1
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due_us: int | None = None

    @classmethod
    def of_talker(cls, link: Path, device: TalkingDevice, clock: LineClock, *, baud_rate: int) -> "PacedPty":
        """A port with one device that speaks unasked, both ways at a time. Whoever touches it calls `changed`."""
        port = cls(link, (), clock, baud_rate=baud_rate)
        port._carrier = DuplexWire(device, baud_rate=baud_rate)
        return port

    def changed(self) -> None:
        """Something happened to a device that speaks unasked."""
        self._arm()

    def intrude(self, data: bytes) -> None:
        """Somebody else on the bus sends: see `Wire.intrude`."""
        if self.is_plugged:
            self.wire.intrude(self._clock.now_us(), data)
            self._arm()

    @property
    def is_plugged(self) -> bool:
        return self._master >= 0

    def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.replug()

    def close(self) -> None:
        self.unplug()

    def replug(self) -> None:
        """The adapter is back, as a new terminal under the same path. Nothing if it never left."""
        if self.is_plugged:
            return
        assert self._loop is not None, "a port is plugged in after it was opened"
        self._master, self._client = os.openpty()
        tty.setraw(self._client)
        self._set_speed()
        os.set_blocking(self._master, False)
        new_link = self.link.with_name(f"{self.link.name}.new")
        new_link.unlink(missing_ok=True)
        new_link.symlink_to(os.ttyname(self._client))
        new_link.replace(self.link)
        self._loop.add_reader(self._master, self._readable)

    def unplug(self) -> None:
        """The adapter is pulled: its path is gone, and open clients find themselves hung up."""
        if not self.is_plugged:
            return
        assert self._loop is not None, "a plugged port has a loop"
        self._loop.remove_reader(self._master)
        self.link.unlink(missing_ok=True)
        os.close(self._master)
        os.close(self._client)
        self._master = self._client = -1
        self._carrier.clear()
        self._arm()

    def _readable(self) -> None:
        with suppress(BlockingIOError):
            data = os.read(self._master, READ_BYTES)
            now_us = self._clock.now_us()
            self.tap(now_us, data, sent=True)
            self._carrier.sent(now_us, self._as_it_passes(data))
        self._arm()

    def _set_speed(self) -> None:
        """As a port that the last program left as it should be: one that sets no speed finds the right one."""
        settings = termios.tcgetattr(self._client)
        speed = next(speed for speed, rate in SPEEDS.items() if rate == self.baud_rate)
        settings[4:6] = speed, speed
        termios.tcsetattr(self._client, termios.TCSANOW, settings)

    def _as_it_passes(self, data: bytes) -> bytes:
        return spoilt(self._at_its_speed(data), self._rng, noisy=self.noisy)

    def _at_its_speed(self, data: bytes) -> bytes:
        """What arrives of bytes, given the speed that the client has set."""
        rate = SPEEDS.get(termios.tcgetattr(self._client)[5])
        return data if rate == self.baud_rate else bytes(byte ^ 0xA5 for byte in data[::2])

    def _due(self) -> None:
        self._timer_due_us = None
        now_us = self._clock.now_us()
        arrived = self._carrier.elapsed(now_us)
        if arrived and self.is_plugged:  # a device that speaks unasked goes on while its cable is pulled
            arrived = self._as_it_passes(arrived)
            self.tap(now_us, arrived, sent=False)
            with suppress(BlockingIOError):  # nobody reads: on a wire it would be lost as well
                os.write(self._master, arrived)
        self._arm()

    def _arm(self) -> None:
        due_us = self._carrier.wake_at_us
        if due_us == self._timer_due_us:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due_us = due_us
        if due_us is None or self._loop is None:
            return
        delay_s = max(due_us - self._clock.now_us(), 0) / 1e6
        self._timer = self._loop.call_later(delay_s, self._due)
