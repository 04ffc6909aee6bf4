"""Which key a right opens: stand-ins, service orders, standing, and a key that was handed back."""

import pytest

from contract.facts import AccessGranted, AccessRefused, KeyReturned, Purpose
from contract.messages import StationSettings
from contract.reasons import Reason
from station_agent.core.device_events import ReaderSignal
from tests.station_agent.core.box import HOUR_MS, MINUTE_MS, START_MS, Box

DAY_MS = 24 * HOUR_MS


def category_box(*, stand_in: bool = True) -> Box:
    """Ann booked a city car, key-1 was planned for her; key-2 and key-3 are city cars too."""
    box = Box(complete_until_ms=START_MS + 7 * DAY_MS)
    box.grant("booking-1", badge="ann", stand_in=stand_in)
    box.forget()
    return box


def refusals(box: Box) -> list[Reason]:
    return [fact.reason for fact in box.new() if isinstance(fact, AccessRefused)]


def steal(box: Box, slot: int) -> None:
    """Somebody opens the slot with the mechanical key and takes what hangs there."""
    box.opens(slot)
    box.take(slot)
    box.shut(slot)
    box.forget()


def use(box: Box, slot: int) -> None:
    """Take the key out of a slot that opened."""
    box.opens(slot)
    box.take(slot)
    box.shut(slot)


def give_back(box: Box, tag: str, slot: int) -> None:
    box.tag(tag)
    use_of_slot = box.released()[-1]
    assert use_of_slot == slot
    box.opens(slot)
    box.hang(slot)
    box.shut(slot)


# --- stand-ins


def test_where_the_booked_key_is_absent_another_of_the_category_is_lit() -> None:
    box = category_box()
    steal(box, 1)
    box.badge("ann")
    granted = box.last(AccessGranted)
    assert (granted.slot, granted.key, granted.grant) == (2, "key-2", "booking-1")
    assert box.signals() == [ReaderSignal.ANOTHER_SLOT]


def test_a_booking_of_a_vehicle_gets_no_other() -> None:
    box = category_box(stand_in=False)
    steal(box, 1)
    box.badge("ann")
    assert (refusals(box), box.released()) == ([Reason.KEY_NOT_PRESENT], [])


def test_the_booked_key_comes_first_where_it_is_there() -> None:
    box = category_box()
    box.badge("ann")
    assert (box.released(), box.signals()) == ([1], [ReaderSignal.TAKEN])


def test_a_blocked_vehicle_is_stood_in_for_and_never_stands_in() -> None:
    box = category_box()
    box.desire(blocked=("key-1", "key-2"))
    box.badge("ann")
    assert box.last(AccessGranted).key == "key-3"


@pytest.mark.parametrize(
    ("start_h", "hours", "free"), [(-1, 1, True), (1, 1, False), (2, 1, True), (-1, 30, False), (1.5, 9, False)]
)
def test_a_key_that_another_grant_names_within_the_window_does_not_stand_in(
    start_h: float, hours: float, free: bool
) -> None:
    box = category_box()
    box.grant("booking-2", badge="bob", key="key-2", start_ms=int(start_h * HOUR_MS), hours=hours)
    steal(box, 1)
    box.badge("ann")
    assert box.last(AccessGranted).key == ("key-2" if free else "key-3")


def test_a_key_that_was_handed_out_in_anothers_place_does_not_stand_in_again() -> None:
    box = category_box()
    box.grant("booking-2", badge="bob", stand_in=True, start_ms=0)
    steal(box, 1)
    box.badge("bob")
    assert box.released() == [2]
    use(box, 2)
    give_back(box, "tag-2", 2)
    box.badge("ann")
    assert box.last(AccessGranted).key == "key-3", "bob may come for his again within the hold"


@pytest.mark.parametrize("until_ms", [None, START_MS + HOUR_MS])
def test_a_box_that_was_not_told_of_all_grants_hands_out_no_stand_in(until_ms: int | None) -> None:
    box = category_box()
    box.complete_until_ms = until_ms
    box.desire()
    steal(box, 1)
    box.badge("ann")
    assert refusals(box) == [Reason.KEY_NOT_PRESENT]


def test_a_stand_in_is_brought_back_held_and_taken_again_under_the_same_right() -> None:
    box = category_box()
    steal(box, 1)
    box.badge("ann")
    use(box, 2)
    box.pass_time(HOUR_MS)
    box.badge("ann")
    assert box.released()[-1] == 2, "the badge of the last taker opens the stand-in's own slot"
    box.opens(2)
    box.hang(2)
    box.shut(2)
    box.pass_time(MINUTE_MS)
    box.badge("ann")
    granted = box.last(AccessGranted)
    assert (granted.key, granted.purpose) == ("key-2", Purpose.RETAKE)


def test_behind_a_stuck_lock_the_booked_key_gives_way_to_another_and_comes_back_once_its_door_moved() -> None:
    box = category_box()
    box.badge("ann")
    while "release_failed" not in box.kinds():
        box.elapse()
    box.effects.clear()
    box.badge("ann")
    assert box.released() == [2]
    box.opens(2)
    box.shut(2)
    box.opens(1)
    box.shut(1)
    box.badge("ann")
    assert box.released()[-1] == 1


