import itertools

import pytest

from dispatcher.core.booking_states import (
    FINAL_STATES,
    HOLDING_STATES,
    REFUSALS,
    TRANSITIONS,
    BookingEvent,
    BookingState,
    TransitionReason,
    TransitionRefused,
    advance,
    is_overdue,
    state_diagram,
)
from dispatcher.store.schema import BOOKING_STATES, LIVE_BOOKING_STATES

PAIRS = list(itertools.product(BookingState, BookingEvent))


def _after(*events: BookingEvent) -> BookingState:
    state = BookingState.BOOKED
    for event in events:
        following = advance(state, event)
        assert isinstance(following, BookingState), following
        state = following
    return state


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_every_event_in_every_state_either_moves_the_booking_or_has_one_reason(
    state: BookingState, event: BookingEvent
) -> None:
    assert ((state, event) in TRANSITIONS) is not ((state, event) in REFUSALS)


def test_the_usual_booking_is_taken_returned_and_completed_when_the_hold_elapses() -> None:
    events = (BookingEvent.KEY_TAKEN, BookingEvent.KEY_RETURNED, BookingEvent.HOLD_ELAPSED)
    assert _after(*events) is BookingState.COMPLETED


def test_a_key_taken_again_within_the_hold_makes_the_booking_active_again() -> None:
    events = (BookingEvent.KEY_TAKEN, BookingEvent.KEY_RETURNED, BookingEvent.KEY_TAKEN)
    assert _after(*events) is BookingState.ACTIVE


def test_a_second_tap_completes_a_returned_booking_at_once() -> None:
    events = (BookingEvent.KEY_TAKEN, BookingEvent.KEY_RETURNED, BookingEvent.SECOND_TAP)
    assert _after(*events) is BookingState.COMPLETED


def test_a_booking_whose_key_is_out_is_neither_cancelled_nor_a_no_show() -> None:
    cancelled = advance(BookingState.ACTIVE, BookingEvent.CANCELLED)
    no_show = advance(BookingState.ACTIVE, BookingEvent.NO_SHOW_DECLARED)
    assert isinstance(cancelled, TransitionRefused)
    assert isinstance(no_show, TransitionRefused)
    assert cancelled.reason is TransitionReason.KEY_STILL_OUT
    assert no_show.reason is TransitionReason.KEY_WAS_TAKEN


@pytest.mark.parametrize("event", BookingEvent)
@pytest.mark.parametrize("state", sorted(FINAL_STATES))
def test_nothing_moves_a_booking_that_is_over(state: BookingState, event: BookingEvent) -> None:
    assert isinstance(advance(state, event), TransitionRefused)


def test_only_bookings_that_are_not_over_hold_their_vehicle() -> None:
    assert {BookingState.BOOKED, BookingState.ACTIVE, BookingState.RETURNED} == HOLDING_STATES
    assert FINAL_STATES.isdisjoint(HOLDING_STATES)


def test_overdue_begins_with_the_end_itself_since_windows_are_half_open() -> None:
    assert not is_overdue(BookingState.ACTIVE, 1000, 999)
    assert is_overdue(BookingState.ACTIVE, 1000, 1000)


@pytest.mark.parametrize("state", [state for state in BookingState if state is not BookingState.ACTIVE])
def test_only_an_active_booking_is_overdue(state: BookingState) -> None:
    assert not is_overdue(state, 1000, 5000)


def test_the_diagram_shows_every_transition() -> None:
    lines = state_diagram().splitlines()
    assert lines[0] == "stateDiagram-v2"
    assert sum(": " in line for line in lines) == len(TRANSITIONS)
    assert "    returned --> active: key_taken" in lines


def test_the_database_knows_the_same_states() -> None:
    assert set(BOOKING_STATES) == set(BookingState)
    assert set(LIVE_BOOKING_STATES) == HOLDING_STATES
