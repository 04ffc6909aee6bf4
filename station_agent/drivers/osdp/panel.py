"""The control panel of one RS-485 bus, as a codec without I/O: whose turn it is, and how long to wait.

One exchange is on the bus at a time. The reader whose poll is due longest goes next; an order (`indicate`)
makes its reader due at once. What a reader says is judged in `link`; here is only time.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from station_agent.core.device_events import DeviceEvent, ReaderSignal
from station_agent.drivers.base import LineStatistics, Output
from station_agent.drivers.osdp.config import OsdpReaderConfig
from station_agent.drivers.osdp.framing import FRAME_BYTES_MAX, MARK, Frame, FrameDecoder
from station_agent.drivers.osdp.link import ReaderLink
from station_agent.drivers.osdp.states import Answer, Why

BAUD_RATES = (9600, 19200, 38400, 57600, 115200, 230400)  # those of OSDP
_BITS_PER_CHARACTER = 10  # 8N1
# These three from libosdp's protocol introduction, "Timing" and "Message Synchronization"
REPLY_US = 200_000  # a reader answers within 200 ms, if only that it is busy
IDLE_CHARACTERS = 2  # the line rests for two characters before anyone sends
GAP_US = 20_000  # 20 ms without a character end a message
ADAPTER_US = 20_000  # a USB adapter keeps bytes back for up to 16 ms (FTDI's latency timer), and a little more
BUSY_PAUSE_US = 200_000  # a busy reader gets as long as a silent one

_NOTHING = Output()


@dataclass(slots=True)
class Exchange:
    """A command on the bus that waits for its reply."""

    link: ReaderLink
    answer_by_us: int  # for the first byte of a reply
    end_by_us: int  # for the last one: a line that never falls silent must not hold the bus
    deadline_us: int
    fault: Why = Why.NO_ANSWER  # what to say of the reader if this was the last attempt
    # One false reply or BUSY ends the attempt: whoever guesses MACs gets one guess for each, and no row of BUSYs
    # holds a swipe back for longer than the attempts last.
    refused: bool = False


class OsdpPanel:
    """The codec of one bus with one or more readers (see `drivers.base.Codec`).

    `baud_rate` is the line's, one of BAUD_RATES. `random_bytes(n)` must be unpredictable and never repeat
    (`secrets.token_bytes`): what keeps a recorded session from being replayed is drawn from it.
    Raises ValueError for readers that cannot share a bus.
    """

    def __init__(
        self,
        readers: tuple[OsdpReaderConfig, ...],
        baud_rate: int,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        if baud_rate not in BAUD_RATES:
            raise ValueError(f"baud_rate is one of {BAUD_RATES}, not {baud_rate}")
        if not readers:
            raise ValueError("a bus has at least one reader")
        for what in ("name", "address", "scbk"):
            if len({getattr(reader, what) for reader in readers}) < len(readers):
                raise ValueError(f"each reader of a bus has its own {what}")
        self.statistics = LineStatistics()
        self._events: list[DeviceEvent] = []
        self._links = {reader.name: ReaderLink(reader, random_bytes, self._events.append) for reader in readers}
        self._decoder = FrameDecoder()
        self._exchange: Exchange | None = None
        self._is_open = False
        self._free_at_us = 0  # the line has rested by then
        self._character_us = _BITS_PER_CHARACTER * 1_000_000 // baud_rate + 1

    @property
    def wake_at_us(self) -> int | None:
        if not self._is_open:
            return None
        if self._exchange is not None:
            return self._exchange.deadline_us
        return max(self._free_at_us, min(link.due_us for link in self._links.values()))

    def indicate(self, reader_name: str, signal: ReaderSignal) -> None:
        """Show and sound a signal: the next `elapsed` sends it. One not yet sent is replaced."""
        self._links[reader_name].indicate(signal)

    def opened(self, now_us: int) -> Output:
        self._is_open = True
        self._exchange = None
        self._free_at_us = now_us
        for link in self._links.values():
            link.restart(now_us)
        return self._output(self._send_due(now_us))

    def closed(self, now_us: int) -> Output:
        self._is_open = False
        self._exchange = None
        for link in self._links.values():
            link.lose(now_us, Why.LINE_CLOSED)
        return self._output(b"")

    def received(self, now_us: int, data: bytes) -> Output:
        if not self._is_open:
            return _NOTHING
        garbled = self._take(now_us, self._decoder.feed(data))
        if (exchange := self._exchange) is not None:
            if garbled:
                exchange.fault = Why.GARBLED
            if garbled or self._decoder.pending:
                self._expect_soon(now_us, exchange)
            elif exchange.fault is Why.NO_ANSWER:  # it was our echo or a stray frame: the reply is still to come
                exchange.deadline_us = exchange.answer_by_us
        return self._output(self._send_due(now_us))

    def elapsed(self, now_us: int) -> Output:
        exchange = self._exchange
        if exchange is None or now_us < exchange.deadline_us:
            return self._output(self._send_due(now_us))
        return self._output(self._give_up_waiting(now_us, exchange))

    # ---- what a simulator leaves out

    def rest(self, now_us: int) -> int | None:
        if not self._is_open or self._exchange is not None:
            return None
        news_us = [link.news_at_us for link in self._links.values()]
        return until_us if (until_us := min(news_us)) > now_us else None

    def expect_news(self) -> None:
        for link in self._links.values():
            link.expect_news()

    def resume(self, now_us: int) -> None:
        for link in self._links.values():
            link.skip_polls(now_us)

    # ---- one exchange

    def _send_due(self, now_us: int) -> bytes:
        if not self._is_open or self._exchange is not None or now_us < self._free_at_us:
            return b""
        link = min(self._links.values(), key=_due)
        return self._put(now_us, link, link.begin(now_us)) if now_us >= link.due_us else b""

    def _put(self, now_us: int, link: ReaderLink, command: bytes) -> bytes:
        self._decoder.clear()
        sent_us = now_us + (len(MARK) + len(command)) * self._character_us
        answer_by_us = sent_us + REPLY_US + ADAPTER_US
        end_by_us = answer_by_us + FRAME_BYTES_MAX * self._character_us
        self._exchange = Exchange(link, answer_by_us, end_by_us, answer_by_us)
        self.statistics.frames_sent += 1
        return MARK + command

    def _take(self, now_us: int, frames: Iterable[Frame]) -> int:
        """Give frames to the reader they are from; returns how often bytes had to be dropped among them."""
        before = self.statistics.garbled
        for frame in frames:
            exchange = self._exchange
            if exchange is None or exchange.refused or not frame.is_reply:
                continue  # a late reply, our own echo, another panel
            if frame.address == exchange.link.config.address:
                self.statistics.frames_received += 1
                self._act(now_us, exchange, exchange.link.take(now_us, frame))
        self.statistics.garbled += self._decoder.taken_garbled()
        return self.statistics.garbled - before

    def _act(self, now_us: int, exchange: Exchange, answer: Answer) -> None:
        if answer is Answer.BAD:
            self.statistics.garbled += 1
            exchange.refused = True
        elif answer is Answer.BUSY:
            exchange.fault = Why.BUSY
            exchange.refused = True
            exchange.deadline_us = now_us + BUSY_PAUSE_US
        elif answer is not Answer.STRAY:
            self._finish(now_us)

    def _expect_soon(self, now_us: int, exchange: Exchange) -> None:
        """Part of a reply, or what noise left of it, is here: the rest follows without a gap or never."""
        exchange.deadline_us = min(exchange.end_by_us, now_us + GAP_US + ADAPTER_US)

    def _give_up_waiting(self, now_us: int, exchange: Exchange) -> bytes:
        """The time for a reply is over: look behind the noise, else ask again, else give the reader up."""
        if self._take(now_us, self._decoder.flush()):
            exchange.fault = Why.GARBLED
        if self._exchange is None:
            return b""
        if exchange.fault is Why.NO_ANSWER:
            self.statistics.timeouts += 1
        command = exchange.link.again(now_us, exchange.fault)
        if command is not None:
            return self._put(now_us, exchange.link, command)
        self._finish(now_us)
        return self._send_due(now_us)

    def _finish(self, now_us: int) -> None:
        self._exchange = None
        self._free_at_us = now_us + IDLE_CHARACTERS * self._character_us

    def _output(self, send: bytes) -> Output:
        if not send and not self._events:
            return _NOTHING
        events = tuple(self._events)
        self._events.clear()
        return Output(send, events)


def _due(link: ReaderLink) -> int:
    return link.due_us
