"""A codec and its devices on one line in virtual time, with somebody at the cable.

All along it is looked at what must hold whatever comes: nothing is raised, little is held, time goes on, nothing
is told that cannot be. `recover` then asks for the last: on a clean line the codec works again.
"""

import heapq
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from fuzz.held import Held
from station_agent.core.device_events import DeviceEvent
from station_agent.drivers.base import Codec, Output

SECOND_US: Final = 1_000_000
REPLY_DELAY_US: Final = 4_000  # what a device takes before it answers; 3.5 characters at 9600 baud
SAME_INSTANT_MAX: Final = 200  # steps; more of them at one time is a codec that spins
RECOVERY_S: Final = 30  # a lost cabinet is asked every 10 s, what is owed is forgotten after 2: thrice that

Delivery = list[tuple[int, bytes]]
Way = Callable[[bytes], Delivery]
"""What becomes of one thing that a device says: pieces, and how much later than it would each comes."""


def clean(data: bytes) -> Delivery:
    return [(0, data)]


class Subject(Protocol):
    """A codec with the devices that it speaks to, and what a test needs to know of both."""

    @property
    def codec(self) -> Codec: ...

    @property
    def baud_rate(self) -> int: ...

    @property
    def held_max(self) -> int:
        """In bytes (`Held`), beyond what a fresh codec holds."""

    def reply(self, now_us: int, data: bytes) -> bytes:
        """What the devices say to what the codec sent."""

    @property
    def speaks_at_us(self) -> int | None:
        """When a device says something unasked; None: it does not."""

    def speak(self, now_us: int) -> bytes: ...

    @property
    def bodies(self) -> tuple[bytes, ...]:
        """For `frame`, to begin with."""

    def frame(self, body: bytes) -> bytes:
        """A frame that holds this, with the right check: what noise alone would hardly ever be."""

    def misbehave(self, body: bytes) -> None:
        """A device says this next where it has the right to speak, whatever it means."""

    def fault(self, now_us: int, number: int) -> None:
        """A device gets one of its faults, or is switched off and on."""

    def mend(self) -> None:
        """No device has a fault any more."""

    def order(self, number: int) -> None:
        """One of the codec's orders, if it takes any."""

    def show(self, now_us: int, number: int) -> None:
        """Something happens at a device that a working codec tells."""

    def has_told(self, events: list[DeviceEvent], number: int) -> bool:
        """Whether that is among what was told."""

    def check(self, event: DeviceEvent) -> None:
        """Raises AssertionError for what no codec may tell, or a device may not have done."""


class Bench:
    """Runs one subject. `way` is the line's; `mishaps` are those of the next things said, first come first."""

    def __init__(self, subject: Subject, *, way: Way = clean, byte_by_byte: bool = False) -> None:
        self.subject = subject
        self.codec = subject.codec
        self.way = way
        self.mishaps: deque[Way] = deque()
        self.deaf = 0
        """So many of the codec's next transmissions reach no device."""
        self.now_us = SECOND_US
        self.events: list[DeviceEvent] = []
        self.is_open = False
        self._byte_by_byte = byte_by_byte
        self._arriving: list[tuple[int, int, bytes]] = []
        self._count = 0
        self._held = Held(self.codec)

    def open(self) -> None:
        self.is_open = True
        self._take(self.codec.opened(self.now_us))

    def close(self) -> None:
        """The cable is pulled: what was under way is gone."""
        self.is_open = False
        self._arriving.clear()
        self._take(self.codec.closed(self.now_us))

    def inject(self, data: bytes) -> None:
        """Bytes that come from nowhere, now."""
        for part in _parts(data, one_by_one=self._byte_by_byte):
            self._take(self.codec.received(self.now_us, part))
            self._check_held()

    def order(self, number: int) -> None:
        self.subject.order(number)
        self._take(self.codec.elapsed(self.now_us))

    def run(self, for_us: int) -> None:
        self.run_until(lambda: False, for_us)

    def run_until(self, condition: Callable[[], bool], limit_us: int) -> bool:
        """Whether the condition came to hold."""
        holds = self._run_until(condition, limit_us)
        self._check_held()
        return holds

    def _run_until(self, condition: Callable[[], bool], limit_us: int) -> bool:
        end_us = self.now_us + limit_us
        at_once = 0
        while not condition():
            next_us = max(self._next_us(), self.now_us)
            if next_us > end_us:
                self.now_us = end_us
                return False
            at_once = at_once + 1 if next_us == self.now_us else 0
            assert at_once < SAME_INSTANT_MAX, "it spins: time does not go on"
            self.now_us = next_us
            self._step()
        return True

    def recover(self) -> None:
        """From here on line and devices are well: within RECOVERY_S the codec tells again what happens."""
        self.way = clean
        self.mishaps.clear()
        self.deaf = 0
        self.subject.mend()
        if not self.is_open:
            self.open()
        for number in range(RECOVERY_S):
            known = len(self.events)
            self.subject.show(self.now_us, number)
            told = lambda known=known, number=number: self.subject.has_told(self.events[known:], number)  # noqa: E731  # bound here
            if self.run_until(told, SECOND_US):
                return
        raise AssertionError(f"{RECOVERY_S} s of a clean line, and it does not tell what happens")

    def _next_us(self) -> int:
        """When something happens next; beyond any run if nothing does."""
        wake_us = self.codec.wake_at_us if self.is_open else None
        times = (wake_us, self._arriving[0][0] if self._arriving else None, self.subject.speaks_at_us)
        return min((at_us for at_us in times if at_us is not None), default=1 << 62)

    def _step(self) -> None:
        speaks_at_us = self.subject.speaks_at_us
        if speaks_at_us is not None and speaks_at_us <= self.now_us:
            self._say(self.now_us, self.subject.speak(self.now_us))
        elif self._arriving and self._arriving[0][0] <= self.now_us:
            data = heapq.heappop(self._arriving)[2]
            self._take(self.codec.received(self.now_us, data))
        else:
            self._take(self.codec.elapsed(self.now_us))

    def _check_held(self) -> None:
        held, expected = self._held.beyond, self.subject.held_max
        assert held <= expected, f"it holds {held} bytes of what came, at most {expected} expected"

    def _take(self, output: Output) -> None:
        for event in output.events:
            self.subject.check(event)
        self.events.extend(output.events)
        if not output.send:
            return
        if self.deaf:
            self.deaf -= 1
            return
        sent_us = self.now_us + self._wire_us(output.send)
        self._say(sent_us + REPLY_DELAY_US, self.subject.reply(sent_us, output.send))

    def _say(self, start_us: int, data: bytes) -> None:
        if not data or not self.is_open:
            return
        way = self.mishaps.popleft() if self.mishaps else self.way
        at_us = start_us
        for later_us, piece in way(data):
            at_us = max(at_us, start_us + later_us)  # one after the other
            for part in _parts(piece, one_by_one=self._byte_by_byte):
                at_us += self._wire_us(part)
                self._count += 1
                heapq.heappush(self._arriving, (at_us, self._count, part))

    def _wire_us(self, data: bytes) -> int:
        return len(data) * 10 * SECOND_US // self.subject.baud_rate


def _parts(data: bytes, *, one_by_one: bool) -> list[bytes]:
    if one_by_one:
        return [data[at : at + 1] for at in range(len(data))]
    return [data] if data else []
