import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any, cast

import pytest
import serial
import serial.rfc2217

from station_agent.serial_port import Port, open_port
from tests.wire.ptys import RawPty, eventually


class Listener:
    """What a port told."""

    def __init__(self, port: Port) -> None:
        self.heard = b""
        self.losses: list[Exception] = []
        port.start(self._heard, self.losses.append)

    def _heard(self, data: bytes) -> None:
        self.heard += data


class Rfc2217Echo:
    """A terminal server with one port, whose other end returns what it gets."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"rfc2217://127.0.0.1:{self._server.getsockname()[1]}"
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """pyserial's server side writes its negotiations here."""
        assert self._connection is not None
        with suppress(OSError):
            self._connection.sendall(data)

    def hang_up(self) -> None:
        assert self._connection is not None
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.hang_up()
        self._thread.join(5)
        self._server.close()

    def _serve(self) -> None:
        self._connection, _ = self._server.accept()
        with closing(self._connection), closing(serial.serial_for_url("loop://", timeout=0)) as port:
            manager = serial.rfc2217.PortManager(cast("Any", port), cast("Any", self))  # its stubs err
            while data := self._received():
                port.write(b"".join(manager.filter(data)))
                self.write(b"".join(manager.escape(port.read(4096))))

    def _received(self) -> bytes:
        assert self._connection is not None
        try:
            return self._connection.recv(4096)
        except OSError:
            return b""


@pytest.fixture
def terminal_server() -> Iterator[Rfc2217Echo]:
    server = Rfc2217Echo()
    yield server
    server.close()


async def test_hung_up_terminal_is_lost_once_and_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []

    def counted(fd: int, size: int) -> bytes:
        reads.append(fd)
        return real(fd, size)

    real = os.read
    monkeypatch.setattr("station_agent.serial_port.os.read", counted)
    pty = RawPty()
    port = await open_port(pty.path, 9600)
    listener = Listener(port)
    pty.close()
    await eventually(lambda: listener.losses)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(reads) == len(listener.losses) == 1
    await port.close()


async def test_socket_is_a_port_and_its_end_a_lost_link() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readexactly(4))
        await writer.drain()
        await reader.readexactly(4)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        port = await open_port(f"socket://127.0.0.1:{server.sockets[0].getsockname()[1]}", 9600)
        listener = Listener(port)
        port.write(b"ping")
        await eventually(lambda: listener.heard == b"ping")
        port.write(b"quit")
        await eventually(lambda: listener.losses)
        assert len(listener.losses) == 1
        await port.close()


async def test_port_without_a_file_descriptor_is_read_by_one_thread_that_ends_with_it() -> None:
    port = await open_port("loop://", 9600)
    listener = Listener(port)
    assert [thread.name for thread in threading.enumerate()].count("read loop://") == 1
    port.write(b"round and round")
    await eventually(lambda: listener.heard == b"round and round")
    await port.close()
    assert "read loop://" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # pyserial 3.5
async def test_terminal_server_is_a_port_and_its_end_a_lost_link(terminal_server: Rfc2217Echo) -> None:
    port = await open_port(terminal_server.url, 9600)
    listener = Listener(port)
    port.write(b"\x01\xff\x00far away")
    await eventually(lambda: listener.heard == b"\x01\xff\x00far away")
    terminal_server.hang_up()
    await eventually(lambda: listener.losses)
    await port.close()


async def test_open_that_is_cancelled_leaves_no_port_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[serial.Serial] = []
    may_open = threading.Event()

    def slow(*_: object, **__: object) -> serial.Serial:
        may_open.wait(5)
        opened.append(real("loop://"))
        return opened[0]

    real = serial.serial_for_url
    monkeypatch.setattr(serial, "serial_for_url", slow)
    task = asyncio.create_task(open_port("loop://", 9600))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    may_open.set()
    await eventually(lambda: opened and not opened[0].is_open)


async def test_nobody_listening_is_an_error_that_the_line_tries_again_after() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port_number = server.getsockname()[1]
    with pytest.raises(serial.SerialException):
        await open_port(f"socket://127.0.0.1:{port_number}", 9600)
