"""Bookings under anything that may happen to them, in any order: desks, facts and clock on a real database."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import select

from contract.facts import DoorClosed, GrantCompleted, Identity, KeyReturned, KeyTaken
from dispatcher.core.booking_states import HOLDING_STATES, TRANSITIONS, BookingState
from dispatcher.core.windows import Window
from dispatcher.store.booking_desk import BookingDesk
from dispatcher.store.booking_requests import Declined, WantedBooking, WantedChange, WantedReplacement
from dispatcher.store.bookings import Booking, BookingFilter, HistoryEntry, bookings_page, history_page
from dispatcher.store.operators_desk import OperatorsDesk
from dispatcher.store.paging import PageRequest
from dispatcher.store.schema import key_states
from tests.dispatcher import small_fleet as fleet
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.small_fleet import CABINET, NOW_MS, OTHER_CABINET, RULES, counted_bytes

GRID_MS = RULES.grid_ms
CARS = ("car-1", "car-2", "car-3")
KEYS = {"key-1": (CABINET, 1), "key-2": (CABINET, 2), "key-3": (OTHER_CABINET, 1)}
STEPS = {(before, after) for (before, _), after in TRANSITIONS.items()}
EVERYTHING = PageRequest(limit=100)

which = st.integers(min_value=0, max_value=40)
cars = st.sampled_from(CARS)
keys = st.sampled_from(sorted(KEYS))
starts = st.integers(min_value=0, max_value=16)
lengths = st.integers(min_value=2, max_value=12)


def _reachable(state: BookingState) -> set[BookingState]:
    """What the table can make of a state by any number of steps."""
    found, new = {state}, {state}
    while new:
        new = {after for before, after in STEPS if before in new} - found
        found |= new
    return found


class BookingMachine(RuleBasedStateMachine):
    """Two cabinets, three cars; any of 41 numbers means one of the bookings that there are."""

    def __init__(self) -> None:
        super().__init__()
        self.database = fleet.new_database()
        self.boxes = {cabinet: FakeBox(cabinet, epoch) for cabinet, epoch in self._epochs()}
        self.random_bytes = counted_bytes()
        self.now_ms = NOW_MS
        self.seen: dict[str, Booking] = {}
        self.histories: dict[str, tuple[HistoryEntry, ...]] = {}

    @staticmethod
    def _epochs() -> tuple[tuple[str, str], ...]:
        return (CABINET, "e1" * 16), (OTHER_CABINET, "e2" * 16)

    def teardown(self) -> None:
        self.database.close()

    # --- what people do

    @rule(car=cars, start=starts, length=lengths, by_category=st.booleans())
    def book(self, car: str, start: int, length: int, *, by_category: bool) -> None:
        start_ms = self.now_ms - self.now_ms % GRID_MS + start * GRID_MS
        window = Window(start_ms, start_ms + length * GRID_MS)
        what: dict[str, Any] = {"category": "city", "station_id": "st-a"} if by_category else {"vehicle_id": car}
        wanted = WantedBooking("member-1", window, accept_unreachable=True, **what)
        self._at_desk(lambda desk: desk.create(wanted))

    @rule(which=which, start=starts, length=lengths, car=st.none() | cars)
    def change(self, which: int, start: int, length: int, car: str | None) -> None:
        start_ms = self.now_ms - self.now_ms % GRID_MS + start * GRID_MS
        wanted = WantedChange(start_ms, start_ms + length * GRID_MS, car, accept_unreachable=True)
        self._with(which, lambda desk, booking: desk.change(booking, wanted))

    @rule(which=which, steps=lengths)
    def extend(self, which: int, steps: int) -> None:
        def extend(desk: BookingDesk, booking: Booking) -> Booking | Declined:
            outcome = desk.extend(booking, booking.end_ms + steps * GRID_MS)
            if isinstance(outcome, Booking):
                assert desk.latest_end_ms(outcome) >= outcome.end_ms
            return outcome

        self._with(which, extend)

    @rule(which=which)
    def cancel(self, which: int) -> None:
        self._with(which, lambda desk, booking: desk.cancel(booking))

    @rule(which=which, car=cars)
    def replace(self, which: int, car: str) -> None:
        wanted = WantedReplacement("broken", vehicle_id=car)
        self._with(which, lambda desk, booking: OperatorsDesk(desk).replace(booking, wanted))

    @rule(which=which)
    def complete(self, which: int) -> None:
        self._with(which, lambda desk, booking: OperatorsDesk(desk).complete(booking, "left at the garage"))

    # --- what boxes tell

    @rule(which=which, key=st.none() | keys)
    def take(self, which: int, key: str | None) -> None:
        """The booking's own key, or the wrong one; also one that a sane box would not have given."""
        booking = self._booking(which)
        if booking is not None:
            self._tell_key(KeyTaken, key or booking.key_id, booking.grant_id)

    @rule(key=keys, handed_back=st.sampled_from([True, None]))
    def bring(self, key: str, handed_back: bool | None) -> None:  # drawn by name
        out = select(key_states.c.grant_id).where(key_states.c.key_id == key, key_states.c.state == "taken")
        row = self.database.read_now(lambda c: c.execute(out).one_or_none())
        if row is not None:
            self._tell_key(KeyReturned, key, row.grant_id, handed_back=handed_back)

    @rule(which=which)
    def tap_again(self, which: int) -> None:
        booking = self._booking(which)
        if booking is not None:
            fields = {"reader": "entrance", "grant": booking.grant_id, "badge": "ref-1"}
            self._tell(booking.cabinet_id, GrantCompleted, **fields)

    # --- what time does

    @rule(minutes=st.integers(min_value=1, max_value=200), cabinets_speak=st.booleans())
    def wait(self, minutes: int, *, cabinets_speak: bool) -> None:
        self.now_ms += minutes * 60_000
        if cabinets_speak:
            for cabinet_id in self.boxes:
                self._tell(cabinet_id, DoorClosed, slot=3)
        fleet.decide_deadlines(self.database, self.now_ms)

    # --- what always holds

    @invariant()
    def no_two_bookings_hold_one_vehicle_at_one_instant(self) -> None:
        holding = [booking for booking in self._all() if booking.state in HOLDING_STATES]
        for one, other in combinations(holding, 2):
            assert one.vehicle_id != other.vehicle_id or not one.window.overlaps(other.window), (one, other)

    @invariant()
    def what_was_once_written_stays_and_states_move_by_the_table_alone(self) -> None:
        for booking in self._all():
            before = self.seen.get(booking.id, booking)
            assert booking.original_start_ms == before.original_start_ms
            assert booking.version >= before.version
            assert booking.version > before.version or booking == before
            assert booking.state in _reachable(before.state)
            assert booking.has_origin
            self.seen[booking.id] = booking

    @invariant()
    def histories_only_grow_and_a_booking_ends_once(self) -> None:
        for booking in self._all():
            page = self.database.read_now(lambda c, of=booking.id: history_page(c, of, EVERYTHING))  # type: ignore[misc]  # bound now
            before = self.histories.get(booking.id, ())
            assert page.items[: len(before)] == before
            assert page.items[0].what == "created"
            self.histories[booking.id] = tuple(page.items)
            assert (booking.ended_ms is not None) is (booking.state not in HOLDING_STATES)
            assert booking.start_ms < booking.take_by_ms <= booking.end_ms

    @invariant()
    def a_key_and_its_booking_agree(self) -> None:
        of_vehicle = {f"key-{number}": f"car-{number}" for number in (1, 2, 3)}
        assert all(of_vehicle[booking.key_id] == booking.vehicle_id for booking in self._all())

    # --- by which means

    def _all(self) -> list[Booking]:
        page = self.database.read_now(lambda c: bookings_page(c, BookingFilter(), EVERYTHING))
        return list(page.items)

    def _booking(self, which: int) -> Booking | None:
        found = self._all()
        return found[which % len(found)] if found else None

    def _at_desk(self, work: Callable[[BookingDesk], Booking | Declined]) -> None:
        self.database.write_now(lambda c: work(BookingDesk(c, RULES, self.now_ms, self.random_bytes, "api/test")))

    def _with(self, which: int, work: Callable[[BookingDesk, Booking], Booking | Declined]) -> None:
        booking = self._booking(which)
        if booking is None:
            return

        def changed(desk: BookingDesk) -> Booking | Declined:
            outcome = work(desk, booking)
            if isinstance(outcome, Booking):
                assert outcome == next(other for other in self._now(desk) if other.id == booking.id)
            return outcome

        self._at_desk(changed)

    @staticmethod
    def _now(desk: BookingDesk) -> list[Booking]:
        return list(bookings_page(desk.connection, BookingFilter(), EVERYTHING).items)

    def _tell_key(self, kind: type[Any], key: str, grant: str | None, **fields: Any) -> None:
        cabinet_id, slot = KEYS[key]
        right = {"grant": grant, "badge": "ref-1" if grant is not None else None}
        self._tell(cabinet_id, kind, slot=slot, identity=Identity.READ, key=key, **right, **fields)

    def _tell(self, cabinet_id: str, kind: type[Any], **fields: Any) -> None:
        box = self.boxes[cabinet_id]
        box.now_ms = self.now_ms
        seq = box.note(kind, **fields)
        fleet.take(self.database, box.batch(seq), now_ms=self.now_ms)


class TestWhateverHappensToBookings(BookingMachine.TestCase):  # type: ignore[misc, valid-type]  # made at run time
    settings = settings(max_examples=8, stateful_step_count=25, deadline=None)  # 5 s


@pytest.mark.long
class TestMuchMoreHappensToBookings(BookingMachine.TestCase):  # type: ignore[misc, valid-type]  # made at run time
    settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def test_the_machine_knows_every_state_and_more_than_one_way_through_them() -> None:
    assert _reachable(BookingState.BOOKED) == set(BookingState)
    assert _reachable(BookingState.NO_SHOW) == {BookingState.NO_SHOW}
