"""SIGTERM to a real agent while something hangs: gone within five seconds, and nothing of what it did is lost."""

import asyncio
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from runtime.clocks import SystemLineClock
from simulator.network.model import CALYPSO, Card
from tests.runtime.waiting import eventually
from tests.wire.brokers import Mosquitto
from tests.wire.station import Station, running

BADGE = Card(CALYPSO.name, CALYPSO.bits, bytes(range(8)))
WITHIN_US = 5_000_000

ON_A_SLOW_DISK = """
import sqlite3, sys, time
from station_agent import storage
from station_agent.cli import main

class Slow(sqlite3.Connection):
    def execute(self, sql, *parameters):
        if sql.startswith(("COMMIT", "PRAGMA wal_checkpoint")):
            time.sleep(0.7)
        return super().execute(sql, *parameters)

connect = sqlite3.connect
storage.sqlite3.connect = lambda *where, **how: connect(*where, **how, factory=Slow)
sys.exit(main(["run", "--config", sys.argv[-1]]))
"""


async def stopped_within_five_seconds(station: Station) -> None:
    began_us = SystemLineClock().now_us()
    status = await asyncio.to_thread(station.terminate)  # the cabinet goes on meanwhile
    assert SystemLineClock().now_us() - began_us < WITHIN_US
    assert status == 0
    assert station.logged("agent_stopped")


def journalled(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "journal.sqlite")) as journal:
        return [text for (text,) in journal.execute("SELECT text FROM facts ORDER BY seq")]


def pause(broker: Mosquitto, *, paused: bool) -> None:
    assert broker._process is not None
    broker._process.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)


@asynccontextmanager
async def paused(broker: Mosquitto) -> AsyncIterator[None]:
    """The broker holds its connections and says nothing any more."""
    pause(broker, paused=True)
    try:
        yield
    finally:
        pause(broker, paused=False)


async def everything_arrives(station: Station, folder: Path) -> None:
    """After another start the ledger has all that the journal had."""
    station.centre.reports.clear()
    before = journalled(folder)
    station.start()
    await station.ready()
    await eventually(lambda: station.centre.ledger[: len(before)] == before, within_s=15)


async def test_while_the_broker_hangs_in_the_middle_of_a_handover(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, broker):
        slot = station.vehicles[0].key.home_slot
        async with paused(broker):
            await station.show(BADGE)
            await station.until_open(slot)
            await station.take(slot)
            await eventually(lambda: any('"key_taken"' in text for text in journalled(tmp_path)))
            await stopped_within_five_seconds(station)
        await everything_arrives(station, tmp_path)
        assert station.centre.kinds().count("key_taken") == 1


@pytest.mark.long
async def test_while_the_broker_does_not_even_answer_the_first_word(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, broker):
        assert station.terminate() == 0
        async with paused(broker):
            station.start()
            await eventually(lambda: len(station.logged("agent_started")) > 2, within_s=15)
            await stopped_within_five_seconds(station)
        await everything_arrives(station, tmp_path)


@pytest.mark.long
async def test_while_a_lock_board_and_a_reader_are_silent(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, _):
        devices = station.site.devices
        await station.show(BADGE)
        await station.until_open(station.vehicles[0].key.home_slot)
        for board in devices.boards:
            board.mute = True
        for reader in devices.readers:
            devices.set_mute(reader, mute=True)
        await stopped_within_five_seconds(station)
        for board in devices.boards:
            board.mute = False
        for reader in devices.readers:
            devices.set_mute(reader, mute=False)
        await everything_arrives(station, tmp_path)
        assert station.centre.kinds().count("access_granted") == 1


@pytest.mark.long
async def test_while_every_commit_takes_seven_tenths_of_a_second(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, _):
        assert station.terminate() == 0
        station.centre.reports.clear()
        station.start(through=[sys.executable, "-c", ON_A_SLOW_DISK])
        await station.ready()
        slot = station.vehicles[0].key.home_slot
        await station.show(BADGE)
        await station.until_open(slot)
        await station.take(slot)
        await stopped_within_five_seconds(station)
        await everything_arrives(station, tmp_path)
        assert "access_granted" in station.centre.kinds()
