"""The KERONG KR-CU16 lock board's frames, as far as a cabinet needs them: requests out, replies in, no I/O.

    request       02 ADDR CMD 03 SUM                  ADDR = board << 4 | lock, both from 0
    status reply  02 ADDR 35 H1 H2 I1 I2 03 SUM       hooks 1-8, 9-16 (1 = closed), infrared 1-8, 9-16 (1 = seen)
    query reply   02 ADDR 38 ... 03 SUM

SUM is the low byte of the sum of all bytes before. 0x03 also occurs inside the data, so the length follows from
CMD. Unlocking all locks (0x33) is left out on purpose: no key cabinet ever wants it.

Assumed, because no document says so: an unlock is answered like a status, if it is answered at all; a reply names
the board in the upper half of ADDR, whatever the lower half; the reply to the query (0x38: how long a lock gets
current) has the query's own CMD and one to four bytes of data. No request looks like a reply, so an adapter that
hands back what is sent does no harm and needs no setting.

Errors are values. What the parser cannot understand stays "no reply yet"; `trouble` says why.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

STX: Final = 0x02
ETX: Final = 0x03
STATUS: Final = 0x30
UNLOCK: Final = 0x31
STATUS_REPLY: Final = 0x35
QUERY: Final = 0x38  # how long a lock gets current; harmless, and ends BUSY

BOARDS: Final = range(16)
LOCKS: Final = range(16)  # of one board
REQUEST_SIZE: Final = 5
STATUS_REPLY_SIZE: Final = 9
QUERY_REPLY_SIZES: Final = range(9, 5, -1)  # the longest that fits is meant; five bytes are the query itself
REPLY_MIN: Final = 6
INPUT_MAX: Final = 64  # in one exchange: a few left-over replies, some noise; whoever sends more makes no sense
TAIL_MAX: Final = 2  # bytes behind a reply that are noise of a bus whose driver was switched off


def checksum(data: bytes) -> int:
    return sum(data) & 0xFF


def framed(address: int, command: int, data: bytes = b"") -> bytes:
    frame = bytes((STX, address, command, *data, ETX))
    return frame + bytes((checksum(frame),))


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it goes out. `unit` is the board."""

    unit: int
    command: int
    function: int
    """CMD of its reply: what tells it from other replies of the board."""
    frame: bytes
    answer_size: int
    """In bytes, at most."""


def read_status(board: int) -> Request:
    return _request(board, 0, STATUS, STATUS_REPLY, STATUS_REPLY_SIZE)


def unlock(board: int, lock: int) -> Request:
    return _request(board, lock, UNLOCK, STATUS_REPLY, STATUS_REPLY_SIZE)


def query(board: int) -> Request:
    return _request(board, 0, QUERY, QUERY, QUERY_REPLY_SIZES[0])


def _request(board: int, lock: int, command: int, function: int, answer_size: int) -> Request:
    assert board in BOARDS, board
    assert lock in LOCKS, lock
    return Request(board, command, function, framed(board << 4 | lock, command), answer_size)


@dataclass(frozen=True, slots=True)
class Status:
    """The contacts of one board as bit fields, bit 0 being lock 0."""

    hooks: int
    """1: closed."""
    infrared: int
    """1: something is there."""


@dataclass(frozen=True, slots=True)
class QueryAnswered:
    """The board answered the harmless query: it is there and not busy. What it says is of no interest."""


Reply = Status | QueryAnswered


class Trouble(StrEnum):
    """Why there is no reply, for the operator."""

    SILENT = "no answer"
    GARBLED = "garbled answer"
    SEVERAL = "more than one answer, and which is the newest cannot be told"


class FoundReply(NamedTuple):
    """A good reply among other bytes, from `start` up to before `end`."""

    start: int
    end: int
    board: int
    command: int


class ReplyParser:
    """Collects what comes after one request and says whether the reply is in it.

    There is a reply if exactly one frame can be it and nothing but a little noise comes behind it: of two such
    frames one is a left-over of an earlier exchange. Noise, and left-overs that cannot be the reply, may come
    before. Never raises, and holds at most 64 bytes.
    """

    def __init__(self) -> None:
        self.reply: Reply | None = None
        """As of what came until now: more input may take it back."""
        self.has_left_over = False
        """Before the reply came one that belongs to another exchange."""
        self._several = False
        self._request: Request | None = None
        self._input = b""

    @property
    def trouble(self) -> Trouble:
        if self.is_silent:
            return Trouble.SILENT
        return Trouble.SEVERAL if self._several else Trouble.GARBLED

    @property
    def is_silent(self) -> bool:
        """Nothing came, or what was sent came back."""
        return not self._input or (self._request is not None and self._input == self._request.frame)

    @property
    def byte_count(self) -> int:
        """Bytes that came since the request; 65 stands for more than 64."""
        return len(self._input)

    def expect(self, request: Request) -> None:
        """From here on input can only be the reply to this request."""
        self._request = request
        self._input = b""
        self._judge([])

    def feed(self, data: bytes) -> None:
        self._input = (self._input + data[: INPUT_MAX + 1])[: INPUT_MAX + 1]
        self._judge(replies_in(self._input) if len(self._input) <= INPUT_MAX else [])

    def _judge(self, frames: list[FoundReply]) -> None:
        request = self._request
        candidates = [
            frame
            for frame in frames
            if request is not None and (frame.board, frame.command) == (request.unit, request.function)
        ]
        self._several = len(candidates) > 1
        self.reply = None
        self.has_left_over = len(frames) > 1
        if len(candidates) == 1 and _is_noise(self._input[candidates[0].end :]):
            self.reply = understood(self._input[candidates[0].start : candidates[0].end])


def replies_in(data: bytes) -> list[FoundReply]:
    """All replies in it, whoever they are for."""
    frames = []
    start = data.find(STX)
    while start != -1:
        size = _size_at(data, start)
        if size:
            frames.append(FoundReply(start, start + size, data[start + 1] >> 4, data[start + 2]))
        start = data.find(STX, start + (size or 1))
    return frames


def _size_at(data: bytes, start: int) -> int:
    """Size of the good reply that starts there; 0: none does."""
    command = data[start + 2] if len(data) > start + 2 else None
    if command == STATUS_REPLY:
        return STATUS_REPLY_SIZE if _is_good(data[start : start + STATUS_REPLY_SIZE], STATUS_REPLY_SIZE) else 0
    if command == QUERY:
        return next((size for size in QUERY_REPLY_SIZES if _is_good(data[start : start + size], size)), 0)
    return 0


def _is_good(frame: bytes, size: int) -> bool:
    return len(frame) == size and frame[-2] == ETX and frame[-1] == checksum(frame[:-1])


def _is_noise(tail: bytes) -> bool:
    return len(tail) <= TAIL_MAX and STX not in tail


def understood(frame: bytes) -> Reply:
    """What a good reply says."""
    if frame[2] == QUERY:
        return QueryAnswered()
    return Status(int.from_bytes(frame[3:5], "little"), int.from_bytes(frame[5:7], "little"))
