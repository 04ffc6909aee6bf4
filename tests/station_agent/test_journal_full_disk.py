"""The journal when SQLite cannot write, shown with SQLite's own limits and errors on real files."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.chain import chain_hashes, genesis_hash
from contract.facts import EpochStarted
from station_agent.journal import HeldDesired, Journal
from station_agent.storage import EMERGENCY_BYTES, Connection, FileStorage
from tests.station_agent.test_journal import facts

PAGES = 40_000  # bytes of a picture that does not fit into the pages there are


class SmallDisk(FileStorage):
    """A database that may not grow while `is_full`."""

    is_full = False
    connection: sqlite3.Connection

    def connect(self) -> Connection:
        self.connection = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False, timeout=0)
        if self.is_full:
            self.fill()
        return self.connection

    def fill(self) -> None:
        self.is_full = True
        self.connection.execute("PRAGMA max_page_count = 1")  # it has what it has, and gets no more

    def make_room(self) -> None:
        self.is_full = False
        self.connection.execute("PRAGMA max_page_count = 100000")


def open_journal(storage: FileStorage) -> Journal:
    return Journal.open(storage, "gare-1", now_ms=1000, random_bytes=os.urandom)


def picture(n: int) -> str:
    return f"{n} " + "x" * PAGES


def stored(tmp_path: Path) -> list[int]:
    """Numbers of the facts in the database, as another program sees them."""
    with sqlite3.connect(tmp_path / "j.sqlite") as other:
        rows = other.execute("SELECT seq FROM facts ORDER BY epoch, seq").fetchall()
    other.close()
    return [seq for (seq,) in rows]


def emergency(tmp_path: Path) -> bytes:
    return (tmp_path / "j.sqlite.emergency").read_bytes()


def told(journal: Journal) -> list[str]:
    """Every fact that would be sent, its chain checked from the beginning."""
    texts: list[str] = []
    last_hash = genesis_hash("gare-1", journal.epoch.epoch)
    while (batch := journal.batch(len(texts) + 1)) is not None:
        assert batch.hash_before == last_hash
        last_hash = chain_hashes(last_hash, batch.facts)[-1]
        assert batch.last_hash == last_hash
        texts += batch.facts
    assert last_hash == journal.epoch.last_hash
    return texts


def full(tmp_path: Path) -> tuple[Journal, SmallDisk]:
    """Facts 1 to 3 are in the database, which is full then; 4 and 5 are in the emergency journal."""
    storage = SmallDisk(tmp_path / "j.sqlite")
    journal = open_journal(storage)
    assert journal.append(facts(1, 3), "small")
    storage.fill()
    assert journal.append(facts(4, 5), picture(5))
    return journal, storage


def test_facts_go_on_in_the_emergency_journal_and_are_sent_from_it(tmp_path: Path) -> None:
    journal, _ = full(tmp_path)
    assert (journal.epoch.last_seq, journal.waiting, journal.depth) == (5, 2, 5)
    assert stored(tmp_path) == [1, 2, 3]
    assert told(journal) == [fact.to_json() for fact in facts(1, 5)]
    assert journal.texts_after(2) == [fact.to_json() for fact in facts(3, 5)]
    assert journal.trouble == "database or disk is full"
    journal.close()


def test_the_next_append_that_finds_room_moves_everything_over_in_order(tmp_path: Path) -> None:
    journal, storage = full(tmp_path)
    assert journal.append(facts(6, 6), picture(6))
    assert stored(tmp_path) == [1, 2, 3]
    storage.make_room()
    assert journal.append(facts(7, 7), picture(7))
    assert stored(tmp_path) == list(range(1, 8))
    assert (journal.waiting, journal.trouble) == (0, "")
    assert emergency(tmp_path) == bytes(EMERGENCY_BYTES)
    assert len(told(journal)) == 7
    journal.close()
    again = open_journal(FileStorage(tmp_path / "j.sqlite"))
    assert (again.epoch.last_seq, again.picture()) == (7, picture(7))
    again.close()


def test_housekeeping_moves_it_over_as_well(tmp_path: Path) -> None:
    journal, storage = full(tmp_path)
    journal.checkpoint()
    assert journal.waiting == 2
    storage.make_room()
    journal.checkpoint()
    assert (journal.waiting, stored(tmp_path)) == (0, [1, 2, 3, 4, 5])
    journal.close()


def test_after_a_restart_it_is_taken_in_first(tmp_path: Path) -> None:
    journal, _ = full(tmp_path)
    before = journal.epoch
    journal.close()
    storage = SmallDisk(tmp_path / "j.sqlite")
    storage.is_full = True
    again = open_journal(storage)
    assert (again.epoch, again.waiting, again.picture()) == (before, 2, picture(5))
    assert again.append(facts(6, 6), picture(6))
    again.close()
    roomy = open_journal(FileStorage(tmp_path / "j.sqlite"))
    assert (roomy.waiting, stored(tmp_path), roomy.picture()) == (0, [1, 2, 3, 4, 5, 6], picture(6))
    assert told(roomy) == [fact.to_json() for fact in facts(1, 6)]
    roomy.close()


def test_a_power_cut_between_moving_over_and_clearing_doubles_nothing(tmp_path: Path) -> None:
    journal, storage = full(tmp_path)
    kept = emergency(tmp_path)
    storage.make_room()
    journal.append((), "newer than in the emergency journal")
    journal.close()
    (tmp_path / "j.sqlite.emergency").write_bytes(kept)
    again = open_journal(FileStorage(tmp_path / "j.sqlite"))
    assert (again.epoch.last_seq, stored(tmp_path)) == (5, [1, 2, 3, 4, 5])
    assert again.picture() == "newer than in the emergency journal"
    again.checkpoint()
    assert emergency(tmp_path) == bytes(EMERGENCY_BYTES)
    again.close()


def test_a_picture_without_facts_is_kept_too(tmp_path: Path) -> None:
    storage = SmallDisk(tmp_path / "j.sqlite")
    journal = open_journal(storage)
    journal.append(facts(1, 1), "small")
    storage.fill()
    assert journal.append((), picture(1))
    journal.close()
    again = open_journal(FileStorage(tmp_path / "j.sqlite"))
    assert (again.picture(), again.epoch.last_seq) == (picture(1), 1)
    again.close()


def test_where_neither_can_be_written_the_numbers_stay_free(tmp_path: Path) -> None:
    journal, storage = full(tmp_path)
    seq = journal.epoch.last_seq
    while journal.append(facts(seq + 1, seq + 100), picture(seq + 100)):
        seq += 100
    assert seq > 2000
    assert journal.epoch.last_seq == seq
    assert journal.trouble == (
        "database or disk is full; emergency journal: [Errno 28] the emergency journal is full"
    )
    storage.make_room()
    assert journal.append(facts(seq + 1, seq + 1), picture(seq + 1))
    assert (journal.waiting, journal.trouble, len(told(journal))) == (0, "", seq + 1)
    journal.close()


def test_without_an_emergency_file_nothing_is_durable_on_a_full_disk_until_there_is_one(tmp_path: Path) -> None:
    in_the_way = tmp_path / "j.sqlite.emergency"
    in_the_way.mkdir()
    storage = SmallDisk(tmp_path / "j.sqlite")
    journal = open_journal(storage)
    assert "emergency journal: [Errno 21] Is a directory" in journal.trouble
    assert journal.append(facts(1, 1), "small")
    storage.fill()
    assert not journal.append(facts(2, 2), picture(2))
    in_the_way.rmdir()
    journal.checkpoint()
    assert journal.append(facts(2, 2), picture(2))
    assert journal.trouble == "database or disk is full"
    journal.close()


def test_what_the_centre_says_meanwhile_ends_nothing_and_is_written_later(tmp_path: Path) -> None:
    journal, storage = full(tmp_path)
    held = HeldDesired(b"w" * PAGES, 17, "digest")
    journal.keep_desired(held)
    journal.acknowledge(4)
    assert (journal.depth, journal.held_desired()) == (1, held)
    assert journal.hash_at(5) == journal.epoch.last_hash
    storage.make_room()
    journal.close()
    again = open_journal(FileStorage(tmp_path / "j.sqlite"))
    assert (again.depth, again.held_desired()) == (1, held)
    again.close()


def test_what_the_waiting_facts_continue_is_not_forgotten(tmp_path: Path) -> None:
    journal, storage = full(tmp_path)
    journal.acknowledge(5)
    assert journal.forget(before_ms=10_000) == 2
    assert stored(tmp_path) == [3]
    assert journal.batch(4) is not None
    storage.make_room()
    assert journal.forget(before_ms=10_000) == 2
    assert (journal.epoch.last_seq, stored(tmp_path)) == (5, [5])
    journal.close()


def test_a_new_epoch_waits_for_room(tmp_path: Path) -> None:
    journal, storage = full(tmp_path)
    before = journal.epoch
    start = EpochStarted(seq=1, at_ms=5, clock_trusted=True, why="hash_conflict")
    assert not journal.start_epoch("b" * 32, 2000, (start,), picture(1))
    assert journal.epoch == before
    storage.make_room()
    assert journal.start_epoch("b" * 32, 2000, (start,), picture(1))
    assert (journal.epoch.epoch, journal.epoch.last_seq) == ("b" * 32, 1)
    assert stored(tmp_path) == [1, 2, 3, 4, 5, 1]
    journal.close()


IN_SMALL_FILES = """
import resource, sys
from pathlib import Path
from station_agent.storage import FileStorage
from tests.station_agent.test_journal import facts
from tests.station_agent.test_journal_full_disk import open_journal

resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, resource.RLIM_INFINITY))  # SQLite's shared memory is 32 KiB
journal = open_journal(FileStorage(Path(sys.argv[1])))
assert journal.append(facts(2, 2), "{}")
print(journal.waiting, journal.epoch.last_seq)
"""


def test_a_journal_opens_where_there_is_no_room_for_the_file_that_its_readers_share(tmp_path: Path) -> None:
    journal = open_journal(FileStorage(tmp_path / "j.sqlite"))
    journal.append(facts(1, 1), "{}")
    journal.close()
    done = subprocess.run(
        [sys.executable, "-c", IN_SMALL_FILES, str(tmp_path / "j.sqlite")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("0 2\n", "")
    assert stored(tmp_path) == [1, 2]


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB of its own."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", tmp_path], check=False, capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"may not mount a file system: {mounted.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def fill_up(folder: Path) -> None:
    with suppress(OSError), (folder / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))


def test_on_a_file_system_without_a_free_byte_a_journal_starts_goes_on_and_settles(tiny: Path) -> None:
    journal = open_journal(FileStorage(tiny / "j.sqlite"))
    assert journal.append(facts(1, 20), "x" * 3000)
    journal.close()
    fill_up(tiny)
    seq = 20
    for _ in range(3):
        journal = open_journal(FileStorage(tiny / "j.sqlite"))
        assert journal.epoch.last_seq == seq
        for _ in range(5):
            assert journal.append(facts(seq + 1, seq + 1), picture(seq + 1))
            seq += 1
        assert journal.waiting == seq - 20
        journal.close()
    journal = open_journal(FileStorage(tiny / "j.sqlite"))
    (tiny / "ballast").unlink()
    journal.checkpoint()
    assert (journal.waiting, journal.trouble, journal.picture()) == (0, "", picture(seq))
    assert len(told(journal)) == seq
    journal.close()


@pytest.mark.parametrize("trouble", ["attempt to write a readonly database", "database is locked"])
def test_a_database_that_is_read_only_or_held_by_somebody_is_written_around(tmp_path: Path, trouble: str) -> None:
    storage = SmallDisk(tmp_path / "j.sqlite")
    journal = open_journal(storage)
    other = sqlite3.connect(tmp_path / "j.sqlite", isolation_level=None)
    if "locked" in trouble:
        other.execute("BEGIN IMMEDIATE")
    else:
        storage.connection.execute("PRAGMA query_only = ON")
    assert journal.append(facts(1, 1), "{}")
    assert (journal.waiting, journal.trouble) == (1, trouble)
    if "locked" in trouble:
        other.execute("ROLLBACK")
    else:
        storage.connection.execute("PRAGMA query_only = OFF")
    assert journal.append(facts(2, 2), "{}")
    assert (journal.waiting, stored(tmp_path)) == (0, [1, 2])
    other.close()
    journal.close()


def test_a_wrong_database_is_no_full_disk(tmp_path: Path) -> None:
    storage = SmallDisk(tmp_path / "j.sqlite")
    journal = open_journal(storage)
    storage.connection.execute("DROP TABLE facts")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        journal.append(facts(1, 1), "{}")
    journal.close()


WRITER = """
import sys
from pathlib import Path
from contract.facts import DoorClosed
from tests.station_agent.test_journal_full_disk import SmallDisk, open_journal, picture

