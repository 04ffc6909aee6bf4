"""What one slot shows, for whatever is known of it."""

from typing import Any

import pytest

from dispatcher.pages.views.slots import KeyFacts, Shown, SlotFacts, SlotView, slot_view

PLACE = ("cab-a", 1)
NOW_MS = 1_000_000


def key(state: str | None = "in_slot", back_ms: int | None = None, **changes: Any) -> KeyFacts:
    plain = KeyFacts("key-1", "car-1", "Car 1", PLACE, state, PLACE, back_ms)
    return plain._replace(**changes)


def told(*, present: bool | None, identity: str | None = "read", door_open: bool | None = False) -> SlotFacts:
    return SlotFacts(present, "key-1" if present else None, identity, door_open)


EMPTY = told(present=False)


def view(
    facts: SlotFacts | None, use: str | None = None, lives: KeyFacts | None = None, hangs: KeyFacts | None = None
) -> SlotView:
    return slot_view(PLACE, facts, use, lives, hangs, NOW_MS)


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        (Shown.KEY, view(told(present=True), lives=key(), hangs=key())),
        (Shown.PRESUMED, view(told(present=True, identity="presumed"), lives=key(), hangs=key())),
        (Shown.WRONG_SLOT, view(told(present=True), hangs=key(home=("cab-a", 2)))),
        (Shown.WRONG_SLOT, view(told(present=True), hangs=key(home=("cab-b", 1)))),
        (Shown.UNKNOWN_KEY, view(told(present=True), lives=key())),
        (Shown.OUT, view(EMPTY, lives=key("taken"))),
        (Shown.OUT, view(EMPTY, lives=key("taken", NOW_MS + 1))),
        (Shown.OVERDUE, view(EMPTY, lives=key("taken", NOW_MS))),
        (Shown.MISSING, view(EMPTY, lives=key("missing"))),
        (Shown.ELSEWHERE, view(EMPTY, lives=key("elsewhere"))),
        (Shown.AWAY, view(EMPTY, lives=key(place=("cab-b", 3)))),
        (Shown.UNKNOWN, view(EMPTY, lives=key())),
        (Shown.UNKNOWN, view(EMPTY, lives=key(None))),
        (Shown.EMPTY, view(EMPTY)),
        (Shown.SPARE, view(EMPTY, "spare")),
        (Shown.OUT_OF_USE, view(EMPTY, "out_of_use")),
        (Shown.OUT_OF_USE, view(None, "out_of_use")),
        (Shown.UNKNOWN, view(None, lives=key())),
        (Shown.UNKNOWN, view(told(present=None), lives=key())),
    ],
)
def test_a_slot_shows_what_is_known_of_it_and_no_more(shown: Shown, found: SlotView) -> None:
    assert found.shown is shown


def test_a_key_that_is_out_says_whose_it_is_and_when_it_is_expected_back() -> None:
    found = view(EMPTY, lives=key("taken", NOW_MS + 5))
    assert (found.vehicle, found.back_ms) == ("Car 1", NOW_MS + 5)


def test_a_slot_shows_the_vehicle_of_the_key_that_hangs_there_not_of_the_one_that_should() -> None:
    stranger = key(key_id="key-2", vehicle_id="car-2", vehicle="Car 2", home=("cab-a", 2))
    assert view(told(present=True), lives=key(), hangs=stranger).vehicle == "Car 2"


def test_a_door_that_stands_open_is_shown_whatever_hangs_there() -> None:
    assert view(told(present=True, door_open=True), hangs=key()).is_open
    assert view(told(present=False, door_open=True), lives=key("taken")).is_open
    assert not view(told(present=False, door_open=None)).is_open
