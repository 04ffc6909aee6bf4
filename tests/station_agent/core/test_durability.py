"""When nothing can be written: who still gets a key, and what is told of it afterwards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.facts import (
    AccessGranted,
    AccessRefused,
    CommandDecided,
    FactsNotDurable,
    GrantCompleted,
    KeyReturned,
    KeyTaken,
)
from contract.messages import Command, ReplyOutcome
from contract.reasons import Reason
from station_agent.core import model
from station_agent.core.device_events import ReaderSignal
from station_agent.core.notebook import HELD_MAX
from station_agent.core.picture import Picture
from station_agent.core.station import MARK_EVERY_MS, WRITE_AGAIN_MS
from tests.station_agent.core.box import HOUR_MS, MINUTE_MS, Box


def without_disk() -> Box:
    """A box that cannot write any more and does not know it yet; ann and bob have rights."""
    box = Box()
    box.grant("booking-1", badge="ann", key="key-1")
    box.grant("booking-2", badge="bob", key="key-2")
    box.forget()
    box.disk_is_good = False
    return box


def reasons(box: Box) -> list[Reason]:
    """Of the refusals noted, once they are durable."""
    return [fact.reason for fact in box.new() if isinstance(fact, AccessRefused)]


def test_a_grant_opens_though_nothing_can_be_written() -> None:
    box = without_disk()
    box.badge("ann")
    assert (box.released(), box.signals()) == ([1], [ReaderSignal.TAKEN])
    box.badge("bob")
    assert box.released() == [1, 2], "also when it is known that nothing can be written"
    assert box.kinds() == []


@pytest.mark.parametrize("known", [False, True])
def test_it_opens_once_in_a_boot(known: bool) -> None:
    box = without_disk()
    if known:
        box.badge("stranger")
    box.badge("ann")
    box.opens(1)
    box.shut(1)
    box.effects.clear()
    box.badge("ann")
    assert (box.released(), box.signals()) == ([], [ReaderSignal.CALL])
    box.reboot()
    box.see()
    box.effects.clear()
    box.badge("ann")
    assert box.released() == [1]


def test_a_grant_that_was_opened_with_a_good_disk_is_judged_anew_without_one() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    box.opens(1)
    box.shut(1)
    box.disk_is_good = False
    box.effects.clear()
    for _ in range(2):
        box.badge("ann")
        box.opens(1)
        box.shut(1)
    assert box.released() == [1]


def test_a_key_comes_back_without_a_disk_as_often_as_it_likes() -> None:
    box = without_disk()
    box.badge("ann")
    box.opens(1)
    box.take(1)
    box.shut(1)
    for _ in range(3):
        box.effects.clear()
        box.tag("tag-1")
        assert box.released() == [1]
        box.opens(1)
        box.shut(1)


def test_a_release_under_a_command_is_refused_where_it_cannot_be_written_first() -> None:
    box = without_disk()
    for counter in (1, 2):
        box.effects.clear()
        box.command(f"command-{counter}", counter=counter)
        (reply,) = box.replies()
        assert (reply.outcome, reply.reason) == (ReplyOutcome.REFUSED, Reason.NOT_DURABLE)
    box.command("command-1", counter=1)
    assert box.replies()[-1].reason is Reason.NOT_DURABLE, "and that is final"
    for _ in range(5):
        box.elapse()
    assert box.released() == []
    box.disk_is_good = True
    box.elapse()
    assert [fact.outcome for fact in box.new() if isinstance(fact, CommandDecided)] == ["refused", "refused"]
    assert box.station.commands.outcomes[ReplyOutcome.COMPLETED] == 0
    box.command("command-3", counter=3)
    assert box.released() == [1]


def test_what_happened_is_told_in_order_and_marked_when_it_can_be_written_again() -> None:
    box = without_disk()
    box.badge("ann")
    box.opens(1)
    box.take(1)
    box.shut(1)
    assert box.kinds() == []
    box.disk_is_good = True
    box.elapse()
    assert box.kinds() == ["access_granted", "door_opened", "key_taken", "door_closed", "facts_not_durable"]
    assert [fact.not_durable for fact in box.new()] == [True] * 4 + [None]
    assert (box.last(FactsNotDurable).count, box.last(FactsNotDurable).lost) == (4, 0)
    assert [fact.seq for fact in box.facts] == list(range(1, len(box.facts) + 1))
    box.tag("tag-1")
    assert box.last(AccessGranted).not_durable is None
    assert "not_durable" not in box.last(AccessGranted).to_json()


def test_the_next_event_writes_as_well_as_waiting_does() -> None:
    box = without_disk()
    box.badge("stranger")
    box.disk_is_good = True
    box.badge("ann")
    assert box.kinds() == ["access_refused", "access_granted", "facts_not_durable"]
    assert box.released() == [1]


def test_a_disk_is_tried_again_without_any_event() -> None:
    box = without_disk()
    box.badge("stranger")
    tried = box.line_ms
    for _ in range(3):
        assert box.station.wake_at_line_ms == tried + WRITE_AGAIN_MS
        effects = box.elapse()
        assert [type(effect) for effect in effects] == [model.Journal]
        tried = box.line_ms
    box.disk_is_good = True
    box.elapse()
    assert box.station.wake_at_line_ms is None
    assert box.station.durable


def test_a_picture_alone_that_could_not_be_written_costs_no_fact() -> None:
    box = without_disk()
    box.pass_time(MARK_EVERY_MS)
    box.handle(model.ClockRead(synchronised=True))
    assert not box.station.durable
    box.disk_is_good = True
    box.elapse()
    assert (box.station.durable, box.kinds()) == (True, [])
    assert Picture.model_validate_json(box.picture).clock_mark_ms == box.now_ms


def test_a_clock_that_fails_at_the_same_moment_is_told_too() -> None:
    box = without_disk()
    box.badge("stranger")
    box.now_ms += HOUR_MS
    box.badge("ann")
    assert box.released() == []
    box.now_ms -= HOUR_MS
    box.disk_is_good = True
    box.badge("bob")
    assert box.kinds() == [
        "access_refused",
        "clock_trust_changed",
        "access_refused",
        "clock_trust_changed",
        "access_granted",
        "facts_not_durable",
    ]
    assert reasons(box) == [Reason.UNKNOWN_BADGE, Reason.CLOCK_NOT_TRUSTED]


def test_a_clock_stepped_while_the_disk_was_tried_is_told_after_what_could_not_be_written() -> None:
    box = without_disk()
    command = Command(
        cabinet="gare-1",
        command="command-1",
        counter=1,
        action="release_slot",
        slot=1,
        issued_ms=box.now_ms,
        expires_ms=box.now_ms + MINUTE_MS,
    )
    assert isinstance(box.station.handle(box.now, model.CommandArrived(command))[0], model.Journal)
    box.now_ms += HOUR_MS
    box.handle(model.DurabilityChanged(durable=False))
    assert box.released() == []
    box.disk_is_good = True
    box.elapse()
    assert box.kinds() == ["command_decided", "clock_trust_changed", "facts_not_durable"]
    assert [fact.seq for fact in box.facts] == list(range(1, len(box.facts) + 1))


def test_beyond_a_limit_facts_are_counted_instead_of_kept() -> None:
    box = without_disk()
    box.badge("ann")
    box.opens(1)
    for _ in range(HELD_MAX // 2):
        box.opens(3)
        box.shut(3)
    box.take(1)
    box.shut(1)
    box.disk_is_good = True
    box.elapse()
    fact = box.last(FactsNotDurable)
    assert (fact.count, fact.lost) == (HELD_MAX + 4, 4)
    assert len(box.new()) == HELD_MAX + 1
    assert [fact.seq for fact in box.facts] == list(range(1, len(box.facts) + 1))
    slots = {report.slot: report.key for report in box.station.slot_reports()}
    assert slots[1] is None, "the picture goes on all the same"


def test_an_epoch_that_could_not_be_written_did_not_start() -> None:
    box = Box()
    before = box.station.last_seq
    box.station.start_epoch(box.now, "hash_conflict", ())
    box.station.epoch_not_started(before)
    box.badge("stranger")
    assert box.facts[-1].seq == before + 1


def test_a_second_tap_after_a_return_is_heard_without_a_disk() -> None:
    box = without_disk()
    box.badge("ann")
    box.opens(1)
    box.take(1)
    box.shut(1)
    box.tag("tag-1")
    box.opens(1)
    box.hang(1)
    box.shut(1)
    box.badge("ann")
    box.disk_is_good = True
    box.elapse()
    assert box.last(GrantCompleted).grant == "booking-1"
    assert box.last(KeyReturned).grant == box.last(KeyTaken).grant == "booking-1"


ACTS = [
    "ann",
    "bob",
    "stranger",
    "tag-1",
    "command",
    "opens",
    "take",
    "hang",
    "shut",
    "reboot",
    "good",
    "bad",
    "wait",
]


@pytest.mark.parametrize("power_cuts", [False, True])
@given(acts=st.lists(st.sampled_from(ACTS), max_size=60))
def test_whatever_the_disk_does_numbers_have_no_gaps_and_no_command_opens_unwritten(
    acts: list[str], power_cuts: bool
) -> None:
    box = without_disk()
    counter = 0
    for act in [*acts, "good", "wait"]:
        box.effects.clear()
        match act:
            case "ann" | "bob" | "stranger":
                box.badge(act)
            case "tag-1":
                box.tag(act)
            case "command":
                counter += 1
                box.command(f"command-{counter}", counter=counter)
                opened, accepted = box.released(), box.replies()[-1].outcome is ReplyOutcome.COMPLETED
                assert bool(opened) == accepted
                assert not accepted or box.last(CommandDecided).command == f"command-{counter}", "durable first"
            case "opens":
                box.opens(1)
            case "take":
                box.take(1)
            case "hang":
                box.hang(1)
            case "shut":
                box.shut(1)
            case "good" | "bad":
                box.disk_is_good = act == "good"
            case "reboot" if power_cuts:
                box.reboot()
                box.see()
            case "wait" if box.station.wake_at_line_ms is not None:
                box.elapse()
    for _ in range(10):
        if box.station.wake_at_line_ms is not None:
            box.elapse()
    assert box.station.durable
    assert [fact.seq for fact in box.facts] == list(range(1, len(box.facts) + 1))
    assert Picture.model_validate_json(box.picture).commands.high_water == counter or power_cuts
