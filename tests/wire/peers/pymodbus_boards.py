"""pymodbus' server as a lock board: PORT. Its inputs follow orders, and it says which relays were pulsed.

Orders on stdin and what it says on stdout are JSON lines: {"inputs": [0, 3]} sets the inputs that are on.
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.datastore import ModbusServerContext
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import WriteSingleCoilRequest
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

UNIT = 1
INPUTS = 16
PULSES = range(0x0200, 0x0208)
READ_INPUTS = 2


def say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


class PulseOrWrite(WriteSingleCoilRequest):
    """Function 5 with the maker's own meaning of addresses from 0x0200: the value is a time."""

    raw = b""

    def decode(self, data: bytes) -> None:
        self.raw = data[:4]
        super().decode(data)

    def encode(self) -> bytes:
        return self.raw

    async def datastore_update(self, context: ModbusServerContext, device_id: int) -> ModbusPDU:
        if self.address in PULSES:
            say(pulsed=self.address - PULSES.start, tenths=int.from_bytes(self.raw[2:]))
            return self
        return await super().datastore_update(context, device_id)


class Board:
    def __init__(self) -> None:
        self.inputs = 0

    async def act(
        self,
        function: int,
        _start: int,
        _address: int,
        _count: int,
        registers: list[int],
        _values: Sequence[Any] | None,
    ) -> ExcCodes | None:
        if function == READ_INPUTS:
            registers[0] = self.inputs
        return None

    def device(self) -> SimDevice:
        coils = [SimData(0, values=[False] * INPUTS, datatype=DataType.BITS)]
        inputs = [SimData(0, values=[False] * INPUTS, datatype=DataType.BITS)]
        registers = [SimData(0, values=0, datatype=DataType.REGISTERS)]
        return SimDevice(UNIT, simdata=(coils, inputs, registers, registers), action=self.act)


async def main(port: str) -> None:
    board = Board()
    server = ModbusSerialServer(
        board.device(), port=port, baudrate=9600, ignore_missing_devices=True, custom_pdu=[PulseOrWrite]
    )
    await server.serve_forever(background=True)
    say(ready=True)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        board.inputs = sum(1 << number for number in json.loads(line)["inputs"])
    server.close()


asyncio.run(main(sys.argv[1]))
