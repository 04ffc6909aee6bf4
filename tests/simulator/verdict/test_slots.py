"""What the judge reads of slots in the world's own record: doors left open, slots opened in vain."""

import pytest

from simulator.verdict.evidence import Incident
from tests.simulator.verdict.story import CABINET, KEY, START_MS, Story, booking_of, only_broken

PICTURE = "picture_converges"
AJAR = 8


def story() -> Story:
    told = Story(bookings=[booking_of(state="active")])
    told.takes(60, told.bookings[0])
    return told


def incident(kind: str, subject: str, opened_s: int, *, is_open: bool = True) -> Incident:
    return Incident(kind, subject, START_MS + opened_s * 1000, is_open, "seen")


def test_a_door_left_open_has_to_be_named() -> None:
    told = story()
    told.opens(300, AJAR)
    found = only_broken(told.verdict(1000), PICTURE)
    assert f"incident door_left_open of {CABINET}/{AJAR} was opened 0 times, expected 1 to 1" in found
    assert f"incident door_left_open of {CABINET}/{AJAR} is not open" in found
    told.incidents.append(incident("door_left_open", f"{CABINET}/{AJAR}", 481))
    assert told.verdict(1000).held


def test_a_door_that_was_shut_in_time_must_not_be_named() -> None:
    told = story()
    told.opens(300, AJAR)
    told.closes(400, AJAR)
    assert told.verdict(1000).held
    told.incidents.append(incident("door_left_open", f"{CABINET}/{AJAR}", 481, is_open=False))
    (found,) = only_broken(told.verdict(1000), PICTURE)
    assert "was opened 1 times, expected 0 to 0" in found


@pytest.mark.parametrize(("kind", "subject"), [("key_probably_in_car", KEY.id), ("cabinet_nearly_full", CABINET)])
def test_an_incident_that_nothing_in_the_world_shows_is_named(kind: str, subject: str) -> None:
    told = story()
    told.incidents.append(incident(kind, subject, 500))
    (found,) = only_broken(told.verdict(1000), PICTURE)
    assert f"incident {kind} of {subject}, nothing explains it" in found


def test_a_slot_that_was_shut_as_empty_as_it_was_opened_shows_a_key_left_in_the_car() -> None:
    told = story()
    told.opens(300, AJAR)
    told.closes(303, AJAR)
    told.incidents.append(incident("key_probably_in_car", KEY.id, 304))
    assert told.verdict(1000).held
