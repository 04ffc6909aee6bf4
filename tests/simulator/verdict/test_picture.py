from dataclasses import replace
from typing import Any

import pytest

from simulator.verdict.evidence import Booking, Incident, KeyState, SlotState
from tests.simulator.verdict.story import (
    CABINET,
    KEY,
    OTHER_KEY,
    RULES,
    START_MS,
    Story,
    booking_of,
    good_rental,
    only_broken,
)

TWICE = "no_vehicle_booked_twice"
PICTURE = "picture_converges"
AJAR = 8


def wrong_slot(story: Story, *, is_open: bool) -> None:
    """The key is brought back and hung into a slot that somebody left ajar."""
    story.opens(1000, AJAR)
    story.brings_back(2000, into=AJAR)
    story.incidents.append(incident("door_left_open", f"{CABINET}/{AJAR}", 1181, is_open=False))
    story.incidents.append(incident("key_in_wrong_slot", KEY.id, 2002, is_open=is_open))


def incident(kind: str, subject: str, opened_s: int, *, is_open: bool) -> Incident:
    return Incident(kind, subject, START_MS + opened_s * 1000, is_open, "seen")


def rental(state: str, **changes: Any) -> Story:
    story = Story(bookings=[booking_of(state=state, **changes)])
    story.takes(60, story.bookings[0])
    return story


def test_a_key_that_is_still_out_is_no_fault() -> None:
    assert rental("active").verdict(1000).held


@pytest.mark.parametrize(
    "other",
    [
        booking_of(name="booking-2", start_s=1800),
        booking_of(name="booking-2", start_s=-1800),
        booking_of(name="booking-2", start_s=900, length_s=900),
        booking_of(name="booking-2", start_s=1800, state="active"),
        booking_of(name="booking-2", start_s=1800, state="no_show", ended_ms=START_MS + 3_600_000),
    ],
)
def test_two_bookings_of_one_vehicle_at_one_time_are_named(other: Booking) -> None:
    story = Story(bookings=[booking_of(), other])
    (found,) = story.verdict(10).promises[TWICE].counterexamples
    assert "booking-1" in found
    assert "booking-2" in found


@pytest.mark.parametrize(
    "other",
    [
        booking_of(name="booking-2", start_s=3600),
        booking_of(OTHER_KEY, name="booking-2"),
        booking_of(name="booking-2", state="cancelled", ended_ms=START_MS - 1000),
    ],
)
def test_bookings_that_only_touch_or_were_given_up_are_no_fault(other: Booking) -> None:
    assert Story(bookings=[booking_of(), other]).verdict(10).promises[TWICE].held


def test_what_an_early_return_freed_may_be_booked_anew_in_the_running_grid_step() -> None:
    first = booking_of(state="completed", ended_ms=START_MS + 1_000_000)
    anew = booking_of(name="booking-2", start_s=900, created_ms=START_MS + 1_000_001)
    assert Story(bookings=[first, anew]).verdict(10).promises[TWICE].held
    too_soon = replace(anew, created_ms=START_MS + 999_000)
    assert not Story(bookings=[first, too_soon]).verdict(10).promises[TWICE].held


def test_a_slot_shown_otherwise_than_it_is_is_named() -> None:
    story = good_rental()
    evidence = story.evidence()
    key_gone = dict(evidence.slots) | {(CABINET, KEY.home_slot): SlotState(False, False, None)}
    assert "key_present is False" in only_broken(story.verdict(2700, replace(evidence, slots=key_gone)), PICTURE)[0]
    door_open = dict(evidence.slots) | {(CABINET, AJAR): SlotState(False, True, None)}
    assert "door_open is True" in only_broken(story.verdict(2700, replace(evidence, slots=door_open)), PICTURE)[0]
    other_key = dict(evidence.slots) | {(CABINET, KEY.home_slot): SlotState(True, False, OTHER_KEY.id)}
    assert (
        f"said to hold {OTHER_KEY.id}"
        in only_broken(story.verdict(2700, replace(evidence, slots=other_key)), PICTURE)[0]
    )
    unheard = {place: state for place, state in evidence.slots.items() if place != (CABINET, AJAR)}
    assert "never heard of" in only_broken(story.verdict(2700, replace(evidence, slots=unheard)), PICTURE)[0]


def test_a_key_that_is_unknown_and_said_so_is_no_fault() -> None:
    story = good_rental()
    evidence = story.evidence()
    unknown = dict(evidence.slots) | {(CABINET, KEY.home_slot): SlotState(True, False, None)}
    assert story.verdict(2700, replace(evidence, slots=unknown)).held


@pytest.mark.parametrize(
    "told",
    [
        KeyState("taken", CABINET, None),
        KeyState("in_slot", CABINET, AJAR),
        KeyState("in_slot", "croix-mairie-1", KEY.home_slot),
        KeyState("missing", CABINET, KEY.home_slot),
    ],
)
def test_a_key_said_to_be_elsewhere_than_it_hangs_is_named(told: KeyState) -> None:
    story = good_rental()
    evidence = story.evidence()
    changed = replace(evidence, keys={**evidence.keys, KEY.id: told})
    (found,) = only_broken(story.verdict(2700, changed), PICTURE)
    assert f"key {KEY.id} hangs in {CABINET} slot {KEY.home_slot}" in found


def test_a_key_that_the_database_never_heard_of_is_named() -> None:
    story = good_rental()
    evidence = story.evidence()
    known = {key: state for key, state in evidence.keys.items() if key != KEY.id}
    assert len(only_broken(story.verdict(2700, replace(evidence, keys=known)), PICTURE)) == 1


