from datetime import datetime

import pytest
from pydantic import ValidationError

from dispatcher.core.booking_states import FINAL_STATES, BookingState
from dispatcher.core.rules import (
    BookingReason,
    BookingTimes,
    FleetRules,
    Person,
    Refused,
    check_cancel,
    check_change,
    check_extension,
    check_people,
    check_window,
    hold_until_ms,
    replaced_take_by_ms,
    take_by_ms,
)
from dispatcher.core.windows import DAY_MS, MINUTE_MS, Window, to_ms, utc_text

RULES = FleetRules()
HOUR_MS = 60 * MINUTE_MS
NOW_MS = 20_000 * DAY_MS + 10 * HOUR_MS + 7 * MINUTE_MS  # 2024-10-04T10:07:00Z
START_MS = NOW_MS + 53 * MINUTE_MS  # 11:00
WINDOW = Window(START_MS, START_MS + 2 * HOUR_MS)


def _reason(refused: Refused | None) -> BookingReason | None:
    return refused.reason if refused is not None else None


def _booked(state: BookingState = BookingState.BOOKED, window: Window = WINDOW) -> BookingTimes:
    return BookingTimes(state, window, take_by_ms(RULES, window))


def test_a_window_on_the_grid_in_the_near_future_is_accepted() -> None:
    assert check_window(RULES, WINDOW, NOW_MS) is None


def test_the_grid_step_that_is_running_can_still_be_booked() -> None:
    running = NOW_MS - 7 * MINUTE_MS
    assert check_window(RULES, Window(running, running + HOUR_MS), NOW_MS) is None


def test_the_grid_step_before_is_in_the_past() -> None:
    past = NOW_MS - 22 * MINUTE_MS
    refused = check_window(RULES, Window(past, past + 2 * HOUR_MS), NOW_MS)
    assert refused is not None
    assert (refused.reason, refused.field) == (BookingReason.IN_THE_PAST, "start")
    assert refused.expected == "2024-10-04T10:00:00Z or later"


@pytest.mark.parametrize("end_ms", [START_MS, START_MS - HOUR_MS])
def test_a_window_ends_after_it_starts(end_ms: int) -> None:
    refused = check_window(RULES, Window(START_MS, end_ms), NOW_MS)
    assert _reason(refused) is BookingReason.END_NOT_AFTER_START


@pytest.mark.parametrize(
    ("window", "field"),
    [
        (Window(START_MS + 1, START_MS + 2 * HOUR_MS), "start"),
        (Window(START_MS + MINUTE_MS, START_MS + 2 * HOUR_MS), "start"),
        (Window(START_MS, START_MS + 2 * HOUR_MS + 10 * MINUTE_MS), "end"),
    ],
)
def test_a_time_off_the_grid_is_named(window: Window, field: str) -> None:
    refused = check_window(RULES, window, NOW_MS)
    assert refused is not None
    assert (refused.reason, refused.field) == (BookingReason.OFF_GRID, field)


def test_the_shortest_booking_is_an_hour() -> None:
    assert check_window(RULES, Window(START_MS, START_MS + HOUR_MS), NOW_MS) is None
    refused = check_window(RULES, Window(START_MS, START_MS + 45 * MINUTE_MS), NOW_MS)
    assert _reason(refused) is BookingReason.TOO_SHORT


def test_the_horizon_counts_to_the_end_of_the_booking() -> None:
    latest = (NOW_MS + 366 * DAY_MS) // (15 * MINUTE_MS) * 15 * MINUTE_MS
    assert check_window(RULES, Window(latest - HOUR_MS, latest), NOW_MS) is None
    beyond = Window(latest - HOUR_MS, latest + 15 * MINUTE_MS)
    assert _reason(check_window(RULES, beyond, NOW_MS)) is BookingReason.BEYOND_HORIZON


def test_the_key_must_be_taken_half_an_hour_after_the_start_but_never_past_the_end() -> None:
    assert take_by_ms(RULES, WINDOW) == START_MS + 30 * MINUTE_MS
    patient = FleetRules(take_by_s=86_400)
    assert take_by_ms(patient, WINDOW) == WINDOW.end_ms


def test_the_retake_hold_lasts_ten_minutes_but_never_past_the_end_and_not_at_all_after_it() -> None:
    assert hold_until_ms(RULES, START_MS, WINDOW.end_ms) == START_MS + 10 * MINUTE_MS
    shortly_before = WINDOW.end_ms - MINUTE_MS
    assert hold_until_ms(RULES, shortly_before, WINDOW.end_ms) == WINDOW.end_ms
    late = WINDOW.end_ms + MINUTE_MS
    assert hold_until_ms(RULES, late, WINDOW.end_ms) == late


