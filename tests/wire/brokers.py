"""Brokers for tests: mosquitto as a child process, and one that misbehaves as told. All on loopback."""

import asyncio
import contextlib
import getpass
import os
import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.runtime.waiting import eventually

HOST = "127.0.0.1"
STOP_S = 5  # mosquitto ends within milliseconds of SIGTERM
ASKED_TIMES = 3
CONNECTED = re.compile(r"^\d+: New client connected", re.MULTILINE)
GONE = re.compile(r"^\d+: Client (?!<unknown>)\S+ (?:closed its connection|disconnected)", re.MULTILINE)


def mosquitto_program(name: str = "mosquitto") -> str:
    """Debian puts the daemon into a folder that is not on everybody's PATH."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise AssertionError(f"{name} is missing: apt-get install mosquitto")
    return found


def free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])


class Mosquitto:
    """One mosquitto, whose port stays the same over restarts.

    `users` maps names to passwords; without any, everybody is let in. `acl` is the text of an access list.
    """

    def __init__(
        self,
        folder: Path,
        *,
        users: Mapping[str, str] | None = None,
        acl: str = "",
        persistence: bool = False,
        more: str = "",
        port: int | None = None,
    ) -> None:
        self.port = port or free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "mosquitto.log"
        lines = [
            f"user {getpass.getuser()}",  # as root it would otherwise leave our folder for its own user
            f"listener {self.port} {HOST}",
            "log_dest stderr",
            "connection_messages true",
            "max_inflight_messages 1000",
            "max_queued_messages 100000",  # by default 1,000, and more are dropped silently
            f"persistence {'true' if persistence else 'false'}",
            f"persistence_location {folder}/",
            f"allow_anonymous {'false' if users else 'true'}",
        ]
        if users:
            lines.append(f"password_file {self._write_passwords(users)}")
        if acl:
            (folder / "acl").write_text(acl)
            lines.append(f"acl_file {folder / 'acl'}")
        (folder / "mosquitto.conf").write_text("\n".join([*lines, more]) + "\n")

    async def start(self) -> None:
        with self._log.open("ab") as log:
            command = [mosquitto_program(), "-c", str(self._folder / "mosquitto.conf")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: ASYNC220  # 1 ms, in a test
        await eventually(self._is_up)

    def stop(self) -> None:
        """As an administrator does: mosquitto says goodbye to its clients and saves what it keeps.

        One that has just begun to listen forgets the first word: it says that it runs after it could be told.
        """
        self._end(lambda process: process.terminate())

    def kill(self) -> None:
        """As a power cut does."""
        self._end(lambda process: process.kill())

    def log_text(self) -> str:
        return self._log.read_text()

    def clients(self) -> int:
        """How many clients are connected now, by the log since the last start."""
        text = self.log_text().rpartition(" running\n")[2]
        return len(CONNECTED.findall(text)) - len(GONE.findall(text))

    def _end(self, how: Callable[[subprocess.Popen[bytes]], None]) -> None:
        process, self._process = self._process, None
        if process is not None:
            for _ in range(ASKED_TIMES):
                how(process)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(STOP_S)
                    return
            process.kill()
            process.wait()
            raise AssertionError(f"mosquitto did not stop:\n{self.log_text()}")

    def _is_up(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"mosquitto did not start:\n{self.log_text()}")
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), timeout=1):
            return True
        return False

    def _write_passwords(self, users: Mapping[str, str]) -> Path:
        path = self._folder / "passwords"
        path.touch(mode=0o600)
        for name, password in users.items():
            command = [mosquitto_program("mosquitto_passwd"), "-b", str(path), name, password]
            subprocess.run(command, check=True, capture_output=True)
        return path


@asynccontextmanager
async def mosquitto(folder: Path, **settings: Any) -> AsyncIterator[Mosquitto]:
    broker = Mosquitto(folder, **settings)
    await broker.start()
    try:
        yield broker
    finally:
        broker.stop()


CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 0x10, 0x20, 0x30, 0x40, 0x80, 0x90
PINGREQ, PINGRESP, DISCONNECT = 0xC0, 0xD0, 0xE0


@dataclass
class Manners:
    """How the fake broker answers: with these reason codes, or not at all (None)."""

    connack: int | None = 0
    suback: int | None = 0
    suback_for_each: bool = True  # one code for each filter, as it must be
    puback: int | None = 0
    pong: bool = True
    connack_properties: bytes = b""
    hang_up_on: int | None = None  # a packet type: the connection is closed instead of an answer


class FakeBroker:
    """Speaks just enough MQTT 5 to misbehave. What it received is in `packets`, as (type, body)."""

    def __init__(self, manners: Manners) -> None:
        self.manners = manners
        self.port = 0
        self.packets: list[tuple[int, bytes]] = []
        self.opened = 0
        self.closed = 0  # connections whose end the other side brought about
        self.writers: list[asyncio.StreamWriter] = []

    def count(self, packet_type: int) -> int:
        return sum(kind == packet_type for kind, _ in self.packets)

    def say(self, packet_type: int, body: bytes) -> None:
        """Sends a packet nobody asked for, on the newest connection."""
        self.writers[-1].write(bytes([packet_type, len(body)]) + body)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self.writers.append(writer)
        try:
            while True:
                kind, body = await _read_packet(reader)
                self.packets.append((kind & 0xF0, body))
                if kind & 0xF0 == self.manners.hang_up_on:
                    return
                writer.write(self._answer(kind, body))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed += 1
        finally:
            writer.close()

    def _answer(self, kind: int, body: bytes) -> bytes:
        manners = self.manners
        match kind & 0xF0:
            case 0x10 if manners.connack is not None:
                properties = manners.connack_properties
                return _packet(CONNACK, bytes([0, manners.connack, len(properties)]) + properties)
            case 0x80 if manners.suback is not None:
                filters = _filter_count(body) if manners.suback_for_each else 1
                return _packet(SUBACK, body[:2] + b"\0" + bytes([manners.suback]) * filters)
            case 0x30 if kind & 0x06 and manners.puback is not None:
                topic_bytes = int.from_bytes(body[:2], "big")
                packet_id = body[2 + topic_bytes : 4 + topic_bytes]
                return _packet(PUBACK, packet_id + bytes([manners.puback, 0]))
            case 0xC0 if manners.pong:
                return _packet(PINGRESP, b"")
        return b""


async def _read_packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    kind = (await reader.readexactly(1))[0]
    length, shift = 0, 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return kind, await reader.readexactly(length)


def _packet(kind: int, body: bytes) -> bytes:
    assert len(body) < 0x80, "one byte of length is enough for every answer"
    return bytes([kind, len(body)]) + body


def _filter_count(body: bytes) -> int:
    """Of a SUBSCRIBE without properties: packet id, 0, then (length, filter, options) for each filter."""
    at, count = 3, 0
    while at < len(body):
        at += 2 + int.from_bytes(body[at : at + 2], "big") + 1
        count += 1
    return count


@asynccontextmanager
async def fake_broker(**manners: Any) -> AsyncIterator[FakeBroker]:
    broker = FakeBroker(Manners(**manners))
    server = await asyncio.start_server(broker.serve, HOST, 0)
    broker.port = server.sockets[0].getsockname()[1]
    try:
        yield broker
    finally:
        server.close()
        for writer in broker.writers:
            writer.close()
        await server.wait_closed()
