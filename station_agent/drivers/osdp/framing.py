"""OSDP frames: bytes to frames and back, resynchronising, in bounded memory.

    SOM 53 | address | length, 2 bytes | control | [security block] | code | payload | [MAC, 4 bytes] | CRC

A reply has bit 7 of its address set. Control holds the sequence number (0..3) and says whether a CRC or a
one-byte checksum follows and whether there is a security block. A MAC is there under security types 15 to 18.
"""

from binascii import crc_hqx
from struct import Struct
from typing import NamedTuple

SOM = 0x53
MARK = b"\xff"  # one idle character ahead of a frame lets an RS-485 converter turn to sending
REPLY_BIT = 0x80
BROADCAST = 0x7F
MAC_BYTES = 4

FRAME_BYTES_MIN = 7  # header, code, checksum
# Twice the 128 bytes that either end may assume the other one can take (libosdp's protocol introduction,
# "Message Synchronization"): whoever claims more is noise, and noise must not make us wait.
FRAME_BYTES_MAX = 256

_SEQUENCE = 0x03
_HAS_CRC = 0x04
_HAS_SECURITY = 0x08
_CRC_START = 0x1D0F
_FIRST_TYPE_WITH_MAC, _LAST_TYPE_WITH_MAC = 0x15, 0x18
_HEADER = Struct("<BBHB")
_CHECK = Struct("<H")
_SOM_BYTE = bytes([SOM])


class Frame(NamedTuple):
    """One valid frame. `signed` is what its MAC covers; `payload` is as it came, encrypted or not."""

    address: int  # 0..127, without the reply bit
    is_reply: bool
    sequence: int
    security: bytes  # the whole block: length, type, data; empty without one
    code: int
    payload: bytes
    signed: bytes
    mac: bytes  # 4 bytes, or empty


def head(address: int, sequence: int, security: bytes, code: int, payload: bytes, mac_bytes: int = 0) -> bytes:
    """A frame up to its payload, its length counting the MAC and the CRC that are to follow."""
    length = 8 + len(security) + len(payload) + mac_bytes
    control = sequence | _HAS_CRC | (_HAS_SECURITY if security else 0)
    return b"%b%b%c%b" % (_HEADER.pack(SOM, address, length, control), security, code, payload)


def with_crc(frame: bytes) -> bytes:
    return frame + _CHECK.pack(crc_hqx(frame, _CRC_START))


def encode(address: int, sequence: int, code: int, payload: bytes = b"", security: bytes = b"") -> bytes:
    """A frame without a MAC; `address` carries the reply bit where it is a reply."""
    return with_crc(head(address, sequence, security, code, payload))


def parse(raw: bytes) -> Frame | None:
    """The frame in exactly these bytes, or None where check, security block or lengths do not agree."""
    control = raw[4]
    if control & _HAS_CRC:
        body = raw[:-2]
        if crc_hqx(body, _CRC_START) != _CHECK.unpack_from(raw, len(body))[0]:
            return None
    else:
        body = raw[:-1]
        if sum(raw) & 0xFF:  # the checksum makes the sum of all bytes zero
            return None
    security, code_at = b"", 5
    if control & _HAS_SECURITY:
        code_at += raw[5]
        security = body[5:code_at]
        if len(security) < 2:
            return None
    if len(body) <= code_at:
        return None
    signed, mac = body, b""
    promises_mac = len(security) >= 2 and _FIRST_TYPE_WITH_MAC <= security[1] <= _LAST_TYPE_WITH_MAC
    if promises_mac and len(body) > code_at + MAC_BYTES:  # none fits: a panel that has no session yet
        signed, mac = body[:-MAC_BYTES], body[-MAC_BYTES:]
    address = raw[1]
    return Frame(
        address & ~REPLY_BIT,
        address >= REPLY_BIT,
        control & _SEQUENCE,
        security,
        signed[code_at],
        signed[code_at + 1 :],
        signed,
        mac,
    )


class FrameDecoder:
    """Takes bytes in any portions and gives the valid frames in them; never raises, holds < 2 frames.

    Bytes that are no frame are dropped: noise, a bad check, a cut frame. One stretch of them counts once.
    """

    __slots__ = ("_buffer", "_garbled", "_in_sync")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._garbled = 0
        self._in_sync = True

    @property
    def pending(self) -> int:
        """Bytes held that may be the beginning of a frame."""
        return len(self._buffer)

    def taken_garbled(self) -> int:
        """How often bytes were dropped since the last call. Idle marks are no noise."""
        count, self._garbled = self._garbled, 0
        return count

    def feed(self, data: bytes) -> list[Frame]:
        frames: list[Frame] = []
        for start in range(0, len(data), FRAME_BYTES_MAX):
            self._buffer += data[start : start + FRAME_BYTES_MAX]
            self._scan(frames)
        return frames

    def flush(self) -> list[Frame]:
        """The line fell silent: no frame begun will be completed, yet a whole one may stand behind noise."""
        frames: list[Frame] = []
        while self._buffer:
            self._drop(1)
            self._scan(frames)
        return frames

    def clear(self) -> None:
        """Forget what is held: it belongs to an exchange that is over."""
        self._buffer.clear()
        self._in_sync = True

    def _scan(self, frames: list[Frame]) -> None:
        """Move the frames that are whole from the buffer to `frames`."""
        buffer = self._buffer
        while buffer:
            start = buffer.find(_SOM_BYTE)
            if start:
                self._drop(len(buffer) if start < 0 else start)
            if len(buffer) < 4:
                return
            length = buffer[2] | buffer[3] << 8
            if not FRAME_BYTES_MIN <= length <= FRAME_BYTES_MAX:
                self._drop(1)
                continue
            if len(buffer) < length:
                return
            frame = parse(bytes(buffer[:length]))
            if frame is None:
                self._drop(1)
                continue
            del buffer[:length]
            self._in_sync = True
            frames.append(frame)

    def _drop(self, count: int) -> None:
        dropped = self._buffer[:count]
        del self._buffer[:count]
        if self._in_sync and dropped.strip(MARK):
            self._garbled += 1
            self._in_sync = False
