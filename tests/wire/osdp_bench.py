"""Two programs on one pseudo-terminal: ours in the test's process, another implementation in its own."""

import json
import os
import select
import subprocess
import sys
import time
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from simulator.devices.osdp_reader import OsdpReader
from station_agent.core.device_events import DeviceEvent
from station_agent.drivers.base import Output
from station_agent.drivers.osdp.panel import OsdpPanel

ROOT = Path(__file__).resolve().parents[2]
KEY = bytes(range(16))
BAUD_RATE = 38400
ANSWER_S = 10.0  # what a peer may take on a loaded machine; everything here is over in a tenth of it
STEP_S = 0.05


def now_us() -> int:
    return time.monotonic_ns() // 1000


def python_of(environment: str) -> str:
    """The interpreter of a peer's environment; the test fails without it."""
    python = ROOT / environment / "bin" / "python"
    if not python.exists():
        peer = environment.removeprefix(".venv-")
        pytest.fail(f"{environment} is missing: `make test` makes it from requirements/peer-{peer}.txt")
    return str(python)


OWN_PYTHON = sys.executable


class PtyLine:
    """A raw pty. One client end stays open here, so that the line lives while no peer is attached."""

    def __init__(self) -> None:
        self.master, self._client = os.openpty()
        tty.setraw(self._client)
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self._client)

    def read(self) -> bytes:
        try:
            return os.read(self.master, 4096)
        except BlockingIOError:
            return b""

    def write(self, data: bytes) -> None:
        if data:
            os.write(self.master, data)

    def close(self) -> None:
        os.close(self.master)
        os.close(self._client)


class Peer:
    """A program of `tests/wire/peers` in the environment that has its library; it says JSON lines."""

    def __init__(self, python: str, program: str, *arguments: str) -> None:
        command = [python, "-m", f"tests.wire.peers.{program}", *arguments]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders = self._process.stdin
        self.fd = self._process.stdout.fileno()
        os.set_blocking(self.fd, False)
        self._rest = b""
        self.said: list[dict[str, Any]] = []

    def order(self, **what: str) -> None:
        self._orders.write(json.dumps(what).encode() + b"\n")
        self._orders.flush()

    def listen(self) -> None:
        try:
            self._rest += os.read(self.fd, 4096)
        except BlockingIOError:
            return
        *lines, self._rest = self._rest.split(b"\n")
        self.said += [json.loads(line) for line in lines]

    def has_said(self, **what: object) -> bool:
        return any(what.items() <= said.items() for said in self.said)

    def close(self) -> None:
        self._orders.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


class End(Protocol):
    """Our side of the line."""

    def received(self, data: bytes) -> bytes: ...

    def elapsed(self) -> bytes: ...


class PanelEnd:
    def __init__(self, panel: OsdpPanel) -> None:
        self.panel = panel
        self.events: list[tuple[int, DeviceEvent]] = []
        self._opened = False

    def received(self, data: bytes) -> bytes:
        return self.take(self.panel.received(now_us(), data))

    def elapsed(self) -> bytes:
        if not self._opened:
            self._opened = True
            return self.take(self.panel.opened(now_us()))
        wake_us = self.panel.wake_at_us
        return self.take(self.panel.elapsed(now_us())) if wake_us is None or now_us() >= wake_us else b""

    def take(self, output: Output) -> bytes:
        self.events += [(now_us(), event) for event in output.events]
        return output.send


class ReaderEnd:
    def __init__(self, reader: OsdpReader) -> None:
        self.reader = reader
        self.answers: list[bytes] = []

    def received(self, data: bytes) -> bytes:
        answer = self.reader.receive(now_us(), data)
        if answer:
            self.answers.append(answer)
        return answer

    def elapsed(self) -> bytes:
        return b""


def run_until(condition: Callable[[], bool], line: PtyLine, end: End, peer: Peer) -> bool:
    """Carries bytes and words until the condition holds; False after ANSWER_S."""
    limit = time.monotonic() + ANSWER_S
    while time.monotonic() < limit:
        line.write(end.elapsed())
        if condition():
            return True
        readable, _, _ = select.select([line.master, peer.fd], [], [], 0.002)
        if line.master in readable:
            line.write(end.received(line.read()))
        if peer.fd in readable:
            peer.listen()
    return False
