"""Modbus RTU, as far as lock and input boards need it: requests out, answers in, no I/O.

RTU has no transaction id, no length field and no start mark, so an answer can only be understood against the
request that it should answer: `AnswerParser.expect(request)`, then `feed` whatever comes.

    unit, function, data..., checksum (low byte first)

Errors are values. What the parser cannot understand stays "no answer yet"; `trouble` says why.
"""

from dataclasses import dataclass
from enum import StrEnum

READ_COILS = 0x01
READ_INPUTS = 0x02
WRITE_COIL = 0x05
EXCEPTION_BIT = 0x80  # set in the function byte of a refusal

COIL_ON = 0xFF00
COIL_OFF = 0x0000
PULSE_BASE = 0x0200  # Waveshare's "flash on": this + channel, value in units of 100 ms
PULSE_UNIT_MS = 100
PULSE_UNITS_MAX = 0x7FFF

UNITS = range(1, 248)  # 0 is the broadcast, 248 and above are reserved
CHANNELS = range(256)  # the pulse address leaves one byte for the channel
BITS_MAX = 2000  # in one read
REQUEST_SIZE = 8  # of each of the three functions above
REFUSAL_SIZE = 5  # the smallest frame that answers anything
ADU_MAX = 256  # no RTU frame is longer


def _crc_table() -> tuple[int, ...]:
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1  # noqa: PLW2901  # shifted bit by bit
        table.append(crc)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc16(data: bytes) -> int:
    """CRC-16/MODBUS. Over a frame with its checksum it is 0."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


def with_crc(data: bytes) -> bytes:
    return data + crc16(data).to_bytes(2, "little")


@dataclass(frozen=True, slots=True)
class Request:
    """One request: its frame as it goes out, and the size of the frame that grants it."""

    unit: int
    function: int
    frame: bytes
    answer_size: int


def read_inputs(unit: int, first: int, count: int) -> Request:
    return _read(READ_INPUTS, unit, first, count)


def read_coils(unit: int, first: int, count: int) -> Request:
    return _read(READ_COILS, unit, first, count)


def write_coil(unit: int, channel: int, *, on: bool) -> Request:
    return _write(unit, channel, COIL_ON if on else COIL_OFF)


def pulse_coil(unit: int, channel: int, duration_ms: int) -> Request:
    """Current for `duration_ms`, ended by the board itself: a crashed agent leaves no solenoid energised."""
    units, rest = divmod(duration_ms, PULSE_UNIT_MS)
    assert not rest, f"a pulse is counted in steps of {PULSE_UNIT_MS} ms, not {duration_ms} ms"
    assert 1 <= units <= PULSE_UNITS_MAX, duration_ms
    return _write(unit, PULSE_BASE + channel, units)


def _read(function: int, unit: int, first: int, count: int) -> Request:
    assert unit in UNITS, unit
    assert 1 <= count <= BITS_MAX, count
    assert 0 <= first <= 0x10000 - count, first
    data = bytes((unit, function, first >> 8, first & 0xFF, count >> 8, count & 0xFF))
    return Request(unit, function, with_crc(data), 5 + (count + 7) // 8)


def _write(unit: int, address: int, value: int) -> Request:
    assert unit in UNITS, unit
    assert address & 0xFF in CHANNELS, address
    assert address >> 8 in {0, PULSE_BASE >> 8}, address
    data = bytes((unit, WRITE_COIL, address >> 8, address & 0xFF, value >> 8, value & 0xFF))
    return Request(unit, WRITE_COIL, with_crc(data), REQUEST_SIZE)


@dataclass(frozen=True, slots=True)
class BitsRead:
    """Coils or inputs: bit 0 is the first one asked for. Bits beyond the count are as the board sent them."""

    bits: int


@dataclass(frozen=True, slots=True)
class CoilWritten:
    """The board repeated the order: it is carried out."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The board answered with an exception."""

    code: int


Answer = BitsRead | CoilWritten | Refused


class Trouble(StrEnum):
    """Why there is no answer, for the operator."""

    SILENT = "no answer"
    GARBLED = "garbled answer"
    ECHOED = "the adapter hands back what is sent: set local_echo"
    NOT_ECHOED = "what was sent did not come back: another sender on the line, or local_echo is set wrongly"


class AnswerParser:
    """Finds the answer to one request at a time in what comes back.

    Noise before the answer is skipped. Never raises, and holds less than one frame between calls.

    With `local_echo` the adapter hands back the very bytes that were sent, and exactly those are dropped.
    Without, finding one's own read request among the input spoils the exchange: on such a line the answer to
    a write, which equals its request, would come from the adapter and prove nothing.
    """

    def __init__(self, *, local_echo: bool) -> None:
        self.byte_count = 0
        """Bytes that came since the request, its echo aside."""
        self.surplus = 0
        """Bytes that came behind the answer in the same portion."""
        self._local_echo = local_echo
        self._request: Request | None = None
        self._buffer = b""
        self._echo = b""
        self._spoilt: Trouble | None = None

    @property
    def trouble(self) -> Trouble:
        return self._spoilt or (Trouble.GARBLED if self.byte_count else Trouble.SILENT)

    @property
    def is_silent(self) -> bool:
        return self.trouble is Trouble.SILENT

    def expect(self, request: Request) -> None:
        """From here on input can only be the answer to this request."""
        self._request = request
        self._buffer = b""
        self._echo = request.frame if self._local_echo else b""
        self._spoilt = None
        self.byte_count = 0
        self.surplus = 0

    def feed(self, data: bytes) -> Answer | None:
        """The answer, once. Later input is ignored until the next `expect`."""
        request = self._request
        if request is None:
            return None
        if self._echo:
            data = self._without_echo(data)
        self.byte_count += len(data)
        if self._spoilt:
            return None
        buffer = self._buffer + data
        for start in range(len(buffer) - REFUSAL_SIZE + 1):
            if buffer[start] != request.unit:
                continue
            size = _size_of(request, buffer[start + 1])
            if not size or start + size > len(buffer):
                continue
            answer = _understood(request, buffer[start : start + size])
            if answer is not None and not self._is_echoed(request, buffer[:start]):
                self.surplus = len(buffer) - start - size
                self._request = None
                return answer
        if not self._is_echoed(request, buffer):
            # enough to complete the answer, or to recognise our own request
            self._buffer = buffer[-(max(request.answer_size, REQUEST_SIZE) - 1) :]
        return None

    def _without_echo(self, data: bytes) -> bytes:
        size = min(len(self._echo), len(data))
        if data[:size] == self._echo[:size]:
            self._echo = self._echo[size:]
            return data[size:]
        self._spoilt = Trouble.NOT_ECHOED
        self._echo = b""
        return data

    def _is_echoed(self, request: Request, buffer: bytes) -> bool:
        if request.function != WRITE_COIL and request.frame in buffer:
            self._spoilt = Trouble.ECHOED
            self._buffer = b""
        return self._spoilt is not None


def _size_of(request: Request, function: int) -> int:
    """Size of a frame with this function byte, if it can answer the request at all; else 0."""
    if function == request.function:
        return request.answer_size
    return REFUSAL_SIZE if function == request.function | EXCEPTION_BIT else 0


def _understood(request: Request, frame: bytes) -> Answer | None:
    if request.function == WRITE_COIL and frame == request.frame:
        return CoilWritten()
    if crc16(frame):
        return None
    if frame[1] & EXCEPTION_BIT:
        return Refused(frame[2])
    if request.function != WRITE_COIL and frame[2] == request.answer_size - REFUSAL_SIZE:
        return BitsRead(int.from_bytes(frame[3:-2], "little"))
    return None
