"""minimalmodbus as the master of our simulated boards: PORT. Does one tour and says what came back."""

import json
import sys
import time
from collections.abc import Callable

import minimalmodbus

TIMEOUT_S = 0.5
UNITS = (1, 2)
READ_COILS, READ_INPUTS = 1, 2
PULSE_1_FOR_700_MS = b"\x02\x00\x00\x07"


def said(call: Callable[[], object]) -> object:
    """What a call returned, or the name of what it raised."""
    try:
        return call()
    except minimalmodbus.ModbusException as error:
        return type(error).__name__


def main(port: str) -> None:
    first, second = (minimalmodbus.Instrument(port, unit) for unit in UNITS)
    for board in (first, second):
        board.serial.baudrate = 9600
        board.serial.timeout = TIMEOUT_S
    absent = minimalmodbus.Instrument(port, 9)
    absent.serial.timeout = 0.1
    found = {
        "inputs of 1": said(lambda: first.read_bits(0, 8, functioncode=READ_INPUTS)),
        "inputs of 2": said(lambda: second.read_bits(2, 3, functioncode=READ_INPUTS)),
        "too many": said(lambda: first.read_bits(0, 9, functioncode=READ_INPUTS)),
        "no such function": said(lambda: first.read_register(0)),
        "absent": said(lambda: absent.read_bit(0)),
    }
    absent.serial.timeout = TIMEOUT_S  # one port, one setting
    found["on"] = said(lambda: first.write_bit(3, 1))
    found["relays after on"] = said(lambda: first.read_bits(0, 8, functioncode=READ_COILS))
    found["off"] = said(lambda: first.write_bit(3, 0))
    found["many"] = said(lambda: first.write_bits(4, [1, 0, 1, 1]))
    found["pulse"] = said(lambda: first._perform_command(5, PULSE_1_FOR_700_MS).hex())
    found["relays in the pulse"] = said(lambda: first.read_bits(0, 8, functioncode=READ_COILS))
    since_s = time.monotonic()
    count = 10
    for _ in range(count):
        first.read_bits(0, 8, functioncode=READ_INPUTS)
    found["exchange_ms"] = 1000 * (time.monotonic() - since_s) / count
    sys.stdout.write(json.dumps(found) + "\n")


main(sys.argv[1])