OWNER = Person("m-owner", "org-1", "active")


@pytest.mark.parametrize(
    ("standing", "reason"),
    [("suspended", BookingReason.SUSPENDED), ("licence_expired", BookingReason.LICENCE_EXPIRED)],
)
def test_a_member_out_of_standing_does_not_book_and_does_not_drive(standing: str, reason: BookingReason) -> None:
    person = Person("m-other", "org-1", standing)  # type: ignore[arg-type]  # one of the two words
    assert _reason(check_people(person, (), None)) is reason
    refused = check_people(OWNER, (person,), None)
    assert refused is not None
    assert (refused.reason, refused.field, refused.value) == (reason, "driver_ids", "m-other")


def test_on_an_organisations_account_everybody_is_of_that_organisation() -> None:
    stranger = Person("m-stranger", None, "active")
    assert check_people(OWNER, (), "org-1") is None
    assert check_people(OWNER, (stranger,), None) is None
    assert _reason(check_people(OWNER, (stranger,), "org-1")) is BookingReason.NOT_OF_ORGANISATION
    assert _reason(check_people(stranger, (), "org-1")) is BookingReason.NOT_OF_ORGANISATION


def test_a_booking_not_yet_started_can_be_moved() -> None:
    moved = Window(START_MS + DAY_MS, START_MS + DAY_MS + HOUR_MS)
    assert check_change(RULES, _booked(), moved, NOW_MS, other_vehicle=True) is None


def test_a_booking_is_not_moved_into_the_past() -> None:
    moved = Window(START_MS - DAY_MS, START_MS + HOUR_MS)
    assert _reason(check_change(RULES, _booked(), moved, NOW_MS)) is BookingReason.IN_THE_PAST


def test_an_active_booking_can_be_extended_and_shortened_up_to_now() -> None:
    now_ms = START_MS + 70 * MINUTE_MS
    active = _booked(BookingState.ACTIVE)
    assert check_change(RULES, active, Window(START_MS, WINDOW.end_ms + HOUR_MS), now_ms) is None
    assert check_change(RULES, active, Window(START_MS, START_MS + 75 * MINUTE_MS), now_ms) is None
    ended = check_change(RULES, active, Window(START_MS, START_MS + 60 * MINUTE_MS), now_ms)
    assert _reason(ended) is BookingReason.IN_THE_PAST


def test_an_overdue_booking_can_still_be_extended() -> None:
    now_ms = WINDOW.end_ms + 5 * MINUTE_MS
    extended = Window(START_MS, WINDOW.end_ms + HOUR_MS)
    assert check_change(RULES, _booked(BookingState.ACTIVE), extended, now_ms) is None


def test_once_the_key_is_taken_start_and_vehicle_are_fixed() -> None:
    active = _booked(BookingState.ACTIVE)
    later = Window(START_MS + HOUR_MS, WINDOW.end_ms)
    moved = check_change(RULES, active, later, START_MS)
    swapped = check_change(RULES, active, WINDOW, START_MS, other_vehicle=True)
    assert moved is not None
    assert swapped is not None
    assert (moved.reason, moved.field) == (BookingReason.KEY_WAS_TAKEN, "start")
    assert (swapped.reason, swapped.field) == (BookingReason.KEY_WAS_TAKEN, "vehicle_id")


def test_after_take_by_a_booking_waits_for_the_cabinets_word() -> None:
    now_ms = START_MS + 30 * MINUTE_MS
    assert _reason(check_change(RULES, _booked(), WINDOW, now_ms)) is BookingReason.TAKE_BY_PASSED
    assert _reason(check_cancel(_booked(), now_ms)) is BookingReason.TAKE_BY_PASSED
    assert check_cancel(_booked(), now_ms - 1) is None


@pytest.mark.parametrize("state", [BookingState.RETURNED, *sorted(FINAL_STATES)])
def test_a_booking_that_is_over_or_returned_is_not_changed(state: BookingState) -> None:
    refused = check_change(RULES, _booked(state), WINDOW, START_MS)
    assert refused is not None
    assert refused.field == "state"
    assert refused.value == state


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (BookingState.ACTIVE, BookingReason.KEY_STILL_OUT),
        (BookingState.RETURNED, BookingReason.KEY_ALREADY_BACK),
        (BookingState.COMPLETED, BookingReason.BOOKING_COMPLETED),
        (BookingState.CANCELLED, BookingReason.BOOKING_CANCELLED),
        (BookingState.NO_SHOW, BookingReason.BOOKING_NO_SHOW),
    ],
)
def test_only_a_booking_whose_key_was_not_taken_is_cancelled(state: BookingState, reason: BookingReason) -> None:
    assert _reason(check_cancel(_booked(state), START_MS)) is reason


