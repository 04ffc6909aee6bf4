"""Both sides of the Modbus bus against implementations that this project did not write, each in its process."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from runtime.clocks import SystemLineClock
from simulator.devices.modbus_board import ModbusBoard
from simulator.devices.paced_pty import TURNAROUND_US, PacedPty
from station_agent.core.device_events import CabinetLost, CabinetSeen, DeviceEvent, LockPulsed, PulseResult
from station_agent.drivers.modbus.cabinet import ModbusCabinet
from station_agent.drivers.modbus.wiring import CabinetWiring
from station_agent.serial_line import SerialLine
from tests.station_agent.drivers.modbus.virtual_bus import wired
from tests.wire.ptys import WAIT_S, Bridge, eventually

PEERS = Path(__file__).parent / "peers"


class Peer:
    """A program that says JSON lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def said(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), WAIT_S)
        assert line, "the peer ended without a word"
        return dict(json.loads(line))

    def order(self, **what: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")


@asynccontextmanager
async def peer(program: str, *arguments: str) -> AsyncIterator[Peer]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(PEERS / f"{program}.py"), *arguments, stdin=pipe, stdout=pipe
    )
    try:
        yield Peer(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


class Driver:
    """Our line and codec, and what they told."""

    def __init__(self, url: str, wiring: CabinetWiring) -> None:
        self.cabinet = ModbusCabinet(wiring)
        self.told: list[DeviceEvent] = []
        self._line = SerialLine(url, wiring.baud_rate, self.cabinet, SystemLineClock(), self.told.append)
        self._task = asyncio.create_task(self._line.run())

    def release(self, slot: int) -> None:
        self._line.give(lambda: self.cabinet.release(slot))

    def has_told(self, kind: type[DeviceEvent], *, since: int = 0) -> bool:
        return any(isinstance(event, kind) for event in self.told[since:])

    async def close(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


@asynccontextmanager
async def driver(url: str, wiring: CabinetWiring) -> AsyncIterator[Driver]:
    driver = Driver(url, wiring)
    try:
        yield driver
    finally:
        await driver.close()


@pytest.fixture
async def cable() -> AsyncIterator[Bridge]:
    cable = Bridge()
    yield cable
    cable.close()


async def test_driver_reads_and_pulses_a_board_made_of_pymodbus(cable: Bridge) -> None:
    ours, theirs = cable.ends
    async with peer("pymodbus_boards", theirs.path) as board, driver(ours.path, wired(8)) as agent:
        assert await board.said() == {"ready": True}
        await eventually(lambda: agent.has_told(CabinetSeen))
        known = len(agent.told)
        board.order(inputs=[0, 3, 15])
        await eventually(lambda: agent.has_told(CabinetSeen, since=known))
        seen = agent.told[-1]
        assert isinstance(seen, CabinetSeen)
        assert [slot.slot for slot in seen.slots if slot.key_present] == [1]
        assert [slot.slot for slot in seen.slots if slot.door_open] == [2, 8]
        agent.release(6)
        assert await board.said() == {"pulsed": 5, "tenths": 7}
        await eventually(lambda: LockPulsed(6, PulseResult.CONFIRMED) in agent.told)
        assert agent.cabinet.statistics.garbled == 0


async def test_driver_is_told_when_the_board_made_of_pymodbus_dies_and_when_it_is_back(cable: Bridge) -> None:
    ours, theirs = cable.ends
    async with driver(ours.path, wired(8)) as agent:
        async with peer("pymodbus_boards", theirs.path):
            await eventually(lambda: agent.has_told(CabinetSeen))
        await eventually(lambda: agent.has_told(CabinetLost))
        agent.release(1)
        await eventually(lambda: LockPulsed(1, PulseResult.UNANSWERED) in agent.told)
        known = len(agent.told)
        async with peer("pymodbus_boards", theirs.path) as board:
            await eventually(lambda: agent.has_told(CabinetSeen, since=known))
            assert await board.said() == {"ready": True}
        assert not agent.has_told(LockPulsed, since=known)


async def test_refusal_of_a_board_made_of_pymodbus_is_understood(cable: Bridge) -> None:
    ours, theirs = cable.ends
    more_slots_than_inputs = wired(9)
    async with peer("pymodbus_boards", theirs.path), driver(ours.path, more_slots_than_inputs) as agent:
        await eventually(lambda: agent.told)
        assert agent.told == [CabinetLost("unit 1: refuses to show its inputs (exception 2)")]
        agent.release(9)
        await eventually(lambda: LockPulsed(9, PulseResult.REFUSED) in agent.told)


async def toured_by(program: str, folder: Path) -> dict[str, Any]:
    """What another master found on our simulated boards."""
    boards = (ModbusBoard(1), ModbusBoard(2))
    for number in (0, 4, 7):
        boards[0].set_input(number, True)
    boards[1].set_input(3, True)
    port = PacedPty(folder / "locks", boards, SystemLineClock())
    port.open()
    async with peer(program, str(port.link)) as master:
        found = await master.said()
    port.close()
    return found


async def test_minimalmodbus_reads_and_drives_the_simulated_boards(tmp_path: Path) -> None:
    found = await toured_by("minimalmodbus_master", tmp_path)
    exchange_ms = found.pop("exchange_ms")
    assert found == {
        "inputs of 1": [1, 0, 0, 0, 1, 0, 0, 1],
        "inputs of 2": [0, 1, 0],
        "too many": "IllegalRequestError",
        "no such function": "IllegalRequestError",
        "absent": "NoResponseError",
        "on": None,
        "relays after on": [0, 0, 0, 1, 0, 0, 0, 0],
        "off": None,
        "many": None,
        "pulse": "02000007",
        "relays in the pulse": [1, 0, 0, 0, 1, 0, 1, 1],
    }
    wire_ms = (8 + 6) * 10 / 9.6 + TURNAROUND_US / 1000
    assert wire_ms <= exchange_ms < 4 * wire_ms


async def test_umodbus_reads_and_drives_the_simulated_boards(tmp_path: Path) -> None:
    found = await toured_by("umodbus_master", tmp_path)
    assert found == {
        "inputs of 1": [1, 0, 0, 0, 1, 0, 0, 1],
        "inputs of 2": [0, 1, 0],
        "too many": "IllegalDataAddressError",
        "no such function": "IllegalFunctionError",
        "absent": "ValueError",
        "on": 1,
        "relays after on": [0, 0, 0, 1, 0, 0, 0, 0],
        "off": 0,
        "many": 4,
        "pulse": "010502000007",
        "relays in the pulse": [1, 0, 0, 0, 1, 0, 1, 1],
    }


async def test_driver_and_simulated_boards_survive_a_pulled_cable(tmp_path: Path) -> None:
    board = ModbusBoard(1)
    port = PacedPty(tmp_path / "locks", (board,), SystemLineClock())
    port.open()
    async with driver(str(port.link), wired()) as agent:
        await eventually(lambda: agent.has_told(CabinetSeen))
        port.unplug()
        await eventually(lambda: agent.has_told(CabinetLost))
        board.set_input(0, True)
        known = len(agent.told)
        port.replug()
        await eventually(lambda: agent.has_told(CabinetSeen, since=known))
        seen = agent.told[-1]
        assert isinstance(seen, CabinetSeen)
        assert seen.slots[0].key_present
        agent.release(2)
        await eventually(lambda: LockPulsed(2, PulseResult.CONFIRMED) in agent.told)
        assert board.relay_is_on(SystemLineClock().now_us(), 1)
    port.close()
