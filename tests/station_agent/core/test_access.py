"""Whose badge opens what, and why not."""

import pytest

from contract.facts import AccessGranted, AccessRefused, GrantCompleted, Purpose
from contract.messages import StationSettings
from contract.reasons import Reason
from station_agent.core import model
from station_agent.core.device_events import CabinetLost, CardRead, ReaderSignal
from tests.station_agent.core.box import HOUR_MS, MINUTE_MS, Box


def refusal(box: Box) -> Reason:
    assert box.kinds()[-1] == "access_refused"
    assert box.released() == []
    return box.last(AccessRefused).reason


def test_the_right_badge_at_the_right_time_opens_its_slot() -> None:
    box = Box()
    box.grant("booking-1", badge="ann", key="key-2")
    box.forget()
    box.badge("ann")
    fact = box.last(AccessGranted)
    assert (fact.slot, fact.grant, fact.badge, fact.key, fact.purpose) == (
        2,
        "booking-1",
        "ref-ann",
        "key-2",
        Purpose.TAKE,
    )
    assert box.released() == [2]
    assert box.signals() == [ReaderSignal.TAKEN]


def test_the_decision_is_journalled_before_the_lock_moves() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    effects = box.badge("ann")
    assert [type(effect) for effect in effects] == [model.Journal, model.ReleaseSlot, model.Indicate]


def test_an_unknown_badge_opens_nothing_and_leaves_no_trace_of_itself() -> None:
    box = Box()
    box.badge("stranger")
    assert refusal(box) is Reason.UNKNOWN_BADGE
    assert box.last(AccessRefused).badge is None
    assert box.signals() == [ReaderSignal.CALL]


def test_a_card_of_no_known_type_is_unreadable() -> None:
    box = Box()
    box.event(CardRead("entrance", 26, bytes(4)))
    assert refusal(box) is Reason.UNREADABLE_BADGE
    assert box.signals() == [ReaderSignal.AGAIN]


@pytest.mark.parametrize(
    ("at_ms", "reason"),
    [
        (-5 * MINUTE_MS - 1, Reason.TOO_EARLY),
        (-5 * MINUTE_MS, None),
        (30 * MINUTE_MS, None),
        (30 * MINUTE_MS + 1, Reason.NO_SHOW),
        (2 * HOUR_MS - 1, Reason.NO_SHOW),
        (2 * HOUR_MS, Reason.TOO_LATE),
    ],
)
def test_the_window_opens_with_the_allowance_and_shuts_with_take_by(at_ms: int, reason: Reason | None) -> None:
    box = Box()
    box.grant("booking-1", badge="ann", start_ms=HOUR_MS)
    box.pass_time(HOUR_MS + at_ms)
    box.forget()
    box.badge("ann")
    if reason is None:
        assert box.released() == [1]
    else:
        assert refusal(box) is reason


def test_the_end_is_exclusive_also_where_take_by_is_the_end() -> None:
    box = Box()
    box.grant("booking-1", badge="ann", hours=1, take_by_ms=HOUR_MS)
    box.pass_time(HOUR_MS)
    box.forget()
    box.badge("ann")
    assert refusal(box) is Reason.TOO_LATE


def test_another_members_badge_does_not_open_the_slot() -> None:
    box = Box()
    box.grant("booking-1", badge="ann", key="key-1")
    box.grant("booking-2", badge="bob", key="key-2", start_ms=10 * HOUR_MS)
    box.forget()
    box.badge("bob")
    assert refusal(box) is Reason.TOO_EARLY


def test_a_known_badge_without_a_grant_has_no_booking() -> None:
    box = Box()
    box.badges.add("bob")
    box.desire()
    box.forget()
    box.badge("bob")
    assert refusal(box) is Reason.NO_BOOKING


def test_a_revoked_badge_opens_nothing_even_with_a_grant() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.desire(revoked=("ref-ann",))
    box.forget()
    box.badge("ann")
    assert refusal(box) is Reason.REVOKED


def test_a_blocked_key_is_not_handed_out() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.desire(blocked=("key-1",))
    box.forget()
    box.badge("ann")
    assert refusal(box) is Reason.VEHICLE_BLOCKED


def test_a_key_that_is_out_cannot_be_handed_out() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    box.opens(1)
    box.take(1)
    box.shut(1)
    box.grant("booking-2", badge="bob")
    box.forget()
    box.badge("bob")
    assert refusal(box) is Reason.KEY_NOT_PRESENT


def test_an_untrusted_clock_refuses() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.handle(model.ClockRead(synchronised=False))
    box.forget()
    box.badge("ann")
    assert refusal(box) is Reason.CLOCK_NOT_TRUSTED