storage = SmallDisk(Path(sys.argv[1]))
storage.is_full = sys.argv[2] == "full"
journal = open_journal(storage)
seq = journal.epoch.last_seq
while True:
    seq += 1
    assert journal.append((DoorClosed(seq=seq, at_ms=seq, clock_trusted=True, slot=1),), picture(seq))
    print(seq, flush=True)
"""


def test_a_killed_writer_loses_nothing_it_had_told_on_a_full_disk(tmp_path: Path) -> None:
    file = tmp_path / "j.sqlite"
    open_journal(FileStorage(file)).close()
    told_seq = 0
    for kill, disk in enumerate(("full", "full", "roomy", "full", "roomy")):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file), disk], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
        )
        assert writer.stdout is not None
        for _ in range(20 + 7 * kill):
            told_seq = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        told_seq = max([told_seq, *(int(line) for line in writer.stdout.read().split())])
        writer.stdout.close()
        writer.wait()
        storage = SmallDisk(file)
        storage.is_full = disk == "full"
        journal = open_journal(storage)
        assert journal.epoch.last_seq in {told_seq, told_seq + 1}, "one may be durable and not yet told"
        assert journal.picture() == picture(journal.epoch.last_seq), "facts and picture are one"
        assert len(told(journal)) == journal.epoch.last_seq
        told_seq = journal.epoch.last_seq
        journal.close()


class FailingConnection:
    """SQLite on a disk that fails at chosen statements, with an error of no code, as a simulated disk raises it."""

    def __init__(self, connection: sqlite3.Connection, fails: list[bool]) -> None:
        self._connection = connection
        self._fails = fails

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        self._perhaps_fail()
        return self._connection.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        self._perhaps_fail()
        return self._connection.executemany(sql, parameters)

    def close(self) -> None:
        self._connection.close()

    def _perhaps_fail(self) -> None:
        if self._fails and self._fails.pop():
            raise sqlite3.OperationalError("disk I/O error")


class FailingDisk(FileStorage):
    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.fails: list[bool] = []

    def connect(self) -> Connection:
        return FailingConnection(sqlite3.connect(self._file, isolation_level=None), self.fails)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.lists(st.booleans(), max_size=8), st.sampled_from(["", "reopen", "tidy"])),
        max_size=15,
    )
)
@settings(max_examples=60, deadline=None)
def test_wherever_sqlite_fails_nothing_that_was_told_durable_is_lost_or_doubled(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, list[bool], str]]
) -> None:
    storage = FailingDisk(tmp_path_factory.mktemp("failing") / "j.sqlite")
    journal = open_journal(storage)
    seq = 0
    for count, fails, then in steps:
        storage.fails[:] = fails
        assert journal.append(facts(seq + 1, seq + count), str(seq + count))
        seq += count
        if then == "tidy":
            journal.acknowledge(seq // 2)
            journal.checkpoint()
        storage.fails.clear()
        if then == "reopen":
            journal.close()
            journal = open_journal(storage)
        assert told(journal) == [fact.to_json() for fact in facts(1, seq)]
        assert journal.picture() == str(seq)
    journal.close()
    again = open_journal(storage)
    assert (again.waiting, again.epoch.last_seq) == (0, seq)
    again.close()
