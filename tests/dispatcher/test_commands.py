"""Operators' commands in the database: numbered once, answered once, and none that this program did not write."""

from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, update

from contract.facts import CommandDecided
from contract.messages import ReplyOutcome
from contract.reasons import Reason
from dispatcher.core.incidents import IncidentKind
from dispatcher.store.commands import (
    CommandOutcome,
    close_over,
    command_by_id,
    keep_outcome,
    next_counter,
    open_commands,
)
from dispatcher.store.database import Database
from dispatcher.store.schema import commands
from dispatcher.store.vouching import vouch
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.orders_bench import known, order
from tests.dispatcher.small_fleet import (
    CABINET,
    MINUTE,
    NOW_MS,
    OTHER_CABINET,
    incidents,
    new_database,
    take,
)

COMPLETED, REFUSED, EXPIRED, RECEIVED = (
    ReplyOutcome.COMPLETED,
    ReplyOutcome.REFUSED,
    ReplyOutcome.EXPIRED,
    ReplyOutcome.RECEIVED,
)


@pytest.fixture
def database() -> Database:
    return new_database()


def reply(
    database: Database,
    outcome: ReplyOutcome,
    reason: Reason | None = None,
    *,
    now_ms: int = NOW_MS + 1,
    cabinet: str = CABINET,
) -> bool:
    return database.write_now(lambda c: keep_outcome(c, cabinet, "order-1", outcome, reason, now_ms))


def waiting(database: Database, now_ms: int = NOW_MS) -> list[str]:
    found = database.read_now(lambda connection: open_commands(connection, now_ms))
    return [command.id for command in found.waiting]


def close(database: Database, now_ms: int) -> None:
    database.write_now(lambda connection: close_over(connection, now_ms))


# --- numbers


@given(st.lists(st.integers(0, 100), min_size=2, max_size=20))
def test_no_number_is_given_twice_whatever_our_clock_does(moments: list[int]) -> None:
    given_out = [ONE.write_now(partial(next_counter, cabinet_id=CABINET, now_ms=NOW_MS + at)) for at in moments]
    assert given_out == sorted(set(given_out))


ONE = new_database()


def test_each_cabinet_counts_for_itself_from_the_time_on(database: Database) -> None:
    one, other = order(database), order(database, "order-2", cabinet_id=OTHER_CABINET)
    assert (one.counter, other.counter) == (NOW_MS, NOW_MS)
    assert order(database, "order-3").counter == NOW_MS + 1
    assert order(database, "order-4", now_ms=NOW_MS - MINUTE).counter == NOW_MS + 2


# --- answers


def test_a_command_waits_until_its_box_answers(database: Database) -> None:
    order(database)
    assert waiting(database) == ["order-1"]
    assert reply(database, RECEIVED)
    assert (known(database).outcome, waiting(database)) == (CommandOutcome.RECEIVED, ["order-1"])
    assert reply(database, COMPLETED)
    after = known(database)
    assert (after.outcome, after.outcome_reason, after.answered_ms) == ("completed", None, NOW_MS + 1)
    assert waiting(database) == []


def test_a_refusal_keeps_its_reason(database: Database) -> None:
    order(database)
    reply(database, REFUSED, Reason.CABINET_SILENT)
    assert (known(database).outcome, known(database).outcome_reason) == ("refused", "cabinet_silent")


def test_the_first_final_word_stays(database: Database) -> None:
    order(database)
    reply(database, EXPIRED, Reason.EXPIRED)
    for outcome in (COMPLETED, REFUSED, RECEIVED, EXPIRED):
        assert not reply(database, outcome, now_ms=NOW_MS + 9)
    assert (known(database).outcome, known(database).answered_ms) == ("expired", NOW_MS + 1)


def test_a_cabinet_has_no_say_about_anothers_command(database: Database) -> None:
    order(database)
    assert not reply(database, COMPLETED, cabinet=OTHER_CABINET)
    assert known(database).outcome is None
    assert database.read_now(lambda c: command_by_id(c, OTHER_CABINET, "order-1")) is None


