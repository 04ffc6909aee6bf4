"""Packets of Teltonika's Codec 8 and Codec 8 Extended: bytes in, records out, resynchronising, no I/O.

    00000000 | length, 4 bytes | codec 08 or 8E | n | n records | n | CRC-16/ARC in 4 bytes       big-endian
    record:  ms since 1970, 8 bytes | priority | longitude, latitude, 4 bytes each | altitude, angle, satellites,
             speed, 7 bytes | event id | total | for values of 1, 2, 4 and 8 bytes: count, (id, value) ...
             8E alone: count, (id, length, value) ... of any length

Length counts from codec to the second n, which the CRC covers. Ids, total and counts have 1 byte, in 8E 2.
Before its first packet on a connection a tracker tells its number, `000F` and 15 digits, and waits for a yes.
Sources: design/hardware.md; Teltonika's wiki, "Teltonika Data Sending Protocols".

Longitude and latitude 0 mean that there is no fix; a record without satellites may repeat the last one.
"""

import struct
from binascii import crc32
from dataclasses import dataclass, field
from struct import Struct
from typing import Final, NamedTuple

# Twice the 1280 bytes that the maker states as the longest packet: a tracker whose packet is never taken would
# send it for ever, and a false start that claims more is noise.
PACKET_BYTES_MAX: Final = 2560
PACKET_BYTES_MIN: Final = 45  # one record of Codec 8 without any value
LOGIN_BYTES: Final = 17
DEGREE: Final = 10_000_000  # latitude and longitude count in so many parts of it

_LENGTH_AT, _CODEC_AT, _CRC_BYTES = 4, 8, 4
_BEYOND_LENGTH: Final = _CODEC_AT + _CRC_BYTES
# Preamble, and the upper half of a length that is never over 64 KiB
_PACKET_START: Final = bytes(6)
_ZEROS_MAX: Final = 7  # a packet begins with six of them, or seven where it is short
_LOGIN_START: Final = b"\x00\x0f"
_DIGITS: Final = frozenset(b"0123456789")


@dataclass(frozen=True, slots=True)
class Record:
    """One moment of a vehicle. `values` are by AVL id, unsigned as they came; those of any length are left out."""

    time_ms: int
    priority: int
    values: dict[int, int]
    check: int  # CRC-32 of event id and values: tells apart two records of one second
    satellites: int
    latitude: float = field(repr=False)
    longitude: float = field(repr=False)

    @property
    def key(self) -> tuple[int, int, int]:
        """What a record that is sent again has in common with the first time."""
        return self.time_ms, self.priority, self.check


@dataclass(frozen=True, slots=True)
class Packet:
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Login:
    """A tracker told its number (IMEI). It identifies and does not authenticate, so it is not even kept."""


Message = Packet | Login


class _Layout(NamedTuple):
    """How a codec writes the values of a record."""

    head: Struct  # event id, total
    number: Struct  # of the values of one size
    pairs: tuple[Struct, ...]  # id, value
    has_any_length: bool


_LAYOUTS: Final = {
    0x08: _Layout(Struct(">BB"), Struct(">B"), tuple(Struct(f">B{size}") for size in "BHIQ"), has_any_length=False),
    0x8E: _Layout(Struct(">HH"), Struct(">H"), tuple(Struct(f">H{size}") for size in "BHIQ"), has_any_length=True),
}
_MOMENT: Final = Struct(">QBii4xB2x")
_ID_AND_LENGTH: Final = Struct(">HH")


def _crc_table() -> tuple[int, ...]:
    table = []
    for crc in range(256):
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1  # noqa: PLW2901  # shifted bit by bit
        table.append(crc)
    return tuple(table)


_CRC_TABLE: Final = _crc_table()


def crc16(data: bytes) -> int:
    """CRC-16/ARC, which the maker calls CRC-16/IBM."""
    crc = 0
    for byte in data:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


def parse(raw: bytes) -> Packet | None:
    """The packet in exactly these bytes, or None where check, counts or lengths do not agree."""
    body = raw[_CODEC_AT:-_CRC_BYTES]
    layout = _LAYOUTS.get(body[0])
    if layout is None or body[1] != body[-1] or not body[1] or int.from_bytes(raw[-_CRC_BYTES:]) != crc16(body):
        return None
    records = []
    at = 2
    try:
        for _ in range(body[1]):
            record, at = _record(body, at, layout)
            records.append(record)
    except struct.error:  # a count points behind the end
        return None
    return Packet(tuple(records)) if at == len(body) - 1 else None


