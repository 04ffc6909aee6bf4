"""The journal's own limit, on real files: what goes first, what never goes, and what is written all the same."""

import os
from pathlib import Path

import pytest

from contract.facts import AccessRefused, Fact
from contract.reasons import Reason
from station_agent.journal import ALERT_AT, FORGOTTEN_AT_ONCE, SPACE_ASKS_AT, Journal
from station_agent.storage import FileStorage

LIMIT = 1 << 20
PER_APPEND = 50


def refusals(first: int, last: int) -> tuple[Fact, ...]:
    return tuple(
        AccessRefused(seq=seq, at_ms=seq, clock_trusted=True, reader="entrance", reason=Reason.UNKNOWN_BADGE)
        for seq in range(first, last + 1)
    )


def open_journal(file: Path) -> Journal:
    return Journal.open(FileStorage(file), "gare-1", now_ms=1000, random_bytes=os.urandom, bytes_max=LIMIT)


def note(journal: Journal, count: int = PER_APPEND) -> None:
    first = journal.epoch.last_seq + 1
    assert journal.append(refusals(first, first + count - 1), f'{{"last": {first + count - 1}}}')


def fill_to(journal: Journal, fill: float) -> None:
    while journal.fill < fill:
        note(journal)


def everything(journal: Journal, first: int = 1) -> list[str]:
    """All that would be sent from a fact on; `FactBatch` itself checks the chain within each batch."""
    texts: list[str] = []
    while (batch := journal.batch(first + len(texts))) is not None:
        texts += batch.facts
    return texts


def test_the_file_never_grows_beyond_its_limit_and_facts_go_on_in_the_emergency_journal(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "j.sqlite")
    while not journal.waiting:
        note(journal)
    assert ALERT_AT < journal.fill <= 1
    assert journal.trouble == "the journal has reached its limit of 1 MiB (journal.limit_mib)"
    for _ in range(10):
        note(journal)
    journal.checkpoint()
    assert (tmp_path / "j.sqlite").stat().st_size <= LIMIT
    assert len(everything(journal)) == journal.epoch.last_seq == journal.depth
    journal.close()
    again = open_journal(tmp_path / "j.sqlite")
    assert again.waiting >= 10 * PER_APPEND
    assert again.picture() == f'{{"last": {again.epoch.last_seq}}}'
    assert len(everything(again)) == again.epoch.last_seq
    again.close()


def test_at_the_limit_what_the_ledger_confirms_makes_room_for_what_waits(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "j.sqlite")
    while journal.waiting < 3 * PER_APPEND:
        note(journal)
    assert journal.make_room() == 0, "nothing is confirmed"
    last_seq = journal.epoch.last_seq
    journal.acknowledge(last_seq)
    while journal.make_room() == FORGOTTEN_AT_ONCE:
        pass
    assert (journal.waiting, journal.trouble) == (0, "")
    assert journal.fill < SPACE_ASKS_AT
    assert journal.hash_at(last_seq) is not None
    note(journal)
    assert len(everything(journal, last_seq + 1)) == PER_APPEND
    journal.close()


def test_confirmed_facts_go_before_their_time_and_unconfirmed_ones_never(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "j.sqlite")
    fill_to(journal, SPACE_ASKS_AT - 0.05)
    confirmed = journal.epoch.last_seq - 100
    journal.acknowledge(confirmed)
    assert journal.make_room() == 0, "there is room for a while"
    fill_to(journal, SPACE_ASKS_AT)
    depth = journal.depth
    gone = 0
    while (count := journal.make_room()) > 0:
        assert count <= FORGOTTEN_AT_ONCE
        gone += count
    assert 0 < gone < confirmed
    assert journal.fill < SPACE_ASKS_AT
    assert journal.has_forgotten(gone)
    assert not journal.has_forgotten(gone + 1)
    assert len(everything(journal, confirmed + 1)) == depth == journal.depth
    fill_to(journal, ALERT_AT)
    while journal.make_room():
        pass
    assert journal.make_room() == 0
    assert len(everything(journal, confirmed + 1)) == journal.depth, "only what nobody confirmed is left"
    journal.close()


def test_nothing_goes_while_a_ledger_may_ask_for_the_epoch_before(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "j.sqlite")
    fill_to(journal, ALERT_AT)
    journal.acknowledge(journal.epoch.last_seq)
    assert journal.start_epoch("b" * 32, 2000, refusals(1, 2), "{}")
    assert journal.make_room() == 0
    journal.acknowledge(2)
    assert journal.make_room() == FORGOTTEN_AT_ONCE
    journal.close()


def test_room_that_was_made_is_used_before_the_file_grows(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "j.sqlite")
    for _ in range(5):
        fill_to(journal, SPACE_ASKS_AT)
        journal.acknowledge(journal.epoch.last_seq)
        assert journal.make_room() > 0
    journal.checkpoint("TRUNCATE")
    assert (tmp_path / "j.sqlite").stat().st_size <= LIMIT * (SPACE_ASKS_AT + 0.05)
    journal.close()


@pytest.mark.parametrize("count", [1, PER_APPEND])
def test_a_journal_that_is_larger_than_a_new_limit_opens_and_goes_on(tmp_path: Path, count: int) -> None:
    wide = Journal.open(FileStorage(tmp_path / "j.sqlite"), "gare-1", now_ms=1, random_bytes=os.urandom)
    fill = refusals(1, 5000)
    assert wide.append(fill, "{}")
    wide.acknowledge(4000)
    wide.close()
    journal = open_journal(tmp_path / "j.sqlite")
    assert journal.fill > 1
    note(journal, count)
    while journal.make_room():
        pass
    assert journal.trouble == ""
    assert journal.waiting == 0
    assert len(everything(journal, 4001)) == journal.depth == 1000 + count
    journal.close()
