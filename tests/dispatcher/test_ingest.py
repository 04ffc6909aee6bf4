"""Facts arrive once: batches against the ledger, in every order that a network can bring them."""

from itertools import count, cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from contract.facts import AgentStarted, DoorOpened, EpochStarted
from contract.messages import Acknowledged
from dispatcher.core.incidents import IncidentKind
from dispatcher.core.ingest import Cursor, FactOutcome, first_cursor, joined, judge
from dispatcher.store import ingest
from dispatcher.store.applying import Applying
from dispatcher.store.database import Database
from dispatcher.store.ingest import Intake, Taken
from dispatcher.store.ledger import facts_of, ledger_id, watermarks
from dispatcher.store.links import complete_until_ms, keep_reported
from dispatcher.store.schema import cursors, slot_states
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.small_fleet import (
    CABINET,
    HOUR,
    LEDGER,
    NOW_MS,
    OTHER_CABINET,
    RULES,
    counted_bytes,
    incidents,
    new_database,
    take,
)


def box_with(count: int, cabinet: str = CABINET, epoch: str = "e1" * 16) -> FakeBox:
    box = FakeBox(cabinet, epoch)
    for _ in range(count):
        box.note(DoorOpened, slot=1, released=True)
    return box


def seqs(database: Database, box: FakeBox) -> list[int]:
    found = database.read_now(lambda connection: facts_of(connection, box.cabinet))
    return [fact.seq for fact in found if fact.epoch == box.epoch]


def answer(taken: Taken) -> Acknowledged:
    (acknowledged,) = taken.acknowledgements
    return acknowledged


def test_a_first_batch_is_stored_and_acknowledged() -> None:
    database, box = new_database(), box_with(3)
    taken = take(database, box.batch())
    assert seqs(database, box) == [1, 2, 3]
    assert taken.outcomes == {FactOutcome.APPLIED: 3, FactOutcome.DUPLICATE: 0}
    assert answer(taken) == Acknowledged(cabinet=CABINET, ledger=LEDGER, epoch=box.epoch, seq=3, hash=box.hashes[3])


def test_the_ledger_keeps_the_very_text_its_hash_and_both_times() -> None:
    database, box = new_database(), box_with(1)
    take(database, box.batch(), now_ms=NOW_MS + 5)
    (fact,) = database.read_now(facts_of)
    assert (fact.text, fact.hash) == (box.texts[0], box.hashes[1])
    assert (fact.at_ms, fact.received_ms, fact.kind) == (NOW_MS, NOW_MS + 5, "door_opened")


def test_the_same_batch_again_is_a_duplicate_and_acknowledged_again() -> None:
    database, box = new_database(), box_with(3)
    first = take(database, box.batch())
    second = take(database, box.batch())
    assert second.outcomes == {FactOutcome.DUPLICATE: 3}
    assert second.acknowledgements == first.acknowledgements
    assert seqs(database, box) == [1, 2, 3]


@pytest.mark.parametrize("first", [1, 2, 3, 4])
def test_a_batch_that_overlaps_the_ledger_adds_only_what_is_new(first: int) -> None:
    database, box = new_database(), box_with(5)
    take(database, box.batch(1, 3))
    taken = take(database, box.batch(first, 5))
    assert taken.outcomes == {FactOutcome.APPLIED: 2, FactOutcome.DUPLICATE: 4 - first}
    assert seqs(database, box) == [1, 2, 3, 4, 5]


def test_an_old_batch_inside_the_ledger_changes_nothing() -> None:
    database, box = new_database(), box_with(5)
    take(database, box.batch())
    assert answer(take(database, box.batch(2, 3))).seq == 5


def test_a_batch_beyond_the_next_number_is_not_stored_and_the_watermark_repeated() -> None:
    database, box = new_database(), box_with(5)
    take(database, box.batch(1, 2))
    taken = take(database, box.batch(4, 5))
    assert taken.outcomes == {FactOutcome.AHEAD: 2}
    assert answer(taken).seq == 2
    assert seqs(database, box) == [1, 2]
    assert incidents(database) == []


