"""A Teltonika tracker on a line: Codec 8 or Codec 8 Extended, byte for byte and without I/O.

It keeps each record until the other end has acknowledged it with the number of records in the packet, sends
one packet at a time and, without a fitting answer, the same records again. Its encoder is written apart from
the driver's decoder; the form is that of design/hardware.md.
"""

import struct
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

CODEC_8, CODEC_8_EXTENDED = 0x08, 0x8E
IGNITION, MOVING, LOW_VOLTAGE_MV = 239, 240, 66
# Bytes of a value on the wire, by AVL id (Teltonika's wiki, "FMB AVL ID"); others are sent in four
SIZES: Final = {239: 1, 240: 1, 16: 4, 24: 2, 66: 2, 67: 2, 84: 2, 87: 4, 89: 1, 90: 2, 132: 8, 152: 1, 252: 1}
SIZES_EXTENDED: Final = {389: 4, 390: 2, 410: 1, 411: 1}
BEFORE_FIRST_FIX_MS: Final = 1_072_915_236_000  # 2004: what its clock says until it has seen a satellite

RECORDS_PER_PACKET: Final = 10  # of some 60 bytes each: well below the 1280 bytes that the maker allows
KEPT_MAX: Final = 10_000  # an assumption; a full one forgets its oldest record
RESEND_US: Final = 5_000_000  # the maker's default wait for an answer, as far as we know
ANSWER_BYTES: Final = 4
LOGIN_ACCEPTED: Final = b"\x01"


@dataclass(frozen=True, slots=True)
class Moment:
    """What one record holds. Values are integers by AVL id, or bytes where their length is free (8E alone)."""

    at_ms: int
    values: Mapping[int, int | bytes]
    position: tuple[float, float] | None = None  # degrees north and east; None: no fix
    priority: int = 0
    event: int = 0
    speed_kmh: int = 0


def encode(codec: int, moments: list[Moment]) -> bytes:
    """A whole packet, from preamble to CRC."""
    count = bytes((len(moments),))
    body = bytes((codec,)) + count + b"".join(_record(codec, moment) for moment in moments) + count
    return bytes(4) + len(body).to_bytes(4) + body + _crc(body).to_bytes(4)


def login(imei: str) -> bytes:
    return len(imei).to_bytes(2) + imei.encode("ascii")


def _record(codec: int, moment: Moment) -> bytes:
    north, east = moment.position or (0.0, 0.0)
    satellites = 9 if moment.position else 0
    moved = struct.pack(">qB", moment.at_ms, moment.priority)
    place = struct.pack(">iihHBH", round(east * 1e7), round(north * 1e7), 0, 0, satellites, moment.speed_kmh)
    return moved + place + _values(codec, moment)


def _values(codec: int, moment: Moment) -> bytes:
    """Codec 8 has no room for ids above 255 nor for values of free length: they are left out."""
    wide = codec == CODEC_8_EXTENDED
    width = 2 if wide else 1
    blocks: dict[int, list[bytes]] = {1: [], 2: [], 4: [], 8: []}
    free: list[bytes] = []
    for avl_id, value in moment.values.items():
        if isinstance(value, bytes):
            free.append(avl_id.to_bytes(2) + len(value).to_bytes(2) + value)
        elif wide or avl_id < 256:
            size = (SIZES | SIZES_EXTENDED).get(avl_id, 4)
            blocks[size].append(avl_id.to_bytes(width) + value.to_bytes(size))
    groups = [*blocks.values(), free] if wide else [*blocks.values()]
    event = moment.event if wide or moment.event < 256 else 0
    written = event.to_bytes(width) + sum(map(len, groups)).to_bytes(width)
    for group in groups:
        written += len(group).to_bytes(width) + b"".join(group)
    return written


def _crc(data: bytes) -> int:
    """CRC-16/ARC, bit by bit: polynomial 8005 reflected, from 0."""
    register = 0
    for byte in data:
        register ^= byte
        for _ in range(8):
            register, out = register >> 1, register & 1
            if out:
                register ^= 0xA001
    return register


