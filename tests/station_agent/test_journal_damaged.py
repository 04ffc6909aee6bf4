"""Journals that cannot be right, as real files: kept aside, what can be read of them goes on, nothing is mixed."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from contract.facts import DoorClosed, EpochStarted, Fact
from station_agent.journal import HeldDesired, Journal, JournalUnusable
from station_agent.storage import EMERGENCY_BYTES, FileStorage
from tests.station_agent.test_journal import open_journal

NOTED = 600
CONFIRMED = 450
PICTURE = '{"slots": {"3": {"state": "shut_with_key"}}}'
HELD = HeldDesired(b"wire", 17, "digest")


def noted(first: int, last: int) -> tuple[Fact, ...]:
    return tuple(
        DoorClosed(seq=seq, at_ms=seq, clock_trusted=True, slot=seq % 128 + 1) for seq in range(first, last + 1)
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A journal as an agent leaves it that was stopped: 600 facts, 450 of them confirmed."""
    path = tmp_path / "j.sqlite"
    journal = open_journal(path)
    for first in range(1, NOTED, 50):
        journal.append(noted(first, first + 49), PICTURE)
    journal.keep_desired(HELD)
    journal.acknowledge(CONFIRMED)
    journal.close()
    return path


def aside(folder: Path) -> list[Path]:
    """Databases that were set aside."""
    return sorted(path for path in folder.glob("*.broken-*") if path.name[-4:] not in {"-wal", "-shm"})


def spoil_pages(file: Path, *, sql: str) -> None:
    """Overwrite a page that this query reads first or last with nonsense."""
    content = bytearray(file.read_bytes())
    for at in range(0, len(content), 4096):
        if sql.encode() in content[at : at + 4096]:
            content[at : at + 4096] = Random(at).randbytes(4096)
    file.write_bytes(content)


def test_a_page_in_the_middle_costs_the_facts_on_it_and_those_around_it_go_on(file: Path, tmp_path: Path) -> None:
    lost = noted(520, 520)[0].to_json()
    spoil_pages(file, sql=lost)
    before = file.read_bytes()
    journal = open_journal(file)
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        journal.texts_after(CONFIRMED)
    journal.condemn()
    journal.close()
    again = open_journal(file)
    note = again.rescued
    assert note is not None
    assert (note.why, note.aside) == ("it was found damaged while it was in use", str(aside(tmp_path)[0]))
    assert aside(tmp_path)[0].read_bytes() == before
    assert again.epoch.epoch == journal.epoch.epoch
    assert CONFIRMED < again.epoch.last_seq < 520, "as far as the chain holds"
    behind = [DoorClosed.model_validate_json(text).seq for text in note.behind_gap]
    assert behind == list(range(behind[0], NOTED + 1))
    assert 520 < behind[0] < NOTED
    assert (again.picture(), again.held_desired()) == (PICTURE, HELD)
    assert again.epoch.acknowledged_seq == CONFIRMED
    again.close()
    assert not (tmp_path / "j.sqlite.damaged").exists()


def test_the_oldest_unconfirmed_fact_may_be_on_the_page_that_is_spoilt(file: Path, tmp_path: Path) -> None:
    spoil_pages(file, sql=noted(CONFIRMED + 1, CONFIRMED + 1)[0].to_json())
    before = file.read_bytes()
    for _ in range(2):
        journal = open_journal(file)
        assert journal.rescued is not None
        assert journal.rescued.why == "database disk image is malformed"
        assert (journal.picture(), journal.held_desired()) == (PICTURE, HELD)
        journal.close()
    assert [path.read_bytes() for path in aside(tmp_path)] == [before], "set aside once"


def test_the_note_of_the_damage_stays_until_a_new_epoch_has_told_of_it(file: Path, tmp_path: Path) -> None:
    (tmp_path / "j.sqlite.damaged").touch()
    for _ in range(2):
        journal = open_journal(file)
        assert journal.rescued is not None
        assert journal.rescued.facts == NOTED
        journal.close()
    journal = open_journal(file)
    first = EpochStarted(
        seq=1,
        at_ms=9,
        clock_trusted=True,
        why="hash_conflict",
        after_epoch=journal.epoch.epoch,
        after_seq=CONFIRMED,
    )
    assert journal.start_epoch("b" * 32, 2000, (first,), PICTURE)
    assert journal.rescued is None
    journal.close()
    assert len(aside(tmp_path)) == 1


def test_states_that_cannot_be_read_cost_no_fact(file: Path, tmp_path: Path) -> None:
    big = HeldDesired(b"signed " * 5000, 18, "digest")
    journal = open_journal(file)
    journal.keep_desired(big)
    journal.close()
    spoil_pages(file, sql="signed signed")
    again = open_journal(file)
    assert (again.held_desired(), again.epoch.last_seq, again.epoch.acknowledged_seq) == (None, NOTED, CONFIRMED)
    assert again.rescued is not None
    assert len(aside(tmp_path)) == 1
    again.close()


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: 3 * 4096 + 100])


def first_page_gone(file: Path) -> None:
    file.write_bytes(bytes(4096) + file.read_bytes()[4096:])


def no_database(file: Path) -> None:
    file.write_text("no database, though long enough to be looked at " * 20)