def test_a_first_batch_that_is_ahead_is_answered_with_the_beginning() -> None:
    database, box = new_database(), box_with(3)
    taken = answer(take(database, box.batch(2)))
    assert (taken.seq, taken.hash) == (0, box.hashes[0])


def test_other_content_under_known_numbers_is_a_conflict_and_an_incident_once() -> None:
    database, box = new_database(), box_with(3)
    take(database, box.batch())
    clone = FakeBox()
    for _ in range(4):
        clone.note(DoorOpened, slot=2, released=False)
    for _ in range(2):
        taken = take(database, clone.batch())
        assert answer(taken).conflict
        assert (answer(taken).seq, answer(taken).hash) == (0, box.hashes[0])
    assert seqs(database, box) == [1, 2, 3]
    assert incidents(database) == [(IncidentKind.FACTS_CONFLICT, CABINET, True)]


def test_a_batch_that_continues_another_past_is_a_conflict() -> None:
    database, box, clone = new_database(), box_with(3), FakeBox()
    take(database, box.batch(1, 2))
    for _ in range(3):
        clone.note(DoorOpened, slot=2, released=False)
    told = answer(take(database, clone.batch(3)))
    assert (told.conflict, told.seq) == (True, 0)  # what is common before it, it does not say


def test_a_conflict_is_answered_with_the_last_fact_that_both_hold() -> None:
    database, box = new_database(), box_with(5)
    take(database, box.batch(1, 4))
    copy = FakeBox()
    for text in box.texts[:3]:
        copy.note_text(text)
    for _ in range(2):
        copy.note(DoorOpened, slot=2, released=False)
    for first in (1, 2, 3, 4):
        told = answer(take(database, copy.batch(first)))
        assert (told.conflict, told.seq, told.hash) == (True, 3, box.hashes[3])


def test_a_fact_that_cannot_be_applied_is_kept_and_the_next_ones_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(at: Applying, _fact: object) -> None:
        at.set_slot(1, NOW_MS, door_open=True)
        raise OverflowError("nobody foresaw this")

    database, box = new_database(), FakeBox()
    with monkeypatch.context() as patched:
        patched.setattr(ingest, "apply", broken)
        box.note(DoorOpened, slot=1, released=True)
        taken = take(database, box.batch())
    assert (answer(taken).seq, taken.outcomes) == (1, {FactOutcome.UNREADABLE: 1, FactOutcome.DUPLICATE: 0})
    assert incidents(database) == [(IncidentKind.FACT_UNREADABLE, CABINET, True)]
    assert database.read_now(lambda c: c.execute(select(slot_states)).all()) == []
    box.note(DoorOpened, slot=2, released=True)
    assert take(database, box.batch(2)).outcomes == {FactOutcome.APPLIED: 1, FactOutcome.DUPLICATE: 0}
    assert [fact.kind for fact in database.read_now(facts_of)] == ["unreadable", "door_opened"]


def test_an_unreadable_fact_is_forgiven_when_the_agent_starts_anew() -> None:
    database, box = new_database(), FakeBox()
    box.note_text("no fact")
    box.note(AgentStarted, boot_nonce="b2" * 16, version="2")
    take(database, box.batch())
    assert incidents(database) == [(IncidentKind.FACT_UNREADABLE, CABINET, False)]


def test_the_newest_epoch_is_the_one_that_came_last_whatever_the_boxs_clock_said() -> None:
    database, old, new = new_database(), box_with(1), box_with(2, epoch="e0" * 16)
    new.created_ms = 946_684_800_000  # a card replaced, its clock at the year 2000
    take(database, old.batch())
    take(database, new.batch())
    take(database, old.batch())
    (told,) = database.read_now(lambda connection: watermarks(connection, LEDGER))
    assert (told.epoch, told.seq) == (new.epoch, 2)
    new.now_ms = NOW_MS + HOUR
    database.write_now(lambda c: keep_reported(c, new.report(), new.now_ms))
    assert database.read_now(lambda c: complete_until_ms(c, CABINET)) == new.now_ms


