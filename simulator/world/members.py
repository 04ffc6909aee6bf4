"""What goes on in a member's mind: one generator per plan, without I/O, clock or randomness.

It yields acts and is resumed with their outcomes (`acts.py`). All that is drawn was drawn before, into the
plan; what it decides here follows from the plan and from what the member sees.
"""

from simulator.network.model import Card, Key
from simulator.network.wiring import BADGE_READER, RETURN_READER
from simulator.world.acts import (
    Book,
    CallOff,
    CloseDoor,
    ComeBack,
    DriveOff,
    HangKey,
    LookAround,
    LookUp,
    Park,
    Pause,
    ReaderLight,
    Script,
    ShowCard,
    Slip,
    StepAway,
    StepUp,
    TakeKey,
    WaitUntil,
)
from simulator.world.api import ON_BOX, ApiAnswer, BookingRequest, BookingView
from simulator.world.demand import MINUTE_MS, OPENING_ALLOWANCE_MS
from simulator.world.plan import BringBack, Plan
from simulator.world.record import Intent
from simulator.world.tapping import Seen, another_pin, tap_and_watch

REACH_US = 800_000  # to the purse and to the reader; keeps taps at one reader well over 1 s apart
HAND_US = 800_000  # from seeing to doing: twice what the slowest scan (two looks 200 ms apart) needs
NOTICE_US = 2_000_000  # a refusal has been understood, the card is put back
NETWORK_RETRY_US = 2_000_000
NETWORK_TRIES = 30  # a minute without network, then the phone goes back into the pocket
LOOKS_AT_PHONE = 8
LOOK_PAUSE_US = 1_000_000  # a new right is on its box well within a second; eight looks are patience enough
TAPS_MAX = 2  # a reader that said nothing or "again" is tried once more
VISITS_MAX = 4
RETRY_MS = 8 * MINUTE_MS  # a coffee, then another try
BEFORE_START_MS = 3 * MINUTE_MS  # when somebody who came too early comes again
GIVE_UP_MS = 45 * MINUTE_MS  # after the start: beyond take_by nobody is let in any more
RETURN_RETRY_US = 5_000_000
BAG_US = 2_500_000  # to the car and back with the bag


