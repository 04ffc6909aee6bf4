"""A panel and simulated readers on one bus in virtual time, with somebody at the cable."""

import heapq
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from simulator.devices.osdp_reader import OsdpReader
from station_agent.core.device_events import CardRead, DeviceEvent, ReaderLost, ReaderSeen
from station_agent.drivers.base import Output
from station_agent.drivers.osdp.config import OsdpReaderConfig
from station_agent.drivers.osdp.panel import OsdpPanel

SECOND_US = 1_000_000
MS_US = 1_000
REPLY_DELAY_US = 3_000  # what a reader typically takes before it answers
STEPS_MAX = 1_000_000  # a run that needs more goes round in circles
KEY = bytes(range(16))
OTHER_KEY = bytes(range(100, 116))

Delivery = list[tuple[int, bytes]]


class Tap:
    """Whoever holds the cable: for each transmission, when to let what through."""

    def command(self, now_us: int, data: bytes) -> Delivery:
        return [(0, data)]

    def reply(self, now_us: int, data: bytes) -> Delivery:
        return [(0, data)]


def seeded(seed: object) -> Callable[[int], bytes]:
    return random.Random(f"{seed}").randbytes


def make_panel(*addresses: int, seed: object = "panel", baud_rate: int = 38400) -> OsdpPanel:
    readers = tuple(
        OsdpReaderConfig(f"reader {address}", address, key_of(address)) for address in addresses or (1,)
    )
    return OsdpPanel(readers, baud_rate, seeded(seed))


def make_reader(address: int = 1, *, seed: object = "reader", install_mode: bool = False) -> OsdpReader:
    return OsdpReader(address, key_of(address), seeded((seed, address)), install_mode=install_mode)


def key_of(address: int) -> bytes:
    return bytes((address,)) + KEY[1:]


def card(number: int) -> tuple[int, bytes]:
    """26 bits, as most badges have."""
    return 26, (number << 6).to_bytes(4)


def number_of(event: CardRead) -> int:
    return int.from_bytes(event.data) >> 6


@dataclass
class VirtualBus:
    """Runs one panel against its readers; `events` are stamped with the virtual time."""

    panel: OsdpPanel
    readers: list[OsdpReader]
    tap: Tap = field(default_factory=Tap)
    baud_rate: int = 38400
    by_byte: bool = False
    echo: bool = False  # the adapter hears itself
    now_us: int = 0
    events: list[tuple[int, DeviceEvent]] = field(default_factory=list)
    sent: list[tuple[int, bytes]] = field(default_factory=list)
    answered: list[tuple[int, bytes]] = field(default_factory=list)
    _queue: list[tuple[int, int, bool, bytes]] = field(default_factory=list)
    _count: int = 0

    def open(self) -> "VirtualBus":
        self._take(self.panel.opened(self.now_us))
        return self

    def online(self) -> "VirtualBus":
        """Open, and all readers online."""
        self.open()
        assert self.run_until(lambda: len(self.seen) == len(self.readers), SECOND_US), self.events
        return self

    @property
    def cards(self) -> list[int]:
        return [number_of(event) for _, event in self.events if isinstance(event, CardRead)]

    @property
    def seen(self) -> list[ReaderSeen]:
        return [event for _, event in self.events if isinstance(event, ReaderSeen)]

    @property
    def lost(self) -> list[str]:
        return [event.why for _, event in self.events if isinstance(event, ReaderLost)]

    def order(self) -> None:
        """After `indicate`."""
        self._take(self.panel.elapsed(self.now_us))

    def run(self, for_us: int) -> None:
        self.run_until(lambda: False, for_us)

    def run_until(self, condition: Callable[[], bool], limit_us: int) -> bool:
        end_us = self.now_us + limit_us
        for _ in range(STEPS_MAX):
            if condition():
                return True
            wake_us = self.panel.wake_at_us
            times = [at for at in (self._queue[0][0] if self._queue else None, wake_us) if at is not None]
            if not times or min(times) > end_us:
                self.now_us = end_us
                return False
            self._step(max(self.now_us, min(times)), wake_us)
        raise AssertionError("the bus goes round in circles")

    def _step(self, now_us: int, wake_us: int | None) -> None:
        self.now_us = now_us
        if not self._queue or (wake_us is not None and wake_us < self._queue[0][0]):
            self._take(self.panel.elapsed(now_us))
            return
        _, _, is_reply, data = heapq.heappop(self._queue)
        if is_reply:
            self._take(self.panel.received(now_us, data))
            return
        for reader in self.readers:
            answer = reader.receive(now_us, data)
            if answer:
                self.answered.append((now_us, answer))
                self._deliver(now_us + REPLY_DELAY_US, self.tap.reply(now_us, answer), is_reply=True)

    def _take(self, output: Output) -> None:
        self.events += [(self.now_us, event) for event in output.events]
        if output.send:
            self.sent.append((self.now_us, output.send))
            self._deliver(self.now_us, self.tap.command(self.now_us, output.send), is_reply=False)
            if self.echo:
                self._deliver(self.now_us, [(0, output.send)], is_reply=True)

    def _deliver(self, start_us: int, deliveries: Delivery, *, is_reply: bool) -> None:
        character_us = 10 * SECOND_US // self.baud_rate
        at_us = start_us
        for delay_us, data in deliveries:
            at_us = max(at_us, start_us + delay_us)  # one after the other
            for part in _parts(data, by_byte=self.by_byte):
                at_us += len(part) * character_us
                self._count += 1
                heapq.heappush(self._queue, (at_us, self._count, is_reply, part))


def _parts(data: bytes, *, by_byte: bool) -> Iterable[bytes]:
    return (data[at : at + 1] for at in range(len(data))) if by_byte else (data,) if data else ()