def test_a_key_out_that_is_said_to_hang_is_named() -> None:
    story = rental("active")
    evidence = story.evidence()
    hanging = {**evidence.keys, KEY.id: KeyState("in_slot", CABINET, KEY.home_slot)}
    (found,) = only_broken(story.verdict(1000, replace(evidence, keys=hanging)), PICTURE)
    assert f"key {KEY.id} is out" in found


@pytest.mark.parametrize("state", ["booked", "returned", "completed"])
def test_a_key_out_without_an_active_booking_is_named(state: str) -> None:
    (found,) = only_broken(rental(state).verdict(1000), PICTURE)
    assert "is out for booking booking-1" in found


def test_a_booking_active_though_its_key_hangs_is_named() -> None:
    story = good_rental(state="active", ended_ms=None)
    (found,) = only_broken(story.verdict(2700), PICTURE)
    assert "booking booking-1 is active, its key" in found


def test_another_booking_active_than_the_one_the_taker_came_for_is_named() -> None:
    story = rental("completed", ended_ms=START_MS + 900_000)
    story.bookings.append(booking_of(name="booking-2", start_s=3600, state="active"))
    (found,) = only_broken(story.verdict(1000), PICTURE)
    assert "active is ['booking-2']" in found


def test_a_wrong_slot_with_its_incident_is_a_converged_picture() -> None:
    story = rental("completed", ended_ms=START_MS + 2600_000)
    wrong_slot(story, is_open=True)
    verdict = story.verdict(2700)
    assert verdict.held, verdict.to_text()


def test_a_wrong_slot_whose_incident_was_never_opened_is_named() -> None:
    story = rental("completed", ended_ms=START_MS + 2600_000)
    wrong_slot(story, is_open=True)
    story.incidents.clear()
    found = only_broken(story.verdict(2700), PICTURE)
    assert f"incident key_in_wrong_slot of {KEY.id} was opened 0 times, expected 1 to 1" in found


def test_a_wrong_slot_whose_incident_was_opened_twice_is_named() -> None:
    story = rental("completed", ended_ms=START_MS + 2600_000)
    wrong_slot(story, is_open=True)
    story.incidents.append(incident("key_in_wrong_slot", KEY.id, 2100, is_open=False))
    (found,) = only_broken(story.verdict(2700), PICTURE)
    assert "was opened 2 times" in found


def test_an_incident_closed_while_the_key_still_hangs_wrong_is_named() -> None:
    story = rental("completed", ended_ms=START_MS + 2600_000)
    wrong_slot(story, is_open=False)
    (found,) = only_broken(story.verdict(2700), PICTURE)
    assert "is not open" in found


def test_an_incident_that_stays_open_after_the_key_moved_is_named() -> None:
    story = rental("completed", ended_ms=START_MS + 2600_000)
    wrong_slot(story, is_open=True)
    again = booking_of(name="booking-2", start_s=3600, state="active")
    story.bookings.append(again)
    story.takes(3700, again)
    (found,) = only_broken(story.verdict(4000), PICTURE)
    assert "is still open" in found


def test_an_incident_that_nothing_explains_is_named() -> None:
    story = good_rental()
    story.incidents.append(incident("key_in_wrong_slot", KEY.id, 2002, is_open=False))
    (found,) = only_broken(story.verdict(2700), PICTURE)
    assert "was opened 1 times, expected 0 to 0" in found


@pytest.mark.parametrize("kind", ["cabinet_silent", "device_lost", "lock_stuck", "key_out_without_right"])
def test_an_incident_of_a_kind_that_this_world_does_not_cause_is_named(kind: str) -> None:
    story = good_rental()
    story.incidents.append(incident(kind, CABINET, 100, is_open=False))
    (found,) = only_broken(story.verdict(2700), PICTURE)
    assert f"incident {kind} of {CABINET}, nothing explains it" in found


LATE_S = 3600 + RULES.grace_s


def test_an_overdue_key_needs_its_incident() -> None:
    story = rental("active")
    found = only_broken(story.verdict(LATE_S + 60), PICTURE)
    assert "incident key_overdue of booking-1 is not open" in found
    story.incidents.append(incident("key_overdue", "booking-1", LATE_S + 1, is_open=True))
    assert story.verdict(LATE_S + 60).held


def test_an_overdue_key_that_came_back_needs_its_incident_closed() -> None:
    story = rental("completed", ended_ms=START_MS + (LATE_S + 100) * 1000)
    story.brings_back(LATE_S + 100)
    story.incidents.append(incident("key_overdue", "booking-1", LATE_S + 1, is_open=True))
    (found,) = only_broken(story.verdict(LATE_S + 300), PICTURE)
    assert "is still open" in found
    story.incidents = [incident("key_overdue", "booking-1", LATE_S + 1, is_open=False)]
    assert story.verdict(LATE_S + 300).held


def test_an_overdue_incident_of_a_key_that_came_back_in_time_is_named() -> None:
    story = good_rental()
    story.incidents.append(incident("key_overdue", "booking-1", 2000, is_open=False))
    (found,) = only_broken(story.verdict(2700), PICTURE)
    assert "expected 0 to 0" in found


def test_what_is_only_seconds_old_may_go_either_way() -> None:
    story = rental("active")
    assert story.verdict(LATE_S + 5).held
    story.incidents.append(incident("key_overdue", "booking-1", LATE_S + 1, is_open=True))
    assert story.verdict(LATE_S + 5).held
