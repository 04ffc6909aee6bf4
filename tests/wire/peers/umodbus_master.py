"""uModbus as the master of our simulated boards: PORT. Does one tour and says what came back."""

import json
import sys
from collections.abc import Callable

import serial
from umodbus.client.serial import redundancy_check, rtu
from umodbus.exceptions import ModbusError

TIMEOUT_S = 0.5
PULSE_1_FOR_700_MS = b"\x01\x05\x02\x00\x00\x07"


def said(call: Callable[[], object]) -> object:
    """What a call returned, or the name of what it raised."""
    try:
        return call()
    except (ModbusError, ValueError) as error:
        return type(error).__name__


def main(port: str) -> None:
    line = serial.Serial(port, 9600, timeout=TIMEOUT_S)

    def ask(request: bytes) -> object:
        line.reset_input_buffer()
        return said(lambda: rtu.send_message(request, line))

    def pulse() -> object:
        """Function 5 with a value that uModbus does not make itself; it checks the answer's checksum."""
        line.write(redundancy_check.add_crc(PULSE_1_FOR_700_MS))
        answer = line.read(8)
        redundancy_check.validate_crc(answer)
        return answer[:-2].hex()

    found = {
        "inputs of 1": ask(rtu.read_discrete_inputs(1, 0, 8)),
        "inputs of 2": ask(rtu.read_discrete_inputs(2, 2, 3)),
        "too many": ask(rtu.read_discrete_inputs(1, 0, 9)),
        "no such function": ask(rtu.read_holding_registers(1, 0, 1)),
        "absent": ask(rtu.read_discrete_inputs(9, 0, 1)),
        "on": ask(rtu.write_single_coil(1, 3, 1)),
        "relays after on": ask(rtu.read_coils(1, 0, 8)),
        "off": ask(rtu.write_single_coil(1, 3, 0)),
        "many": ask(rtu.write_multiple_coils(1, 4, [1, 0, 1, 1])),
        "pulse": said(pulse),
        "relays in the pulse": ask(rtu.read_coils(1, 0, 8)),
    }
    sys.stdout.write(json.dumps(found) + "\n")


main(sys.argv[1])
