"""What operators do to bookings: another vehicle, an end by hand; and what boxes may say of it later."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from contract.facts import AccessGranted, Identity, KeyReturned, KeyTaken, Purpose
from dispatcher.core.booking_states import FINAL_STATES, BookingState
from dispatcher.core.incidents import IncidentKind
from dispatcher.core.rules import BookingReason
from dispatcher.store.booking_desk import BookingDesk, locked
from dispatcher.store.booking_requests import Declined, WantedReplacement
from dispatcher.store.bookings import Booking, history_page
from dispatcher.store.limits import LIMITS
from dispatcher.store.operators_desk import OperatorsDesk
from dispatcher.store.paging import PageRequest
from dispatcher.store.schema import cabinet_links, desired_states, key_states, rentals, vehicles
from tests.dispatcher import small_fleet as fleet
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.small_fleet import HOUR, MINUTE, NOW_MS, RULES, counted_bytes, same_but_for

UNDER_1: dict[str, Any] = {"grant": "grant-1", "badge": "ref-1"}
FULL = "the cabinet is full"


class Bench:
    """A database, a box whose facts are taken at once, and the operators' desk."""

    def __init__(self) -> None:
        self.database = fleet.new_database()
        self.box = FakeBox()
        self.random_bytes = counted_bytes()

    def tell(self, kind: type[Any], **fields: Any) -> None:
        seq = self.box.note(kind, **fields)
        fleet.take(self.database, self.box.batch(seq), now_ms=self.box.now_ms)

    def take_key(self, key: str = "key-1", slot: int = 1, **fields: Any) -> None:
        self.tell(KeyTaken, slot=slot, identity=Identity.READ, key=key, **{**UNDER_1, **fields})

    def return_key(self, key: str = "key-1", slot: int = 1, **fields: Any) -> None:
        self.tell(KeyReturned, slot=slot, identity=Identity.READ, key=key, **{**UNDER_1, **fields})

    def replace(self, **wanted: Any) -> Booking | Declined:
        request = WantedReplacement(**{"reason": "the car is broken", **wanted})
        return self._at_desk(lambda desk, booking: desk.replace(booking, request))

    def complete(self, holder: str | None = None) -> Booking | Declined:
        return self._at_desk(lambda desk, booking: desk.complete(booking, FULL, holder))

    def _at_desk(self, work: Callable[[OperatorsDesk, Booking], Booking | Declined]) -> Booking | Declined:
        def run(connection: Connection) -> Booking | Declined:
            booking = locked(connection, "booking-1")
            assert booking is not None
            desk = BookingDesk(connection, RULES, self.box.now_ms, self.random_bytes, "api/operators")
            return work(OperatorsDesk(desk), booking)

        return self.database.write_now(run)

    def key(self, key_id: str = "key-1") -> dict[str, Any]:
        statement = select(key_states).where(key_states.c.key_id == key_id)
        return self.database.read_now(lambda c: dict(c.execute(statement).mappings().one()))

    def history(self) -> list[tuple[str, str, dict[str, Any]]]:
        page = self.database.read_now(lambda c: history_page(c, "booking-1", PageRequest(limit=50)))
        return [(entry.what, entry.author, entry.detail) for entry in page.items]

    def dirty(self) -> set[str]:
        statement = select(desired_states.c.cabinet_id).where(desired_states.c.dirty)
        return set(self.database.read_now(lambda c: c.execute(statement).scalars().all()))


@pytest.fixture
def bench() -> Bench:
    return Bench()


def _reason(outcome: Booking | Declined) -> BookingReason:
    assert isinstance(outcome, Declined), outcome
    return outcome.why.reason


# --- another vehicle


def test_a_booking_gets_another_vehicle_of_another_station_and_both_boxes_are_told(bench: Bench) -> None:
    before = fleet.book(bench.database)
    replaced = bench.replace(vehicle_id="car-3")
    assert isinstance(replaced, Booking)
    assert replaced == fleet.stored(bench.database)
    assert same_but_for(before, replaced) == {"vehicle_id", "key_id", "cabinet_id", "station_id", "version"}
    assert bench.dirty() == {"cab-a", "cab-b"}
    what, author, detail = bench.history()[-1]
    assert (what, author) == ("replaced", "api/operators")
    assert (detail["before"]["vehicle_id"], detail["after"]["vehicle_id"]) == ("car-1", "car-3")
    assert detail["reason"] == "the car is broken"
    fleet.book(bench.database, 2)  # the former vehicle is free


def test_a_replacement_by_category_is_looked_for_at_the_bookings_own_station(bench: Bench) -> None:
    fleet.book(bench.database)
    replaced = bench.replace(category="city")
    assert isinstance(replaced, Booking)
    assert replaced.vehicle_id == "car-2"
    there = bench.replace(category="city", station_id="st-b")
    assert isinstance(there, Booking)
    assert there.vehicle_id == "car-3"