def test_a_new_epoch_begins_at_one_and_settles_the_conflict() -> None:
    database, box, clone = new_database(), box_with(2), FakeBox()
    take(database, box.batch())
    clone.note(DoorOpened, slot=2, released=False)
    take(database, clone.batch())
    again = FakeBox(epoch="e2" * 16)
    again.note(EpochStarted, why="hash_conflict")
    take(database, again.batch())
    assert seqs(database, again) == [1]
    assert incidents(database) == [(IncidentKind.FACTS_CONFLICT, CABINET, False)]


def test_cabinets_do_not_disturb_each_other() -> None:
    database = new_database()
    one, other = box_with(2), box_with(3, OTHER_CABINET)
    taken = take(database, one.batch(), other.batch())
    assert [ack.seq for ack in taken.acknowledgements] == [2, 3]
    assert (seqs(database, one), seqs(database, other)) == ([1, 2], [1, 2, 3])


def test_a_kind_from_a_newer_agent_is_kept_and_skipped() -> None:
    database, box = new_database(), FakeBox()
    kind = "vehicle_sang_" + "x" * 80
    box.note_text(f'{{"seq":1,"at_ms":{NOW_MS},"clock_trusted":true,"kind":"{kind}","song":1}}')
    taken = take(database, box.batch())
    assert taken.outcomes[FactOutcome.UNKNOWN_KIND] == 1
    (fact,) = database.read_now(facts_of)
    assert (fact.text, fact.kind) == (box.texts[0], kind[:64])


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        '{"seq":2}',
        f'{{"seq":2,"at_ms":{NOW_MS},"clock_trusted":true,"kind":"door_opened","slot":900,"released":true}}',
        f'{{"seq":7,"at_ms":{NOW_MS},"clock_trusted":true,"kind":"door_closed","slot":1}}',
    ],
)
def test_an_unreadable_fact_is_kept_skipped_and_an_incident(text: str) -> None:
    database, box = new_database(), box_with(1)
    box.note_text(text)
    box.note(DoorOpened, slot=1, released=True) if text.startswith("no") else None
    taken = take(database, box.batch())
    assert taken.outcomes[FactOutcome.UNREADABLE] == 1
    assert answer(taken).seq == box.seq
    facts = database.read_now(facts_of)
    assert (facts[1].text, facts[1].kind, facts[1].at_ms) == (text, "unreadable", NOW_MS)
    assert incidents(database) == [(IncidentKind.FACT_UNREADABLE, CABINET, True)]


def test_the_ledgers_id_is_made_once() -> None:
    database, source = new_database(), counted_bytes()
    first = database.write_now(lambda connection: ledger_id(connection, source))
    assert database.write_now(lambda connection: ledger_id(connection, source)) == first
    assert len(first) == 32


def test_the_newest_epoch_of_each_cabinet_is_told_on_connecting() -> None:
    database, old, new = new_database(), box_with(2), box_with(1, epoch="e2" * 16)
    new.created_ms += 1
    take(database, old.batch(), new.batch(), box_with(1, OTHER_CABINET).batch())
    told = database.read_now(lambda connection: watermarks(connection, LEDGER))
    assert [(ack.cabinet, ack.epoch, ack.seq) for ack in told] == [
        (CABINET, new.epoch, 1),
        (OTHER_CABINET, "e1" * 16, 1),
    ]


def test_a_transaction_that_fails_leaves_neither_facts_nor_watermark() -> None:
    database, box = new_database(), box_with(2)
    with pytest.raises(ZeroDivisionError):
        database.write_now(lambda c: (Intake(LEDGER, RULES, NOW_MS).take(c, [box.batch()]), 1 / 0))
    assert seqs(database, box) == []
    assert database.read_now(lambda connection: connection.execute(select(cursors)).all()) == []
    assert answer(take(database, box.batch())).seq == 2


