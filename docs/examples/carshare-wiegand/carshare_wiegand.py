"""`wiegand-ascii`: a Wiegand badge reader behind a converter that speaks in lines of ASCII.

to us      C26 3A5F1C40    a card: how many bits, and these in whole bytes, filled with 0 at the end
           OK              an answer
from us    ?               are you there?
           L G 50          the lamp is green for 5.0 s; R is red, A is amber

Each line ends with CR LF.
"""

import re
from collections.abc import Iterator
from typing import Literal

from contract.values import OpaqueId
from station_agent.core.device_events import CardRead, DeviceEvent, ReaderLost, ReaderSeen, ReaderSignal
from station_agent.drivers.annotation import MASK, Shown, octets
from station_agent.drivers.base import LineStatistics, NeverRests, Output
from station_agent.drivers.declaration import Fault, ReadersDriver, Tools
from station_agent.drivers.probing import Question
from station_agent.drivers.tables import BaudRate, ReadersTable, Role

END = b"\r\n"
ASK = b"?" + END
LINE_MAX = 48  # the longest card, 128 bits, takes 38
CARD = re.compile(rb"C([1-9][0-9]{0,2}) ((?:[0-9A-F]{2}){1,16})")
ASK_EVERY_US = 1_000_000  # a member who finds a dead reader waits for the fourth second at most
UNANSWERED_MAX = 3  # one line in a hundred may be spoilt: three in a row are not chance
LAMP = {
    ReaderSignal.TAKEN: b"L G 50",
    ReaderSignal.ANOTHER_SLOT: b"L A 50",
    ReaderSignal.AGAIN: b"L A 10",
    ReaderSignal.CALL: b"L R 80",
}


class WiegandTable(ReadersTable):
    """One reader behind a Wiegand converter. Its line has no secure channel: keep it inside the wall."""

    driver: Literal["wiegand-ascii"]
    """What the converter speaks."""
    baud_rate: BaudRate = 9600
    """As the converter leaves the factory."""
    name: OpaqueId
    """As in facts and metrics."""
    role: Role = "badge"
    """`return_tag`: reads the fob of a key that is brought back."""

    @property
    def roles(self) -> tuple[tuple[str, Role], ...]:
        return ((self.name, self.role),)


class WiegandReader(NeverRests):
    """The codec of one converter. Lost after three questions without an answer, seen with the next good line."""

    def __init__(self, reader: str) -> None:
        self.statistics = LineStatistics()
        self.wake_at_us: int | None = None
        self._reader = reader
        self._held = b""
        self._unanswered = 0
        self._seen: bool | None = None  # None: nothing told yet
        self._lamp = b""

    def indicate(self, reader: str, signal: ReaderSignal) -> None:
        self._lamp = LAMP.get(signal, b"")  # "wait" is over within a second, and it has no keys for a PIN

    def opened(self, now_us: int) -> Output:
        self._held, self._unanswered, self._lamp = b"", 0, b""
        return self._ask(now_us)

    def closed(self, now_us: int) -> Output:
        self.wake_at_us = None
        return Output(events=tuple(self._lose("the line is gone")))

    def elapsed(self, now_us: int) -> Output:
        lamp, self._lamp = self._lamp, b""
        asked = self._ask(now_us) if self.wake_at_us is not None and now_us >= self.wake_at_us else Output()
        self.statistics.frames_sent += bool(lamp)
        return Output((lamp + END if lamp else b"") + asked.send, asked.events)

    def received(self, now_us: int, data: bytes) -> Output:
        *lines, self._held = (self._held + data).split(END)
        if len(self._held) > LINE_MAX:
            self._held = b""
            self.statistics.garbled += 1
        return Output(events=tuple(event for line in lines for event in self._told_by(line)))

    def _ask(self, now_us: int) -> Output:
        self.statistics.timeouts += self._unanswered > 0
        events = tuple(self._lose("no answer")) if self._unanswered == UNANSWERED_MAX else ()
        self._unanswered += 1
        self.wake_at_us = now_us + ASK_EVERY_US
        self.statistics.frames_sent += 1
        return Output(ASK, events)

    def _lose(self, why: str) -> Iterator[DeviceEvent]:
        if self._seen is not False:
            self._seen = False
            yield ReaderLost(self._reader, why)

    def _told_by(self, line: bytes) -> Iterator[DeviceEvent]:
        card = _card(line)
        if line != b"OK" and card is None:
            self.statistics.garbled += 1
            return
        self.statistics.frames_received += 1
        self._unanswered = 0
        if not self._seen:
            self._seen = True
            yield ReaderSeen(self._reader, tampered=False, power_failed=False)
        if card is not None:
            yield CardRead(self._reader, *card)


def _card(line: bytes) -> tuple[int, bytes] | None:
    """How many bits, and these."""
    found = CARD.fullmatch(line)
    if found is None:
        return None
    bit_count, data = int(found[1]), bytes.fromhex(found[2].decode())
    return (bit_count, data) if (bit_count + 7) // 8 == len(data) else None


class WiegandAnnotator:
    """For `station-agent trace`: every line as it is, but for the number of a card."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes, *, sent: bool) -> list[Shown]:
        if sent:
            return [Shown(octets(line), f"says {line.decode()}") for line in data.split(END) if line]
        *lines, self._held = (self._held + data).split(END)
        self._held = self._held[-LINE_MAX:]
        return [self._shown(line) for line in lines]

    @staticmethod
    def _shown(line: bytes) -> Shown:
        if line == b"OK":
            return Shown(octets(line), "answers")
        card = _card(line)
        return Shown(MASK, f"a card of {card[0]} bits" if card else f"{len(line)} bytes that are no line of its")


class WiegandProber:
    """For `station-agent doctor`: a converter that is set to another speed answers there."""

    noun = "converter"

    def questions(self, baud_rate: int, addresses: tuple[int, ...]) -> Iterator[Question]:
        for rate in (19200, 38400, 115200, 9600):
            if rate != baud_rate:
                yield Question(rate, 0, ASK, lambda data: b"OK" + END in data)


def _reader(table: WiegandTable, _tools: Tools) -> WiegandReader:
    return WiegandReader(table.name)


_TESTS = "tests/test_carshare_wiegand.py"

DRIVER = ReadersDriver(
    name="wiegand-ascii",
    table=WiegandTable,
    codec=_reader,
    line="serial, pyserial URL",
    annotator=WiegandAnnotator,
    prober=WiegandProber(),
    shows=frozenset(LAMP),
    faults=(
        Fault(
            "silent converter, cable pulled",
            "the reader is lost after three questions without an answer, and seen again when it answers",
            (f"{_TESTS}::test_a_silent_converter_is_lost_within_four_seconds_and_seen_when_it_answers",),
        ),
        Fault(
            "noise, cut lines",
            "are counted and told to nobody; the next whole line is read, little is held",
            (f"{_TESTS}::test_noise_is_counted_and_hides_no_line_after_it",),
        ),
    ),
)