def test_a_silent_cabinet_refuses_instead_of_promising() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.event(CabinetLost("no answer"))
    box.forget()
    box.badge("ann")
    assert refusal(box) is Reason.CABINET_SILENT


def test_a_second_tap_while_the_slot_opens_changes_nothing() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    box.forget()
    box.badge("ann")
    assert refusal(box) is Reason.BUSY
    assert box.signals() == [ReaderSignal.WAIT]


def test_of_several_rights_the_one_that_opens_wins() -> None:
    box = Box()
    box.grant("was-over", badge="ann", key="key-1", start_ms=-3 * HOUR_MS)
    box.grant("is-now", badge="ann", key="key-2")
    box.grant("is-later", badge="ann", key="key-3", start_ms=4 * HOUR_MS)
    box.forget()
    box.badge("ann")
    assert box.last(AccessGranted).grant == "is-now"


def returned(box: Box) -> None:
    """Ann takes key 1 and brings it back by its tag."""
    box.badge("ann")
    box.opens(1)
    box.take(1)
    box.shut(1)
    box.pass_time(20 * MINUTE_MS)
    box.tag("tag-1")
    box.opens(1)
    box.hang(1)
    box.shut(1)


def test_a_second_tap_right_after_the_return_completes() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    returned(box)
    box.pass_time(10_000)
    box.forget()
    box.badge("ann")
    assert box.kinds() == ["grant_completed"]
    assert box.last(GrantCompleted).grant == "booking-1"
    assert box.released() == []
    box.pass_time(30_000)
    box.forget()
    box.badge("ann")
    assert refusal(box) is Reason.COMPLETED


def test_a_tap_within_the_retake_hold_opens_again_and_after_it_does_not() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    returned(box)
    box.pass_time(5 * MINUTE_MS)
    box.forget()
    box.badge("ann")
    assert box.released() == [1]
    assert box.last(AccessGranted).purpose is Purpose.RETAKE
    box.opens(1)
    box.shut(1)
    box.pass_time(6 * MINUTE_MS)
    box.forget()
    box.badge("ann")
    assert refusal(box) is Reason.COMPLETED


@pytest.mark.parametrize("after_ms", [10_000, 5 * MINUTE_MS])
def test_who_comes_for_a_booking_of_their_own_does_not_get_the_one_that_another_driver_has_just_ended(
    after_ms: int,
) -> None:
    """Nor is that one completed by their tap. It was the next booking that was let down, and this one overdue."""
    box = Box()
    box.grant("booking-1", badge="ann", others=("bob",))
    returned(box)
    box.grant("booking-2", badge="bob", start_ms=5 * MINUTE_MS)
    box.pass_time(after_ms)
    box.forget()
    box.badge("bob")
    granted = box.last(AccessGranted)
    assert (granted.grant, granted.purpose, granted.badge) == ("booking-2", Purpose.TAKE, "ref-bob")
    assert box.released() == [1]


def test_who_drove_gets_the_same_booking_again_within_the_hold_also_where_their_next_one_has_begun() -> None:
    box = Box()
    box.grant("booking-1", badge="ann", others=("bob",))
    returned(box)
    box.grant("booking-2", badge="ann", start_ms=5 * MINUTE_MS)
    box.reboot()
    box.desire()
    box.pass_time(5 * MINUTE_MS)
    box.see()
    box.forget()
    box.badge("ann")
    assert (box.last(AccessGranted).grant, box.last(AccessGranted).purpose) == ("booking-1", Purpose.RETAKE)


def test_another_driver_without_a_booking_of_their_own_may_take_it_again_within_the_hold() -> None:
    box = Box()
    box.grant("booking-1", badge="ann", others=("bob",))
    returned(box)
    box.pass_time(5 * MINUTE_MS)
    box.forget()
    box.badge("bob")
    assert (box.last(AccessGranted).grant, box.last(AccessGranted).badge) == ("booking-1", "ref-bob")


def test_the_retake_hold_never_reaches_past_the_end() -> None:
    box = Box()
    box.grant("booking-1", badge="ann", hours=0.4, take_by_ms=10 * MINUTE_MS)
    returned(box)
    box.pass_time(4 * MINUTE_MS)
    box.forget()
    box.badge("ann")
    assert refusal(box) is Reason.TOO_LATE


def test_the_fleets_own_settings_hold() -> None:
    box = Box(settings=StationSettings(opening_allowance_s=0))
    box.grant("booking-1", badge="ann", start_ms=1)
    box.forget()
    box.badge("ann")
    assert refusal(box) is Reason.TOO_EARLY


def test_a_fact_names_the_badge_by_reference_only() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    box.badge("stranger")
    text = "".join(fact.to_json() for fact in box.facts)
    assert "ref-ann" in text
    assert b"ann".hex().upper() not in text
    assert b"stranger".hex().upper() not in text
