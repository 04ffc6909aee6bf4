"""The feed's own sums say what the rules of booking say, over many calendars."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.availability import Holding, KeyPlace, NotFree, VehicleView, judge
from dispatcher.core.booking_states import HOLDING_STATES, BookingState
from dispatcher.core.grants import horizon_ms
from dispatcher.core.rules import BookingReason, FleetRules
from dispatcher.core.windows import DAY_MS, HOUR_MS, MINUTE_MS, Window
from dispatcher.open_data.judging import (
    WALK_MS,
    available_until_ms,
    bookable,
    fresh_energy,
    looked_at,
    next_window,
    presence_of,
)
from dispatcher.open_data.snapshot import Energy, Presence

RULES = FleetRules()
GRID_MS = RULES.grid_ms
NOW_MS = 1_000 * HOUR_MS + 7 * MINUTE_MS
NEXT_MS = 1_000 * HOUR_MS + 15 * MINUTE_MS
PLACES: tuple[KeyPlace, ...] = ("in_slot", "taken", "missing", "elsewhere", "unknown")
PLAIN = VehicleView("v-1", in_service=True, key_in_service=True, key_place="in_slot", holdings=())


@st.composite
def calendars(draw: st.DrawFn) -> tuple[Holding, ...]:
    """End to end, with gaps; the first may be under way, or overdue."""
    at_ms = 1_000 * HOUR_MS - draw(st.integers(0, 12)) * GRID_MS
    found = []
    for number in range(draw(st.integers(0, 6))):
        at_ms += draw(st.integers(0, 9)) * GRID_MS
        window = Window(at_ms, at_ms + draw(st.integers(1, 12)) * GRID_MS)
        at_ms = window.end_ms
        begun = window.start_ms <= NOW_MS
        state = draw(st.sampled_from(sorted(HOLDING_STATES))) if begun else BookingState.BOOKED
        found.append(Holding(f"b-{number}", state, *window))
    return tuple(found)


@given(
    calendar=calendars(),
    place=st.sampled_from(PLACES),
    now_ms=st.sampled_from([NOW_MS, NEXT_MS, NEXT_MS - 1]),
    silent=st.booleans(),
)
def test_a_slot_is_told_exactly_where_a_booking_would_be_taken(
    calendar: tuple[Holding, ...], place: KeyPlace, now_ms: int, *, silent: bool
) -> None:
    view = replace(PLAIN, holdings=calendar, key_place=place)
    slots = tuple(bookable(view, RULES, now_ms, is_silent=silent))
    within = looked_at(RULES, now_ms)
    for start_ms in range(within.start_ms, within.start_ms + DAY_MS, GRID_MS):
        wanted = Window(start_ms, start_ms + RULES.minimum_ms)
        is_taken = judge(RULES, view, wanted, now_ms) is None
        if silent and start_ms <= horizon_ms(RULES, now_ms):
            is_taken = False
        assert is_taken is any(slot.contains(wanted) for slot in slots), wanted


@given(calendars(), st.sampled_from(PLACES))
def test_what_is_available_has_a_slot_from_the_next_grid_point_to_where_it_must_be_back(
    calendar: tuple[Holding, ...], place: KeyPlace
) -> None:
    view = replace(PLAIN, holdings=calendar, key_place=place)
    verdict = judge(RULES, view, next_window(RULES, NOW_MS), NOW_MS)
    slots = tuple(bookable(view, RULES, NOW_MS, is_silent=False))
    if presence_of(view, verdict, is_silent=False) is Presence.AVAILABLE:
        assert slots[0].start_ms == NEXT_MS
        until_ms = available_until_ms(view, RULES, NOW_MS)
        assert until_ms is None or until_ms == slots[0].end_ms
        assert until_ms is not None or not any(it.window.start_ms > NOW_MS for it in view.holdings)


@pytest.mark.parametrize(
    ("view", "reason", "silent", "presence"),
    [
        (PLAIN, None, False, Presence.AVAILABLE),
        (replace(PLAIN, key_place="unknown"), None, False, Presence.AVAILABLE),
        (PLAIN, None, True, Presence.DISABLED),
        (PLAIN, BookingReason.VEHICLE_NOT_FREE, False, Presence.RESERVED),
        (PLAIN, BookingReason.VEHICLE_BLOCKED, False, Presence.DISABLED),
        (PLAIN, BookingReason.IN_SERVICE_ORDER, False, Presence.DISABLED),
        (PLAIN, BookingReason.KEY_NOT_IN_SERVICE, False, Presence.DISABLED),
        (replace(PLAIN, key_place="taken"), BookingReason.VEHICLE_NOT_BACK, False, Presence.AWAY),
        (replace(PLAIN, key_place="taken"), None, False, Presence.AWAY),
        (replace(PLAIN, key_place="missing"), BookingReason.KEY_NOT_PRESENT, False, Presence.AWAY),
        (replace(PLAIN, key_place="elsewhere"), None, True, Presence.AWAY),
        (
            replace(PLAIN, holdings=(Holding("b", BookingState.ACTIVE, NOW_MS, NEXT_MS),)),
            None,
            False,
            Presence.AWAY,
        ),
        (
            replace(PLAIN, holdings=(Holding("b", BookingState.RETURNED, NOW_MS, NEXT_MS),)),
            BookingReason.VEHICLE_NOT_FREE,
            False,
            Presence.RESERVED,
        ),
    ],
)
def test_how_a_vehicle_is_told(
    view: VehicleView, reason: BookingReason | None, presence: Presence, *, silent: bool
) -> None:
    verdict = None if reason is None else NotFree("v-1", reason, None)
    assert presence_of(view, verdict, is_silent=silent) is presence


def test_a_vehicle_without_a_key_in_service_has_no_slot() -> None:
    for view in (replace(PLAIN, key_in_service=False), replace(PLAIN, in_service=False)):
        assert tuple(bookable(view, RULES, NOW_MS, is_silent=False)) == ()


def test_a_week_is_told_and_no_more_than_can_be_booked() -> None:
    assert looked_at(RULES, NOW_MS) == Window(NEXT_MS, NEXT_MS + 7 * DAY_MS)
    near = RULES.model_copy(update={"horizon_days": 1})
    assert looked_at(near, NOW_MS) == Window(NEXT_MS, 1_000 * HOUR_MS + DAY_MS)


@pytest.mark.parametrize(
    ("told_ms", "since_ms", "fresh"),
    [
        (NOW_MS - 24 * HOUR_MS, None, True),
        (NOW_MS - 24 * HOUR_MS - 1, None, False),
        (NOW_MS - HOUR_MS, NOW_MS - HOUR_MS + WALK_MS, True),
        (NOW_MS - HOUR_MS, NOW_MS - HOUR_MS + WALK_MS + 1, False),
        (None, None, False),
    ],
    ids=["a day old", "older", "when it was parked", "from before the drive", "never"],
)
def test_energy_is_told_only_while_it_is_fresh(told_ms: int | None, since_ms: int | None, *, fresh: bool) -> None:
    told = fresh_energy(70, told_ms, since_ms, RULES, NOW_MS)
    assert told == (Energy(70, told_ms) if fresh and told_ms is not None else None)
    assert fresh_energy(None, told_ms, since_ms, RULES, NOW_MS) is None
