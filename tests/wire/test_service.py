"""The agent as a service: ready when it is, fed while it makes progress, gone within seconds of SIGTERM."""

import re
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from runtime.clocks import SystemLineClock
from tests.runtime.waiting import eventually
from tests.wire.brokers import Mosquitto
from tests.wire.station import Station

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
WATCHDOG_US = 1_500_000


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "notify"))
        made.setblocking(False)
        yield made


def heard(listener: socket.socket, so_far: list[str]) -> list[str]:
    """All that was said until now."""
    while True:
        try:
            so_far += listener.recv(4096).decode().splitlines()
        except BlockingIOError:
            return so_far


@asynccontextmanager
async def as_service(folder: Path) -> AsyncIterator[Station]:
    """An agent whose manager is the test."""
    broker = Mosquitto(folder)
    await broker.start()
    station = Station(folder, broker.port)
    station.site.open()
    station.start({"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": str(WATCHDOG_US)})
    try:
        yield station
    finally:
        station.kill()
        station.site.close()
        broker.stop()


async def test_ready_then_fed_and_ended_within_five_seconds(tmp_path: Path, listener: socket.socket) -> None:
    said: list[str] = []
    async with as_service(tmp_path) as station:
        await eventually(lambda: "READY=1" in heard(listener, said), within_s=20)
        assert f"STATUS={station.cabinet} runs" in said
        await eventually(lambda: heard(listener, said).count("WATCHDOG=1") >= 4, within_s=20)
        began_us = SystemLineClock().now_us()
        assert station.terminate() == 0
        assert SystemLineClock().now_us() - began_us < 5_000_000
        assert "STOPPING=1" in heard(listener, said)
        assert station.logged("agent_stopped")


async def test_an_agent_that_is_stopped_in_its_tracks_is_not_fed(tmp_path: Path, listener: socket.socket) -> None:
    said: list[str] = []
    async with as_service(tmp_path) as station:
        await eventually(lambda: heard(listener, said).count("WATCHDOG=1") >= 2, within_s=20)
        assert station.process is not None
        station.process.send_signal(signal.SIGSTOP)
        heard(listener, said)
        said.clear()
        began_us = SystemLineClock().now_us()
        await eventually(lambda: SystemLineClock().now_us() - began_us > 2 * WATCHDOG_US, within_s=10)
        assert heard(listener, said) == []
        station.process.send_signal(signal.SIGCONT)
        await eventually(lambda: heard(listener, said).count("WATCHDOG=1") >= 2, within_s=20)


@pytest.mark.parametrize("unit", ["station-agent.service", "dispatcher.service"])
def test_the_units_are_as_tight_as_the_documents_say(unit: str) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.fail("systemd-analyze is missing: `make test` installs Debian's package systemd")
    told = subprocess.run(
        [program, "security", "--offline=true", str(UNITS / unit)], capture_output=True, text=True, check=False
    )
    found = re.search(r"Overall exposure level for \S+: (\d+\.\d)", told.stdout)
    assert found, told.stderr
    assert float(found[1]) <= 2.0
    checked = subprocess.run([program, "verify", str(UNITS / unit)], capture_output=True, text=True, check=False)
    complaints = [line for line in checked.stderr.splitlines() if unit in line and "is not executable" not in line]
    assert complaints == []


def test_the_sandbox_lets_the_kernel_be_asked_whether_its_clock_is_synchronised() -> None:
    """`@privileged` contains these calls: named before it they are taken away again, and no clock is trusted."""
    command = ["systemd-analyze", "security", "--offline=true", str(UNITS / "station-agent.service")]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    assert "@clock is included (e.g. adjtimex is allowed)" in told
    assert re.search(r"CapabilityBoundingSet=~CAP_SYS_TIME +Service processes cannot change the system clock", told)


def test_serial_ports_are_allowed_before_the_first_adapter_is_plugged_in() -> None:
    """The name of a group counts for nothing where its driver is not loaded yet (systemd.resource-control(5))."""
    allowed = re.findall(r"^DeviceAllow=(\S+) rw$", (UNITS / "station-agent.service").read_text(), re.MULTILINE)
    assert allowed == ["char-188", "char-166", "char-204", "char-4"]
