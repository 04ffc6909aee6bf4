"""The agent as a real process whose files may not grow any more: the kernel itself refuses its writes."""

import resource
import sqlite3
import urllib.request
from pathlib import Path

import pytest

from contract.facts import AccessGranted, FactsNotDurable, KeyTaken
from contract.messages import Command, ReplyOutcome
from contract.reasons import Reason
from simulator.network.model import CALYPSO, Card
from station_agent.storage import EMERGENCY_BYTES
from tests.runtime.waiting import eventually
from tests.wire.station import Station, eventually_facts, running

BADGE = Card(CALYPSO.name, CALYPSO.bits, bytes(range(8)))
NO_LIMIT = resource.RLIM_INFINITY


def forbid_growth(station: Station, file_bytes: int) -> None:
    """From now on the agent writes nothing beyond so many bytes of any file; its write-ahead log is longer."""
    with sqlite3.connect(station.folder / "journal.sqlite") as other:
        other.execute("CREATE TABLE ballast (bytes BLOB)")
        other.execute("INSERT INTO ballast VALUES (zeroblob(?))", (2 * file_bytes,))
    other.close()
    assert (station.folder / "journal.sqlite-wal").stat().st_size > file_bytes
    assert station.log.stat().st_size < file_bytes / 2, "it still logs"
    set_limit(station, file_bytes)


def set_limit(station: Station, file_bytes: int) -> None:
    assert station.process is not None
    resource.prlimit(station.process.pid, resource.RLIMIT_FSIZE, (file_bytes, NO_LIMIT))


async def metric(station: Station, name: str) -> float:
    with urllib.request.urlopen(station.metrics_url) as response:  # noqa: S310, ASYNC210  # loopback
        lines = response.read().decode().splitlines()
    return float(next(line for line in lines if line.startswith(f"station_agent_{name} ")).split()[1])


async def test_on_a_full_disk_a_key_is_handed_out_and_told_and_a_kill_loses_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, _):
        centre = station.centre
        vehicle = station.vehicles[0]
        forbid_growth(station, EMERGENCY_BYTES)
        await station.show(BADGE)
        await station.until_open(vehicle.key.home_slot)
        await station.take(vehicle.key.home_slot)
        await eventually_facts(centre, lambda kinds: kinds[-1] == "door_closed")
        assert await metric(station, "journal_emergency") >= 4
        assert await metric(station, "journal_durable") == 1
        assert station.logged("journal_trouble")[-1]["durable"] is True
        told = list(centre.ledger)
        centre.reports.clear()
        station.kill()
        station.start()
        await station.ready()
        await station.bring_back(vehicle, vehicle.key.home_slot)
        await eventually_facts(centre, lambda kinds: kinds[-1] == "door_closed" and "key_returned" in kinds)
        assert centre.ledger[: len(told)] == told
        assert [fact.seq for fact in centre.facts()] == list(range(1, len(centre.ledger) + 1))
        assert await metric(station, "journal_emergency") == 0
        assert station.terminate() == 0
    with sqlite3.connect(tmp_path / "journal.sqlite") as journal:
        assert journal.execute("SELECT text FROM facts ORDER BY seq").fetchall() == [(t,) for t in centre.ledger]
    journal.close()


@pytest.mark.long
async def test_where_nothing_can_be_written_rights_open_once_and_commands_do_not(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, _):
        centre = station.centre
        slot = station.vehicles[0].key.home_slot
        other = station.vehicles[1].key.home_slot
        before = len(centre.ledger)
        forbid_growth(station, EMERGENCY_BYTES // 10)
        now_ms = station.now().at_ms
        command = Command(
            cabinet=station.cabinet,
            command="command-1",
            counter=now_ms,
            action="release_slot",
            slot=other,
            issued_ms=now_ms,
            expires_ms=now_ms + 60_000,
        )
        await centre.say(command)
        await eventually(lambda: centre.replies)
        assert (centre.replies[0].outcome, centre.replies[0].reason) == (ReplyOutcome.REFUSED, Reason.NOT_DURABLE)
        await station.show(BADGE)
        await station.until_open(slot)
        await station.take(slot)
        assert await metric(station, "journal_durable") == 0
        assert len(centre.ledger) == before
        set_limit(station, NO_LIMIT)
        await eventually_facts(centre, lambda kinds: kinds[-1] == "facts_not_durable", within_s=15)
        new = centre.facts()[before:]
        assert [fact.kind for fact in new] == [
            "command_decided",
            "access_granted",
            "door_opened",
            "key_taken",
            "door_closed",
            "facts_not_durable",
        ]
        assert all(fact.not_durable for fact in new[:-1])
        assert isinstance(new[1], AccessGranted)
        assert isinstance(new[3], KeyTaken)
        assert new[3].grant == new[1].grant == "booking-1"
        assert isinstance(new[-1], FactsNotDurable)
        assert new[-1].count == 5
        assert station.site.cabinet.open_slots() == ()
