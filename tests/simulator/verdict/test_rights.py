from dataclasses import replace
from typing import Any

import pytest

from contract.facts import AccessGranted, DoorOpened, Purpose
from simulator.network.model import MIFARE_7, Card
from simulator.world.record import Intent
from tests.simulator.verdict.story import (
    KEY,
    OTHER_KEY,
    OWNER,
    RULES,
    STAFF_CARD,
    START_MS,
    STRANGER,
    Story,
    booking_of,
    good_rental,
    only_broken,
)

NO_RIGHT = "no_key_leaves_without_a_right"
OPENS = "a_right_opens"


def test_a_good_rental_keeps_every_promise() -> None:
    verdict = good_rental().verdict(2700)
    assert verdict.held, verdict.to_text()


def test_a_driver_has_the_same_right_as_the_owner() -> None:
    verdict = good_rental(people=frozenset({STRANGER.id, OWNER.id})).verdict(2700)
    assert verdict.held, verdict.to_text()


def test_a_lock_that_moves_without_a_badge_is_named() -> None:
    story = Story()
    story.pulses(10, KEY.home_slot)
    (found,) = only_broken(story.verdict(20), NO_RIGHT)
    assert "no badge was shown there" in found
    assert KEY.id in found


def test_a_badge_shown_long_before_explains_no_pulse() -> None:
    story = good_rental()
    story.pulses(2060, KEY.home_slot)
    (found,) = only_broken(story.verdict(2700), NO_RIGHT)
    assert "no badge was shown there" in found


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"people": frozenset({STRANGER.id})}, "has no booking of"),
        ({"key": OTHER_KEY.id}, "has no booking of"),
        ({"cabinet": "somewhere-else"}, "has no booking of"),
        ({"start_ms": START_MS + 400_000, "take_by_ms": START_MS + 900_000}, "opens at"),
        ({"end_ms": START_MS + 30_000}, "ended at"),
        ({"take_by_ms": START_MS + 50_000}, "was to be taken by"),
        ({"state": "cancelled", "ended_ms": START_MS}, "is cancelled since"),
        ({"state": "no_show", "ended_ms": START_MS}, "is no_show since"),
    ],
)
def test_a_release_that_its_booking_does_not_explain_is_named(changes: dict[str, Any], why: str) -> None:
    story = Story(bookings=[booking_of()])
    story.takes(60, story.bookings[0])
    story.brings_back(2000)
    fields: dict[str, Any] = {"state": "completed", "ended_ms": START_MS + 2600_000}
    story.bookings = [booking_of(**(fields | changes))]
    verdict = story.verdict(2700)
    (found,) = verdict.promises[NO_RIGHT].counterexamples
    assert why in found


@pytest.mark.parametrize(
    ("card", "why"),
    [(OWNER.old_badge, "is revoked"), (Card("mifare-7", MIFARE_7.bits, bytes(range(1, 8))), "is nobody's")],
)
def test_a_release_for_a_badge_that_gives_no_right_is_named(card: Card, why: str) -> None:
    story = Story(bookings=[booking_of()])
    story.shows(60, card, Intent.MISTAKE, "booking-1", granted=KEY.home_slot)
    story.pulses(60.3, KEY.home_slot)
    story.opens(60.3, KEY.home_slot)
    story.closes(62, KEY.home_slot)
    (found,) = only_broken(story.verdict(100), NO_RIGHT)
    assert why in found


def test_opening_an_empty_slot_needs_no_right() -> None:
    story = Story()
    story.pulses(10, 8)
    story.opens(10, 8)
    story.closes(12, 8)
    assert story.verdict(20).held


def test_a_forgotten_bag_may_be_fetched_within_the_hold() -> None:
    story = good_rental()
    story.takes(2200, story.bookings[0], Intent.RETAKE)
    story.brings_back(2400)
    assert story.verdict(3700).held


def test_a_release_after_the_hold_is_named() -> None:
    story = good_rental()
    story.bookings[0] = booking_of(state="active")
    story.takes(2000 + RULES.retake_hold_s + 60, story.bookings[0], Intent.RETAKE)
    (found,) = only_broken(story.verdict(3000), NO_RIGHT)
    assert "was returned and held until" in found


def test_a_right_that_does_not_open_is_named() -> None:
    story = Story(bookings=[booking_of()])
    story.shows(60, OWNER.badges[0], Intent.TAKE, "booking-1", granted=None)
    (found,) = only_broken(story.verdict(100), OPENS)
    assert f"slot {KEY.home_slot} stayed shut for 2 s" in found


def staff_story(*, is_right: bool, opens: bool, keyed_s: float = 62) -> Story:
    """The owner's card that asks for a PIN, at 60 s."""
    story = Story(bookings=[booking_of()])
    story.shows(60, STAFF_CARD, Intent.TAKE, "booking-1", asks_for_pin=True)
    story.keys_in(keyed_s, STAFF_CARD, is_right=is_right, granted=KEY.home_slot if opens else None)
    if opens:
        story.pulses(keyed_s + 0.3, KEY.home_slot)
        story.opens(keyed_s + 0.3, KEY.home_slot)
        story.closes(keyed_s + 2, KEY.home_slot)
    return story


def test_a_card_that_asks_for_a_pin_opens_with_it() -> None:
    assert staff_story(is_right=True, opens=True).verdict(100).held


def test_a_slot_that_opens_for_a_wrong_pin_is_named() -> None:
    (found,) = only_broken(staff_story(is_right=False, opens=True).verdict(100), NO_RIGHT)
    assert "the PIN of the badge shown last" in found


