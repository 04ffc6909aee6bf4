"""A card that only identifies opens with its PIN; wrong ones block the badge, and slow the cabinet."""

import pytest

from contract.facts import AccessGranted, AccessRefused, PinGuessing, Purpose
from contract.reasons import Reason
from station_agent.core.device_events import CabinetLost, ReaderLost, ReaderSignal
from station_agent.core.keypads import ENTRY_MS
from station_agent.core.pins import GUESSES_MAX, GUESSES_WITHIN_MS, SLOW_MS
from tests.station_agent.core.box import HOUR_MS, MINUTE_MS, Box

BLOCK_MS = 3_600_000


def staff_box() -> Box:
    """Ann has a booking, a PIN, and a staff card that asks for it."""
    box = Box(pins={"ann": "4711"})
    box.grant("booking-1", badge="ann")
    box.forget()
    return box


def reasons(box: Box) -> list[Reason]:
    return [fact.reason for fact in box.new() if isinstance(fact, AccessRefused)]


def test_a_card_that_only_identifies_waits_for_its_pin_and_opens_with_it() -> None:
    box = staff_box()
    box.staff_card("ann")
    assert (box.kinds(), box.released(), box.signals()) == (["pin_asked"], [], [ReaderSignal.PIN])
    box.keys("47")
    assert box.released() == []
    box.keys("11")
    fact = box.last(AccessGranted)
    assert (fact.badge, fact.grant, fact.purpose) == ("staff-ann", "booking-1", Purpose.TAKE)
    assert box.released() == [1]


def test_a_card_that_is_trusted_opens_without_a_pin() -> None:
    box = staff_box()
    box.badge("ann")
    assert box.released() == [1]


@pytest.mark.parametrize("keys", ["12*4711", "1*4711", "4711#", "4#47*4711"])
def test_a_star_forgets_the_digits_and_keeps_the_card(keys: str) -> None:
    box = staff_box()
    box.keys("9")
    box.staff_card("ann")
    if "#4" in keys:  # a PIN that was ended is an answer, and the card is shown again
        ended, keys = keys.split("#")
        box.keys(ended + "#")
        box.staff_card("ann")
    box.keys(keys)
    assert box.released() == [1]


def test_a_star_without_digits_takes_the_card_back() -> None:
    box = staff_box()
    box.staff_card("ann")
    box.keys("*")
    assert reasons(box) == [Reason.PIN_REQUIRED]
    box.keys("4711")
    assert box.released() == []


def test_a_wrong_pin_opens_nothing_and_invites_to_try_again() -> None:
    box = staff_box()
    box.staff_card("ann")
    box.keys("4712")
    assert (reasons(box), box.released()) == ([Reason.WRONG_PIN], [])
    assert box.signals() == [ReaderSignal.PIN, ReaderSignal.AGAIN]
    assert box.last(AccessRefused).badge == "staff-ann"


def test_a_short_pin_is_ended_by_the_hash_key_and_wrong() -> None:
    box = staff_box()
    box.staff_card("ann")
    box.keys("471#")
    assert reasons(box) == [Reason.WRONG_PIN]


def test_without_a_pin_in_time_the_card_is_refused_and_told_so() -> None:
    box = staff_box()
    box.staff_card("ann")
    box.keys("4")
    box.pass_time(1)
    assert box.station.wake_at_line_ms == box.line_ms - 1 + ENTRY_MS
    box.elapse()
    assert reasons(box) == [Reason.PIN_REQUIRED]
    box.keys("711")
    assert box.released() == []


def test_another_card_ends_the_wait_for_the_first_ones_pin() -> None:
    box = staff_box()
    box.staff_card("ann")
    box.badge("stranger")
    assert reasons(box) == [Reason.PIN_REQUIRED, Reason.UNKNOWN_BADGE]
    box.keys("4711")
    assert box.released() == []


def test_a_reader_that_is_lost_forgets_the_entry() -> None:
    box = staff_box()
    box.staff_card("ann")
    box.event(ReaderLost("entrance", "cable"))
    assert reasons(box) == [Reason.PIN_REQUIRED]
    box.keys("4711")
    assert box.released() == []


def test_a_badge_without_a_pin_opens_nothing_that_asks_for_one() -> None:
    box = Box(pins={"ann": "4711"})
    box.grant("booking-1", badge="ann")
    del box.pins["ann"]
    box.pins["ann"] = ""  # its digest is that of no digits, and nothing is keyed in without one
    box.desire()
    box.forget()
    box.staff_card("ann")
    box.keys("#")
    assert box.released() == []


def test_three_wrong_pins_in_a_row_block_the_badge_for_its_time_also_across_a_reboot() -> None:
    box = staff_box()
    for pin in ("0000", "0001", "0002"):
        box.staff_card("ann")
        box.keys(pin)
    box.staff_card("ann")
    assert reasons(box) == [Reason.WRONG_PIN] * 3 + [Reason.PIN_BLOCKED]
    assert box.signals()[-1] is ReaderSignal.CALL
    box.reboot()
    box.see()
    box.staff_card("ann")
    assert reasons(box)[-1] is Reason.PIN_BLOCKED
    box.badge("ann")
    assert box.released() == [1], "her other card is another badge, and asks for none"