@pytest.mark.parametrize(
    ("field", "value"),
    [("booking_grid_min", 25), ("minimum_min", 50), ("take_by_s", 0), ("horizon_days", 0), ("gird", 15)],
)
def test_rules_that_do_not_fit_together_are_refused_by_name(field: str, value: int) -> None:
    with pytest.raises(ValidationError, match=field):
        FleetRules(**{field: value})


def test_instants_are_written_in_utc_with_milliseconds_only_where_there_are_some() -> None:
    assert utc_text(NOW_MS) == "2024-10-04T10:07:00Z"
    assert utc_text(NOW_MS + 5) == "2024-10-04T10:07:00.005Z"


def test_a_booking_of_the_running_step_can_still_be_taken() -> None:
    with pytest.raises(ValidationError, match="take_by_s"):
        FleetRules(booking_grid_min=30, take_by_s=1800)
    assert FleetRules(booking_grid_min=30, take_by_s=1801).take_by_s == 1801


def _instant_ms(text: str) -> int:
    return to_ms(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        ("2027-03-28T01:30:00+01:00", "2027-03-28T03:30:00+02:00", None),  # two hours by the clock, one that passes
        ("2027-03-28T01:30:00+01:00", "2027-03-28T03:15:00+02:00", BookingReason.TOO_SHORT),
        ("2026-10-25T02:15:00+02:00", "2026-10-25T02:15:00+01:00", None),  # none by the clock, one that passes
        ("2026-10-25T02:30:00+02:00", "2026-10-25T02:15:00+01:00", BookingReason.TOO_SHORT),
        ("2026-10-25T02:15:00+01:00", "2026-10-25T02:30:00+02:00", BookingReason.END_NOT_AFTER_START),
    ],
)
def test_a_booking_lasts_as_long_as_time_passes_whatever_the_clocks_show_that_night(
    start: str, end: str, reason: BookingReason | None
) -> None:
    now_ms = _instant_ms("2026-10-20T12:00:00+02:00")
    assert _reason(check_window(RULES, Window(_instant_ms(start), _instant_ms(end)), now_ms)) is reason


def test_take_by_and_hold_are_elapsed_time_in_the_night_when_an_hour_comes_twice() -> None:
    start_ms = _instant_ms("2026-10-25T02:45:00+02:00")
    window = Window(start_ms, start_ms + 3 * HOUR_MS)
    assert take_by_ms(RULES, window) == _instant_ms("2026-10-25T02:15:00+01:00")
    returned_ms = _instant_ms("2026-10-25T02:55:00+02:00")
    assert hold_until_ms(RULES, returned_ms, window.end_ms) == _instant_ms("2026-10-25T02:05:00+01:00")


def test_an_extension_ends_later_and_nothing_else_is_one() -> None:
    active = _booked(BookingState.ACTIVE)
    assert check_extension(active, WINDOW.end_ms + 1) is None
    refused = check_extension(active, WINDOW.end_ms)
    assert refused is not None
    assert (refused.reason, refused.field) == (BookingReason.NO_EXTENSION, "end")


def test_an_extension_ends_with_the_horizon_like_every_booking() -> None:
    latest_ms = (NOW_MS + RULES.horizon_ms) // RULES.grid_ms * RULES.grid_ms
    assert check_change(RULES, _booked(), Window(START_MS, latest_ms), NOW_MS) is None
    beyond = check_change(RULES, _booked(), Window(START_MS, latest_ms + RULES.grid_ms), NOW_MS)
    assert _reason(beyond) is BookingReason.BEYOND_HORIZON


@pytest.mark.parametrize("late_min", [0, 29, 31, 100])
def test_who_is_given_another_vehicle_never_has_less_time_to_take_it_than_before(late_min: int) -> None:
    now_ms = START_MS + late_min * MINUTE_MS
    until_ms = replaced_take_by_ms(RULES, _booked(), now_ms)
    assert until_ms == min(max(START_MS + 30 * MINUTE_MS, now_ms + 30 * MINUTE_MS), WINDOW.end_ms)
