"""A KERONG KR-CU16 lock board: sixteen locks, each with a hook and an infrared sensor.

Byte for byte what the board says, without I/O and without a clock. Not modelled: unlocking all locks (0x33) and
asking all boards at once (0x32), the settings, and how long a lock gets current.
"""

from collections.abc import Callable
from typing import Final

from station_agent.drivers.kerong.frames import (
    BOARDS,
    ETX,
    LOCKS,
    QUERY,
    REQUEST_SIZE,
    STATUS,
    STATUS_REPLY,
    STX,
    UNLOCK,
    checksum,
    framed,
)

# As in `modbus_board.py`: beyond any portion of a pty, below any master's answer timeout.
FORGET_US: Final = 20_000
BOOT_US: Final = 300_000  # an assumption: a small controller answers again after about this long
UNLOCK_TIME: Final = b"\x00\x37"  # what the query tells; 550 ms in units of 10 ms, an assumption
_ALL_CLOSED: Final = (1 << len(LOCKS)) - 1
SENT_MAX: Final = 64  # of what was sent, so much can be left over

OnUnlock = Callable[[int, int], None]
"""(lock from 0, time): a lock got current."""


class KerongBoard:
    """Answers requests for its board number, 0 to 15. Faults are attributes to be switched at any time."""

    def __init__(self, board: int, *, on_unlock: OnUnlock | None = None) -> None:
        assert board in BOARDS, board
        self.board = board
        self.mute = False
        """Hears nothing and does nothing."""
        self.late_ms = 0
        """Answers this much later; what carries the bytes reads it (`simulator/devices/wire.py`)."""
        self.is_silent_on_unlock = False
        """The lock gets current, and no answer comes."""
        self.is_silent_on_query = False
        """The query ends BUSY, and no answer comes: not every firmware need know how to answer it."""
        self.cut = 0
        """So many bytes are missing at the end of each reply."""
        self.bad_sum = False
        """Does what it is told, and spoils the reply's SUM."""
        self.garbage = False
        """Does what it is told, and its replies come as if at half the baud rate."""
        self.left_over = 0
        """So many bytes of what was sent before come again in front of each reply; 9: a whole reply."""
        self.is_busy = False
        """Hears nothing but the query (0x38), which ends it."""
        self.busy_after_unlock = False
        """Each unlock leaves it busy."""
        self.names_lock = False
        """The reply to an unlock has the address of the lock, not of the board alone."""
        self.etx_inside = False
        """The infrared sensors of locks 9 to 16 show 03 hex, the end mark, whatever they see."""
        self.hooks_stay_closed = False
        """Every hook reads closed, whatever the doors do: keys come and go behind closed hooks."""
        self.request_count = 0
        """Requests for this board that had a good SUM."""
        self._hooks = _ALL_CLOSED
        self._infrared = 0
        self._on_unlock = on_unlock
        self._buffer = b""
        self._sent = b""
        self._heard_us = 0
        self._dark_until_us = 0

    def set_hook(self, lock: int, is_closed: bool) -> None:
        self._hooks = _with_bit(self._hooks, lock, is_closed)

    def set_infrared(self, lock: int, is_seen: bool) -> None:
        self._infrared = _with_bit(self._infrared, lock, is_seen)

    def power_cycle(self, now_us: int) -> None:
        """Nothing is heard until the board is up, and nothing is left over. Contacts are wires: they stay."""
        self._buffer = self._sent = b""
        self.is_busy = False
        self._dark_until_us = now_us + BOOT_US

    def receive(self, now_us: int, data: bytes) -> bytes:
        if self.mute or now_us < self._dark_until_us:
            return b""
        if now_us - self._heard_us > FORGET_US:
            self._buffer = b""
        self._heard_us = now_us
        self._buffer += data
        answers = b""
        while (request := self._next_request()) is not None:
            address, command = request
            if address >> 4 == self.board:
                answers += self._answer(now_us, address, command)
        return answers

    def _next_request(self) -> tuple[int, int] | None:
        """ADDR and CMD of the first whole request; keeps what may still become one, less than one request."""
        for start in range(len(self._buffer) - REQUEST_SIZE + 1):
            frame = self._buffer[start : start + REQUEST_SIZE]
            if frame[0] == STX and frame[3] == ETX and frame[4] == checksum(frame[:4]):
                self._buffer = self._buffer[start + REQUEST_SIZE :]
                return frame[1], frame[2]
        self._buffer = self._buffer[-(REQUEST_SIZE - 1) :]
        return None

    def _answer(self, now_us: int, address: int, command: int) -> bytes:
        self.request_count += 1
        if self.is_busy and command != QUERY:
            return b""
        reply = self._obey(now_us, address, command)
        if not reply:
            return b""
        before = self._sent[len(self._sent) - min(self.left_over, len(self._sent)) :]
        self._sent = (self._sent + reply)[-SENT_MAX:]
        return before + self._spoilt(reply)

    def _obey(self, now_us: int, address: int, command: int) -> bytes:
        if command == QUERY:
            self.is_busy = False
            return b"" if self.is_silent_on_query else framed(self.board << 4, QUERY, UNLOCK_TIME)
        if command == STATUS:
            return self._status(self.board << 4)
        if command != UNLOCK:
            return b""
        self.is_busy = self.busy_after_unlock
        reply = self._status(address if self.names_lock else self.board << 4)
        if self._on_unlock is not None:
            self._on_unlock(address & 0xF, now_us)
        return b"" if self.is_silent_on_unlock else reply

    def _status(self, address: int) -> bytes:
        hooks = _ALL_CLOSED if self.hooks_stay_closed else self._hooks
        infrared = ETX << 8 | self._infrared & 0xFF if self.etx_inside else self._infrared
        return framed(address, STATUS_REPLY, hooks.to_bytes(2, "little") + infrared.to_bytes(2, "little"))

    def _spoilt(self, reply: bytes) -> bytes:
        if self.bad_sum:
            reply = reply[:-1] + bytes((reply[-1] ^ 0xFF,))
        if self.garbage:
            reply = bytes(byte for sent in reply for byte in _at_half_the_rate(sent))
        return reply[: len(reply) - self.cut] if self.cut < len(reply) else b""


def _with_bit(bits: int, number: int, is_on: bool) -> int:
    assert number in LOCKS, number
    return bits | 1 << number if is_on else bits & ~(1 << number)


def _at_half_the_rate(byte: int) -> tuple[int, int]:
    """What a listener hears who samples twice per bit: each bit doubled, and the stop bit in the second byte."""
    doubled = sum(0b11 << 2 * i for i in range(8) if byte >> i & 1)
    return doubled << 1 & 0xFF, doubled >> 8 | 0x80
