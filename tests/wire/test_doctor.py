"""`station-agent doctor` on real lines: all well, and each way in which a line can be wrong."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import serial

from simulator.network.wiring import BADGE_READER
from simulator.world.record import What
from tests.wire.station import Station, running
from tests.wire.test_onsite import BADGE, said_by, tool

CLOSED_PORT = 9  # nobody answers there: the doctor finds no agent


@asynccontextmanager
async def cabinet(folder: Path) -> AsyncIterator[Station]:
    """A cabinet without an agent."""
    station = Station(folder, CLOSED_PORT)
    station.config.write_text(re.sub(r"(\[http\]\nport = )0", rf"\g<1>{CLOSED_PORT}", station.config.read_text()))
    station.site.open()
    try:
        yield station
    finally:
        station.site.close()


def changed(station: Station, pattern: str, by: str) -> None:
    text, count = re.subn(pattern, by, station.config.read_text())
    assert count >= 1
    station.config.write_text(text)


async def examined(station: Station) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit status, and the findings by line and device."""
    status, told, errors = await said_by(doctor(station, "--json"))
    assert errors == ""
    document = json.loads(told)
    assert document["cabinet"] == station.cabinet
    return status, {f"{one['line']}/{one['device']}".rstrip("/"): one for one in document["findings"]}


def doctor(station: Station, *words: str) -> list[str]:
    return [sys.executable, "-m", "station_agent", "doctor", "--config", str(station.config), *words]


async def test_a_cabinet_that_is_well(tmp_path: Path) -> None:
    async with cabinet(tmp_path) as station:
        status, told, errors = await said_by(doctor(station))
        assert (status, errors) == (0, "")
        assert "ok  locks / cabinet: 8 slots seen, 4 keys in, all doors shut" in told
        assert f"ok  readers-1 / {BADGE_READER}: answers, in its secure channel" in told
        assert told.endswith("all is well\n")
        assert station.record.count(What.LOCK_PULSED) == 0, "no lock moves"


@pytest.mark.long
async def test_devices_at_another_speed_than_configured_are_found_there(tmp_path: Path) -> None:
    async with cabinet(tmp_path) as station:
        changed(station, r"baud_rate = 9600", "baud_rate = 19200")
        changed(station, r"baud_rate = 38400", "baud_rate = 9600")
        status, found = await examined(station)
        assert status == 1
        assert found["locks"]["ok"]
        assert not found["locks/cabinet"]["ok"]
        assert found["locks/cabinet"]["next"][:2] == [
            "unit 1 answers at 9600 baud: set baud_rate and address so, or set the device",
            "unit 2 answers at 9600 baud: set baud_rate and address so, or set the device",
        ]
        assert any(
            step.startswith("reader 1 answers at 38400 baud") for step in found["readers-1/entrance"]["next"]
        )


@pytest.mark.long
async def test_devices_at_another_address_than_configured_are_found_there(tmp_path: Path) -> None:
    async with cabinet(tmp_path) as station:
        changed(station, r"unit = 1\b", "unit = 11")
        changed(station, r"unit = 2\b", "unit = 12")
        changed(station, r"address = 1\b", "address = 5")
        changed(station, r"address = 2\b", "address = 6")
        status, found = await examined(station)
        assert status == 1
        assert [step.split(":")[0] for step in found["locks/cabinet"]["next"][:2]] == [
            "unit 1 answers at 9600 baud",
            "unit 2 answers at 9600 baud",
        ]
        assert found["readers-1/return"]["next"][0].startswith("reader 1 answers at 38400 baud")
        assert found["readers-1/return"]["what"] == "no_answer"


async def test_a_reader_with_another_key_a_missing_port_and_one_in_use(tmp_path: Path) -> None:
    async with cabinet(tmp_path) as station:
        (tmp_path / f"{BADGE_READER}.scbk").write_text("0123456789abcdef" * 2)
        station.site.lines[0].unplug()
        status, found = await examined(station)
        assert status == 1
        assert found["locks"]["what"].endswith("ports/locks is not there")
        assert found["locks"]["next"][0] == "is the adapter plugged in? its name is under /dev/serial/by-id"
        assert found["readers-1/entrance"]["what"] == "reader_replaced"
        assert "do not trust it" in found["readers-1/entrance"]["next"][1]
        assert found["readers-1/return"]["ok"]
        with serial.Serial(os.fspath(station.site.lines[1].link), 38400, exclusive=True):
            _, found = await examined(station)
        assert found["readers-1"]["what"].endswith("is in use by another program")


async def test_a_line_that_nothing_is_on_and_an_open_door(tmp_path: Path) -> None:
    async with cabinet(tmp_path) as station:
        station.site.lines[1].wire._devices = ()  # the cable is cut behind the adapter
        status, found = await examined(station)
        assert status == 1
        assert found["readers-1"]["ok"], "the adapter is there"
        assert found["readers-1/entrance"]["what"] == "no_answer"
        assert found["readers-1/entrance"]["next"][0].startswith("check power, and A and B")


async def test_beside_a_running_agent_the_doctor_asks_it(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, _):
        status, told, _ = await said_by(tool(station, "doctor"))
        assert status == 0
        assert "ok  locks: open, by the agent that runs" in told
        station.site.lines[1].unplug()
        await asyncio.sleep(1)
        status, told, _ = await said_by(tool(station, "doctor"))
        assert status == 1
        assert "!!  readers-1: closed: " in told
        assert "stop the agent (systemctl stop station-agent)" in told
