import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from runtime.clocks import SystemLineClock
from simulator.devices.modbus_board import ModbusBoard
from simulator.devices.paced_pty import TURNAROUND_US, PacedPty
from simulator.devices.rdm6300_reader import Rdm6300Device, frame_of
from tests.wire.ptys import eventually

READ_INPUTS = bytes.fromhex("01 02 00 00 00 08 79 CC")
NOTHING_ON = bytes.fromhex("01 02 01 00 A1 88")
TAG = bytes.fromhex("01000734E0")
WIRE_S = (len(READ_INPUTS) + len(NOTHING_ON)) * 10 / 9600 + TURNAROUND_US / 1e6


class Client:
    """A program that opens the path and nothing more."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.heard = b""

    def has_heard(self, size: int) -> bool:
        with suppress(BlockingIOError):
            self.heard += os.read(self.fd, 4096)
        return len(self.heard) >= size

    def is_hung_up(self) -> bool:
        try:
            return os.read(self.fd, 1) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True


@pytest.fixture
def board() -> ModbusBoard:
    return ModbusBoard(1)


@pytest.fixture
async def port(tmp_path: Path, board: ModbusBoard) -> AsyncIterator[PacedPty]:
    port = PacedPty(tmp_path / "locks", (board,), SystemLineClock())
    port.open()
    yield port
    port.close()


async def test_answer_takes_as_long_as_on_a_real_wire(port: PacedPty) -> None:
    client = Client(port.link)
    loop = asyncio.get_running_loop()
    since_s = loop.time()
    os.write(client.fd, READ_INPUTS)
    await eventually(lambda: client.has_heard(6))
    assert client.heard == NOTHING_ON
    assert loop.time() - since_s >= WIRE_S
    os.close(client.fd)


async def test_terminal_neither_echoes_nor_changes_a_byte(tmp_path: Path) -> None:
    class Mirror:
        def receive(self, now_us: int, data: bytes) -> bytes:
            return data[::-1]

    port = PacedPty(tmp_path / "mirror", (Mirror(),), SystemLineClock(), baud_rate=115200)
    port.open()
    client = Client(port.link)
    os.write(client.fd, bytes(range(256)))
    await eventually(lambda: client.has_heard(256))
    assert client.heard == bytes(range(256))[::-1]
    os.close(client.fd)
    port.close()


async def test_clients_come_and_go_under_one_path(port: PacedPty) -> None:
    for _ in range(3):
        client = Client(port.link)
        os.write(client.fd, READ_INPUTS)
        await eventually(partial(client.has_heard, 6))
        os.close(client.fd)


async def test_unplugged_port_is_gone_and_hangs_up_and_comes_back_under_its_path(port: PacedPty) -> None:
    client = Client(port.link)
    os.write(client.fd, READ_INPUTS)
    port.unplug()
    assert not port.link.is_symlink()
    assert not port.is_plugged
    await eventually(client.is_hung_up)
    port.replug()
    port.replug()
    second = Client(port.link)
    os.write(second.fd, READ_INPUTS)
    await eventually(lambda: second.has_heard(6))
    assert second.heard == NOTHING_ON
    os.close(client.fd)
    os.close(second.fd)


async def test_closed_port_leaves_no_path_and_no_timer(port: PacedPty) -> None:
    client = Client(port.link)
    os.write(client.fd, READ_INPUTS)
    await eventually(lambda: port.wire.wake_at_us is not None)
    port.close()
    port.close()
    assert not port.link.is_symlink()
    assert port._timer_due_us is None
    os.close(client.fd)


async def test_leftover_of_a_killed_simulator_is_replaced(tmp_path: Path, board: ModbusBoard) -> None:
    link = tmp_path / "locks"
    link.symlink_to(tmp_path / "nowhere")
    (tmp_path / "locks.new").symlink_to(tmp_path / "nowhere")
    port = PacedPty(link, (board,), SystemLineClock())
    port.open()
    assert link.resolve().is_char_device()
    port.close()


async def test_echoing_adapter_returns_what_was_sent(port: PacedPty) -> None:
    port.wire.echo = True
    client = Client(port.link)
    os.write(client.fd, READ_INPUTS)
    await eventually(lambda: client.has_heard(14))
    assert client.heard == READ_INPUTS + NOTHING_ON
    os.close(client.fd)


def listen(passed: bytearray, now_us: int, data: bytes, *, sent: bool) -> None:  # noqa: ARG001  # a Tap
    if sent:
        passed.extend(data)


def is_so_long(passed: bytearray, size: int) -> bool:
    return len(passed) == size


async def test_a_noisy_line_spoils_what_passes_until_it_is_quiet_again(port: PacedPty, board: ModbusBoard) -> None:
    client = Client(port.link)
    passed = bytearray()
    port.noisy, port.tap = 1.0, partial(listen, passed)
    for size in range(len(READ_INPUTS), 6 * len(READ_INPUTS), len(READ_INPUTS)):
        os.write(client.fd, READ_INPUTS)
        await eventually(partial(is_so_long, passed, size))
        await eventually(lambda: port.wire.wake_at_us is None)
    assert (board.request_count, client.has_heard(1)) == (0, False)
    port.noisy = 0.0
    os.write(client.fd, READ_INPUTS)
    await eventually(lambda: client.has_heard(6))
    assert client.heard == NOTHING_ON
    os.close(client.fd)


async def test_what_speaks_unasked_speaks_to_nobody_while_its_cable_is_pulled(tmp_path: Path) -> None:
    device = Rdm6300Device()
    port = PacedPty.of_talker(tmp_path / "tags", device, SystemLineClock(), baud_rate=115200)
    port.open()
    port.unplug()
    device.hold(SystemLineClock().now_us(), TAG)
    port.changed()
    await eventually(lambda: device.frame_count >= 3)
    port.replug()
    client = Client(port.link)
    await eventually(lambda: client.has_heard(2 * len(frame_of(TAG))))
    assert frame_of(TAG) in client.heard
    os.close(client.fd)
    port.close()


async def test_who_else_is_on_the_bus_is_heard_by_the_program_too(port: PacedPty, board: ModbusBoard) -> None:
    client = Client(port.link)
    port.intrude(READ_INPUTS)
    await eventually(lambda: client.has_heard(14))
    assert client.heard == READ_INPUTS + NOTHING_ON
    port.unplug()
    port.intrude(READ_INPUTS)
    assert port.wire.wake_at_us is None
    assert board.request_count == 1
    os.close(client.fd)
