r"""What a driver is: a codec without I/O, made for one line.

A codec is told what happened on its line (`opened`, `received`, `elapsed`, `closed`) and what the agent
wants (methods of its own, such as `release`), and answers with bytes to send and with events. It has no
clock: every call carries the time of the line clock in microseconds. It never raises on input, and its
memory is bounded.

    output = codec.received(now_us, b"\x01\x02...")
    line.write(output.send)
    for event in output.events: ...
    sleep_until(codec.wake_at_us)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from station_agent.core.device_events import DeviceEvent

FOREVER_US: Final = 1 << 62
"""Of a rest: until something happens."""


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes for the line, in order, and events for the core, in order."""

    send: bytes = b""
    events: tuple[DeviceEvent, ...] = ()


@dataclass(slots=True)
class LineStatistics:
    """Counters of one line since start, read by the metrics collector at scrape time."""

    frames_sent: int = 0
    frames_received: int = 0
    timeouts: int = 0
    garbled: int = 0  # bad checksum, cut frame, noise between frames


class Codec(Protocol):
    """One protocol on one line, with all the devices that share it."""

    statistics: LineStatistics

    @property
    def wake_at_us(self) -> int | None:
        """When `elapsed` wants to be called, on the line clock; None: only input matters."""

    def opened(self, now_us: int) -> Output:
        """The line is open: whatever was half received or half sent before is forgotten."""

    def received(self, now_us: int, data: bytes) -> Output:
        """Bytes came from the line, in any portions."""

    def elapsed(self, now_us: int) -> Output:
        """The time asked for with `wake_at_us` has come, or an order was given: send what is due."""

    def closed(self, now_us: int) -> Output:
        """The line is gone: each device of it is lost until it is seen again."""


class RestfulCodec(Codec, Protocol):
    """A codec whose idle exchanges a simulator may leave out. On a real line nobody asks."""

    def rest(self, now_us: int) -> int | None:
        """Until when each exchange will be as those before it were, if no device has news; None: not so now."""

    def expect_news(self) -> None:
        """A device may have some: no rest before each was asked again, whatever is under way now."""

    def resume(self, now_us: int) -> None:
        """The exchanges since `rest` were left out: go on as if they had been, and expect news.

        What was under way by then is caught up with by `elapsed` and `received` of earlier instants.
        """


class NeverRests:
    """Mixed into a codec of which no idle exchange may be left out: whoever simulates it carries every one."""

    def rest(self, now_us: int) -> int | None:
        return None

    def expect_news(self) -> None:
        """Each device is asked as often as ever: there is nothing to be ready for."""

    def resume(self, now_us: int) -> None:
        """Nothing was left out."""


class Line(Protocol):
    """What carries a codec's bytes: a serial port, or the simulator's wire in memory."""

    @property
    def is_open(self) -> bool: ...

    def give(self, order: Callable[[], None]) -> None:
        """Call `order`, which gives the codec one, and let the codec act on it now."""

    async def run(self) -> None:
        """Keeps the line open until cancelled. Raises what the codec or `on_event` raised: a bug of ours."""


MakeLine = Callable[[str, int, RestfulCodec, Callable[[DeviceEvent], None]], Line]
"""(device URL, baud rate, codec, on_event): a line that is not yet open."""