def test_an_answer_to_nothing_of_ours_is_none(database: Database) -> None:
    assert not reply(database, COMPLETED)


def test_the_fact_of_the_decision_says_what_a_lost_reply_would_have(database: Database) -> None:
    box = FakeBox()
    order(database)
    box.note(CommandDecided, command="order-1", outcome="refused", reason=Reason.BUSY, slot=1)
    take(database, box.batch())
    assert (known(database).outcome, known(database).outcome_reason) == ("refused", "busy")


# --- time


def test_a_command_whose_time_is_over_was_not_answered(database: Database) -> None:
    order(database)
    close(database, NOW_MS + MINUTE - 1)
    assert (waiting(database, NOW_MS + MINUTE - 1), known(database).outcome) == (["order-1"], None)
    assert waiting(database, NOW_MS + MINUTE) == [], "it is not sent any more, closed or not"
    close(database, NOW_MS + MINUTE)
    assert (known(database).outcome, known(database).answered_ms) == ("unanswered", NOW_MS + MINUTE)


def test_a_word_that_comes_late_is_better_than_none(database: Database) -> None:
    order(database)
    close(database, NOW_MS + MINUTE)
    assert not known(database).outcome_reason
    reply(database, RECEIVED, now_ms=NOW_MS + 2 * MINUTE)
    assert known(database).outcome == "unanswered"
    assert reply(database, COMPLETED, now_ms=NOW_MS + 2 * MINUTE)
    assert (known(database).outcome, known(database).answered_ms) == ("completed", NOW_MS + 2 * MINUTE)


# --- order


def test_a_command_that_another_overtook_gets_a_new_number(database: Database) -> None:
    first = order(database)
    second = order(database, "order-2")
    assert reply(database, REFUSED, Reason.OUT_OF_ORDER)
    again = known(database)
    assert (again.outcome, again.answered_ms) == (None, None)
    assert first.counter < second.counter < again.counter
    assert waiting(database) == ["order-2", "order-1"], "signed anew: it can still be sent"


def test_one_that_another_overtook_when_its_time_is_over_is_refused(database: Database) -> None:
    order(database)
    reply(database, REFUSED, Reason.OUT_OF_ORDER, now_ms=NOW_MS + MINUTE)
    assert known(database).outcome_reason == "out_of_order"


# --- origin


def columns(**changes: Any) -> dict[str, Any]:
    return {
        "id": "order-9",
        "cabinet_id": CABINET,
        "slot": 2,
        "counter": 7,
        "action": "release_slot",
        "author": "nobody",
        "reason": "none",
        "issued_ms": NOW_MS,
        "expires_ms": NOW_MS + MINUTE,
        **changes,
    }


def test_a_command_that_somebody_inserts_is_never_sent_and_named(database: Database) -> None:
    database.write_now(lambda c: c.execute(insert(commands).values(columns())))
    found = database.read_now(lambda c: open_commands(c, NOW_MS))
    assert (found.waiting, found.some_are_over) == ((), True)
    close(database, NOW_MS)
    assert incidents(database) == [(IncidentKind.ROW_WITHOUT_ORIGIN, "commands/order-9", True)]
    assert (known(database, "order-9").outcome, known(database, "order-9").outcome_reason) == (
        "refused",
        "row_without_origin",
    )
    assert not database.read_now(lambda c: open_commands(c, NOW_MS)).some_are_over


@pytest.mark.parametrize(
    "change", [{"slot": 2}, {"cabinet_id": OTHER_CABINET}, {"expires_ms": NOW_MS + 9 * MINUTE}, {"counter": 1}]
)
def test_a_command_that_somebody_changes_is_never_sent(database: Database, change: dict[str, Any]) -> None:
    order(database)
    database.write_now(lambda c: c.execute(update(commands).values(change)))
    assert waiting(database) == []


def test_nobody_vouches_for_a_command(database: Database) -> None:
    database.write_now(lambda c: c.execute(insert(commands).values(columns())))
    assert "commands" not in database.write_now(vouch)
    assert waiting(database) == []