def test_a_blocked_badge_is_free_again_when_its_time_is_over_and_has_all_its_tries() -> None:
    box = staff_box()
    box.grant("booking-2", badge="ann", key="key-2", hours=20, take_by_ms=10 * HOUR_MS)
    for pin in ("0000", "0001", "0002"):
        box.staff_card("ann")
        box.keys(pin)
    box.pass_time(BLOCK_MS)
    box.forget()
    box.staff_card("ann")
    box.keys("0003")
    box.staff_card("ann")
    box.keys("4711")
    assert reasons(box) == [Reason.WRONG_PIN]
    assert box.released() == [2]


def test_a_right_pin_takes_the_count_back() -> None:
    box = staff_box()
    for _ in range(3):
        for pin in ("0000", "0001"):
            box.staff_card("ann")
            box.keys(pin)
        box.staff_card("ann")
        box.keys("4711")
        box.opens(1)
        box.take(1)
        box.shut(1)
        box.tag("tag-1")
        box.opens(1)
        box.hang(1)
        box.shut(1)
        box.pass_time(MINUTE_MS)
    assert reasons(box) == [Reason.WRONG_PIN] * 6
    assert box.released() == [1] * 6


def test_bringing_a_key_back_asks_for_no_pin() -> None:
    box = staff_box()
    box.staff_card("ann")
    box.keys("4711")
    box.opens(1)
    box.take(1)
    box.shut(1)
    box.pass_time(HOUR_MS)
    box.forget()
    box.staff_card("ann")
    assert box.released() == [1]
    assert box.last(AccessGranted).purpose is Purpose.RETURN


def test_a_right_that_is_gone_when_the_pin_comes_opens_nothing() -> None:
    box = staff_box()
    box.staff_card("ann")
    box.desire(revoked=("staff-ann",))
    box.keys("4711")
    assert (reasons(box), box.released()) == ([Reason.REVOKED], [])


def test_a_cabinet_that_falls_silent_before_the_pin_opens_nothing() -> None:
    box = staff_box()
    box.staff_card("ann")
    box.event(CabinetLost("cable"))
    box.keys("4711")
    assert (reasons(box), box.released()) == ([Reason.CABINET_SILENT], [])


def test_who_could_not_take_anything_is_not_asked_for_a_pin() -> None:
    box = Box(pins={"ann": "4711"})
    box.grant("booking-1", badge="ann", start_ms=HOUR_MS)
    box.forget()
    box.staff_card("ann")
    assert reasons(box) == [Reason.TOO_EARLY]


def guessed_box() -> Box:
    """Cards of many members were tried with wrong PINs; ann's was not."""
    names = [f"member-{n}" for n in range(GUESSES_MAX)]
    box = Box(pins=dict.fromkeys([*names, "ann"], "4711"))
    for name in names:
        box.grant(f"booking-{name}", badge=name, key="key-2")
    box.grant("booking-1", badge="ann")
    for name in names:
        box.staff_card(name)
        box.keys("0000")
    return box


def test_many_wrong_pins_are_told_once_and_slow_the_cabinet_without_refusing_a_clean_badge() -> None:
    box = guessed_box()
    assert [fact.tries for fact in box.facts if isinstance(fact, PinGuessing)] == [GUESSES_MAX]
    box.forget()
    box.staff_card("ann")
    box.keys("4711")
    assert (box.released(), box.signals()) == ([], [ReaderSignal.PIN, ReaderSignal.WAIT])
    asked_ms = box.line_ms
    box.elapse()
    assert (box.released(), box.line_ms - asked_ms) == ([1], SLOW_MS)


def test_a_card_that_is_shown_while_a_slow_answer_is_awaited_ends_it() -> None:
    box = guessed_box()
    box.forget()
    box.staff_card("ann")
    box.keys("4711")
    box.badge("stranger")
    assert box.station.wake_at_line_ms is None
    assert reasons(box) == [Reason.PIN_REQUIRED, Reason.UNKNOWN_BADGE]
    assert box.released() == []


def test_after_ten_quiet_minutes_the_cabinet_answers_at_once_again() -> None:
    box = guessed_box()
    box.pass_time(GUESSES_WITHIN_MS)
    box.forget()
    box.staff_card("ann")
    box.keys("4711")
    assert box.released() == [1]


def test_what_is_keyed_in_is_in_no_fact_and_in_no_picture() -> None:
    box = staff_box()
    box.staff_card("ann")
    box.keys("4719")
    box.staff_card("ann")
    box.keys("4711")
    written = box.picture + "".join(fact.to_json() for fact in box.facts)
    assert "4719" not in written
    assert "4711" not in written
