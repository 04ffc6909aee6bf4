"""A half-duplex serial bus at its real pace: one master, the devices, who else sends, and when bytes arrive.

No clock and no I/O: `sent(now_us, data)` when the master writes, `elapsed(now_us)` for what has reached the
master, `wake_at_us` for when to ask again. It runs under virtual time as well as behind a `PacedPty`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

CHARACTER_BITS: Final = 10  # start bit, eight data bits, stop bit
SENDING_MAX: Final = 64  # transmissions at a time; a bus with more of them under way carries nothing useful
SPOILT: Final = (0x5A, 0xA5)  # what two senders at once do to the bits: any pattern that fails every checksum


class WireDevice(Protocol):
    """A device on the bus. If it has an attribute `late_ms`, its answers start that much later."""

    def receive(self, now_us: int, data: bytes) -> bytes:
        """Takes what reached the device by now; what it answers to that, if anything."""


@dataclass(slots=True)
class _Transmission:
    start_us: int
    due_us: int  # when its last bit has arrived
    data: bytes
    to_master: bool
    to_devices: bool

    def overlaps(self, other: "_Transmission") -> bool:
        return self.start_us < other.due_us and other.start_us < self.due_us

    def spoil(self) -> None:
        self.data = bytes(byte ^ SPOILT[i % 2] for i, byte in enumerate(self.data))


class Wire:
    """Carries bytes in both directions, one sender at a time; two at once spoil each other's bytes."""

    def __init__(self, devices: Sequence[WireDevice], *, baud_rate: int, turnaround_us: int) -> None:
        self.turnaround_us = turnaround_us
        """From the last byte of a request to the first of its answer."""
        self.echo = False
        """The master's adapter hands back what it sends."""
        self.collision_count = 0
        self._devices = devices
        self._answered_until_us = [0] * len(devices)  # a device answers in the order in which it was asked
        self._character_us = CHARACTER_BITS * 1_000_000 / baud_rate
        self._under_way: list[_Transmission] = []
        self._master_until_us = 0
        self.wake_at_us: int | None = None
        """When the first of what is under way has arrived; None: nothing is."""

    def sent(self, now_us: int, data: bytes) -> None:
        """The master begins to send; what it sends while it still sends follows without a gap."""
        start_us = max(now_us, self._master_until_us)
        self._master_until_us = self._put(start_us, data, to_devices=True)

    def intrude(self, now_us: int, data: bytes) -> None:
        """Somebody else on the bus sends, when they like: devices and master hear it."""
        self._put(now_us, data, to_master=True, to_devices=True)

    def elapsed(self, now_us: int) -> bytes:
        """Moves everything that has arrived by now; returns what reached the master."""
        arrived = b""
        while self.wake_at_us is not None and self.wake_at_us <= now_us:
            sending = self._first_to_arrive()
            if sending.to_master or self.echo:
                arrived += sending.data
            if sending.to_devices:
                self._hand_over(sending.due_us, sending.data)
        return arrived

    def _first_to_arrive(self) -> _Transmission:
        under_way = self._under_way
        if len(under_way) == 1:  # as good as always: who is asked waits, and who asked does too
            self.wake_at_us = None
            return under_way.pop()
        sending = min(under_way, key=_due_us)
        under_way.remove(sending)
        self.wake_at_us = min(map(_due_us, under_way))
        return sending

    def clear(self) -> None:
        """The cable is pulled: what was under way is gone."""
        self._under_way.clear()
        self.wake_at_us = None
        self._master_until_us = 0

    def _hand_over(self, now_us: int, data: bytes) -> None:
        for i, device in enumerate(self._devices):
            answer = device.receive(now_us, data)
            if answer:
                start_us = now_us + self.turnaround_us + 1000 * int(getattr(device, "late_ms", 0))
                start_us = max(start_us, self._answered_until_us[i])
                self._answered_until_us[i] = self._put(start_us, answer, to_master=True)

    def _put(self, start_us: int, data: bytes, *, to_master: bool = False, to_devices: bool = False) -> int:
        due_us = start_us + round(len(data) * self._character_us)
        sending = _Transmission(start_us, due_us, data, to_master, to_devices)
        if self._under_way:
            others = [other for other in self._under_way if other.overlaps(sending)]
            if others:
                self.collision_count += 1
                _spoil((sending, *others))
        if len(self._under_way) < SENDING_MAX:
            self._under_way.append(sending)
            if self.wake_at_us is None or due_us < self.wake_at_us:
                self.wake_at_us = due_us
        return due_us


def _due_us(sending: _Transmission) -> int:
    return sending.due_us


def _spoil(sendings: Iterable[_Transmission]) -> None:
    for sending in sendings:
        sending.spoil()