def test_a_stuck_slot_without_a_stand_in_is_tried_again() -> None:
    box = category_box(stand_in=False)
    box.badge("ann")
    while "release_failed" not in box.kinds():
        box.elapse()
    box.effects.clear()
    box.badge("ann")
    assert box.released() == [1]


def test_a_return_goes_into_a_stuck_slot_only_where_no_other_is_free() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    use(box, 1)
    box.tag("tag-1")
    while "release_failed" not in box.kinds():
        box.elapse()
    box.effects.clear()
    box.tag("tag-1")
    assert box.released() == [4]
    assert box.signals() == [ReaderSignal.ANOTHER_SLOT]


# --- service orders


def test_a_service_order_opens_a_blocked_vehicle_as_often_as_it_asks_until_its_end() -> None:
    box = Box()
    box.grant("order-1", badge="garage", order="service_order", hours=8, take_by_ms=8 * HOUR_MS)
    box.desire(blocked=("key-1",))
    for _ in range(3):
        box.pass_time(HOUR_MS)
        box.effects.clear()
        box.badge("garage")
        assert box.released() == [1]
        use(box, 1)
        give_back(box, "tag-1", 1)
        box.pass_time(10_000)
        box.badge("garage")
        assert box.released()[-1] == 1, "a tap right after the return is no end of a service order"
        use(box, 1)
        give_back(box, "tag-1", 1)
    box.pass_time(8 * HOUR_MS)
    box.forget()
    box.badge("garage")
    assert refusals(box) == [Reason.TOO_LATE]


def test_a_booking_does_not_open_a_blocked_vehicle() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.desire(blocked=("key-1",))
    box.badge("ann")
    assert refusals(box) == [Reason.VEHICLE_BLOCKED]


# --- standing


def test_a_suspended_member_takes_nothing_and_is_told_why() -> None:
    box = Box(suspended=("ref-ann",))
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    assert refusals(box) == [Reason.SUSPENDED]


def test_who_is_suspended_on_the_way_is_never_cut_off_from_what_was_taken() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    use(box, 1)
    box.suspended = ("ref-ann",)
    box.desire()
    box.badge("ann")
    assert box.released()[-1] == 1
    box.opens(1)
    box.hang(1)
    box.shut(1)
    box.pass_time(MINUTE_MS)
    box.badge("ann")
    assert box.last(AccessGranted).purpose is Purpose.RETAKE


# --- handed back


def drive(box: Box, *, minutes: float, metres: int) -> None:
    """Take key-1, drive, and hang it up again."""
    box.odometer("car-1", 100_000)
    box.badge("ann")
    use(box, 1)
    box.pass_time(int(minutes * MINUTE_MS))
    box.odometer("car-1", 100_000 + metres)
    give_back(box, "tag-1", 1)


@pytest.mark.parametrize(
    ("minutes", "metres", "unused"), [(9, 999, True), (9, 1000, False), (9.9, 0, False), (30, 0, False)]
)
def test_a_key_is_handed_back_when_it_was_out_for_minutes_and_metres_only(
    minutes: float, metres: int, unused: bool
) -> None:
    box = Box(settings=StationSettings(handed_back_within_s=9 * 60 + 30))
    box.grant("booking-1", badge="ann")
    drive(box, minutes=minutes, metres=metres)
    assert box.last(KeyReturned).handed_back is (True if unused else None)


def test_where_the_way_is_not_known_a_key_is_returned_and_not_handed_back() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    box.badge("ann")
    use(box, 1)
    give_back(box, "tag-1", 1)
    assert box.last(KeyReturned).handed_back is None


def test_who_handed_a_key_back_gets_another_of_the_category_at_once_and_after_take_by() -> None:
    box = category_box()
    drive(box, minutes=5, metres=10)
    box.badge("ann")
    assert (box.last(AccessGranted).key, box.last(AccessGranted).purpose) == ("key-2", Purpose.TAKE)
    box.opens(2)
    box.shut(2)
    box.pass_time(HOUR_MS)
    box.badge("ann")
    assert box.released()[-1] == 2


def test_who_handed_back_the_only_car_gets_it_again_as_a_first_take() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    drive(box, minutes=5, metres=10)
    box.pass_time(10_000)
    box.badge("ann")
    granted = box.last(AccessGranted)
    assert (granted.key, granted.purpose) == ("key-1", Purpose.TAKE)
    use(box, 1)
    box.pass_time(HOUR_MS)
    box.odometer("car-1", 130_000)
    give_back(box, "tag-1", 1)
    assert box.last(KeyReturned).handed_back is None


def test_a_retake_that_comes_back_soon_is_no_handing_back() -> None:
    box = Box()
    box.grant("booking-1", badge="ann")
    drive(box, minutes=50, metres=30_000)
    box.pass_time(MINUTE_MS)
    box.badge("ann")
    use(box, 1)
    box.pass_time(MINUTE_MS)
    give_back(box, "tag-1", 1)
    assert box.last(KeyReturned).handed_back is None
