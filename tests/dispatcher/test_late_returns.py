"""Which bookings are offered another vehicle, which vehicle, and when an offer is over."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from dispatcher.core.booking_states import BookingState
from dispatcher.core.late_returns import Candidate, Late, OfferView, Why, at_risk, choose, due_window, ends_ms, over
from dispatcher.core.rules import FleetRules
from dispatcher.core.windows import HOUR_MS, MINUTE_MS, Window

NOW_MS = 1_790_000_100_000
RULES = FleetRules()
WINDOW = Window(NOW_MS + HOUR_MS, NOW_MS + 3 * HOUR_MS)
OPEN = OfferView(BookingState.BOOKED, WINDOW, WINDOW, at_risk=True, badge_shown=False, key_there=True)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"at_risk": False}, Why.NOT_NEEDED),
        ({"state": BookingState.ACTIVE}, Why.KEY_TAKEN),
        ({"state": BookingState.RETURNED}, Why.KEY_TAKEN),
        ({"state": BookingState.CANCELLED}, Why.BOOKING_OVER),
        ({"window": Window(WINDOW.start_ms, WINDOW.end_ms + HOUR_MS)}, Why.BOOKING_CHANGED),
        ({"badge_shown": True}, Why.BADGE_SHOWN),
        ({"key_there": False}, Why.NOT_THERE),
    ],
)
def test_an_offer_stands_until_something_ends_it(changes: dict[str, Any], why: Why | None) -> None:
    assert over(RULES, replace(OPEN, **changes), NOW_MS) is why


def test_an_offer_ends_a_quarter_of_an_hour_before_the_start() -> None:
    limit_ms = WINDOW.start_ms - 15 * MINUTE_MS
    assert ends_ms(RULES, WINDOW.start_ms) == limit_ms
    assert over(RULES, OPEN, limit_ms - 1) is None
    assert over(RULES, OPEN, limit_ms) is Why.TOO_LATE


def test_a_fleet_without_offers_has_none_open() -> None:
    assert over(FleetRules(swap_offers=False), OPEN, NOW_MS) is Why.SWITCHED_OFF


def test_a_late_vehicle_puts_all_its_bookings_at_risk_and_a_block_those_that_it_hits() -> None:
    late = at_risk(
        [
            ("key_overdue", "car-1", "booking-1"),
            ("key_at_wrong_station", "car-2", None),
            ("booking_blocked", "car-3", "booking-3"),
            ("key_missing", "car-4", None),
        ]
    )
    assert late == Late(frozenset({"car-1", "car-2"}), frozenset({"booking-3"}))


def test_only_bookings_within_the_lead_are_looked_at() -> None:
    assert due_window(RULES, NOW_MS) == Window(NOW_MS + 15 * MINUTE_MS, NOW_MS + 60 * MINUTE_MS)


def test_the_nearest_vehicle_whose_key_is_there_is_chosen() -> None:
    here = Candidate("car-2", 0, key_there=False)
    near = Candidate("car-3", 900, key_there=True)
    nearer_no = Candidate("car-4", 800, key_there=True)
    assert choose(RULES, [here, nearer_no, near], refused=["car-4"]) == near


def test_nobody_is_sent_farther_than_the_fleet_wants() -> None:
    assert choose(RULES, [Candidate("car-3", 1501, key_there=True)], ()) is None
    assert choose(RULES, [Candidate("car-3", 1500, key_there=True)], ()) is not None


def test_a_lead_must_leave_time_to_say_yes() -> None:
    with pytest.raises(ValidationError, match="swap_lead_min 15: expected more than swap_consent_min, 15"):
        FleetRules(swap_lead_min=15)
