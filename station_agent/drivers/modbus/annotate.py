"""Modbus RTU in words: requests by their function, answers by the request before them."""

from station_agent.drivers.annotation import Shown, octets
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


class ModbusAnnotator:
    """One bus. What comes is held until it is a whole answer, or until the next request shows that it is none."""

    def __init__(self) -> None:
        self._request = b""
        self._held = b""

    def feed(self, data: bytes, *, sent: bool) -> list[Shown]:
        if sent:
            shown = self._rest()
            self._request = data
            return [*shown, Shown(octets(data), _request_words(data))]
        self._held += data
        return [*self._answers(), *(self._rest() if len(self._held) > ADU_MAX else ())]

    def _rest(self) -> list[Shown]:
        held, self._held = self._held, b""
        return [Shown(octets(held), f"{len(held)} bytes that are no answer")] if held else []

    def _answers(self) -> list[Shown]:
        shown = []
        while (found := _first_frame(self._held)) is not None:
            start, end = found
            noise, frame, self._held = self._held[:start], self._held[start:end], self._held[end:]
            if noise:
                shown.append(Shown(octets(noise), f"{start} bytes that are no answer"))
            shown.append(Shown(octets(frame), self._answer_words(frame)))
        return shown

    def _answer_words(self, frame: bytes) -> str:
        unit, function = frame[0], frame[1]
        if frame == self._request:
            return (
                f"unit {unit}: done as ordered"
                if function == WRITE_COIL
                else f"unit {unit}: an echo of the request"
            )
        if function & EXCEPTION_BIT:
            return f"unit {unit}: refused: {EXCEPTIONS.get(frame[2], 'exception')} ({frame[2]})"
        if function in {READ_COILS, READ_INPUTS}:
            first = int.from_bytes(self._request[2:4]) if len(self._request) == REQUEST_SIZE else 0
            bits = int.from_bytes(frame[3:-2], "little")
            on = [str(first + 1 + i) for i in range(8 * frame[2]) if bits >> i & 1]
            return f"unit {unit}: {NAMES[function]} on: {', '.join(on) or 'none'}"
        return f"unit {unit}: answers function {function}"


def _first_frame(data: bytes) -> tuple[int, int] | None:
    """Where the first whole answer begins and ends."""
    for start in range(len(data)):
        for size in _sizes(data, start):
            if start + size <= len(data) and not crc16(data[start : start + size]):
                return start, start + size
    return None


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


def _request_words(frame: bytes) -> str:
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
