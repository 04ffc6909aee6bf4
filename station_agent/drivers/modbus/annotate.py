"""Modbus RTU in words: requests by their function, answers by the request before them."""

from station_agent.drivers.annotation import BusAnnotator
from station_agent.drivers.modbus.frames import (
    ADU_MAX,
    COIL_OFF,
    COIL_ON,
    EXCEPTION_BIT,
    PULSE_BASE,
    PULSE_UNIT_MS,
    READ_COILS,
    READ_INPUTS,
    REFUSAL_SIZE,
    REQUEST_SIZE,
    WRITE_COIL,
    crc16,
)

NAMES = {READ_COILS: "relays", READ_INPUTS: "inputs", WRITE_COIL: "relay"}
EXCEPTIONS = {
    1: "knows no such function",
    2: "has no such channel",
    3: "takes no such value",
    4: "failed",
    5: "accepted, takes long",
    6: "busy",
    11: "the gateway heard nothing of it",
}


class ModbusAnnotator(BusAnnotator):
    HELD_MAX = ADU_MAX

    def first_answer(self, data: bytes) -> tuple[int, int] | None:
        for start in range(len(data)):
            for size in _sizes(data, start):
                if start + size <= len(data) and not crc16(data[start : start + size]):
                    return start, start + size
        return None

    def request_words(self, frame: bytes) -> str:
        if len(frame) != REQUEST_SIZE or crc16(frame):
            return "no request of ours"
        unit, function = frame[0], frame[1]
        address, value = int.from_bytes(frame[2:4]), int.from_bytes(frame[4:6])
        if function in {READ_COILS, READ_INPUTS}:
            return f"unit {unit}: show {NAMES[function]} {address + 1} to {address + value}"
        if function == WRITE_COIL and address >= PULSE_BASE:
            return f"unit {unit}: relay {address - PULSE_BASE + 1} on for {value * PULSE_UNIT_MS} ms"
        if function == WRITE_COIL and value in {COIL_ON, COIL_OFF}:
            return f"unit {unit}: relay {address + 1} {'on' if value == COIL_ON else 'off'}"
        return f"unit {unit}: function {function}"

    def answer_words(self, frame: bytes) -> str:
        unit, function = frame[0], frame[1]
        if frame == self.request:
            return (
                f"unit {unit}: done as ordered"
                if function == WRITE_COIL
                else f"unit {unit}: an echo of the request"
            )
        if function & EXCEPTION_BIT:
            return f"unit {unit}: refused: {EXCEPTIONS.get(frame[2], 'exception')} ({frame[2]})"
        if function in {READ_COILS, READ_INPUTS}:
            first = int.from_bytes(self.request[2:4]) if len(self.request) == REQUEST_SIZE else 0
            bits = int.from_bytes(frame[3:-2], "little")
            on = [str(first + 1 + i) for i in range(8 * frame[2]) if bits >> i & 1]
            return f"unit {unit}: {NAMES[function]} on: {', '.join(on) or 'none'}"
        return f"unit {unit}: answers function {function}"


def _sizes(data: bytes, start: int) -> tuple[int, ...]:
    """Sizes that an answer that begins there may have."""
    if len(data) - start < REFUSAL_SIZE:
        return ()
    function = data[start + 1]
    if function & EXCEPTION_BIT:
        return (REFUSAL_SIZE,)
    if function in {READ_COILS, READ_INPUTS}:
        return (5 + data[start + 2], REQUEST_SIZE)
    return (REQUEST_SIZE,)
