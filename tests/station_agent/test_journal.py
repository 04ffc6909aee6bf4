"""The journal on a real disk: what was written is there, whoever pulled the plug."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from contract.chain import genesis_hash
from contract.facts import DoorClosed, EpochStarted, Fact
from contract.limits import BATCH_BYTES_MAX
from contract.messages import FACTS_PER_BATCH_MAX
from station_agent.journal import HeldDesired, Journal, JournalUnusable
from station_agent.older_epochs import Older
from station_agent.storage import FileStorage


def open_journal(file: Path, cabinet: str = "gare-1") -> Journal:
    return Journal.open(FileStorage(file), cabinet, now_ms=1000, random_bytes=os.urandom)


def facts(first: int, last: int) -> tuple[Fact, ...]:
    return tuple(DoorClosed(seq=seq, at_ms=seq, clock_trusted=True, slot=1) for seq in range(first, last + 1))


def test_a_new_journal_starts_an_epoch_of_its_own(tmp_path: Path) -> None:
    one, two = open_journal(tmp_path / "one.sqlite"), open_journal(tmp_path / "two.sqlite")
    assert one.epoch.epoch != two.epoch.epoch
    assert one.epoch.last_hash == genesis_hash("gare-1", one.epoch.epoch)
    assert (one.epoch.last_seq, one.depth, one.picture()) == (0, 0, "{}")
    one.close()
    two.close()


def test_facts_picture_and_desired_are_there_after_reopening(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "j.sqlite")
    journal.append(facts(1, 3), '{"slots":{}}')
    journal.keep_desired(HeldDesired(b"wire", 17, "digest"))
    journal.acknowledge(2)
    epoch = journal.epoch
    journal.close()
    again = open_journal(tmp_path / "j.sqlite")
    assert again.epoch == epoch
    assert (again.depth, again.picture()) == (1, '{"slots":{}}')
    assert again.held_desired() == HeldDesired(b"wire", 17, "digest")
    again.close()


def test_batches_follow_each_other_and_their_chain_holds(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "j.sqlite")
    journal.append(facts(1, 250), "{}")
    first = journal.batch(1)
    assert first is not None
    assert len(first.facts) == FACTS_PER_BATCH_MAX
    assert sum(map(len, first.facts)) <= BATCH_BYTES_MAX
    second = journal.batch(first.last_seq + 1)
    assert second is not None
    assert second.hash_before == first.last_hash
    assert journal.batch(251) is None
    journal.close()


def test_how_old_the_oldest_fact_is_that_the_ledger_lacks(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "j.sqlite")
    seen = [journal.untold_since_ms]
    journal.append(facts(1, 2), "{}")  # noted at 1 and 2 ms
    journal.append(facts(3, 4), "{}")
    seen.append(journal.untold_since_ms)
    journal.acknowledge(2)
    seen.append(journal.untold_since_ms)
    journal.close()
    journal = open_journal(tmp_path / "j.sqlite")
    seen.append(journal.untold_since_ms)
    for seq in (4, 1):  # then the ledger is put back
        journal.acknowledge(seq)
        seen.append(journal.untold_since_ms)
    journal.close()
    assert seen == [None, 1, 3, 3, None, 2]


def test_a_gap_in_the_numbers_is_our_own_mistake_and_writes_nothing(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "j.sqlite")
    with pytest.raises(AssertionError):
        journal.append(facts(2, 2), "{}")
    assert journal.batch(1) is None
    journal.close()


def test_a_new_epoch_counts_from_one_and_the_old_facts_stay(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "j.sqlite")
    journal.append(facts(1, 3), "{}")
    journal.acknowledge(1)
    assert len(journal.texts_after(1)) == 2
    start = EpochStarted(seq=1, at_ms=5, clock_trusted=True, why="hash_conflict")
    journal.start_epoch("b" * 32, 2000, (start,), "{}")
    assert (journal.epoch.last_seq, journal.depth) == (1, 1)
    batch = journal.batch(1)
    assert batch is not None
    assert (batch.epoch, batch.epoch_created_ms) == ("b" * 32, 2000)
    journal.close()


def test_of_an_epoch_that_ended_is_told_what_counts_and_a_ledger_lacks(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "j.sqlite")
    first = journal.epoch.epoch
    journal.append(facts(1, 5), "{}")
    assert journal.goes_on_from(3) == (first, 3)
    assert journal.goes_on_from(0) is None, "it is the first of all"
    second = EpochStarted(seq=1, at_ms=5, clock_trusted=True, why="hash_conflict", after_epoch=first, after_seq=3)
    journal.start_epoch("b" * 32, 2000, (second,), "{}")
    assert journal.goes_on_from(0) == (first, 3)
    told = journal.older_batch(first, 1).batch
    assert told is not None
    assert (told.epoch, told.first_seq, told.last_seq, told.epoch_created_ms) == (first, 2, 3, 1000)
    assert journal.older_batch(first, 3) == Older(is_complete=True)
    assert journal.older_batch("c" * 32, 0) == Older(), "another journal's"
    journal.append(told_at(5000, 6000, first_seq=2), "{}")
    journal.acknowledge(3)
    journal.forget(before_ms=5500)
    assert journal.older_batch(first, 1) == Older(), "nothing says any more what counts"
    journal.close()


def test_what_is_missing_of_an_epoch_that_ended_is_said_to_be_forgotten(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "j.sqlite")
    first = journal.epoch.epoch
    journal.append(told_at(1000, 2000, 3000), "{}")
    second = EpochStarted(
        seq=1, at_ms=4000, clock_trusted=True, why="hash_conflict", after_epoch=first, after_seq=3
    )
    journal.start_epoch("b" * 32, 2000, (second,), "{}")
    journal.forget(before_ms=2500)
    assert journal.older_batch(first, 0) == Older(is_forgotten=True)
    told = journal.older_batch(first, 2).batch
    assert told is not None
    assert told.first_seq == 3
    journal.close()


def test_only_old_acknowledged_facts_are_forgotten(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "j.sqlite")
    journal.append(facts(1, 10), "{}")
    journal.acknowledge(6)
    assert journal.forget(before_ms=4) == 2, "the last of the old ones stays, for its hash"
    assert journal.forget(before_ms=1000) == 3
    assert journal.hash_at(6) is not None, "the last acknowledged one stays, to compare hashes"
    batch = journal.batch(7)
    assert batch is not None
    assert batch.last_seq == 10
    journal.close()


def test_a_time_out_of_order_makes_no_hole(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "j.sqlite")
    journal.append(told_at(5000, 5000, 0, 0, 5000, 5000), "{}")  # a boot without a clock in between
    journal.acknowledge(6)
    assert journal.forget(before_ms=1000) == 0
    batch = journal.batch(1)
    assert batch is not None
    assert batch.last_seq == 6
    journal.close()


def told_at(*times_ms: int, first_seq: int = 1) -> tuple[DoorClosed, ...]:
    """Facts of these times; nobody vouches for 0."""
    return tuple(
        DoorClosed(seq=number, at_ms=at_ms, clock_trusted=at_ms > 0, slot=1)
        for number, at_ms in enumerate(times_ms, first_seq)
    )


def test_what_a_box_without_a_clock_noted_is_as_old_as_what_comes_after_it(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "j.sqlite")
    journal.append(told_at(0, 0, 5000, 6000), "{}")  # an epoch that began before the clock was right
    journal.acknowledge(4)
    assert journal.forget(before_ms=1000) == 0
    assert not journal.has_forgotten(1)
    assert journal.forget(before_ms=5500) == 2
    assert [journal.has_forgotten(seq) for seq in (0, 1, 2, 3, 4, 5)] == [False, True, True, False, False, False]
    journal.close()


def test_facts_of_an_epoch_that_ended_are_forgotten_with_it(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "j.sqlite")
    journal.append(told_at(1000, 2000, 3000), "{}")
    journal.start_epoch("b" * 32, 2000, told_at(0, 5000, 6000), "{}")
    assert journal.forget(before_ms=2500) == 1
    assert journal.forget(before_ms=5500) == 2, "nothing of the new epoch is acknowledged"
    journal.acknowledge(3)
    assert journal.forget(before_ms=5500) == 1
    journal.close()


def test_facts_that_are_gone_are_no_batch(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "j.sqlite")
    journal.append(facts(1, 10), "{}")
    journal.acknowledge(8)
    journal.forget(before_ms=1000)
    assert journal.batch(7) is None
    batch = journal.batch(9)
    assert batch is not None
    assert batch.last_seq == 10
    journal.close()


def test_two_agents_never_share_a_journal(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "j.sqlite")
    with pytest.raises(JournalUnusable, match="another agent"):
        open_journal(tmp_path / "j.sqlite")
    journal.close()


def test_what_is_no_journal_of_this_cabinet_is_named(tmp_path: Path) -> None:
    open_journal(tmp_path / "j.sqlite").close()
    with pytest.raises(JournalUnusable, match="'gare-1', expected 'gare-2'"):
        open_journal(tmp_path / "j.sqlite", "gare-2")
    with pytest.raises(JournalUnusable, match="nowhere"):
        open_journal(tmp_path / "nowhere" / "j.sqlite")
    newer = sqlite3.connect(tmp_path / "newer.sqlite")
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(JournalUnusable, match=r"newer\.sqlite: it has schema 99, expected 1: a newer agent"):
        open_journal(tmp_path / "newer.sqlite")
    other = sqlite3.connect(tmp_path / "other.sqlite")
    other.execute("CREATE TABLE bookings (id TEXT)")
    other.close()
    with pytest.raises(JournalUnusable, match=r"other\.sqlite: it is a database of another program"):
        open_journal(tmp_path / "other.sqlite")
    assert tables(tmp_path / "other.sqlite") == ["bookings"]
    (tmp_path / "folder").mkdir()
    with pytest.raises(JournalUnusable, match="folder: unable to open database file"):
        open_journal(tmp_path / "folder")


def tables(file: Path) -> list[str]:
    other = sqlite3.connect(file)
    names = [name for (name,) in other.execute("SELECT name FROM sqlite_master")]
    other.close()
    return names


def test_by_two_names_it_is_one_journal(tmp_path: Path) -> None:
    (tmp_path / "card").mkdir()
    (tmp_path / "link.sqlite").symlink_to(tmp_path / "card" / "j.sqlite")
    journal = open_journal(tmp_path / "link.sqlite")
    journal.append(facts(1, 3), "{}")
    with pytest.raises(JournalUnusable, match="another agent has it open"):
        open_journal(tmp_path / "card" / "j.sqlite")
    journal.close()
    again = open_journal(tmp_path / "card" / "j.sqlite")
    assert again.epoch.last_seq == 3
    again.close()
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["link.sqlite"]
    (tmp_path / "dangling.sqlite").symlink_to(tmp_path / "gone" / "j.sqlite")
    with pytest.raises(JournalUnusable, match=r"dangling\.sqlite: No such file or directory: .*gone"):
        open_journal(tmp_path / "dangling.sqlite")


WRITER = """
import os, sys
from pathlib import Path
from contract.facts import DoorClosed
from station_agent.journal import Journal
from station_agent.storage import FileStorage

journal = Journal.open(FileStorage(Path(sys.argv[1])), "gare-1", now_ms=1, random_bytes=os.urandom)
seq = journal.epoch.last_seq
while True:
    seq += 1
    journal.append((DoorClosed(seq=seq, at_ms=seq, clock_trusted=True, slot=1),), str(seq))
    print(seq, flush=True)
"""


def test_a_killed_writer_loses_nothing_it_had_told(tmp_path: Path) -> None:
    file = tmp_path / "j.sqlite"
    told = 0
    for kill in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
        )
        assert writer.stdout is not None
        for _ in range(20 + 7 * kill):
            told = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        told = max([told, *(int(line) for line in writer.stdout.read().split())])
        writer.stdout.close()
        writer.wait()
        journal = open_journal(file)
        assert journal.epoch.last_seq in {told, told + 1}, "one may be durable and not yet told"
        assert journal.picture() == str(journal.epoch.last_seq), "facts and picture are one transaction"
        told = journal.epoch.last_seq
        journal.close()