def _record(body: bytes, at: int, layout: _Layout) -> tuple[Record, int]:
    """The record that begins there, and where the next one does. Raises struct.error where there is none."""
    time_ms, priority, longitude, latitude, satellites = _MOMENT.unpack_from(body, at)
    start = at = at + _MOMENT.size
    _, total = layout.head.unpack_from(body, at)
    at += layout.head.size
    values: dict[int, int] = {}
    for pair in layout.pairs:
        (count,) = layout.number.unpack_from(body, at)
        at += layout.number.size
        end = at + count * pair.size
        values.update(pair.iter_unpack(body[at:end]))
        at = end
        total -= count
    if layout.has_any_length:
        (count,) = layout.number.unpack_from(body, at)
        at += layout.number.size
        for _ in range(count):
            at += _ID_AND_LENGTH.size + _ID_AND_LENGTH.unpack_from(body, at)[1]
        total -= count
    if total:
        raise struct.error("the total is not the sum of the counts")
    check = crc32(body[start:at])
    return Record(time_ms, priority, values, check, satellites, latitude / DEGREE, longitude / DEGREE), at


class FrameDecoder:
    """Takes bytes in any portions and gives the packets in them; never raises, holds less than one packet.

    Bytes that are neither packet nor login are dropped: noise, a bad check, a cut packet, another codec. One
    stretch of them counts once.
    """

    __slots__ = ("_buffer", "_in_sync", "garbled")

    def __init__(self) -> None:
        self.garbled = 0
        self._buffer = bytearray()
        self._in_sync = True

    @property
    def pending(self) -> int:
        """Bytes held that may be the beginning of a packet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Message]:
        messages: list[Message] = []
        for start in range(0, len(data), PACKET_BYTES_MAX):
            self._buffer += data[start : start + PACKET_BYTES_MAX]
            self._scan(messages)
        return messages

    def flush(self) -> list[Message]:
        """The line fell silent: no packet begun will be completed, yet a whole one may stand behind noise."""
        messages: list[Message] = []
        while self._buffer:
            self._drop(1)
            self._scan(messages)
        return messages

    def clear(self) -> None:
        """Forget what is held: the line was opened anew."""
        self._buffer.clear()
        self._in_sync = True

    def _scan(self, messages: list[Message]) -> None:
        """Move what is whole from the buffer to `messages`."""
        buffer = self._buffer
        while buffer:
            self._drop(_first_start(buffer))
            size = _size(buffer)
            if size is None:
                self._drop(1)
                continue
            if len(buffer) < size:
                return
            message = Login() if size == LOGIN_BYTES else parse(bytes(buffer[:size]))
            if message is None:
                self._drop(1)
                continue
            del buffer[:size]
            self._in_sync = True
            messages.append(message)

    def _drop(self, count: int) -> None:
        if count and self._in_sync:
            self.garbled += 1
            self._in_sync = False
        del self._buffer[:count]


def _first_start(buffer: bytearray) -> int:
    """Where the first possible beginning is; at the end of the buffer if there is none."""
    login = buffer.find(_LOGIN_START)
    packet = buffer.find(_PACKET_START)
    if packet >= 0:
        zeros_end = len(buffer) - len(buffer[packet:].lstrip(b"\x00"))
        packet = max(packet, zeros_end - _ZEROS_MAX)
    # zeros at the end may become either beginning
    trailing = max(len(buffer.rstrip(b"\x00")), len(buffer) - _ZEROS_MAX)
    return min(at for at in (login, packet, trailing) if at >= 0)


def _size(buffer: bytearray) -> int | None:
    """Bytes of what begins here, or those that must be known to tell; None: nothing does."""
    if buffer.startswith(_LOGIN_START):
        return LOGIN_BYTES if _DIGITS.issuperset(buffer[len(_LOGIN_START) : LOGIN_BYTES]) else None
    if len(buffer) <= _CODEC_AT:
        return _CODEC_AT + 1
    size = int.from_bytes(buffer[_LENGTH_AT:_CODEC_AT]) + _BEYOND_LENGTH
    return size if PACKET_BYTES_MIN <= size <= PACKET_BYTES_MAX and buffer[_CODEC_AT] in _LAYOUTS else None