def test_a_vehicle_that_is_booked_is_no_replacement(bench: Bench) -> None:
    before = fleet.book(bench.database)
    fleet.book(bench.database, 2, vehicle_id="car-2", key_id="key-2", start_ms=NOW_MS + HOUR)
    assert _reason(bench.replace(vehicle_id="car-2")) is BookingReason.VEHICLE_NOT_FREE
    assert fleet.stored(bench.database) == before


def test_its_own_vehicle_is_no_replacement(bench: Bench) -> None:
    fleet.book(bench.database)
    assert _reason(bench.replace(vehicle_id="car-1")) is BookingReason.SAME_VEHICLE


def test_who_waits_for_a_replacement_past_take_by_has_time_to_take_it(bench: Bench) -> None:
    fleet.book(bench.database)
    bench.box.now_ms = NOW_MS + 50 * MINUTE
    replaced = bench.replace(vehicle_id="car-2")
    assert isinstance(replaced, Booking)
    assert replaced.take_by_ms == NOW_MS + 80 * MINUTE
    assert replaced.grant_id == "grant-1"
    bench.take_key("key-2", slot=2)
    assert fleet.stored(bench.database).state is BookingState.ACTIVE


def test_the_time_to_take_a_replacement_ends_with_the_booking(bench: Bench) -> None:
    fleet.book(bench.database)
    bench.box.now_ms = NOW_MS + 110 * MINUTE
    replaced = bench.replace(vehicle_id="car-2")
    assert isinstance(replaced, Booking)
    assert replaced.take_by_ms == replaced.end_ms
    bench.box.now_ms = replaced.end_ms
    assert _reason(bench.replace(vehicle_id="car-1")) is BookingReason.IN_THE_PAST


@pytest.mark.parametrize("handed_back", [True, None])
def test_a_booking_whose_key_is_back_opens_for_its_replacement_until_its_end(
    bench: Bench, *, handed_back: bool | None
) -> None:
    before = fleet.book(bench.database)
    bench.take_key()
    bench.box.now_ms += 5 * MINUTE
    bench.return_key(handed_back=handed_back)
    replaced = bench.replace(vehicle_id="car-2")
    assert isinstance(replaced, Booking)
    assert replaced.grant_id != before.grant_id  # its box would go on with the old key
    assert (replaced.state, replaced.hold_until_ms) == (BookingState.RETURNED, before.end_ms)
    assert (replaced.take_by_ms, replaced.taken_ms) == (before.end_ms, NOW_MS)
    bench.box.now_ms += HOUR
    bench.take_key("key-2", slot=2, grant=replaced.grant_id)
    assert fleet.stored(bench.database).state is BookingState.ACTIVE
    assert IncidentKind.KEY_OUT_WITHOUT_RIGHT not in {kind for kind, _, _ in fleet.incidents(bench.database)}


def test_a_take_under_the_right_that_was_replaced_is_an_incident_and_moves_nothing(bench: Bench) -> None:
    fleet.book(bench.database)
    bench.take_key()
    bench.return_key()
    replaced = bench.replace(vehicle_id="car-2")
    bench.take_key()  # its box had not been told yet
    assert fleet.stored(bench.database) == replaced
    assert fleet.incidents(bench.database) == [(IncidentKind.KEY_OUT_WITHOUT_RIGHT, "key-1", True)]


def test_a_booking_whose_key_is_out_is_not_replaced(bench: Bench) -> None:
    fleet.book(bench.database)
    bench.take_key()
    assert _reason(bench.replace(vehicle_id="car-2")) is BookingReason.KEY_STILL_OUT


def test_a_booking_whose_slot_stands_open_is_not_replaced(bench: Bench) -> None:
    fleet.book(bench.database)
    bench.tell(AccessGranted, reader="entrance", slot=1, purpose=Purpose.TAKE, key="key-1", grant="grant-1")
    assert _reason(bench.replace(vehicle_id="car-2")) is BookingReason.SLOT_RELEASED


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
def test_a_booking_that_is_over_is_neither_replaced_nor_completed(bench: Bench, state: BookingState) -> None:
    fleet.book(bench.database, state=state)
    assert _reason(bench.replace(vehicle_id="car-2")).startswith("booking_")
    assert _reason(bench.complete()).startswith("booking_")


def test_a_refused_replacement_offers_what_is_free_elsewhere(bench: Bench) -> None:
    fleet.book(bench.database)
    fleet.book(bench.database, 2, vehicle_id="car-2", key_id="key-2")
    link = {"cabinet_id": "cab-b", "online": True, "reported_applied": False}
    bench.database.write_now(lambda c: c.execute(insert(cabinet_links).values(link)))
    declined = bench.replace(category="city")
    assert isinstance(declined, Declined)
    assert [offer.vehicle_id for offer in declined.alternatives] == ["car-3"]


