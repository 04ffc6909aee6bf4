"""What one Modbus exchange costs: CPU time on each side, beside the time that the wire itself takes.

    python -m benchmarks.modbus_exchange [--lines 30] [--per-second 25] [--seconds 5]

First the two codecs in memory, then whole lines: `SerialLine` with `ModbusCabinet` in this process, and
`ModbusBoard` behind `PacedPty` in another.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from runtime.clocks import SystemLineClock
from simulator.devices.modbus_board import ModbusBoard
from simulator.devices.paced_pty import TURNAROUND_US, PacedPty
from simulator.devices.wire import Wire
from station_agent.core.device_events import CabinetSeen
from station_agent.drivers.modbus.cabinet import ModbusCabinet
from station_agent.drivers.modbus.wiring import CabinetWiring, SlotWiring
from station_agent.serial_line import SerialLine

WIRING = CabinetWiring(
    slots=tuple(SlotWiring(slot=n + 1, lock=(1, n), key=(1, 2 * n), door=(1, 2 * n + 1)) for n in range(4))
)
IN_MEMORY_COUNT = 20_000


def wire_us() -> int:
    """Request and answer at 9600 baud, and the turnaround between them."""
    request, answer = 8, 6
    return WIRING.wire_us(request + answer) + TURNAROUND_US


def in_memory() -> None:
    cabinet, board = ModbusCabinet(WIRING), ModbusBoard(1)
    wire = Wire((board,), baud_rate=9600, turnaround_us=TURNAROUND_US)
    spent_ns = {"cabinet": 0, "board and wire": 0}
    cabinet.opened(0)
    while cabinet.statistics.frames_received < IN_MEMORY_COUNT:
        wakes = (cabinet.wake_at_us, wire.wake_at_us)
        now_us = min(wake_us for wake_us in wakes if wake_us is not None)
        started_ns = time.perf_counter_ns()
        arrived = wire.elapsed(now_us)
        between_ns = time.perf_counter_ns()
        output = cabinet.received(now_us, arrived) if arrived else cabinet.elapsed(now_us)
        ended_ns = time.perf_counter_ns()
        if output.send:
            wire.sent(now_us, output.send)
        spent_ns["cabinet"] += ended_ns - between_ns
        spent_ns["board and wire"] += between_ns - started_ns + time.perf_counter_ns() - ended_ns
    for side, ns in spent_ns.items():
        print(f"in memory, {side}: {ns / IN_MEMORY_COUNT / 1000:.1f} us an exchange")


async def boards(directory: Path, lines: int) -> None:
    """The other process: boards until stdin ends; prints its CPU time for each line of input."""
    ports = [PacedPty(directory / str(n), (ModbusBoard(1),), SystemLineClock()) for n in range(lines)]
    for port in ports:
        port.open()
    print("ready", flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(time.process_time(), flush=True)
    for port in ports:
        port.close()


class Boards:
    """That process, seen from here."""

    def __init__(self, directory: str, lines: int) -> None:
        command = [sys.executable, "-m", "benchmarks.modbus_exchange", "--boards", directory, "--lines", str(lines)]
        self._process = subprocess.Popen(  # noqa: S603  # this very program
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._read()

    def cpu_s(self) -> float:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._read())

    def close(self) -> None:
        self._process.communicate()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


async def over_ptys(lines: int, per_second: int, seconds: float) -> None:
    wiring = replace(WIRING, scan_ms=1000 // per_second)
    with tempfile.TemporaryDirectory() as directory:
        other = Boards(directory, lines)
        cabinets = [ModbusCabinet(wiring) for _ in range(lines)]
        told: list[object] = []
        tasks = [
            asyncio.create_task(SerialLine(f"{directory}/{n}", 9600, cabinet, SystemLineClock(), told.append).run())
            for n, cabinet in enumerate(cabinets)
        ]
        while sum(isinstance(event, CabinetSeen) for event in told) < lines:  # noqa: ASYNC110  # a benchmark
            await asyncio.sleep(0.05)
        before = (time.process_time(), other.cpu_s(), sum(c.statistics.frames_received for c in cabinets))
        await asyncio.sleep(seconds)
        after = (time.process_time(), other.cpu_s(), sum(c.statistics.frames_received for c in cabinets))
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        other.close()
    agent_s, boards_s, count = (new - old for new, old in zip(after, before, strict=True))
    failed = sum(c.statistics.timeouts + c.statistics.garbled for c in cabinets)
    print(f"{lines} lines over ptys: {count / seconds:.0f} exchanges/s, {failed} failed")
    for side, cpu_s in (("agent", agent_s), ("boards", boards_s)):
        print(f"  {side}: {cpu_s / count * 1e6:.0f} us CPU an exchange, {cpu_s / seconds * 100:.1f} % of one core")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--lines", type=int, default=30)
    parser.add_argument("--per-second", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--boards", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.boards is not None:
        asyncio.run(boards(options.boards, options.lines))
        return
    print(f"the wire at 9600 baud: {wire_us()} us an exchange")
    in_memory()
    asyncio.run(over_ptys(options.lines, options.per_second, options.seconds))


if __name__ == "__main__":
    main()
