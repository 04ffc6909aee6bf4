"""A lock bus's codec and simulated boards on one wire, under a clock that jumps."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from simulator.devices.wire import Wire, WireDevice
from station_agent.core.device_events import CabinetLost, CabinetSeen, DeviceEvent, LockPulsed
from station_agent.drivers.base import Output
from station_agent.drivers.kerong.cabinet import KerongCabinet
from station_agent.drivers.modbus.cabinet import ModbusCabinet

MS = 1000
TURNAROUND_US = 4 * MS
EventT = TypeVar("EventT", CabinetSeen, CabinetLost, LockPulsed)
CabinetT = TypeVar("CabinetT", ModbusCabinet, KerongCabinet)


class VirtualLockBus(Generic[CabinetT]):
    def __init__(
        self, cabinet: CabinetT, devices: Sequence[WireDevice], *, baud_rate: int, byte_by_byte: bool = False
    ) -> None:
        self.cabinet: CabinetT = cabinet
        self.wire = Wire(devices, baud_rate=baud_rate, turnaround_us=TURNAROUND_US)
        self.now_us = 1_000_000
        self.sent: list[tuple[int, bytes]] = []
        self.heard: list[tuple[int, bytes]] = []
        self.told: list[tuple[int, DeviceEvent]] = []
        self._byte_by_byte = byte_by_byte
        self._plans: list[tuple[int, Callable[[], object]]] = []

    def open(self) -> None:
        self._take(self.cabinet.opened(self.now_us))

    def close(self) -> None:
        self.wire.clear()
        self._take(self.cabinet.closed(self.now_us))

    def release(self, slot: int, *, again: bool = False) -> None:
        self.cabinet.release(slot, again=again)
        self._take(self.cabinet.elapsed(self.now_us))

    def at(self, after_ms: float, action: Callable[[], object]) -> None:
        """Plans something in the boards' world."""
        self._plans.append((self.now_us + round(after_ms * MS), action))

    def run_for(self, duration_ms: float) -> None:
        end_us = self.now_us + round(duration_ms * MS)
        while True:
            wakes = [self.cabinet.wake_at_us, self.wire.wake_at_us, *(at_us for at_us, _ in self._plans)]
            next_us = max(self.now_us, min((at_us for at_us in wakes if at_us is not None), default=end_us))
            if next_us > end_us:
                self.now_us = end_us
                return
            self.now_us = next_us
            self._step()

    def run_until_told(self, kind: type[EventT], within_ms: float = 2000) -> EventT:
        """Runs until something of this kind is told that was not told before."""
        known = len(self.told)
        for _ in range(round(within_ms)):
            self.run_for(1)
            for _, event in self.told[known:]:
                if isinstance(event, kind):
                    return event
        raise AssertionError(f"no {kind.__name__} within {within_ms} ms: {self.told[known:]}")

    def events(self, kind: type[EventT]) -> list[EventT]:
        return [event for _, event in self.told if isinstance(event, kind)]

    def inject(self, data: bytes) -> None:
        """Bytes that come from nowhere."""
        self._receive(data)

    def _step(self) -> None:
        due = [plan for plan in self._plans if plan[0] <= self.now_us]
        self._plans = [plan for plan in self._plans if plan[0] > self.now_us]
        for _, action in due:
            action()
        arrived = self.wire.elapsed(self.now_us)
        if arrived:
            self.heard.append((self.now_us, arrived))
            self._receive(arrived)
        wake_at_us = self.cabinet.wake_at_us
        if wake_at_us is not None and wake_at_us <= self.now_us:
            self._take(self.cabinet.elapsed(self.now_us))
            assert self.cabinet.wake_at_us is None or self.cabinet.wake_at_us > self.now_us, "it would spin"

    def _receive(self, data: bytes) -> None:
        for part in [bytes((byte,)) for byte in data] if self._byte_by_byte else [data]:
            self._take(self.cabinet.received(self.now_us, part))

    def _take(self, output: Output) -> None:
        if output.send:
            self.sent.append((self.now_us, output.send))
            self.wire.sent(self.now_us, output.send)
        self.told.extend((self.now_us, event) for event in output.events)