class Member:
    """Lives one plan. `live()` is the script to be stepped."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._who = f"member:{plan.comes}"
        self._slipped = False

    @property
    def name(self) -> str:
        return self._who

    def live(self) -> Script[None]:
        plan = self.plan
        booking = yield from self._book()
        if booking is None:
            return
        if plan.cancel_at_ms is not None:
            yield WaitUntil(plan.cancel_at_ms)
            yield CallOff(booking.id)
            return
        if plan.arrive_at_ms is None:
            return
        yield WaitUntil(plan.arrive_at_ms)
        key = yield from self._fetch_key(booking)
        if key is None:
            return
        yield DriveOff(key.vehicle, plan.return_at_ms, plan.distance_m)
        yield WaitUntil(plan.return_at_ms)
        yield Park(key.vehicle)
        back_ms = yield from self._come_back(booking, key)
        if back_ms is not None and plan.forgets_bag_ms is not None:
            yield WaitUntil(back_ms + plan.forgets_bag_ms)
            yield from self._fetch_bag(booking)

    # --- on the phone

    def _book(self) -> Script[BookingView | None]:
        plan = self.plan
        yield WaitUntil(plan.book_at_ms)
        wants_category = plan.by_category is not None
        request = BookingRequest(
            member=plan.member,
            start_ms=plan.start_ms,
            end_ms=plan.end_ms,
            vehicle=None if wants_category else plan.vehicle,
            category=plan.by_category,
            station=plan.station if wants_category else None,
            organisation=plan.organisation,
            drivers=plan.drivers,
        )
        for _ in range(NETWORK_TRIES):
            answer: ApiAnswer | None = yield Book(request)
            if answer is not None:
                return answer if isinstance(answer, BookingView) else None
            yield Pause(NETWORK_RETRY_US)
        return None

    def _right_is_on_box(self, booking: BookingView) -> Script[bool]:
        """Looks at the phone on the way to the cabinet; after a while goes there anyway."""
        for _ in range(LOOKS_AT_PHONE):
            answer: ApiAnswer | None = yield LookUp(booking.id)
            if isinstance(answer, BookingView) and answer.grant == ON_BOX:
                return True
            if isinstance(answer, BookingView) and answer.grant is None:
                return False
            yield Pause(LOOK_PAUSE_US)
        return False

    # --- taking

    def _fetch_key(self, booking: BookingView) -> Script[Key | None]:
        wrong_card = self.plan.wrong_card
        for _ in range(VISITS_MAX):
            on_box = yield from self._right_is_on_box(booking)
            now_ms: int = yield StepUp(booking.cabinet)
            if wrong_card is not None:
                yield from self._show_by_mistake(wrong_card, booking)
                wrong_card = None
            key = yield from self._take(booking, Intent.TAKE, on_box=on_box, leaves_ajar=self.plan.leaves_ajar)
            yield StepAway()
            if key is not None:
                return key
            came_early = now_ms < self.plan.start_ms - OPENING_ALLOWANCE_MS
            again_ms = self.plan.start_ms - BEFORE_START_MS if came_early else now_ms + RETRY_MS
            if again_ms > self.plan.start_ms + GIVE_UP_MS:
                return None
            yield WaitUntil(again_ms)
        return None

    def _take(self, booking: BookingView, intent: Intent, *, on_box: bool, leaves_ajar: bool) -> Script[Key | None]:
        tap = ShowCard(BADGE_READER, self.plan.badge, intent, booking.id, on_box)
        slot = yield from self._open_with(tap)
        if slot is None:
            return None
        yield self._hand()
        key: Key | None = yield TakeKey(slot)
        if key is None or not leaves_ajar:
            yield self._hand()
            yield CloseDoor(slot)
        if self.plan.tidies:
            yield from self._tidy(except_slot=slot)
        return key

    def _show_by_mistake(self, card: Card, booking: BookingView) -> Script[None]:
        slot = yield from self._open_with(ShowCard(BADGE_READER, card, Intent.MISTAKE, booking.id), taps=1)
        if slot is not None:  # not the car that was booked: shut it again
            yield self._hand()
            yield CloseDoor(slot)
        yield Pause(NOTICE_US)

    # --- bringing back

    def _come_back(self, booking: BookingView, key: Key) -> Script[int | None]:
        """As it was meant, or as it comes: without the key, with another one, to another place, in vain."""
        slip: Slip = (yield ComeBack(booking.cabinet, key)) or Slip()
        if slip.left_in_car_us is not None:
            yield from self._stand_without_key(booking)
            yield Pause(slip.left_in_car_us)
        key, taps_again = slip.key or key, self.plan.taps_again
        for _ in range(VISITS_MAX):
            back_ms = yield from self._bring_back(booking, key, taps_again=taps_again, cabinet=slip.cabinet)
            if back_ms is not None or slip.comes_again_us is None:
                return back_ms
            yield Pause(slip.comes_again_us)
        return None

    def _stand_without_key(self, booking: BookingView) -> Script[None]:
        """A slot opens, and the key is not in the pocket: shut it again, and look for the key."""
        yield StepUp(booking.cabinet)
        tap = ShowCard(BADGE_READER, self.plan.badge, Intent.BRING_BACK, booking.id)
        slot = yield from self._open_with(tap, taps=1)
        if slot is not None:
            yield self._hand()
            yield CloseDoor(slot)
        yield StepAway()

    def _bring_back(
        self, booking: BookingView, key: Key, *, taps_again: bool, cabinet: str | None = None
    ) -> Script[int | None]:
        """Until the key hangs somewhere; when that was, or None if the cabinet took it nowhere."""
        by_tag = self.plan.bring_back is BringBack.TAG
        for _ in range(VISITS_MAX):
            now_ms: int = yield StepUp(cabinet or booking.cabinet)
            reader, card = (RETURN_READER, key.tag) if by_tag else (BADGE_READER, self.plan.badge)
            slot = yield from self._open_with(ShowCard(reader, card, Intent.BRING_BACK, booking.id))
            hung = slot is not None and (yield from self._hang(slot, key))
            if hung and taps_again:
                yield from self._tap_again(booking)
            yield StepAway()
            if hung:
                return now_ms
            by_tag = True  # as the sign says
            yield Pause(RETURN_RETRY_US)
        return None

    def _hang(self, lit_slot: int, key: Key) -> Script[bool]:
        """Into the lit slot; somebody careless takes another that stands open nearer to the hand."""
        yield self._hand()
        ajar: tuple[int, ...] = yield LookAround()
        others = [slot for slot in ajar if slot != lit_slot]
        careless = self.plan.uses_ajar and others and lit_slot == key.home_slot
        slot = others[0] if careless else lit_slot
        hung: bool = yield HangKey(slot, key)
        yield self._hand()
        yield CloseDoor(slot)
        if slot != lit_slot:
            yield self._hand()
            yield CloseDoor(lit_slot)
        elif self.plan.tidies:
            yield from self._tidy(except_slot=lit_slot)
        return hung

    def _tap_again(self, booking: BookingView) -> Script[None]:
        """Done. Some boxes take it as the wish to open once more: then the door is shut again."""
        done = ShowCard(BADGE_READER, self.plan.badge, Intent.SAY_DONE, booking.id)
        slot = yield from self._open_with(done, taps=1)
        if slot is not None:
            yield self._hand()
            yield CloseDoor(slot)

    def _fetch_bag(self, booking: BookingView) -> Script[None]:
        on_box = yield from self._right_is_on_box(booking)
        yield StepUp(booking.cabinet)
        key = yield from self._take(booking, Intent.RETAKE, on_box=on_box, leaves_ajar=False)
        yield StepAway()
        if key is not None:
            yield Pause(BAG_US)
            yield from self._bring_back(booking, key, taps_again=False)

    # --- at the cabinet

    def _open_with(self, tap: ShowCard, *, taps: int = TAPS_MAX) -> Script[int | None]:
        """Shows a card and waits for a door to spring open; None: refused, or nothing happened."""
        for _ in range(taps):
            yield Pause(round(REACH_US * self.plan.pace))
            slips = self.plan.slips_at_pin and not self._slipped and tap.card == self.plan.badge
            digits = another_pin(self.plan.pin) if slips else self.plan.pin
            is_right = not slips and tap.card == self.plan.badge
            seen: Seen = yield from tap_and_watch(tap, digits, is_right=is_right, pace=self.plan.pace)
            self._slipped = self._slipped or (slips and seen is ReaderLight.AMBER)
            if isinstance(seen, int):
                return seen
            yield Pause(NOTICE_US)
            if seen is ReaderLight.RED:
                return None
        return None

    def _tidy(self, *, except_slot: int) -> Script[None]:
        ajar: tuple[int, ...] = yield LookAround()
        for slot in ajar:
            if slot != except_slot:
                yield self._hand()
                yield CloseDoor(slot)

    def _hand(self) -> Pause:
        return Pause(round(HAND_US * self.plan.pace))
