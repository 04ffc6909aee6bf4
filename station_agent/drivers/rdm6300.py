"""RDM6300 reader of EM4100 key tags, 9600 8N1: it only sends, and only while a tag is there (design/hardware.md).

    02 | 10 hex digits: version, 4-byte id | 2 hex digits: XOR of these 5 bytes | 03        ASCII, 14 bytes

The same frame comes every 65 ms for as long as the tag is there, and nothing says that it is gone. So a tag
that was not read for `GONE_US` is gone, and its next frame is told as a new presentation. The reader has no
voice of its own: it is seen when its line opens and lost when that closes, and a dead one is not noticed.
"""

from typing import Final

from station_agent.core.device_events import CardRead, DeviceEvent, ReaderLost, ReaderSeen
from station_agent.drivers.base import FOREVER_US, LineStatistics, Output

FRAME_BYTES: Final = 14
TAG_BITS: Final = 40
BAUD_RATE: Final = 9600
# Six repeats of 65 ms, three where two tags take turns: so many may be spoilt in a row, and nobody takes a fob
# away and shows it anew in less.
GONE_US: Final = 400_000
# A line of 9600 baud carries 27 frames in `GONE_US`; only a faster one could show more tags at a time, and then
# the one not read for longest is forgotten.
TAGS_MAX: Final = 32

_STX, _ETX = 0x02, 0x03
_STX_BYTE: Final = bytes((_STX,))
_DIGITS: Final = frozenset(b"0123456789ABCDEF")
_NOTHING: Final = Output()


def parse(frame: bytes) -> bytes | None:
    """The tag's 5 bytes, version first, in exactly these 14 bytes; None where they are no frame."""
    digits = frame[1:-1]
    if len(frame) != FRAME_BYTES or frame[0] != _STX or frame[-1] != _ETX or not _DIGITS.issuperset(digits):
        return None
    *tag, check = bytes.fromhex(digits.decode("ascii"))
    for byte in tag:
        check ^= byte
    return bytes(tag) if check == 0 else None


class FrameDecoder:
    """Takes bytes in any portions and gives the tags in them; never raises, holds less than one frame.

    STX occurs nowhere inside a frame, so a frame begins at each one. `garbled` counts each frame cut or spoilt,
    and each stretch of noise between frames once.
    """

    __slots__ = ("_begun", "_in_sync", "garbled")

    def __init__(self) -> None:
        self.garbled = 0
        self._begun = b""
        self._in_sync = True

    @property
    def pending(self) -> int:
        """Bytes held of a frame begun."""
        return len(self._begun)

    def feed(self, data: bytes) -> list[bytes]:
        tags: list[bytes] = []
        before, *pieces = data.split(_STX_BYTE)
        self._take(before, tags)
        for piece in pieces:
            if self._begun:
                self._spoilt()
            self._begun = _STX_BYTE
            self._take(piece, tags)
        return tags

    def clear(self) -> None:
        """Forget what is held: the line was opened anew."""
        self._begun = b""
        self._in_sync = True

    def _take(self, piece: bytes, tags: list[bytes]) -> None:
        """Bytes without an STX: the frame begun goes on, and what is behind its end is noise."""
        if self._begun:
            missing = FRAME_BYTES - len(self._begun)
            self._begun += piece[:missing]
            piece = piece[missing:]
            if len(self._begun) == FRAME_BYTES:
                tag = parse(self._begun)
                if tag is None:
                    self._spoilt()
                else:
                    tags.append(tag)
                    self._in_sync = True
                self._begun = b""
        if piece and self._in_sync:
            self._spoilt()

    def _spoilt(self) -> None:
        self.garbled += 1
        self._in_sync = False


class Rdm6300Reader:
    """The codec of one reader (see `drivers.base.Codec`): tells each tag once per presentation."""

    def __init__(self, reader: str) -> None:
        self.statistics = LineStatistics()
        self._reader = reader
        self._decoder = FrameDecoder()
        self._last_read_us: dict[bytes, int] = {}  # by tag, those read longest ago first
        self._is_open = False
        self._expects_news = False

    @property
    def wake_at_us(self) -> int | None:
        return None

    def opened(self, now_us: int) -> Output:
        """What was held is forgotten; a tag that stayed there while the line was gone is not told again at once."""
        self._is_open = True
        self._decoder.clear()
        return Output(events=(ReaderSeen(self._reader, tampered=False, power_failed=False),))

    def received(self, now_us: int, data: bytes) -> Output:
        if not self._is_open:
            return _NOTHING
        self._expects_news = False
        tags = self._decoder.feed(data)
        self.statistics.frames_received += len(tags)
        self.statistics.garbled = self._decoder.garbled
        events: list[DeviceEvent] = [
            CardRead(self._reader, TAG_BITS, tag) for tag in tags if self._is_new(now_us, tag)
        ]
        return Output(events=tuple(events)) if events else _NOTHING

    def elapsed(self, now_us: int) -> Output:
        return _NOTHING

    def closed(self, now_us: int) -> Output:
        if not self._is_open:
            return _NOTHING
        self._is_open = False
        return Output(events=(ReaderLost(self._reader, "the line is gone"),))

    # ---- what a simulator leaves out: nothing, for nothing is ever asked

    def rest(self, now_us: int) -> int | None:
        return None if self._expects_news else FOREVER_US

    def expect_news(self) -> None:
        self._expects_news = True

    def resume(self, now_us: int) -> None:
        self.expect_news()

    def _is_new(self, now_us: int, tag: bytes) -> bool:
        """Whether this frame begins a presentation."""
        last_read_us = self._last_read_us.pop(tag, None)
        self._last_read_us[tag] = now_us
        if len(self._last_read_us) > TAGS_MAX:
            del self._last_read_us[next(iter(self._last_read_us))]
        return last_read_us is None or now_us - last_read_us > GONE_US
