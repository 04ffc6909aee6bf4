"""A serial port on the event loop: whatever pyserial opens, as chunks of bytes.

Where a port has a file descriptor the loop watches that; where it has none (`rfc2217://`), one thread reads.
A cable that is pulled shows as one of LINK_ERRORS or as end of file, depending on the call: `on_lost` is called
once for any of them.
"""

import asyncio
import io
import os
import termios
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

import serial

READ_BYTES: Final = 4096  # a terminal's own buffer: more cannot wait
THREAD_WAIT_S: Final = 0.2  # how soon a reading thread notices that it should end

LINK_ERRORS = (serial.SerialException, OSError, termios.error)

OnData = Callable[[bytes], None]
OnLost = Callable[[Exception], None]


class Port(Protocol):
    def start(self, on_data: OnData, on_lost: OnLost) -> None: ...
    def write(self, data: bytes) -> None: ...
    async def close(self) -> None: ...


class _WatchedPort:
    """A port with a file descriptor: the loop says when there is something to read."""

    def __init__(self, port: serial.Serial, fd: int, loop: asyncio.AbstractEventLoop) -> None:
        self._port = port
        self._fd = fd
        self._loop = loop

    def start(self, on_data: OnData, on_lost: OnLost) -> None:
        os.set_blocking(self._fd, False)
        self._loop.add_reader(self._fd, self._readable, on_data, on_lost)

    def _readable(self, on_data: OnData, on_lost: OnLost) -> None:
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return
        except LINK_ERRORS as error:
            self._loop.remove_reader(self._fd)
            on_lost(error)
            return
        if data:
            on_data(data)
        else:  # stays readable for ever: left in the loop, it would spin
            self._loop.remove_reader(self._fd)
            on_lost(EOFError("end of file: the device is gone"))

    def write(self, data: bytes) -> None:
        """Frames are short and go out one at a time: a port that cannot take one whole is stuck."""
        if os.write(self._fd, data) < len(data):
            raise OSError("the port takes no more bytes")

    async def close(self) -> None:
        self._loop.remove_reader(self._fd)
        await _close(self._port)


class _ThreadedPort:
    """A port without a file descriptor: one thread waits in its `read`."""

    def __init__(self, port: serial.Serial, loop: asyncio.AbstractEventLoop) -> None:
        self._port = port
        self._loop = loop
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, on_data: OnData, on_lost: OnLost) -> None:
        self._thread = threading.Thread(
            target=self._read, args=(on_data, on_lost), name=f"read {self._port.port}", daemon=True
        )
        self._thread.start()

    def _read(self, on_data: OnData, on_lost: OnLost) -> None:
        try:
            while not self._stopping.is_set():
                data = self._port.read(1)
                if data:
                    data += self._port.read(min(self._port.in_waiting, READ_BYTES))
                    self._loop.call_soon_threadsafe(on_data, data)
        except Exception as error:  # noqa: BLE001  # a thread that dies unnoticed is worse than any error
            self._loop.call_soon_threadsafe(on_lost, error)

    def write(self, data: bytes) -> None:
        self._port.write(data)  # into a socket's buffer, which is empty whenever the peer is alive

    async def close(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            await asyncio.shield(asyncio.to_thread(self._thread.join))
        await _close(self._port)


async def open_port(url: str, baud_rate: int) -> Port:
    """Opens what pyserial understands. Raises LINK_ERRORS if it is not there, ValueError for a wrong URL."""
    loop = asyncio.get_running_loop()
    if "://" in url:  # a connection may take seconds to be made
        opening = loop.run_in_executor(None, _opened, url, baud_rate)
        try:
            port = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unwanted)
            raise
    else:
        port = _opened(url, baud_rate)
    try:
        fd = port.fileno()
    except io.UnsupportedOperation:
        return _ThreadedPort(port, loop)
    return _WatchedPort(port, fd, loop)


def _opened(url: str, baud_rate: int) -> serial.Serial:
    port = serial.serial_for_url(url, baud_rate, timeout=THREAD_WAIT_S, exclusive=True)
    with suppress(AttributeError, NotImplementedError, ValueError):  # not every kind of port knows it
        port.set_low_latency_mode(True)  # an FTDI adapter keeps bytes back for 16 ms otherwise
    return port


async def _close(port: serial.Serial) -> None:
    if "://" in str(port.port):  # pyserial sleeps 0.3 s after closing a socket
        await asyncio.shield(asyncio.to_thread(_close_quietly, port))
    else:
        _close_quietly(port)


def _close_quietly(port: serial.Serial) -> None:
    with suppress(*LINK_ERRORS):
        port.close()


def _close_unwanted(opening: "asyncio.Future[serial.Serial]") -> None:
    if not opening.cancelled() and opening.exception() is None:
        _close_quietly(opening.result())
