"""A member's mind, stepped without any loop: the world around it is a cabinet and a rule for each card."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from simulator.network.model import MIFARE_7, Card, Key
from simulator.world.acts import (
    Act,
    Book,
    CallOff,
    CloseDoor,
    ComeBack,
    DriveOff,
    HangKey,
    KeyIn,
    LookAround,
    LookUp,
    Park,
    Pause,
    ReaderLight,
    ShowCard,
    Slip,
    StepAway,
    StepUp,
    TakeKey,
    WaitUntil,
    Watch,
)
from simulator.world.api import ApiAnswer, ApiRefusal, BookingView
from simulator.world.cabinet import NotPossibleError, PhysicalCabinet
from simulator.world.members import HAND_US, NETWORK_TRIES, VISITS_MAX, Member
from simulator.world.moment import Moment
from simulator.world.plan import BringBack, Plan
from simulator.world.record import Intent, What, WorldRecord
from tests.simulator.world.plans import CABINET, KEY, MEMBER, MINUTE_MS, NETWORK, START_MS, VEHICLE, plan

BOOKING = BookingView("booking-1", VEHICLE.id, CABINET, "booked", "on_box")
SPARE = 8
Answer = int | ReaderLight | None


def opens_home(_tap: ShowCard, cabinet: PhysicalCabinet) -> Answer:
    """A box that lets everybody take and return."""
    slots = [slot for slot in cabinet.slots if cabinet.key_in(slot) == KEY]
    return slots[0] if slots else KEY.home_slot


@dataclass
class Scene:
    """Carries out acts at once. `answer` is what the box does for a card: a slot, a light, nothing."""

    answer: Callable[[ShowCard, PhysicalCabinet], Answer] = opens_home
    api: Callable[[Act], ApiAnswer | None] = lambda _: BOOKING
    now_ms: int = START_MS - 60 * MINUTE_MS
    slip: Slip | None = None
    record: WorldRecord = field(default_factory=WorldRecord)
    acts: list[Act] = field(default_factory=list)
    line_us: int = 0
    stands: bool = False
    _seen: Answer = None

    def __post_init__(self) -> None:
        keys = {vehicle.key.home_slot: vehicle.key for vehicle in NETWORK.vehicles}
        self.cabinet = PhysicalCabinet(CABINET, 8, keys, self.record)

    def live(self, lived: Plan) -> "Scene":
        script = Member(lived).live()
        outcome: Any = None
        try:
            while True:
                act = script.send(outcome)
                self.acts.append(act)
                outcome = self.do(act)
        except StopIteration:
            assert not self.stands, "nobody stays at the cabinet for ever"
            return self

    def do(self, act: Act) -> Any:
        match act:
            case WaitUntil(at_ms):
                self.now_ms = max(self.now_ms, at_ms)
                return self.now_ms
            case Pause(line_us):
                self.line_us += line_us
            case Book() | LookUp() | CallOff():
                return self.api(act)
            case StepUp():
                assert not self.stands
                self.stands = True
                return self.now_ms
            case StepAway():
                self.stands = False
            case DriveOff() | Park():
                assert not self.stands
            case ComeBack():
                return self.slip
            case _:
                assert self.stands
                return self.at_cabinet(act)
        return None

    def at_cabinet(self, act: Act) -> Any:
        moment = Moment(self.now_ms, self.line_us)
        try:
            match act:
                case ShowCard():
                    self._seen = self.answer(act, self.cabinet)
                    if isinstance(self._seen, int):
                        self.cabinet.pulse(moment, self._seen)
                    return True
                case KeyIn():
                    self._seen = opens_home(act.tap, self.cabinet) if act.is_right else ReaderLight.AMBER
                    if isinstance(self._seen, int):
                        self.cabinet.pulse(moment, self._seen)
                    return True
                case Watch(line_us):
                    self.line_us += 300_000 if self._seen is not None else line_us
                    return self._seen
                case LookAround():
                    return tuple(s for s in self.cabinet.open_slots() if self.cabinet.key_in(s) is None)
                case TakeKey(slot):
                    return self.cabinet.take_key(moment, slot, "hand")[0]
                case HangKey(slot, key):
                    self.cabinet.hang_key(moment, slot, key, "hand")
                    return True
                case CloseDoor(slot):
                    self.cabinet.close_door(moment, slot, "hand")
        except NotPossibleError:
            return False if isinstance(act, HangKey) else None
        return None

    def of(self, kind: type[Any]) -> list[Any]:
        return [act for act in self.acts if isinstance(act, kind)]

    @property
    def intents(self) -> list[Intent]:
        return [tap.intent for tap in self.of(ShowCard)]

    @property
    def happened(self) -> list[What]:
        return [fact.deed.what for fact in self.record]


TAKEN = [What.LOCK_PULSED, What.DOOR_OPENED, What.KEY_REMOVED, What.DOOR_CLOSED]
RETURNED = [What.LOCK_PULSED, What.DOOR_OPENED, What.KEY_INSERTED, What.DOOR_CLOSED]


def test_an_easy_rental_takes_the_key_drives_and_brings_it_back() -> None:
    scene = Scene().live(plan())
    assert scene.happened == TAKEN + RETURNED
    assert scene.intents == [Intent.TAKE, Intent.BRING_BACK]
    assert [act.card for act in scene.of(ShowCard)] == [MEMBER.badges[0], KEY.tag]
    assert scene.of(DriveOff) == [DriveOff(VEHICLE.id, plan().return_at_ms, plan().distance_m)]
    assert scene.of(Park) == [Park(VEHICLE.id)]
    assert scene.cabinet.key_in(KEY.home_slot) == KEY


def test_every_contact_stands_long_enough_for_the_slowest_scan() -> None:
    scene = Scene().live(plan(pace=1.0, taps_again=True, forgets_bag_ms=MINUTE_MS, tidies=True))
    moved = [
        fact.moment.line_us for fact in scene.record if fact.deed.what not in {What.LOCK_PULSED, What.DOOR_OPENED}
    ]
    assert all(later - earlier >= HAND_US for earlier, later in pairwise(moved))
    assert HAND_US >= 400_000


def test_the_phone_is_asked_whether_the_right_is_on_the_box_before_the_card_is_shown() -> None:
    answers = iter([BOOKING, BookingView("booking-1", VEHICLE.id, CABINET, "booked", "pending"), BOOKING])
    scene = Scene(api=lambda _: next(answers)).live(plan())
    (take, _) = scene.of(ShowCard)
    assert take.on_box
    assert take.booking == "booking-1"
    assert len(scene.of(LookUp)) == 2


def test_a_right_that_never_reaches_the_box_is_tried_all_the_same() -> None:
    pending = BookingView("booking-1", VEHICLE.id, CABINET, "booked", "pending")
    scene = Scene(api=lambda _: pending).live(plan())
    assert not scene.of(ShowCard)[0].on_box


def test_a_refused_booking_ends_the_story() -> None:
    scene = Scene(api=lambda _: ApiRefusal("vehicle_not_free")).live(plan())
    assert [type(act) for act in scene.acts] == [WaitUntil, Book]


def test_a_phone_without_network_tries_again_for_a_while() -> None:
    answers = iter([None, None, BOOKING, BOOKING])
    scene = Scene(api=lambda _: next(answers)).live(plan())
    assert len(scene.of(Book)) == 3
    assert What.KEY_REMOVED in scene.happened
    assert len(Scene(api=lambda _: None).live(plan()).of(Book)) == NETWORK_TRIES


def test_a_category_is_booked_at_a_station_and_a_vehicle_by_its_id() -> None:
    (by_vehicle,) = Scene().live(plan()).of(Book)
    assert (by_vehicle.request.vehicle, by_vehicle.request.category, by_vehicle.request.station) == (
        VEHICLE.id,
        None,
        None,
    )
    (by_category,) = Scene().live(plan(by_category="city")).of(Book)
    assert (by_category.request.vehicle, by_category.request.category, by_category.request.station) == (
        None,
        "city",
        VEHICLE.station,
    )


def test_who_cancels_or_never_comes_touches_no_cabinet() -> None:
    cancelled = Scene().live(plan(cancel_at_ms=START_MS - 5 * MINUTE_MS))
    assert cancelled.of(CallOff) == [CallOff("booking-1")]
    absent = Scene().live(plan(arrive_at_ms=None))
    assert not absent.of(CallOff)
    assert cancelled.happened == absent.happened == []


def test_who_comes_too_early_comes_again_when_the_window_is_open() -> None:
    def box(_tap: ShowCard, cabinet: PhysicalCabinet) -> Answer:
        early = scene.now_ms < START_MS - 5 * MINUTE_MS
        return ReaderLight.AMBER if early else opens_home(_tap, cabinet)

    scene = Scene(answer=box)
    scene.live(plan(arrive_at_ms=START_MS - 8 * MINUTE_MS))
    removed = next(fact for fact in scene.record if fact.deed.what is What.KEY_REMOVED)
    assert removed.moment.at_ms == START_MS - 3 * MINUTE_MS


def test_who_is_refused_again_and_again_gives_up() -> None:
    scene = Scene(answer=lambda *_: ReaderLight.RED).live(plan())
    assert len(scene.of(StepUp)) <= VISITS_MAX
    assert scene.happened == []
    assert not scene.of(DriveOff)


def test_a_reader_that_says_nothing_is_tried_twice_before_walking_away() -> None:
    scene = Scene(answer=lambda *_: None).live(plan(arrive_at_ms=START_MS + 40 * MINUTE_MS))
    assert scene.intents == [Intent.TAKE, Intent.TAKE]


def test_the_wrong_card_comes_first_and_then_the_right_one() -> None:
    assert MEMBER.old_badge is not None
    wrong = MEMBER.old_badge
    scene = Scene(answer=lambda tap, it: ReaderLight.RED if tap.card == wrong else opens_home(tap, it))
    scene.live(plan(wrong_card=wrong))
    assert scene.intents == [Intent.MISTAKE, Intent.TAKE, Intent.BRING_BACK]
    assert scene.happened == TAKEN + RETURNED


def test_a_door_that_the_wrong_card_opens_is_shut_without_taking_the_key() -> None:
    assert MEMBER.old_badge is not None
    wrong = MEMBER.old_badge
    scene = Scene(answer=lambda tap, it: 2 if tap.card == wrong else opens_home(tap, it))
    scene.live(plan(wrong_card=wrong))
    assert scene.happened[:3] == [What.LOCK_PULSED, What.DOOR_OPENED, What.DOOR_CLOSED]
    assert scene.cabinet.key_in(2) is not None


def test_a_careless_hand_leaves_the_door_ajar() -> None:
    scene = Scene(answer=lambda tap, it: None if tap.intent is Intent.BRING_BACK else opens_home(tap, it))
    scene.live(plan(leaves_ajar=True))
    assert scene.happened == [What.LOCK_PULSED, What.DOOR_OPENED, What.KEY_REMOVED]
    assert scene.cabinet.open_slots() == (KEY.home_slot,)


def ajar_after_taking(scene: Scene, slot: int) -> Callable[[ShowCard, PhysicalCabinet], Answer]:
    """Somebody else leaves `slot` ajar while the member is away."""

    def box(tap: ShowCard, cabinet: PhysicalCabinet) -> Answer:
        if tap.intent is Intent.BRING_BACK and not cabinet.is_open(slot):
            cabinet.force_open(Moment(scene.now_ms, scene.line_us), slot, "member before")
        return opens_home(tap, cabinet)

    return box


@pytest.mark.parametrize(("uses_ajar", "hangs_in"), [(True, SPARE), (False, KEY.home_slot)])
def test_a_key_goes_into_the_ajar_slot_or_into_the_lit_one(*, uses_ajar: bool, hangs_in: int) -> None:
    scene = Scene()
    scene.answer = ajar_after_taking(scene, SPARE)
    scene.live(plan(uses_ajar=uses_ajar))
    assert scene.cabinet.key_in(hangs_in) == KEY
    assert not scene.cabinet.is_open(KEY.home_slot)


def test_who_is_sent_to_another_slot_than_home_follows_the_light() -> None:
    scene = Scene()
    scene.answer = lambda tap, it: 7 if tap.intent is Intent.BRING_BACK else opens_home(tap, it)
    scene.live(plan(uses_ajar=True))
    assert scene.cabinet.key_in(7) == KEY


def test_a_tidy_member_shuts_what_others_left_open() -> None:
    scene = Scene()
    scene.answer = ajar_after_taking(scene, SPARE)
    scene.live(plan(tidies=True))
    assert scene.cabinet.open_slots() == ()


def test_the_own_badge_announces_a_return_and_the_tag_helps_where_it_does_not() -> None:
    scene = Scene().live(plan(bring_back=BringBack.BADGE))
    assert scene.of(ShowCard)[1].card == MEMBER.badges[0]
    refused = Scene(
        answer=lambda tap, it: (
            ReaderLight.RED
            if tap.intent is Intent.BRING_BACK and tap.card == MEMBER.badges[0]
            else opens_home(tap, it)
        )
    )
    refused.live(plan(bring_back=BringBack.BADGE))
    assert [tap.card for tap in refused.of(ShowCard)] == [MEMBER.badges[0], MEMBER.badges[0], KEY.tag]
    assert refused.cabinet.key_in(KEY.home_slot) == KEY


def test_a_key_that_no_slot_opens_for_stays_with_its_taker() -> None:
    scene = Scene(answer=lambda tap, it: None if tap.intent is Intent.BRING_BACK else opens_home(tap, it))
    scene.live(plan(forgets_bag_ms=MINUTE_MS))
    assert scene.happened == TAKEN
    assert len(scene.of(StepUp)) == 1 + VISITS_MAX


@pytest.mark.parametrize("opens", [True, False])
def test_a_second_tap_after_the_return_shuts_the_door_if_one_opens(*, opens: bool) -> None:
    scene = Scene(
        answer=lambda tap, it: None if tap.intent is Intent.SAY_DONE and not opens else opens_home(tap, it)
    )
    scene.live(plan(taps_again=True))
    assert scene.intents == [Intent.TAKE, Intent.BRING_BACK, Intent.SAY_DONE]
    again = [What.LOCK_PULSED, What.DOOR_OPENED, What.DOOR_CLOSED] if opens else []
    assert scene.happened == TAKEN + RETURNED + again


def test_a_forgotten_bag_takes_the_key_out_and_back_once_more() -> None:
    scene = Scene().live(plan(forgets_bag_ms=3 * MINUTE_MS))
    assert scene.intents == [Intent.TAKE, Intent.BRING_BACK, Intent.RETAKE, Intent.BRING_BACK]
    assert scene.happened == (TAKEN + RETURNED) * 2
    assert len(scene.of(DriveOff)) == 1, "the car stays where it is"


def test_a_lit_slot_without_a_key_is_shut_again() -> None:
    scene = Scene(answer=lambda *_: SPARE).live(plan(arrive_at_ms=START_MS + 40 * MINUTE_MS))
    assert scene.happened == [What.LOCK_PULSED, What.DOOR_OPENED, What.DOOR_CLOSED]
    assert not scene.of(DriveOff)


def test_who_finds_another_key_drives_that_car_and_brings_that_key_back() -> None:
    other: Key = NETWORK.vehicles[1].key
    scene = Scene(answer=lambda *_: other.home_slot).live(plan())
    assert scene.of(DriveOff)[0].vehicle == other.vehicle
    assert scene.of(ShowCard)[1].card == other.tag


# --- slips of those who come back


def test_a_key_left_in_the_car_is_brought_later_and_the_slot_shut_meanwhile() -> None:
    scene = Scene(slip=Slip(left_in_car_us=5_000_000)).live(plan())
    assert scene.intents == [Intent.TAKE, Intent.BRING_BACK, Intent.BRING_BACK]
    opened_in_vain = [What.LOCK_PULSED, What.DOOR_OPENED, What.DOOR_CLOSED]
    assert scene.happened == [*TAKEN, *opened_in_vain, *RETURNED]


def test_whoever_swapped_cars_brings_the_other_key() -> None:
    other = NETWORK.vehicles[1].key
    scene = Scene(slip=Slip(key=other)).live(plan())
    assert [act.key for act in scene.of(HangKey)] == [other]
    assert [tap.card for tap in scene.of(ShowCard)][-1] == other.tag


def test_a_key_is_brought_where_the_member_stands() -> None:
    scene = Scene(slip=Slip(cabinet="elsewhere-1")).live(plan())
    assert [act.cabinet for act in scene.of(StepUp)] == [CABINET, "elsewhere-1"]


def test_a_member_whom_a_full_cabinet_refused_comes_again_a_few_times() -> None:
    def opens_to_take(tap: ShowCard, cabinet: PhysicalCabinet) -> Answer:
        return opens_home(tap, cabinet) if tap.intent is Intent.TAKE else ReaderLight.RED

    scene = Scene(answer=opens_to_take, slip=Slip(comes_again_us=300_000_000)).live(plan())
    assert len(scene.of(StepUp)) == 1 + VISITS_MAX * VISITS_MAX
    assert not scene.of(HangKey)


STAFF_CARD = Card(MIFARE_7.name, MIFARE_7.bits, bytes(range(1, 8)))


def asks_for_pin(tap: ShowCard, cabinet: PhysicalCabinet) -> Answer:
    return ReaderLight.PIN if tap.intent is Intent.TAKE else opens_home(tap, cabinet)


def test_a_pin_is_keyed_in_where_the_reader_asks_for_it() -> None:
    scene = Scene(answer=asks_for_pin).live(plan(badge=STAFF_CARD, pin="4711"))
    (keyed,) = scene.of(KeyIn)
    assert (keyed.digits, keyed.is_right, keyed.tap.intent) == ("4711", True, Intent.TAKE)
    assert scene.happened == TAKEN + RETURNED


def test_who_slips_shows_the_card_again_and_knows_better_then() -> None:
    scene = Scene(answer=asks_for_pin).live(plan(badge=STAFF_CARD, pin="4711", slips_at_pin=True))
    assert [(keyed.digits, keyed.is_right) for keyed in scene.of(KeyIn)] == [("5711", False), ("4711", True)]
    assert scene.happened == TAKEN + RETURNED


def test_nobody_keys_in_what_is_not_asked_for() -> None:
    assert Scene().live(plan(badge=STAFF_CARD, pin="4711", slips_at_pin=True)).of(KeyIn) == []
