"""Which intervals are free: properties over many calendars, then the reasons one by one."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.availability import (
    Holding,
    KeyPlace,
    VehicleView,
    by_fit,
    free_intervals,
    is_free,
    judge,
    latest_end_ms,
    next_free,
    occupied,
)
from dispatcher.core.booking_states import FINAL_STATES, HOLDING_STATES, BookingState
from dispatcher.core.rules import BookingReason, FleetRules
from dispatcher.core.windows import MINUTE_MS, Window

RULES = FleetRules()
GRID_MS = RULES.grid_ms
HOUR_MS = 60 * MINUTE_MS
NOW_MS = 1_000 * HOUR_MS

HOLDING = sorted(HOLDING_STATES)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    start = draw(st.integers(0, 200))
    return Window(NOW_MS + start * GRID_MS, NOW_MS + (start + draw(st.integers(1, 40))) * GRID_MS)


@st.composite
def calendars(draw: st.DrawFn) -> tuple[Holding, ...]:
    """Bookings of one vehicle as the database holds them: none overlaps another."""
    kept: list[Holding] = []
    for index, window in enumerate(draw(st.lists(windows(), max_size=8))):
        if is_free(kept, window):
            kept.append(Holding(f"b{index}", draw(st.sampled_from(HOLDING)), *window))
    return tuple(kept)


def _view(*holdings: Holding, key_place: KeyPlace = "in_slot") -> VehicleView:
    return VehicleView("v-1", in_service=True, key_in_service=True, key_place=key_place, holdings=holdings)


def _holding(start_ms: int, end_ms: int, state: BookingState = BookingState.BOOKED) -> Holding:
    return Holding("b", state, start_ms, end_ms)


@given(calendars(), windows())
def test_a_window_is_free_exactly_where_it_lies_in_a_free_interval(
    calendar: tuple[Holding, ...], window: Window
) -> None:
    within = Window(NOW_MS, NOW_MS + 300 * GRID_MS)
    intervals = free_intervals(occupied(calendar, NOW_MS - 1), within)
    assert is_free(calendar, window) is any(interval.contains(window) for interval in intervals)


@given(calendars(), windows())
def test_free_and_taken_intervals_fill_the_window_without_overlap(
    calendar: tuple[Holding, ...], within: Window
) -> None:
    busy = occupied(calendar, NOW_MS - 1)
    free = free_intervals(busy, within)
    inside = [
        Window(max(taken.start_ms, within.start_ms), min(taken.end_ms, within.end_ms))
        for taken in busy
        if taken.overlaps(within)
    ]
    pieces = sorted([*free, *inside])
    assert pieces[0].start_ms == within.start_ms
    assert pieces[-1].end_ms == within.end_ms
    assert all(one.end_ms == other.start_ms for one, other in itertools.pairwise(pieces))


@given(calendars(), st.integers(4, 60))
def test_the_next_free_interval_is_long_enough_free_and_the_earliest(
    calendar: tuple[Holding, ...], steps: int
) -> None:
    within = Window(NOW_MS, NOW_MS + 300 * GRID_MS)
    length_ms = steps * GRID_MS
    busy = sorted(it.window for it in calendar if it.state in HOLDING_STATES)
    found = next_free(busy, within, length_ms, GRID_MS)
    possible = [
        start_ms
        for start_ms in range(within.start_ms, within.end_ms - length_ms + 1, GRID_MS)
        if is_free(calendar, Window(start_ms, start_ms + length_ms))
    ]
    if found is None:
        assert not possible
    else:
        assert found.start_ms == possible[0]
        assert is_free(calendar, found)


@given(calendars(), windows())
def test_an_extension_to_the_latest_end_is_free_and_one_step_more_is_not(
    calendar: tuple[Holding, ...], window: Window
) -> None:
    horizon_ms = NOW_MS + 1000 * GRID_MS
    latest_ms = latest_end_ms(calendar, window.start_ms, horizon_ms, GRID_MS)
    if latest_ms > window.start_ms:
        assert is_free(calendar, Window(window.start_ms, latest_ms))
    if latest_ms < horizon_ms:
        assert not is_free(calendar, Window(window.start_ms, latest_ms + GRID_MS))


@given(windows(), windows())
def test_overlap_is_the_same_seen_from_either_side(one: Window, other: Window) -> None:
    assert one.overlaps(other) is other.overlaps(one)
    assert one.overlaps(other) is (max(one.start_ms, other.start_ms) < min(one.end_ms, other.end_ms))


def test_windows_that_touch_do_not_overlap() -> None:
    assert not Window(0, 10).overlaps(Window(10, 20))


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
def test_a_booking_that_is_over_takes_no_time(state: BookingState) -> None:
    over = _holding(NOW_MS, NOW_MS + HOUR_MS, state)
    assert is_free([over], over.window)
    assert occupied([over], NOW_MS) == ()


def test_a_vehicle_that_is_overdue_is_away_now_and_free_later() -> None:
    overdue = _holding(NOW_MS - 3 * HOUR_MS, NOW_MS - HOUR_MS, BookingState.ACTIVE)
    now = judge(RULES, _view(overdue, key_place="taken"), Window(NOW_MS, NOW_MS + HOUR_MS), NOW_MS)
    assert now is not None
    assert now.reason is BookingReason.VEHICLE_NOT_BACK
    assert now.next_free is not None
    assert now.next_free.start_ms == NOW_MS + GRID_MS
    later = Window(NOW_MS + HOUR_MS, NOW_MS + 2 * HOUR_MS)
    assert judge(RULES, _view(overdue, key_place="taken"), later, NOW_MS) is None


def test_a_taken_vehicle_names_the_next_interval_that_is_long_enough() -> None:
    calendar = (
        _holding(NOW_MS, NOW_MS + 2 * HOUR_MS),
        _holding(NOW_MS + 3 * HOUR_MS, NOW_MS + 4 * HOUR_MS),
        _holding(NOW_MS + 9 * HOUR_MS, NOW_MS + 10 * HOUR_MS),
    )
    verdict = judge(RULES, _view(*calendar), Window(NOW_MS, NOW_MS + 2 * HOUR_MS), NOW_MS)
    assert verdict is not None
    assert verdict.reason is BookingReason.VEHICLE_NOT_FREE
    assert verdict.next_free == Window(NOW_MS + 4 * HOUR_MS, NOW_MS + 9 * HOUR_MS)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"in_service": False}, BookingReason.VEHICLE_NOT_IN_SERVICE),
        ({"key_in_service": False}, BookingReason.KEY_NOT_IN_SERVICE),
        ({"key_place": "missing"}, BookingReason.KEY_NOT_PRESENT),
        ({"key_place": "elsewhere"}, BookingReason.KEY_NOT_PRESENT),
        ({"key_place": "taken"}, BookingReason.KEY_NOT_PRESENT),
    ],
)
def test_a_vehicle_that_cannot_be_handed_out_now_says_why_and_promises_no_time(
    change: dict[str, object], reason: BookingReason
) -> None:
    view = replace(_view(), **change)  # type: ignore[arg-type]  # one field of the table above
    verdict = judge(RULES, view, Window(NOW_MS, NOW_MS + HOUR_MS), NOW_MS)
    assert verdict is not None
    assert (verdict.reason, verdict.next_free) == (reason, None)


@pytest.mark.parametrize("place", ["taken", "missing", "elsewhere"])
def test_a_key_that_is_away_today_does_not_stop_a_booking_for_tomorrow(place: KeyPlace) -> None:
    tomorrow = Window(NOW_MS + 24 * HOUR_MS, NOW_MS + 25 * HOUR_MS)
    assert judge(RULES, _view(key_place=place), tomorrow, NOW_MS) is None


def test_a_key_of_which_nothing_was_heard_yet_does_not_stop_a_booking() -> None:
    assert judge(RULES, _view(key_place="unknown"), Window(NOW_MS, NOW_MS + HOUR_MS), NOW_MS) is None


def test_a_booking_may_follow_right_after_the_one_that_has_the_key_out() -> None:
    running = _holding(NOW_MS - HOUR_MS, NOW_MS + 5 * MINUTE_MS, BookingState.ACTIVE)
    following = Window(NOW_MS + 5 * MINUTE_MS, NOW_MS + 2 * HOUR_MS)
    assert judge(RULES, _view(running, key_place="taken"), following, NOW_MS) is None


def test_the_vehicle_with_the_tightest_gap_is_chosen_first() -> None:
    empty = replace(_view(), vehicle_id="v-empty")
    tight = replace(_view(_holding(NOW_MS + 3 * HOUR_MS, NOW_MS + 4 * HOUR_MS)), vehicle_id="v-tight")
    loose = replace(_view(_holding(NOW_MS + 9 * HOUR_MS, NOW_MS + 10 * HOUR_MS)), vehicle_id="v-loose")
    window = Window(NOW_MS + HOUR_MS, NOW_MS + 2 * HOUR_MS)
    ordered = by_fit([empty, loose, tight], window, NOW_MS)
    assert [view.vehicle_id for view in ordered] == ["v-tight", "v-loose", "v-empty"]