ONE_DATABASE = new_database()
EPOCHS = (f"{number:032x}" for number in count())
slices = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), max_size=25)


@settings(max_examples=60, deadline=None)
@given(slices)
def test_whatever_arrives_the_ledger_is_a_prefix_without_gaps_or_doubles(
    arrivals: list[tuple[int, int]],
) -> None:
    box = box_with(12, epoch=next(EPOCHS))
    expected = 0
    for first, second in arrivals:
        low, high = min(first, second), max(first, second)
        taken = take(ONE_DATABASE, box.batch(low, high))
        if low <= expected + 1:
            expected = max(expected, high)
        assert answer(taken).seq == expected
        assert not answer(taken).conflict
    assert seqs(ONE_DATABASE, box) == list(range(1, expected + 1))
    assert answer(take(ONE_DATABASE, box.batch())).seq == 12
    assert incidents(ONE_DATABASE) == []


@settings(max_examples=60, deadline=None)
@given(slices, st.lists(st.integers(1, 5), min_size=1))
def test_what_arrives_together_is_taken_as_if_it_had_come_one_by_one(
    arrivals: list[tuple[int, int]], sizes: list[int]
) -> None:
    box, other = box_with(12, epoch=next(EPOCHS)), box_with(12, OTHER_CABINET, next(EPOCHS))
    batches = [
        (box if first % 3 else other).batch(min(first, second), max(first, second)) for first, second in arrivals
    ]
    expected = {box.cabinet: 0, other.cabinet: 0}
    for size in cycle(sizes):
        group, batches = batches[:size], batches[size:]
        if not group:
            break
        for batch in group:
            if batch.first_seq <= expected[batch.cabinet] + 1:
                expected[batch.cabinet] = max(expected[batch.cabinet], batch.last_seq)
        told = {said.cabinet: said.seq for said in take(ONE_DATABASE, *group).acknowledgements}
        assert told == {batch.cabinet: expected[batch.cabinet] for batch in group}
    for each in (box, other):
        assert seqs(ONE_DATABASE, each) == list(range(1, expected[each.cabinet] + 1))
    assert incidents(ONE_DATABASE) == []


def test_only_what_goes_on_from_the_batch_before_it_is_joined_with_it() -> None:
    box, copy, other = box_with(6), box_with(2), box_with(6, OTHER_CABINET)
    copy.note(DoorOpened, slot=2, released=True)
    first, second, third = box.batch(1, 2), box.batch(3, 4), box.batch(5, 6)
    assert joined([first, second, third]) == [box.batch()]
    assert joined([first, third, second]) == [first, third, second]
    assert joined([first, other.batch(3, 4)]) == [first, other.batch(3, 4)]
    assert joined([box.batch(1, 3), copy.batch(3, 3)]) == [box.batch(1, 3), copy.batch(3, 3)]
    differs = second.model_copy(update={"hash_before": "0" * 64})
    assert joined([first, differs]) == [first, differs]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 6), st.integers(1, 6), st.integers(1, 6), st.integers(1, 6))
def test_one_comparison_finds_any_difference_in_the_common_past(
    held: int, changed: int, first: int, second: int
) -> None:
    ours, theirs = box_with(6), FakeBox()
    for number in range(1, 7):
        theirs.note(DoorOpened, slot=2 if number == changed else 1, released=True)
    low, high = min(first, second), max(first, second)
    cursor = Cursor(ours.epoch, held, ours.hashes[held])
    verdict = judge(theirs.batch(low, high), cursor, lambda seq: ours.hashes[seq])
    if low > held + 1:
        assert verdict == "ahead"
    else:
        shared = min(high, held)
        assert (verdict == "conflict") is (changed <= shared)


def test_an_epoch_that_was_never_met_begins_before_its_first_fact() -> None:
    assert first_cursor("cab-a", "e1" * 16) == Cursor("e1" * 16, 0, FakeBox().hashes[0])