class TeltonikaTracker:
    """One tracker. Faults are attributes to be switched at any time; those of a record hold when it is noted."""

    def __init__(self, codec: int = CODEC_8, *, imei: str | None = None) -> None:
        """`imei`: it tells that first and sends nothing until it is accepted, as over TCP."""
        assert codec in {CODEC_8, CODEC_8_EXTENDED}
        self.codec = codec
        self.wrong_crc = False
        """Each packet's CRC is another."""
        self.cut_to: int | None = None
        """Each packet ends after so many bytes."""
        self.deaf = False
        """No answer reaches it."""
        self.before_first_fix = False
        """Records carry the time since 2004 that its clock has counted, and no position."""
        self.without_fix = False
        """Records carry no position."""
        self.zero_volts = False
        """Records say 66 = 0: the input was not read yet."""
        self.packet_count = 0
        """Packets sent, whole or not, repeats among them."""
        self._kept: deque[Moment] = deque()
        self._under_way = 0  # of the oldest kept, how many wait for their acknowledgement
        self._due_us: int | None = None
        self._login = None if imei is None else login(imei)
        self._accepted = False
        self._heard = b""

    @property
    def kept(self) -> tuple[Moment, ...]:
        """Records that were not acknowledged."""
        return tuple(self._kept)

    def note(self, now_us: int, moment: Moment) -> None:
        """A record is made. It is sent at once if nothing waits for its acknowledgement."""
        values = dict(moment.values)
        if self.zero_volts:
            values[LOW_VOLTAGE_MV] = 0
        at_ms = BEFORE_FIRST_FIX_MS + now_us // 1000 if self.before_first_fix else moment.at_ms
        position = None if self.before_first_fix or self.without_fix else moment.position
        if len(self._kept) == KEPT_MAX:
            self._kept.popleft()
            self._under_way = 0  # what is under way is no longer what it would acknowledge
        self._kept.append(replace(moment, at_ms=at_ms, values=values, position=position))
        if self._due_us is None:
            self._due_us = now_us

    def power_cycle(self, now_us: int) -> None:
        """What it keeps is in flash; that a packet is under way is not, and it tells its number again."""
        self._under_way = 0
        self._heard = b""
        self._accepted = False
        self._due_us = now_us if self._kept else None

    @property
    def wake_at_us(self) -> int | None:
        return self._due_us

    def elapsed(self, now_us: int) -> bytes:
        """The next packet, or the last one again: an answer is overdue."""
        if self._due_us is None or now_us < self._due_us:
            return b""
        self._due_us = now_us + RESEND_US
        self._heard = b""
        if self._login is not None and not self._accepted:
            return self._login
        if not self._under_way:
            self._under_way = min(len(self._kept), RECORDS_PER_PACKET)
        self.packet_count += 1
        packet = encode(self.codec, [self._kept[i] for i in range(self._under_way)])
        if self.wrong_crc:
            packet = packet[:-1] + bytes((packet[-1] ^ 0x55,))
        return packet[: self.cut_to]

    def receive(self, now_us: int, data: bytes) -> bytes:
        """An answer in any portions. One that does not fit frees nothing: the packet is sent again in its time."""
        if self.deaf or self._due_us is None:
            return b""
        self._heard += data
        if self._login is not None and not self._accepted:
            self._accepted = self._heard.startswith(LOGIN_ACCEPTED)
            self._heard = b""
            if self._accepted:
                self._due_us = now_us
            return b""
        if not self._under_way or len(self._heard) < ANSWER_BYTES:
            return b""
        answer, self._heard = int.from_bytes(self._heard[:ANSWER_BYTES]), b""
        if answer == self._under_way:
            for _ in range(answer):
                self._kept.popleft()
            self._under_way = 0
            self._due_us = now_us if self._kept else None
        return b""
