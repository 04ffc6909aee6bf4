"""The agent as a real process with a journal that is damaged, another's, or on a disk that cannot be written."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from contract.facts import EpochStarted
from simulator.network.model import CALYPSO, Card
from station_agent.journal import ALERT_AT, Journal
from station_agent.storage import FileStorage
from tests.runtime.waiting import eventually
from tests.station_agent.test_journal_limit import refusals
from tests.wire.brokers import mosquitto
from tests.wire.station import Station, at_broker, eventually_facts, running

BADGE = Card(CALYPSO.name, CALYPSO.bits, bytes(range(8)))
USAGE_ERROR = 2
LIMIT_MIB = 4


def spoil_page_with(journal: Path, text: str) -> None:
    pages = bytearray(journal.read_bytes())
    for at in range(0, len(pages), 4096):
        if text.encode() in pages[at : at + 4096]:
            pages[at : at + 4096] = Random(1).randbytes(4096)
    journal.write_bytes(pages)


def content(path: str) -> bytes:
    return Path(path).read_bytes()


async def taps(station: Station, count: int) -> None:
    """A member opens the slot and shuts it again, so many times."""
    slot = station.vehicles[0].key.home_slot
    for _ in range(count):
        await station.show(BADGE)
        await station.until_open(slot)
        await station.shut(slot)


def in_journal(folder: Path, kind: str) -> list[str]:
    """The texts of these facts, as another program sees them."""
    with closing(sqlite3.connect(folder / "journal.sqlite")) as journal:
        rows = journal.execute(
            "SELECT text FROM facts WHERE json_extract(text, '$.kind') = ? ORDER BY seq", (kind,)
        )
        return [text for (text,) in rows]


async def test_a_journal_that_is_found_damaged_at_the_start_is_set_aside_and_rights_open_on(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, _):
        centre, journal = station.centre, tmp_path / "journal.sqlite"
        await taps(station, 2)
        await eventually_facts(centre, lambda kinds: kinds.count("door_closed") == 2)
        first_epoch, first_ledger = centre.epoch, list(centre.ledger)
        assert station.terminate() == 0
        spoil_page_with(journal, first_ledger[-1])
        damaged = journal.read_bytes()
        centre.reports.clear()
        station.start()
        await station.ready()
        told = station.logged("journal_set_aside")[-1]
        assert content(told["kept_as"]) == damaged
        assert told["why"] == "database disk image is malformed"
        await eventually(lambda: centre.epoch != first_epoch)
        started = centre.facts()[0]
        assert isinstance(started, EpochStarted)
        assert started.why == "journal_damaged"
        await station.show(BADGE)
        await station.until_open(station.vehicles[0].key.home_slot)
        assert station.terminate() == 0
        station.start()
        lives = len({row["boot_nonce"] for row in station.logged("agent_started")})
        await eventually(lambda: len(station.logged("metrics_served")) == lives + 1, within_s=15)
        await eventually(lambda: len({row["boot_nonce"] for row in station.logged("agent_started")}) == lives + 1)
        assert len(station.logged("journal_set_aside")) == 1, "it is told once"


@pytest.mark.long
async def test_a_journal_that_is_found_damaged_in_use_is_set_aside_by_the_next_start(tmp_path: Path) -> None:
    async with running(tmp_path, BADGE) as (station, _):
        centre, journal = station.centre, tmp_path / "journal.sqlite"
        centre.acknowledges = False
        await taps(station, 12)  # enough to fill pages between what is read at the start and what is sent
        await eventually(lambda: len(in_journal(tmp_path, "door_closed")) == 12)
        assert station.terminate() == 0
        spoil_page_with(journal, in_journal(tmp_path, "access_granted")[6])
        station.start()
        assert station.process is not None
        process = station.process
        await eventually(lambda: process.poll() is not None, within_s=20)
        assert process.returncode == USAGE_ERROR
        last = station.log.read_text().splitlines()[-1]
        assert last == (
            f"station-agent: journal {journal}: is damaged (database disk image is malformed): "
            "the next start sets it aside and goes on with what can be read of it"
        )
        assert "Traceback" not in station.log.read_text()
        centre.reports.clear()
        centre.acknowledges = True
        station.start()
        await station.ready()
        assert station.logged("journal_set_aside")
        await station.show(BADGE)
        await station.until_open(station.vehicles[0].key.home_slot)


def fill(station: Station, journal: Path, to: float) -> int:
    """Facts of days that nobody took, so many of the limit; how many they are."""
    made = Journal.open(
        FileStorage(journal), station.cabinet, now_ms=1, random_bytes=os.urandom, bytes_max=LIMIT_MIB << 20
    )
    while made.fill < to:
        first = made.epoch.last_seq + 1
        made.append(refusals(first, first + 99), "{}")
    made.close()
    return made.epoch.last_seq


async def test_a_journal_that_fills_says_so_early_and_drains_in_order_when_somebody_listens(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker:
        station = Station(tmp_path, broker.port)
        station.config.write_text(
            station.config.read_text().replace("[journal]\n", f"[journal]\nlimit_mib = {LIMIT_MIB}\n")
        )
        held = fill(station, tmp_path / "journal.sqlite", ALERT_AT)
        async with at_broker(station, broker, BADGE):
            warned = station.logged("journal_fills")[0]
            assert (warned["level"], warned["over"], warned["limit_mib"]) == ("warning", False, LIMIT_MIB)
            assert warned["used_percent"] >= ALERT_AT * 100
            assert warned["not_confirmed"] >= held
            said = await asyncio.to_thread(page, station.metrics_url)
            used, limit = (figure(said, f"station_agent_journal_{name}_bytes") for name in ("used", "limit"))
            assert limit == LIMIT_MIB << 20
            assert used >= ALERT_AT * limit
            ready = await asyncio.to_thread(page, station.metrics_url.replace("/metrics", "/readyz"))
            assert "80% of 4 MiB are used: find out why nobody takes its facts" in ready[0]
            await eventually(lambda: len(station.centre.ledger) > held, within_s=30)
            assert [fact.seq for fact in station.centre.facts()] == list(range(1, len(station.centre.ledger) + 1))


def figure(said: list[str], name: str) -> float:
    return float(next(line for line in said if line.startswith(f"{name} ")).split()[1])


def page(url: str) -> list[str]:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # the agent's own page, on loopback
        text: str = answer.read().decode()
    return text.splitlines()


@pytest.fixture
async def idle(tmp_path: Path) -> AsyncIterator[Station]:
    """A station whose agent has no broker: its start is all that is looked at."""
    station = Station(tmp_path, 1)
    station.site.open()
    yield station
    if station.process is not None and station.process.poll() is None:
        station.kill()
    station.site.close()


def refusal(station: Station) -> str:
    command = [sys.executable, "-m", "station_agent", "run", "--config", str(station.config)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == USAGE_ERROR
    assert "Traceback" not in ended.stderr
    return ended.stderr.strip().splitlines()[-1]


async def test_another_cabinets_journal_is_refused_and_left_as_it_is(idle: Station, tmp_path: Path) -> None:
    journal = tmp_path / "journal.sqlite"
    idle.start()
    await eventually(lambda: idle.logged("agent_started"), within_s=15)
    assert idle.terminate() == 0
    with closing(sqlite3.connect(journal)) as database:
        database.execute("UPDATE states SET value = CAST('other-1' AS BLOB) WHERE name = 'cabinet'")
        database.commit()
    before = journal.read_bytes()
    assert refusal(idle) == (
        f"station-agent: journal {journal}: it belongs to cabinet 'other-1', expected '{idle.cabinet}': "
        "facts of two cabinets are never mixed; put the right card in, or name another file"
    )
    assert journal.read_bytes() == before


async def test_a_journal_of_a_newer_agent_and_another_programs_database_are_refused(
    idle: Station, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.sqlite"
    with closing(sqlite3.connect(journal)) as database:
        database.execute("PRAGMA user_version = 7")
    says = "it has schema 7, expected 1: a newer agent made it, install that one again"
    assert refusal(idle) == f"station-agent: journal {journal}: {says}"
    journal.unlink()
    with closing(sqlite3.connect(journal)) as database:
        database.execute("CREATE TABLE bookings (id TEXT)")
    assert "it is a database of another program, with 1 tables and indexes: expected" in refusal(idle)
    shutil.rmtree(tmp_path / "gone", ignore_errors=True)
    idle.config.write_text(idle.config.read_text().replace('"journal.sqlite"', '"gone/journal.sqlite"'))
    assert "expected a path in a folder that exists; there is none at" in refusal(idle)


@pytest.fixture
def read_only(tmp_path: Path) -> list[str]:
    """The command that runs another one for which this folder is read-only."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare (Debian: util-linux) is not here: no disk can be made read-only")
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    for user in ([], ["--user", "--map-root-user"]):
        command = [unshare, "--mount", *user, "sh", "-c", script, str(tmp_path)]
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    pytest.skip("this account may not mount anything")


