"""Each way in which a port cannot be opened has one sentence and one list of steps, however it is noticed."""

import asyncio
import os
import socket
from contextlib import closing
from pathlib import Path

import pytest
import serial

from station_agent.onsite.port_trouble import TROUBLES, port_trouble
from station_agent.serial_port import LINK_ERRORS, open_port


def error_of(url: str) -> Exception:
    async def opened() -> None:
        port = await open_port(url, 9600)
        await port.close()

    with pytest.raises(LINK_ERRORS) as caught:
        asyncio.run(opened())
    return caught.value


def told(error: Exception) -> set[str]:
    """By its number and text, as the doctor has it; by its text alone, as a running agent tells it."""
    return {port_trouble(str(error), getattr(error, "errno", None)).told, port_trouble(str(error)).told}


def test_a_port_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    error = error_of(str(tmp_path / "ttyUSB9"))
    assert told(error) == {"is not there"}
    assert any(step.startswith("present now: ") for step in port_trouble(str(error)).next_steps())


def test_a_port_that_somebody_has_is_in_use() -> None:
    ours, theirs = os.openpty()
    try:
        with serial.Serial(os.ttyname(theirs), 9600, exclusive=True):
            assert told(error_of(os.ttyname(theirs))) == {"is in use by another program"}
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_server_that_does_not_listen_refuses() -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        assert told(error_of(f"socket://127.0.0.1:{port}")) == {"refuses the connection"}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PermissionError(13, "Permission denied"), "may not be opened by this user"),
        (OSError(16, "Device or resource busy"), "is in use by another program"),
        (OSError(5, "Input/output error"), "cannot be opened: [Errno 5] Input/output error"),
    ],
)
def test_what_the_system_says_is_known_by_its_number_and_what_it_does_not_know_is_told_as_it_is(
    error: OSError, expected: str
) -> None:
    trouble = port_trouble(str(error), error.errno)
    assert trouble.told == expected
    assert bool(trouble.next_steps()) == (trouble in TROUBLES)