@pytest.mark.parametrize("spoil", [truncated, first_page_gone, no_database])
def test_what_is_no_database_any_more_is_kept_and_a_new_journal_begins(
    file: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    old = open_journal(file)
    old.close()
    spoil(file)
    before = file.read_bytes()
    journal = open_journal(file)
    assert journal.rescued is not None
    assert aside(tmp_path)[0].read_bytes() == before
    if journal.epoch.last_seq == 0:
        assert journal.epoch.epoch != old.epoch.epoch
        assert journal.picture() == "{}"
    assert journal.append(noted(journal.epoch.last_seq + 1, journal.epoch.last_seq + 1), PICTURE)
    journal.close()


def test_a_file_of_no_length_is_a_new_journal_and_nothing_was_in_it_to_keep(tmp_path: Path) -> None:
    (tmp_path / "j.sqlite").touch()
    journal = open_journal(tmp_path / "j.sqlite")
    assert (journal.epoch.last_seq, journal.rescued) == (0, None)
    journal.close()
    assert aside(tmp_path) == []


def test_a_write_ahead_log_without_its_database_is_kept(file: Path, tmp_path: Path) -> None:
    holder = sqlite3.connect(file)
    holder.execute("SELECT count(*) FROM facts").fetchone()  # so that the log is not folded back
    journal = open_journal(file)
    journal.append(noted(601, 700), PICTURE)
    log = (tmp_path / "j.sqlite-wal").read_bytes()
    assert len(log) > 10_000
    journal.close()
    holder.close()
    file.write_bytes(b"")
    (tmp_path / "j.sqlite-wal").write_bytes(log)
    again = open_journal(file)
    assert again.rescued is not None
    assert again.rescued.why == "it is empty, and its write-ahead log is not"
    kept = aside(tmp_path)[0]
    assert kept.with_name(kept.name + "-wal").read_bytes() == log
    again.close()


def test_another_cabinets_journal_is_refused_however_damaged_and_stays_where_it_is(
    file: Path, tmp_path: Path
) -> None:
    spoil_pages(file, sql=noted(520, 520)[0].to_json())
    (tmp_path / "j.sqlite.damaged").touch()
    before = file.read_bytes()
    says = r"j\.sqlite: it is damaged, and belongs to cabinet 'gare-1', expected 'gare-2'"
    with pytest.raises(JournalUnusable, match=says):
        open_journal(file, "gare-2")
    assert file.read_bytes() == before
    assert aside(tmp_path) == []


def test_facts_of_nobody_known_are_kept_aside_and_not_taken_over(file: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("DELETE FROM states WHERE name = 'cabinet'")
        database.execute("DELETE FROM facts WHERE seq < 10")
        database.commit()
    (tmp_path / "j.sqlite.damaged").touch()
    journal = open_journal(file)
    assert (journal.epoch.last_seq, journal.picture(), journal.held_desired()) == (0, "{}", None)
    assert len(aside(tmp_path)) == 1
    journal.close()


def test_a_fact_that_was_changed_by_hand_ends_what_is_taken_over(file: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute("""UPDATE facts SET text = replace(text, '"slot":', '"slot":1') WHERE seq = 500""")
        database.commit()
    (tmp_path / "j.sqlite.damaged").touch()
    journal = open_journal(file)
    assert journal.epoch.last_seq == 499
    assert journal.rescued is not None
    behind = [DoorClosed.model_validate_json(text).seq for text in journal.rescued.behind_gap]
    assert behind == list(range(501, NOTED + 1)), "the forged one itself follows from nothing"
    journal.close()


def test_what_the_emergency_journal_holds_beyond_a_damaged_one_goes_on(file: Path, tmp_path: Path) -> None:
    journal = open_journal(file)
    journal._database._connection.execute("PRAGMA query_only = ON")
    assert journal.append(noted(601, 603), '{"slots": {}}')
    assert journal.waiting == 3
    journal._database.close()
    assert journal._lock is not None
    journal._lock.close()
    (tmp_path / "j.sqlite.damaged").touch()
    again = open_journal(file)
    assert (again.epoch.last_seq, again.picture()) == (603, '{"slots": {}}')
    again.close()
    assert (tmp_path / "j.sqlite.emergency").read_bytes() == bytes(EMERGENCY_BYTES)


class Interrupted(FileStorage):
    """A storage whose program dies at the n-th step of setting a database aside."""

    steps_left = 0

    def _step(self) -> None:
        self.steps_left -= 1
        if self.steps_left < 0:
            raise OSError("the program died")

    def set_aside(self, at_ms: int) -> str:
        self._step()
        name = super().set_aside(at_ms)
        self._step()
        return name

    def is_replaced(self) -> None:
        self._step()
        super().is_replaced()


@pytest.mark.parametrize("steps", range(3))
def test_who_dies_while_it_sets_a_journal_aside_loses_nothing(file: Path, tmp_path: Path, steps: int) -> None:
    (tmp_path / "j.sqlite.damaged").touch()
    before = file.read_bytes()
    storage = Interrupted(file)
    storage.steps_left = steps
    with pytest.raises(JournalUnusable, match="the program died"):
        Journal.open(storage, "gare-1", now_ms=1000, random_bytes=os.urandom)
    journal = open_journal(file)
    assert journal.epoch.last_seq == NOTED
    assert (journal.picture(), journal.held_desired()) == (PICTURE, HELD)
    assert before in [path.read_bytes() for path in aside(tmp_path)]
    journal.close()
