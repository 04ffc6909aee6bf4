"""When an event is sent again, and when nobody tries any more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.deliveries import (
    GIVE_UP_MS,
    REST_MAX_S,
    RETRIES_S,
    RETRY_AFTER_MAX_S,
    Attempt,
    Outcome,
    after_failure,
    outcome_of,
    retry_after_s,
)
from dispatcher.core.windows import HOUR_MS

FAILED = Attempt(Outcome.FAILED, 500)


def test_the_schedule_lasts_between_one_day_and_three() -> None:
    longest_ms = sum(RETRIES_S) * 1000
    assert longest_ms / 2 >= 24 * HOUR_MS
    assert longest_ms <= GIVE_UP_MS == 72 * HOUR_MS


def test_each_delay_is_longer_than_the_one_before() -> None:
    assert list(RETRIES_S) == sorted(set(RETRIES_S))


@given(attempts=st.integers(1, len(RETRIES_S)), chance=st.floats(0, 1), failures=st.integers(1, 10_000))
def test_a_delay_lies_between_half_and_all_of_its_entry(attempts: int, chance: float, failures: int) -> None:
    following = after_failure(FAILED, attempts, failures, 1000, chance)
    assert following.again_ms is not None
    assert RETRIES_S[attempts - 1] * 500 <= following.again_ms - 1000 <= RETRIES_S[attempts - 1] * 1000
    assert 0 < following.rest_until_ms - 1000 <= REST_MAX_S * 1000


def test_after_the_last_entry_it_is_a_dead_letter() -> None:
    assert after_failure(FAILED, len(RETRIES_S), 1, 0, 0.5).again_ms is not None
    assert after_failure(FAILED, len(RETRIES_S) + 1, 1, 0, 0.5).again_ms is None


def test_a_receiver_may_ask_for_more_time_and_not_for_less() -> None:
    asked = after_failure(Attempt(Outcome.BUSY, 503, 7200), 1, 1, 0, 1.0)
    assert (asked.again_ms, asked.rest_until_ms) == (7_200_000, 7_200_000)
    assert after_failure(Attempt(Outcome.BUSY, 503, 0), 4, 1, 0, 1.0).again_ms == RETRIES_S[3] * 1000
    too_long = after_failure(Attempt(Outcome.BUSY, 503, 10**8), 1, 1, 0, 1.0)
    assert too_long.again_ms == RETRY_AFTER_MAX_S * 1000


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.DELIVERED),
        (204, Outcome.DELIVERED),
        (301, Outcome.REDIRECTED),
        (400, Outcome.REFUSED),
        (401, Outcome.REFUSED),
        (410, Outcome.GONE),
        (429, Outcome.BUSY),
        (500, Outcome.FAILED),
        (503, Outcome.BUSY),
        (599, Outcome.FAILED),
        (199, Outcome.GARBLED),
        (999, Outcome.GARBLED),
    ],
)
def test_a_status_means_one_outcome(status: int, outcome: Outcome) -> None:
    assert outcome_of(status) is outcome


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 110),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Thu, 01 Jan 1970 00:00:00", None),
        ("soon", None),
        ("-5", None),
        ("1" * 400, None),
        ("\xb2", None),
        ("", None),
    ],
)
def test_a_wish_is_seconds_or_a_date(header: str, seconds: int | None) -> None:
    assert retry_after_s(header, 10_000) == seconds


@given(st.text(max_size=60))
def test_whatever_a_receiver_asks_for_is_no_reason_to_break(header: str) -> None:
    found = retry_after_s(header, 0)
    assert found is None or found >= 0
