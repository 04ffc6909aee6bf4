"""A full-duplex line to one device that speaks unasked: RS-232 or TTL, each direction at its own pace.

The counterpart of `simulator/devices/wire.py` for devices that are not polled, with the same way to be run: no
clock and no I/O; `sent(now_us, data)` when the host writes, `elapsed(now_us)` for what has reached the host,
`wake_at_us` for when to ask again.
"""

from collections import deque
from typing import Final, Protocol

CHARACTER_BITS: Final = 10  # start bit, eight data bits, stop bit
SENDING_MAX: Final = 64  # pieces under way in one direction; a sender that is further ahead loses the rest


class TalkingDevice(Protocol):
    """A device that speaks when it wants to."""

    @property
    def wake_at_us(self) -> int | None:
        """When it next wants to speak; None: not before something happens to it. `elapsed` moves it on."""

    def elapsed(self, now_us: int) -> bytes:
        """What it says now, if anything."""

    def receive(self, now_us: int, data: bytes) -> bytes:
        """Takes what reached the device by now; what it answers to that, if anything."""


class _Direction:
    """Pieces in the order in which they arrive: (when the last bit has, data)."""

    def __init__(self, baud_rate: int) -> None:
        self.under_way: deque[tuple[int, bytes]] = deque()
        self._character_us = CHARACTER_BITS * 1_000_000 / baud_rate
        self._free_at_us = 0

    @property
    def due_us(self) -> int | None:
        return self.under_way[0][0] if self.under_way else None

    def put(self, now_us: int, data: bytes) -> None:
        if data and len(self.under_way) < SENDING_MAX:
            self._free_at_us = max(now_us, self._free_at_us) + round(len(data) * self._character_us)
            self.under_way.append((self._free_at_us, data))

    def clear(self) -> None:
        self.under_way.clear()
        self._free_at_us = 0


class DuplexWire:
    """Carries bytes between a host and its one device; neither disturbs the other."""

    def __init__(self, device: TalkingDevice, *, baud_rate: int) -> None:
        self._device = device
        self._to_host = _Direction(baud_rate)
        self._to_device = _Direction(baud_rate)

    @property
    def wake_at_us(self) -> int | None:
        due = (self._to_host.due_us, self._to_device.due_us, self._device.wake_at_us)
        return min((at_us for at_us in due if at_us is not None), default=None)

    def sent(self, now_us: int, data: bytes) -> None:
        """The host begins to send; what it sends while it still sends follows without a gap."""
        self._to_device.put(now_us, data)

    def elapsed(self, now_us: int) -> bytes:
        """Moves everything that happened by now, in the order in which it did; returns what reached the host."""
        arrived = b""
        while (at_us := self.wake_at_us) is not None and at_us <= now_us:
            if at_us == self._to_host.due_us:
                arrived += self._to_host.under_way.popleft()[1]
            elif at_us == self._to_device.due_us:
                data = self._to_device.under_way.popleft()[1]
                self._to_host.put(at_us, self._device.receive(at_us, data))
            else:
                self._to_host.put(at_us, self._device.elapsed(at_us))
        return arrived

    def clear(self) -> None:
        """The cable is pulled: what was under way is gone. The device goes on, and speaks to nobody."""
        self._to_host.clear()
        self._to_device.clear()
