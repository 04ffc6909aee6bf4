"""What a service manager is told, on a real socket."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.service_manager import ServiceManager


@pytest.fixture(params=["file", "abstract"])
def listening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A manager's socket, and its address as the environment says it."""
    address = str(tmp_path / "notify") if request.param == "file" else f"@carshare-test-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + address[1:] if address.startswith("@") else address)
        listener.settimeout(5)
        yield listener, address


def test_it_is_told_in_one_datagram(listening: tuple[socket.socket, str]) -> None:
    listener, address = listening
    manager = ServiceManager.of_environment({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "60000000"})
    assert manager.watchdog_us == 60_000_000
    manager.tell("READY=1", "STATUS=gare runs")
    assert listener.recv(1000) == b"READY=1\nSTATUS=gare runs"


def test_without_a_manager_nothing_is_said_and_one_that_has_gone_stops_nobody(tmp_path: Path) -> None:
    ServiceManager.of_environment({}).tell("READY=1")
    ServiceManager(str(tmp_path / "nobody")).tell("READY=1")


@pytest.mark.parametrize("text", ["", "0", "-1", "a minute"])
def test_a_watchdog_that_is_no_number_is_none(text: str) -> None:
    assert ServiceManager.of_environment({"WATCHDOG_USEC": text}).watchdog_us is None