def test_a_slot_that_opens_without_a_pin_that_is_asked_for_is_named() -> None:
    story = Story(bookings=[booking_of()])
    story.shows(60, STAFF_CARD, Intent.TAKE, "booking-1", granted=KEY.home_slot)
    story.pulses(60.3, KEY.home_slot)
    story.opens(60.3, KEY.home_slot)
    story.closes(62, KEY.home_slot)
    (found,) = only_broken(story.verdict(100), NO_RIGHT)
    assert "was not keyed in" in found


def test_a_right_pin_that_opens_nothing_is_named_and_a_wrong_one_is_not() -> None:
    (found,) = only_broken(staff_story(is_right=True, opens=False).verdict(100), OPENS)
    assert "pin_keyed" in found
    assert staff_story(is_right=False, opens=False).verdict(100).held


def test_a_card_whose_pin_is_never_asked_for_is_named() -> None:
    story = Story(bookings=[booking_of()])
    story.shows(60, STAFF_CARD, Intent.TAKE, "booking-1", granted=None)
    (found,) = only_broken(story.verdict(100), OPENS)
    assert "badge_shown" in found


def test_after_three_wrong_pins_in_a_row_a_right_one_need_not_open() -> None:
    story = Story(bookings=[booking_of()])
    for at_s, is_right in ((60, False), (70, False), (80, False), (90, True)):
        story.shows(at_s, STAFF_CARD, Intent.TAKE, "booking-1", asks_for_pin=True)
        story.keys_in(at_s + 2, STAFF_CARD, is_right=is_right, granted=None)
    assert story.verdict(100).held


def test_a_right_that_opens_too_late_is_named() -> None:
    story = Story(bookings=[booking_of()])
    story.shows(60, OWNER.badges[0], Intent.TAKE, "booking-1", granted=KEY.home_slot)
    story.pulses(62.5, KEY.home_slot)
    story.opens(62.5, KEY.home_slot)
    story.closes(64, KEY.home_slot)
    assert len(only_broken(story.verdict(100), OPENS)) == 1


def test_a_right_that_opens_another_slot_is_named() -> None:
    story = Story(bookings=[booking_of()])
    story.shows(60, OWNER.badges[0], Intent.TAKE, "booking-1", granted=8)
    story.pulses(60.3, 8)
    story.opens(60.3, 8)
    story.closes(64, 8)
    assert len(only_broken(story.verdict(100), OPENS)) == 1


@pytest.mark.parametrize(
    ("at_s", "on_box", "changes"),
    [
        (60, False, {}),  # the phone never said that the right is there
        (-310, True, {}),  # before the opening allowance
        (-299.5, True, {}),  # at its very edge either answer is right
        (1801, True, {}),  # after take_by
        (60, True, {"state": "cancelled", "ended_ms": START_MS}),
        (60, True, {"people": frozenset({STRANGER.id})}),
        (60, True, {"key": "k-away"}),  # the key is not in the cabinet
    ],
)
def test_where_nothing_is_promised_a_shut_door_is_no_fault(
    at_s: float, on_box: bool, changes: dict[str, Any]
) -> None:
    story = Story(bookings=[booking_of(start_s=400, **changes)])
    story.shows(400 + at_s, OWNER.badges[0], Intent.TAKE, "booking-1", on_box=on_box)
    assert story.verdict(4000).held


def test_a_return_that_no_door_opens_for_is_named() -> None:
    story = Story(bookings=[booking_of(state="active")])
    story.takes(60, story.bookings[0])
    story.shows(2000, KEY.tag, Intent.BRING_BACK, "booking-1", granted=None)
    (found,) = only_broken(story.verdict(2100), OPENS)
    assert "an empty slot stayed shut" in found


def test_a_forgotten_bag_behind_a_shut_door_is_named() -> None:
    story = good_rental()
    story.shows(2200, OWNER.badges[0], Intent.RETAKE, "booking-1", granted=None)
    assert len(only_broken(story.verdict(2700), OPENS)) == 1


def test_a_second_tap_right_after_the_return_promises_no_door() -> None:
    story = good_rental()
    story.shows(2004 + 8, OWNER.badges[0], Intent.RETAKE, "booking-1", granted=None)
    assert story.verdict(2700).held


def test_what_the_agents_say_opens_no_door() -> None:
    story = Story(bookings=[booking_of()])
    story.shows(60, OWNER.badges[0], Intent.TAKE, "booking-1", granted=KEY.home_slot)
    story.is_told(60.4, DoorOpened, slot=KEY.home_slot, released=True)
    story.is_told(60.5, AccessGranted, reader="entrance", slot=KEY.home_slot, purpose=Purpose.TAKE)
    assert not story.verdict(100).promises[OPENS].held


@pytest.mark.parametrize(("revoked_s", "held"), [(61, True), (50, True), (40, False)])
def test_a_badge_that_was_revoked_opens_until_its_box_must_know(revoked_s: int, *, held: bool) -> None:
    """Shown at 60 s: an import reaches the box within 15."""
    story = good_rental()
    evidence = story.evidence()
    credential = OWNER.badges[0].credential
    revoked = replace(evidence.badges[credential], is_active=False, revoked_ms=START_MS + revoked_s * 1000)
    evidence = replace(evidence, badges={**evidence.badges, credential: revoked})
    assert story.verdict(2700, evidence).promises[NO_RIGHT].held is held
