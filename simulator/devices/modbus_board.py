"""A Modbus RTU board with relays and inputs, as Waveshare's "Modbus RTU Relay (D)" and "Modbus RTU IO 8CH".

Byte for byte what the board says, without I/O and without a clock: what a relay does is a function of time,
so a pulse ends by itself. Not modelled: the maker's settings (address, baud rate), toggling, "all relays".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from station_agent.drivers.modbus.frames import (
    ADU_MAX,
    COIL_OFF,
    COIL_ON,
    EXCEPTION_BIT,
    PULSE_BASE,
    PULSE_UNIT_MS,
    PULSE_UNITS_MAX,
    READ_COILS,
    READ_INPUTS,
    REQUEST_SIZE,
    WRITE_COIL,
    crc16,
    with_crc,
)

WRITE_COILS: Final = 0x0F
ILLEGAL_FUNCTION: Final = 1
ILLEGAL_ADDRESS: Final = 2
ILLEGAL_VALUE: Final = 3
BITS_READ_MAX: Final = 2000
BITS_WRITTEN_MAX: Final = 1968
FRAME_MIN: Final = 4  # unit, function, checksum
# A real board forgets half a request after 3.5 characters of silence; a pty hands bytes over in portions, so
# here it is this long: beyond any portion, below any master's answer timeout.
FORGET_US: Final = 20_000
BOOT_US: Final = 300_000  # an assumption: a small controller answers again after about this long

OnPulse = Callable[[int, int, int | None], None]
"""(relay from 0, start, end): a relay got current. No end: until it is switched off."""


class _RefusedError(Exception):
    def __init__(self, code: int) -> None:
        self.code = code


@dataclass(slots=True)
class _Relay:
    on_until_us: int | None = 0  # None: until switched off

    def is_on(self, now_us: int) -> bool:
        return self.on_until_us is None or now_us < self.on_until_us


class ModbusBoard:
    """Answers requests for its unit. Faults are attributes to be switched at any time."""

    def __init__(self, unit: int, relays: int = 8, inputs: int = 8, *, on_pulse: OnPulse | None = None) -> None:
        self.unit = unit
        self.mute = False
        """Hears nothing and does nothing."""
        self.late_ms = 0
        """Answers this much later; what carries the bytes reads it (`simulator/devices/wire.py`)."""
        self.bad_crc = False
        """Does what it is told, and spoils the answer's checksum."""
        self.exception = 0
        """Does nothing, and answers with this exception code; 0: none."""
        self.request_count = 0
        """Requests for this unit that had a good checksum."""
        self._relays = [_Relay() for _ in range(relays)]
        self._inputs = [False] * inputs
        self._on_pulse = on_pulse
        self._buffer = b""
        self._heard_us = 0
        self._dark_until_us = 0

    def set_input(self, number: int, is_on: bool) -> None:
        self._inputs[number] = is_on

    def relay_is_on(self, now_us: int, number: int) -> bool:
        return self._relays[number].is_on(now_us)

    def power_cycle(self, now_us: int) -> None:
        """All relays fall off, and nothing is heard until the board is up. Inputs are wires: they stay."""
        self._relays = [_Relay() for _ in self._relays]
        self._buffer = b""
        self._dark_until_us = now_us + BOOT_US

    def receive(self, now_us: int, data: bytes) -> bytes:
        if self.mute or now_us < self._dark_until_us:
            return b""
        if now_us - self._heard_us > FORGET_US:
            self._buffer = b""
        self._heard_us = now_us
        self._buffer += data
        return self._answers(now_us)

    def _answers(self, now_us: int) -> bytes:
        """Handles each whole request in the buffer; keeps what may still become one, at most one frame."""
        answers = b""
        start = 0
        while start <= len(self._buffer) - FRAME_MIN:
            size = _request_size(self._buffer, start)
            if not size and self._buffer[start] == self.unit:
                size = min(len(self._buffer) - start, ADU_MAX)  # a function it does not know: all there is
            frame = self._buffer[start : start + size]
            if not size or len(frame) < size or crc16(frame):
                start += 1
                continue
            if frame[0] == self.unit:
                answers += self._answer(now_us, frame[1], frame[2:-2])
            self._buffer = self._buffer[start + size :]
            start = 0
        self._buffer = self._buffer[-ADU_MAX:]
        return answers

    def _answer(self, now_us: int, function: int, data: bytes) -> bytes:
        self.request_count += 1
        try:
            answer = with_crc(bytes((self.unit, function)) + self._obey(now_us, function, data))
        except _RefusedError as refusal:
            answer = with_crc(bytes((self.unit, function | EXCEPTION_BIT, refusal.code)))
        return answer[:-1] + bytes((answer[-1] ^ 0xFF,)) if self.bad_crc else answer

    def _obey(self, now_us: int, function: int, data: bytes) -> bytes:
        if self.exception:
            raise _RefusedError(self.exception)
        if function not in {READ_COILS, READ_INPUTS, WRITE_COIL, WRITE_COILS}:
            raise _RefusedError(ILLEGAL_FUNCTION)
        address, value = int.from_bytes(data[:2]), int.from_bytes(data[2:4])
        if function == READ_COILS:
            return _packed([relay.is_on(now_us) for relay in self._relays], address, value)
        if function == READ_INPUTS:
            return _packed(self._inputs, address, value)
        if function == WRITE_COIL:
            self._write(now_us, address, value)
            return data
        self._write_many(now_us, address, value, data[4:])
        return data[:4]

    def _write(self, now_us: int, address: int, value: int) -> None:
        if address < len(self._relays):
            if value not in {COIL_ON, COIL_OFF}:
                raise _RefusedError(ILLEGAL_VALUE)
            self._switch(now_us, address, None if value == COIL_ON else now_us)
            return
        channel = address - PULSE_BASE
        if not 0 <= channel < len(self._relays):
            raise _RefusedError(ILLEGAL_ADDRESS)
        if not 0 < value <= PULSE_UNITS_MAX:
            raise _RefusedError(ILLEGAL_VALUE)
        self._switch(now_us, channel, now_us + value * PULSE_UNIT_MS * 1000)

    def _write_many(self, now_us: int, first: int, count: int, data: bytes) -> None:
        if not 1 <= count <= BITS_WRITTEN_MAX or data[0] != (count + 7) // 8 or len(data) != 1 + data[0]:
            raise _RefusedError(ILLEGAL_VALUE)
        if first + count > len(self._relays):
            raise _RefusedError(ILLEGAL_ADDRESS)
        bits = int.from_bytes(data[1:], "little")
        for i in range(count):
            self._switch(now_us, first + i, None if bits >> i & 1 else now_us)

    def _switch(self, now_us: int, number: int, until_us: int | None) -> None:
        """Current from now until then; None: until switched off; now: none."""
        relay = self._relays[number]
        was_on = relay.is_on(now_us)
        relay.on_until_us = until_us
        is_pulse = until_us is not None and until_us > now_us
        if self._on_pulse is not None and (is_pulse or (until_us is None and not was_on)):
            self._on_pulse(number, now_us, until_us)


def _packed(values: list[bool], first: int, count: int) -> bytes:
    if not 1 <= count <= BITS_READ_MAX:
        raise _RefusedError(ILLEGAL_VALUE)
    if first + count > len(values):
        raise _RefusedError(ILLEGAL_ADDRESS)
    bits = sum(1 << i for i, value in enumerate(values[first : first + count]) if value)
    size = (count + 7) // 8
    return bytes((size,)) + bits.to_bytes(size, "little")


def _request_size(buffer: bytes, start: int) -> int:
    """Size of the request that starts there; 0: not known for its function."""
    function = buffer[start + 1]
    if function in {READ_COILS, READ_INPUTS, WRITE_COIL}:
        return REQUEST_SIZE
    if function == WRITE_COILS:
        return 9 + buffer[start + 6] if len(buffer) > start + 6 else 9
    return 0
