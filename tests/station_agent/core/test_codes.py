"""What the hotline reads out opens its slot once, in its time, and nobody guesses it."""

import pytest

from contract.facts import AccessGranted, AccessRefused, KeyTaken, Purpose, ReleaseFailed
from contract.reasons import Reason
from contract.release_codes import WINDOW_MS, release_code, release_code_key, window_number
from station_agent.core.device_events import CardRead, KeypadPressed, ReaderSignal
from tests.station_agent.core.box import DIGEST_KEY, HOUR_MS, MINUTE_MS, START_MS, Box, number_of

DAY_MS = 24 * HOUR_MS
KEY = release_code_key(DIGEST_KEY)


def code(slot: int = 1, *, number: int | None = None, wall_ms: int = START_MS) -> str:
    return release_code(KEY, slot, window_number(wall_ms) if number is None else number)


def reasons(box: Box) -> list[Reason]:
    return [fact.reason for fact in box.new() if isinstance(fact, AccessRefused)]


def uncertain_box() -> Box:
    """After a reboot without network: nobody vouches for its clock, which reads 1970."""
    box = Box()
    box.pass_time(6 * MINUTE_MS)
    box.trust()  # the mark is written now
    box.boot()
    box.now_ms = 5_000
    box.see()
    box.forget()
    return box


def test_a_code_opens_its_slot_and_names_itself_in_the_facts() -> None:
    box = Box()
    box.keys(code(2))
    granted = box.last(AccessGranted)
    assert (granted.slot, granted.purpose, granted.badge, granted.grant) == (2, Purpose.RELEASE_CODE, None, None)
    assert granted.code == window_number(START_MS)
    assert (box.released(), box.signals()) == ([2], [ReaderSignal.TAKEN])
    box.opens(2)
    box.take(2)
    assert box.last(KeyTaken).code == granted.code
    assert box.last(KeyTaken).grant is None


def test_a_code_is_ended_by_its_last_digit_and_not_before() -> None:
    box = Box()
    for digit in code()[:-1]:
        box.keys(digit)
    assert box.released() == []
    box.keys(code()[-1])
    assert box.released() == [1]


@pytest.mark.parametrize(("later_ms", "opens"), [(0, True), (WINDOW_MS, True), (2 * WINDOW_MS, False)])
def test_a_code_is_good_for_its_ten_minutes_and_the_next(later_ms: int, opens: bool) -> None:
    box = Box()
    made = code(wall_ms=box.now_ms)
    box.pass_time(later_ms)
    box.keys(made)
    assert (box.released() == [1]) is opens
    assert (reasons(box) == [Reason.WRONG_CODE]) is not opens


def test_several_codes_made_within_one_window_each_open_once() -> None:
    box = Box()
    first = window_number(START_MS)
    for number, slot in enumerate((1, 2, 3), start=first):
        box.keys(code(slot, number=number))
    assert box.released() == [1, 2, 3]


def test_a_used_code_opens_nothing_again_nor_does_an_older_one_of_its_slot_also_after_a_reboot() -> None:
    box = Box()
    first = window_number(START_MS)
    box.keys(code(4, number=first + 1))
    box.opens(4)
    box.shut(4)
    box.reboot()
    box.see()
    box.forget()
    box.keys(code(4, number=first + 1))
    box.keys(code(4, number=first))
    assert (reasons(box), box.released()) == ([Reason.WRONG_CODE] * 2, [])


def test_three_wrong_codes_within_the_hour_end_the_tries_for_everybody() -> None:
    box = Box()
    for wrong in ("00000000", "00000001", "00000002"):
        box.keys(wrong)
    box.keys(code())
    assert reasons(box) == [Reason.WRONG_CODE] * 3 + [Reason.TOO_MANY_TRIES]
    assert box.signals()[-1] is ReaderSignal.CALL
    box.reboot()
    box.see()
    box.keys(code())
    assert box.released() == []
    box.pass_time(HOUR_MS)
    box.keys(code(wall_ms=box.now_ms))
    assert box.released() == [1]


def test_another_cabinets_code_opens_nothing() -> None:
    box = Box()
    box.keys(release_code(release_code_key(bytes(31) + b"\x01"), 1, window_number(START_MS)))
    assert (reasons(box), box.released()) == ([Reason.WRONG_CODE], [])


def test_a_box_whose_clock_nobody_vouches_for_takes_the_codes_of_a_day_from_its_last_known_time() -> None:
    box = uncertain_box()
    box.keys(code(wall_ms=START_MS + 20 * HOUR_MS))
    assert box.released() == [1]
    granted = box.last(AccessGranted)
    assert granted.lower_bound_ms is not None
    assert START_MS < granted.lower_bound_ms < START_MS + HOUR_MS


def test_a_code_of_another_day_is_wrong_where_the_clock_is_not_trusted() -> None:
    box = uncertain_box()
    box.keys(code(wall_ms=START_MS + 26 * HOUR_MS))
    box.keys(code(wall_ms=START_MS - HOUR_MS))
    assert (reasons(box), box.released()) == ([Reason.WRONG_CODE] * 2, [])


def test_a_box_that_never_knew_the_time_takes_no_code() -> None:
    box = Box()
    box.picture = "{}"
    box.boot()
    box.see()
    box.forget()
    box.keys(code())
    assert reasons(box) == [Reason.CLOCK_NOT_TRUSTED]


def test_a_code_opens_nothing_where_nothing_can_be_written() -> None:
    box = Box()
    box.disk_is_good = False
    box.keys(code())
    assert (box.released(), box.signals()) == ([], [ReaderSignal.CALL])
    box.keys(code(2))
    assert box.released() == [], "also when it is known that nothing can be written"
    box.disk_is_good = True
    box.elapse()
    assert reasons(box) == [Reason.NOT_DURABLE] * 2


def test_a_code_for_a_slot_that_is_being_opened_is_busy_and_stays_good() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    box.forget()
    box.keys(code())
    assert reasons(box) == [Reason.BUSY]
    box.opens(1)
    box.shut(1)
    box.keys(code())
    assert box.last(AccessGranted).purpose is Purpose.RELEASE_CODE


def test_a_lock_that_does_not_open_under_a_code_is_named_with_it() -> None:
    box = Box()
    box.keys(code())
    while "release_failed" not in box.kinds():
        box.elapse()
    assert box.last(ReleaseFailed).code == window_number(START_MS)


def test_a_return_reader_takes_no_code() -> None:
    box = Box()
    box.event(KeypadPressed("returns", code()))
    assert (box.kinds(), box.effects) == ([], [])


def test_digits_that_end_before_they_are_a_code_are_a_wrong_one() -> None:
    box = Box()
    box.keys("123#")
    assert reasons(box) == [Reason.WRONG_CODE]


def test_a_card_between_the_digits_of_a_code_ends_it() -> None:
    box = Box()
    box.keys(code()[:4])
    box.event(CardRead("entrance", 64, number_of("stranger", 8)))
    box.keys(code()[4:])
    assert box.released() == []


def test_codes_are_eight_digits_and_differ_by_cabinet_slot_and_number() -> None:
    made = {release_code(KEY, slot, number) for slot in range(1, 17) for number in range(200)}
    assert all(len(each) == 8 and each.isdigit() for each in made)
    assert len(made) > 3190, "3,200 draws of 100 million"