# --- an end by hand


def test_a_completed_booking_leaves_its_key_elsewhere_with_who_has_it(bench: Bench) -> None:
    fleet.book(bench.database)
    bench.take_key()
    bench.box.now_ms += HOUR
    completed = bench.complete("Garage du Nord")
    assert isinstance(completed, Booking)
    assert (completed.state, completed.ended_ms) == (BookingState.COMPLETED, NOW_MS + HOUR)
    key = bench.key()
    assert (key["state"], key["holder"], key["grant_id"], key["cabinet_id"]) == (
        "elsewhere", "Garage du Nord", None, None,
    )  # fmt: skip
    rental = bench.database.read_now(lambda c: c.execute(select(rentals)).one())
    assert (rental.returned_ms, rental.odometer_end_m) == (NOW_MS + HOUR, None)
    what, author, detail = bench.history()[-1]
    assert (what, author) == ("completed_by_operator", "api/operators")
    assert (detail["reason"], detail["keys_elsewhere"]) == (FULL, ["key-1"])
    assert bench.dirty() == {"cab-a"}
    fleet.book(bench.database, 2, start_ms=NOW_MS + HOUR)  # the rest is free


def test_who_has_a_key_is_forgotten_when_it_is_back_and_the_booking_stays_over(bench: Bench) -> None:
    fleet.book(bench.database)
    bench.take_key()
    completed = bench.complete("Garage du Nord")
    bench.box.now_ms += HOUR
    bench.return_key()
    assert fleet.stored(bench.database) == completed
    assert (bench.key()["state"], bench.key()["holder"]) == ("in_slot", None)
    assert bench.history()[-1][0] == "refused"


def test_a_take_under_a_right_that_was_completed_is_an_incident_and_moves_nothing(bench: Bench) -> None:
    fleet.book(bench.database)
    bench.take_key()
    bench.return_key()
    completed = bench.complete()
    bench.take_key()
    assert fleet.stored(bench.database) == completed
    assert fleet.incidents(bench.database) == [(IncidentKind.KEY_OUT_WITHOUT_RIGHT, "key-1", True)]


def test_a_returned_booking_is_completed_and_its_key_stays_where_it_hangs(bench: Bench) -> None:
    fleet.book(bench.database)
    bench.take_key()
    bench.return_key()
    assert isinstance(bench.complete(), Booking)
    assert bench.key()["state"] == "in_slot"


def test_a_booking_whose_key_was_never_taken_is_not_completed(bench: Bench) -> None:
    fleet.book(bench.database)
    assert _reason(bench.complete()) is BookingReason.KEY_NOT_TAKEN


def test_an_overdue_booking_is_completed_and_a_vehicle_whose_key_is_elsewhere_is_not_booked_for_now(
    bench: Bench,
) -> None:
    fleet.book(bench.database)
    bench.take_key()
    bench.box.now_ms += 3 * HOUR
    bench.complete("the member's neighbour")
    fleet.book(bench.database, 2, vehicle_id="car-2", key_id="key-2", start_ms=bench.box.now_ms)
    retire = vehicles.update().where(vehicles.c.id == "car-3").values(life_cycle="retired")
    bench.database.write_now(lambda c: c.execute(retire))

    def replace_2(connection: Connection) -> Booking | Declined:
        booking = locked(connection, "booking-2")
        assert booking is not None
        desk = BookingDesk(connection, RULES, bench.box.now_ms, bench.random_bytes, "api/operators")
        return OperatorsDesk(desk).replace(booking, WantedReplacement("scratched", category="city"))

    assert _reason(bench.database.write_now(replace_2)) is BookingReason.KEY_NOT_PRESENT


def test_who_has_a_key_is_forgotten_with_its_limit(bench: Bench) -> None:
    fleet.book(bench.database)
    bench.take_key()
    bench.complete("Garage du Nord")
    limit = next(limit for limit in LIMITS if limit.name == "key_states")
    over = select(key_states.c.key_id).where(limit.past)
    cutoffs = {"before": NOW_MS, "after": NOW_MS + 1}
    past = {
        when: bench.database.read_now(lambda c, at=at: c.execute(over, {"cutoff_ms": at}).scalars().all())  # type: ignore[misc]  # bound now
        for when, at in cutoffs.items()
    }
    assert past == {"before": [], "after": ["key-1"]}
    bench.database.write_now(lambda c: limit.enforce(c, ["key-1"], bench.random_bytes, NOW_MS))
    assert (bench.key()["state"], bench.key()["holder"], bench.key()["badge_ref"]) == ("elsewhere", None, None)
