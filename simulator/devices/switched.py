"""Devices that can be without power, or not be there at all: what is off hears nothing and says nothing."""

from simulator.devices.duplex import TalkingDevice
from simulator.devices.wire import WireDevice


class Switched:
    """A device on a bus."""

    def __init__(self, device: WireDevice, *, is_on: bool = True) -> None:
        self.is_on = is_on
        self._device = device

    @property
    def late_ms(self) -> int:
        """As the device's own (`simulator.devices.wire`)."""
        return int(getattr(self._device, "late_ms", 0))

    def receive(self, now_us: int, data: bytes) -> bytes:
        return self._device.receive(now_us, data) if self.is_on else b""


class SwitchedTalker:
    """A device that speaks unasked."""

    def __init__(self, device: TalkingDevice) -> None:
        self.is_on = True
        self._device = device

    @property
    def wake_at_us(self) -> int | None:
        return self._device.wake_at_us if self.is_on else None

    def elapsed(self, now_us: int) -> bytes:
        return self._device.elapsed(now_us) if self.is_on else b""

    def receive(self, now_us: int, data: bytes) -> bytes:
        return self._device.receive(now_us, data) if self.is_on else b""
