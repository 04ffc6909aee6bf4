"""Commands that release a slot: once, in order, in time, and told apart from theft."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.facts import CommandDecided, DoorOpened, Identity, KeyReturned, KeyTaken, Purpose, ReleaseFailed
from contract.messages import ReplyOutcome
from contract.reasons import Reason
from station_agent.core import model
from station_agent.core.commands import REACH_MS, RECENT_MAX
from station_agent.core.device_events import CabinetLost, ReaderSignal
from station_agent.core.locks import PULSES_MAX
from tests.station_agent.core.box import MINUTE_MS, Box

Answer = tuple[str, ReplyOutcome, Reason | None]


def answers(box: Box) -> list[Answer]:
    return [(reply.command, reply.outcome, reply.reason) for reply in box.replies()]


def refused(box: Box, reason: Reason) -> bool:
    """The last command was refused for this reason, as a fact and in the answer, and nothing opened."""
    fact = box.last(CommandDecided)
    return (
        answers(box)[-1] == (fact.command, ReplyOutcome.REFUSED, reason)
        and (fact.outcome, fact.reason) == ("refused", reason)
        and box.released() == []
    )


def test_a_command_is_durable_then_opens_then_is_answered() -> None:
    box = Box()
    effects = box.command(slot=2)
    assert [type(effect) for effect in effects] == [model.Journal, model.ReleaseSlot, model.Report, model.Reply]
    fact = box.last(CommandDecided)
    assert (fact.command, fact.outcome, fact.slot, fact.key) == ("command-1", "completed", 2, "key-2")
    assert answers(box) == [("command-1", ReplyOutcome.COMPLETED, None)]
    assert box.released() == [2]


def test_a_key_that_leaves_under_a_command_names_it() -> None:
    box = Box()
    box.command()
    box.opens(1)
    box.take(1)
    box.shut(1)
    assert box.kinds() == ["command_decided", "door_opened", "key_taken", "door_closed"]
    assert box.last(DoorOpened).released
    taken = box.last(KeyTaken)
    assert (taken.command, taken.key, taken.grant, taken.badge) == ("command-1", "key-1", None, None)
    box.move(1, key=True, door=True)
    box.move(1, key=False, door=True)
    assert box.last(KeyTaken).command is None, "the right ended with the door"


def test_a_key_put_back_before_the_door_shuts_and_taken_again_is_the_same_command() -> None:
    box = Box()
    box.command()
    box.opens(1)
    box.take(1)
    box.hang(1)
    fact = box.last(KeyReturned)
    assert (fact.key, fact.identity) == ("key-1", Identity.PRESUMED)
    box.take(1)
    assert box.last(KeyTaken).command == "command-1"


def test_a_key_taken_under_a_command_while_the_agent_was_away_names_it() -> None:
    box = Box()
    box.command()
    box.contacts[1] = (False, True)
    box.reboot()
    box.forget()
    box.see()
    assert (box.last(KeyTaken).command, box.last(KeyTaken).seen_late) == ("command-1", True)
    assert box.released() == []


def test_a_command_resent_is_answered_the_same_and_carried_out_once() -> None:
    box = Box()
    box.command()
    box.opens(1)
    box.take(1)
    box.shut(1)
    box.pass_time(10 * MINUTE_MS)
    box.forget()
    assert [type(effect) for effect in box.command()] == [model.Reply]
    box.reboot()
    box.see()
    box.forget()
    assert [type(effect) for effect in box.command()] == [model.Reply]
    assert answers(box) == [("command-1", ReplyOutcome.COMPLETED, None)]


def test_a_refusal_is_final_too() -> None:
    box = Box()
    box.event(CabinetLost("no answer"))
    box.command()
    assert refused(box, Reason.CABINET_SILENT)
    box.see()
    box.forget()
    box.command()
    assert answers(box) == [("command-1", ReplyOutcome.REFUSED, Reason.CABINET_SILENT)]
    assert (box.kinds(), box.released()) == ([], [])


def test_a_counter_that_was_passed_opens_nothing_even_after_a_reboot() -> None:
    box = Box()
    box.command("command-7", counter=7)
    box.reboot()
    box.see()
    box.elapse()
    box.forget()
    box.command("command-5", counter=5)
    box.command("command-8", counter=7)
    assert answers(box) == [
        ("command-5", ReplyOutcome.REFUSED, Reason.OUT_OF_ORDER),
        ("command-8", ReplyOutcome.REFUSED, Reason.OUT_OF_ORDER),
    ]
    assert (box.kinds(), box.released()) == ([], [])


def test_a_command_older_than_what_is_remembered_is_answered_by_nothing() -> None:
    box = Box()
    box.command("command-1", counter=1, slot=99)
    for counter in range(2, RECENT_MAX + 2):
        box.command(f"command-{counter}", counter=counter, slot=99)
    box.forget()
    assert box.command("command-1", counter=1, slot=99) == []
    assert box.station.commands.unanswerable == 1
    box.command("command-2", counter=2, slot=99)
    assert answers(box) == [("command-2", ReplyOutcome.REFUSED, Reason.UNSUPPORTED)]


def test_an_expired_command_is_never_executed() -> None:
    box = Box()
    box.command(expires_ms=box.now_ms)
    fact = box.last(CommandDecided)
    assert (fact.outcome, fact.reason) == ("expired", Reason.EXPIRED)
    assert answers(box) == [("command-1", ReplyOutcome.EXPIRED, Reason.EXPIRED)]
    box.command(expires_ms=box.now_ms + MINUTE_MS)
    assert answers(box)[-1] == ("command-1", ReplyOutcome.EXPIRED, Reason.EXPIRED)
    assert box.released() == []


def test_without_a_trusted_clock_expiry_cannot_be_judged() -> None:
    box = Box()
    box.handle(model.ClockRead(synchronised=False))
    box.command()
    assert refused(box, Reason.CLOCK_NOT_TRUSTED)


@pytest.mark.parametrize("slot", [None, 5, 128])
def test_a_slot_that_is_not_there_is_unsupported(slot: int | None) -> None:
    box = Box()
    box.command(slot=slot)
    assert refused(box, Reason.UNSUPPORTED)
    assert box.last(CommandDecided).slot == slot


def test_a_slot_that_somebody_is_using_is_busy() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    box.forget()
    box.command()
    assert refused(box, Reason.BUSY)
    box.opens(1)
    box.command("command-2", counter=2)
    assert refused(box, Reason.BUSY)
    box.take(1)
    assert box.last(KeyTaken).grant == "booking-1", "the command took nothing from the member"


def test_a_door_that_is_left_or_shows_open_for_long_does_not_keep_the_operator_out() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    box.opens(1)
    box.pass_time(REACH_MS)
    box.forget()
    box.command()
    assert box.released() == [1], "pulsed even so: the contact may lie"
    assert not box.station.wake_at_line_ms, "and once: nothing shows whether it opened"
    box.take(1)
    assert (box.last(KeyTaken).command, box.last(KeyTaken).grant) == ("command-1", None)


def test_a_member_whose_right_finds_the_slot_open_by_command_takes_under_the_right() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.command()
    box.badge("ann")
    assert box.kinds()[-1] == "access_refused", "not while the lock is moving"
    box.opens(1)
    box.badge("ann")
    box.take(1)
    assert (box.last(KeyTaken).grant, box.last(KeyTaken).command) == ("booking-1", None)


@pytest.mark.parametrize("slot", [1, 4])
def test_a_lock_that_does_not_move_under_a_command_is_told_and_no_reader_is_lit(slot: int) -> None:
    box = Box()
    box.command(slot=slot)
    for _ in range(PULSES_MAX):
        box.elapse()
    assert box.released() == [slot] * PULSES_MAX
    fact = box.last(ReleaseFailed)
    assert (fact.slot, fact.purpose, fact.command, fact.grant) == (slot, Purpose.COMMAND, "command-1", None)
    assert box.signals() == list[ReaderSignal]()
    assert box.station.wake_at_line_ms is None


def test_a_release_under_a_command_is_not_done_later_by_itself() -> None:
    box = Box()
    box.command()
    box.reboot()
    box.see()
    box.elapse()
    box.forget()
    assert (box.station.wake_at_line_ms, box.released()) == (None, [])


def test_a_request_for_a_report_is_answered_once_and_never_overtakes_an_order_to_open() -> None:
    box = Box()
    for _ in range(3):
        box.command("report-1", counter=9, slot=None, action="report_now")
    box.command("report-2", counter=8, slot=None, action="report_now")
    box.command("report-3", counter=10, slot=None, action="report_now", expires_ms=box.now_ms)
    assert answers(box) == [
        ("report-1", ReplyOutcome.COMPLETED, None),
        ("report-3", ReplyOutcome.EXPIRED, Reason.EXPIRED),
    ]
    assert box.kinds() == []
    box.command("command-1", counter=5)
    assert box.released() == [1]


@given(st.lists(st.tuples(st.integers(1, 60), st.booleans()), max_size=150))
def test_whatever_is_resent_replayed_and_rebooted_no_command_opens_twice(arrivals: list[tuple[int, bool]]) -> None:
    box = Box()
    first: dict[str, Answer] = {}
    opened: list[int] = []
    for counter, reboots in arrivals:
        if reboots:
            box.reboot()
            box.see()
        box.forget()
        box.command(f"command-{counter}", counter=counter)
        if box.released():
            opened.append(counter)
            box.move(1, key=True, door=True)
            box.shut(1)
        for answer in answers(box):
            if answer[2] is not Reason.OUT_OF_ORDER:
                assert first.setdefault(answer[0], answer) == answer, "a final outcome does not change"
    assert opened == sorted(set(opened)), "each once, in the order of their counters"
