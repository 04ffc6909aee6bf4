"""The tools of the person at the cabinet, run as programs beside a real agent on real serial bytes."""

import asyncio
import json
import os
import pty
import re
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from simulator.network.model import CALYPSO, Card
from tests.runtime.waiting import eventually
from tests.wire.station import Station, running

BADGE = Card(CALYPSO.name, CALYPSO.bits, bytes(range(0xA1, 0xA9)))
WITHIN_S = 60.0  # a doctor that has to try all speeds and addresses takes 20 s


def tool(station: Station, *words: str) -> list[str]:
    """The command line of a tool, with a configuration that names the port which the agent took."""
    port = station.metrics_url.rpartition(":")[2].partition("/")[0]
    config = station.folder / "tool.toml"
    config.write_text(re.sub(r"(\[http\]\nport = )0", rf"\g<1>{port}", station.config.read_text()))
    assert f"port = {port}" in config.read_text()
    return [sys.executable, "-m", "station_agent", *words, "--config", str(config)]


async def said_by(command: list[str]) -> tuple[int, str, str]:
    """Exit status, output, errors."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            out, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
        raise
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


async def test_monitor_shows_what_the_cabinet_shows(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, broker):
        status, before, _ = await said_by(tool(station, "monitor", "--once"))
        assert status == 0
        key = station.vehicles[0].key.id
        assert re.search(rf" 1 \* {key} ", before)
        assert f"connected to 127.0.0.1:{broker.port}" in before
        assert "1 grants, wanted state 1" in before
        assert "synchronised" in before or "vouched for by the dispatcher" in before
        assert "!!" not in before
        await station.show(BADGE)
        await station.until_open(1)
        _, opened, _ = await said_by(tool(station, "monitor", "--once"))
        assert re.search(rf" 1 \* {key} .*door open", opened)
        await station.take(1)
        broker.stop()
        station.site.lines[1].unplug()
        await eventually(lambda: b'"online": false' in page(station, "status"), within_s=WITHIN_S)
        _, after, _ = await said_by(tool(station, "monitor", "--once"))
        assert f" 1 - empty (home of {key})" in after
        assert "1 keys out" in after
        assert "NOT CONNECTED" in after
        assert re.search(r"!!  readers-1 .*CLOSED", after)
        assert BADGE.data.hex().upper() not in (before + opened + after).upper()


def page(station: Station, name: str) -> bytes:
    """One of the agent's own pages."""
    url = f"{station.metrics_url.rpartition('/')[0]}/{name}"
    with urllib.request.urlopen(url) as answer:  # noqa: S310  # the agent's own, on loopback
        body: bytes = answer.read()
    return body


def listen(station: Station, *lines: str) -> None:
    """What passes is kept from here on for a while, however long a program takes to start that asks for it."""
    for line in lines:
        page(station, f"trace?line={line}&first=0")


async def test_trace_tells_both_directions_in_words_and_never_which_card_it_was(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, _):
        listen(station, "locks", "readers-1")
        await asyncio.sleep(1)
        await station.show(BADGE)
        await station.until_open(1)
        (locks_status, locks_told, _), (readers_status, readers_told, _) = await asyncio.gather(
            said_by(tool(station, "trace", "locks", "--seconds", "3")),
            said_by(tool(station, "trace", "readers-1", "--seconds", "3")),
        )
        assert (locks_status, readers_status) == (0, 0)
        assert "-> unit 1: relay 1 on for 700 ms\n             01 05 02 00 00 07 8D B0" in locks_told
        assert "<- unit 1: done as ordered" in locks_told
        assert re.search(r"<- unit \d: inputs on: [\d, ]+", locks_told)
        assert re.search(r"-> reader \d, [123]: anything new\? \(sealed\)", readers_told)
        assert re.search(r"<- reader \d, [123]: a card \(sealed\)", readers_told)
        assert re.search(r"-> reader \d, [123]: light \(sealed\)", readers_told)
        assert BADGE.data.hex(" ").upper() not in (readers_told + locks_told)
        assert len(readers_told.splitlines()) < 80, "polls that bring nothing are left out"


@pytest.mark.long
async def test_trace_for_programs_and_of_lines_that_are_not_there(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, _):
        status, told, _ = await said_by(tool(station, "trace", "locks", "--all", "--json", "--seconds", "2"))
        pieces = [json.loads(line) for line in told.splitlines()]
        assert status == 0
        assert {piece["sent"] for piece in pieces} == {True, False}
        assert [piece["number"] for piece in pieces] == list(range(len(pieces)))
        status, told, errors = await said_by(tool(station, "trace", "lock"))
        assert (status, told) == (1, "")
        assert errors == "station-agent: line: 'lock': expected one of locks, readers-1\n"
        command = tool(station, "monitor", "--once")
        station.terminate()
        status, told, errors = await said_by(command)
        assert (status, told) == (1, "")
        assert errors.startswith("station-agent: no agent answers at http://127.0.0.1:")


async def test_monitor_in_a_terminal_draws_again_and_again_and_leaves_it_as_it_was(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, _):
        master, terminal = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *tool(station, "monitor"), stdin=terminal, stdout=terminal, stderr=terminal
        )
        os.close(terminal)
        os.set_blocking(master, False)
        drawn = bytearray()

        def draws(times: int) -> bool:
            with suppress(BlockingIOError):
                drawn.extend(os.read(master, 65536))
            return drawn.count(station.cabinet.encode()) >= times

        await eventually(lambda: draws(3), within_s=WITHIN_S)
        os.write(master, b"q")
        async with asyncio.timeout(WITHIN_S):
            assert await process.wait() == 0
        draws(0)
        os.close(master)
        assert drawn.startswith(b"\x1b[?1049h\x1b[?25l")
        assert drawn.endswith(b"\x1b[?25h\x1b[?1049l")