def make_writable(station: Station) -> None:
    """As an administrator does it who heard of it: for the very process that runs."""
    assert station.process is not None
    user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    enter = ["nsenter", "--target", str(station.process.pid), "--mount", *user]
    subprocess.run([*enter, "mount", "-o", "remount,rw,bind", str(station.folder)], check=True)


@pytest.mark.long
async def test_on_a_disk_that_is_read_only_at_the_start_a_right_opens_once(
    tmp_path: Path, read_only: list[str]
) -> None:
    async with running(tmp_path, BADGE) as (station, _):
        centre, slot = station.centre, station.vehicles[0].key.home_slot
        assert station.terminate() == 0
        before, epoch = len(centre.ledger), centre.epoch
        centre.reports.clear()
        station.start(through=read_only)
        await station.ready()
        assert station.logged("journal_trouble")[-1]["durable"] is False
        assert "the journal can be read and not written" in station.logged("journal_trouble")[-1]["why"]
        await station.show(BADGE)
        await station.until_open(slot)
        await station.take(slot)
        assert len(centre.ledger) == before
        make_writable(station)
        await eventually_facts(centre, lambda kinds: kinds[-1] == "facts_not_durable", within_s=15)
        new = centre.facts()[before:]
        kinds = [fact.kind for fact in new]
        assert [kind for kind in kinds if kind in {"access_granted", "key_taken"}] == [
            "access_granted",
            "key_taken",
        ]
        assert all(fact.not_durable for fact in new[:-1])
        assert centre.epoch == epoch
        await station.bring_back(station.vehicles[0], slot)
        await eventually_facts(centre, lambda kinds: kinds[-1] == "door_closed")
        assert station.logged("journal_trouble")[-1]["why"] == "over"
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as journal:
        assert journal.execute("SELECT text FROM facts ORDER BY seq").fetchall() == [(t,) for t in centre.ledger]


async def test_a_box_that_never_had_a_journal_says_that_its_disk_is_read_only(
    idle: Station, read_only: list[str], tmp_path: Path
) -> None:
    idle.start(through=read_only)
    assert idle.process is not None
    process = idle.process
    await eventually(lambda: process.poll() is not None, within_s=20)
    assert process.returncode == USAGE_ERROR
    last = idle.log.read_text().splitlines()[-1]
    lock = tmp_path / "journal.sqlite.lock"
    assert last == f"station-agent: journal {tmp_path / 'journal.sqlite'}: Read-only file system: {lock}"
