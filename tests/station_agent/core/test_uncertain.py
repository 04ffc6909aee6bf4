"""Without network: how long grants go on opening, and what a box hands out whose clock nobody vouches for."""

import pytest

from contract.facts import AccessGranted, AccessRefused
from contract.messages import StationSettings
from contract.reasons import Reason
from station_agent.core import model
from station_agent.core.device_events import ReaderSignal
from tests.station_agent.core.box import HOUR_MS, MINUTE_MS, Box

DAY_MS = 24 * HOUR_MS


def refusals(box: Box) -> list[Reason]:
    return [fact.reason for fact in box.new() if isinstance(fact, AccessRefused)]


# --- days offline


def test_held_grants_open_for_seven_days_without_the_dispatcher_and_not_longer() -> None:
    box = Box()
    box.grant("booking-1", badge="ann", hours=30 * 24, take_by_ms=29 * DAY_MS)
    box.pass_time(7 * DAY_MS)
    box.forget()
    box.badge("ann")
    assert box.released() == [1]
    box.opens(1)
    box.shut(1)
    box.pass_time(1)
    box.forget()
    box.badge("ann")
    assert (refusals(box), box.released()) == ([Reason.OFFLINE_TOO_LONG], [])


@pytest.mark.parametrize("days", [6.9, 7.1])
def test_the_days_count_on_across_a_power_cut(days: float) -> None:
    box = Box()
    box.grant("booking-1", badge="ann", hours=30 * 24, take_by_ms=29 * DAY_MS)
    box.pass_time(int(days * DAY_MS))
    box.line_ms = 0
    box.boot()
    box.station.restore_desired(box._arrived(box.version))
    box.trust()
    box.see()
    box.forget()
    box.badge("ann")
    assert refusals(box) == ([] if days < 7 else [Reason.OFFLINE_TOO_LONG])


def test_a_return_works_however_long_the_dispatcher_was_not_heard() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    box.opens(1)
    box.take(1)
    box.shut(1)
    box.pass_time(60 * DAY_MS)
    box.badge("ann")
    assert box.released() == [1, 1]


def test_whatever_the_dispatcher_signed_begins_the_days_anew() -> None:
    box = Box()
    box.grant("booking-1", badge="ann", hours=30 * 24, take_by_ms=29 * DAY_MS)
    box.pass_time(6 * DAY_MS)
    assert box.station.silent_ms(box.now) == 6 * DAY_MS
    box.command(action="report_now", slot=None)
    box.pass_time(6 * DAY_MS)
    box.badge("ann")
    assert box.released() == [1]


# --- a clock that nobody vouches for


def uncertain(box: Box, *, mark_age_ms: int = 0) -> Box:
    """Power cut, back without network: the clock reads 1970, the last known time is a little old."""
    box.pass_time(6 * MINUTE_MS)
    box.trust()  # writes the mark
    box.pass_time(mark_age_ms)
    box.line_ms = 0
    box.now_ms = 5_000
    box.boot()
    box.station.restore_desired(box._arrived(box.version))
    box.see()
    box.forget()
    return box


def pin_box() -> Box:
    return Box(pins={"ann": "4711", "bob": "0815"})


def test_the_keys_next_grant_opens_once_with_its_pin_and_says_by_what_it_was_judged() -> None:
    box = pin_box()
    box.grant("booking-1", badge="ann", start_ms=HOUR_MS)
    uncertain(box)
    box.badge("ann")
    assert box.signals() == [ReaderSignal.PIN], "also a card that else needs no PIN"
    box.keys("4711")
    granted = box.last(AccessGranted)
    assert (box.released(), granted.clock_trusted) == ([1], False)
    assert granted.lower_bound_ms is not None
    box.opens(1)
    box.take(1)
    box.shut(1)
    box.tag("tag-1")
    box.opens(1)
    box.hang(1)
    box.shut(1)
    box.forget()
    box.badge("ann")
    assert refusals(box) == [Reason.CLOCK_NOT_TRUSTED]


def test_a_wrong_pin_opens_nothing() -> None:
    box = pin_box()
    box.grant("booking-1", badge="ann")
    uncertain(box)
    box.badge("ann")
    box.keys("0815")
    assert (refusals(box), box.released()) == ([Reason.WRONG_PIN], [])


def test_a_badge_without_a_pin_gets_nothing_then() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    uncertain(box)
    box.badge("ann")
    assert refusals(box) == [Reason.CLOCK_NOT_TRUSTED]


def test_a_fleet_that_says_refuse_gets_nothing_then() -> None:
    box = pin_box()
    box.settings = StationSettings(uncertain_clock="refuse")
    box.grant("booking-1", badge="ann")
    uncertain(box)
    box.badge("ann")
    assert refusals(box) == [Reason.CLOCK_NOT_TRUSTED]


@pytest.mark.parametrize(("start_h", "hours", "opens"), [(11.5, 2, True), (12.5, 2, False), (-3, 2.9, False)])
def test_only_what_may_be_running_within_twelve_hours_of_the_earliest_time_opens(
    start_h: float, hours: float, opens: bool
) -> None:
    box = pin_box()
    box.grant("booking-1", badge="ann", start_ms=int(start_h * HOUR_MS), hours=hours)
    uncertain(box)
    box.badge("ann")
    box.keys("4711")
    assert (box.released() == [1]) is opens


def test_somebody_elses_earlier_grant_on_the_key_comes_first_until_it_is_used() -> None:
    box = pin_box()
    box.grant("booking-1", badge="bob", start_ms=HOUR_MS, hours=1)
    box.grant("booking-2", badge="ann", start_ms=2 * HOUR_MS)
    uncertain(box)
    box.badge("ann")
    assert refusals(box) == [Reason.CLOCK_NOT_TRUSTED]
    box.badge("bob")
    box.keys("0815")
    box.opens(1)
    box.take(1)
    box.shut(1)
    box.tag("tag-1")
    box.opens(1)
    box.hang(1)
    box.shut(1)
    box.effects.clear()
    box.badge("ann")
    box.keys("4711")
    assert box.released() == [1]


def test_a_box_that_never_knew_the_time_hands_out_nothing() -> None:
    box = pin_box()
    box.grant("booking-1", badge="ann")
    box.picture = "{}"
    box.boot()
    box.station.restore_desired(box._arrived(box.version))
    box.see()
    box.forget()
    box.badge("ann")
    assert refusals(box) == [Reason.CLOCK_NOT_TRUSTED]


def test_the_earliest_time_moves_on_with_the_line_clock() -> None:
    box = pin_box()
    box.grant("booking-1", badge="ann", hours=1)
    uncertain(box)
    box.pass_time(2 * HOUR_MS)
    box.badge("ann")
    assert refusals(box) == [Reason.CLOCK_NOT_TRUSTED], "an hour after its end at least"


def test_a_clock_that_was_stepped_within_a_boot_leaves_the_earliest_time_to_the_line_clock() -> None:
    box = pin_box()
    box.grant("booking-1", badge="ann", start_ms=HOUR_MS)
    box.pass_time(HOUR_MS)
    box.now_ms += 40 * DAY_MS
    box.handle(model.ClockRead(synchronised=True))
    box.forget()
    box.badge("ann")
    box.keys("4711")
    granted = box.last(AccessGranted)
    assert box.released() == [1]
    assert granted.lower_bound_ms is not None
    assert granted.at_ms - granted.lower_bound_ms == 40 * DAY_MS
