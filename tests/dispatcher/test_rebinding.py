"""A booking follows the key that left under it, where that key's vehicle is free."""

from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, update

from contract.facts import Identity, KeyReturned, KeyTaken
from dispatcher.core.booking_states import FINAL_STATES, BookingState
from dispatcher.core.grants import horizon_ms
from dispatcher.core.incidents import IncidentKind
from dispatcher.store.bookings import history_page
from dispatcher.store.material import material_of
from dispatcher.store.origin import with_origin
from dispatcher.store.paging import PageRequest
from dispatcher.store.schema import bookings, keys, outbox, vehicles
from tests.dispatcher import small_fleet as fleet
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.small_fleet import CABINET, HOUR, NOW_MS, RULES, same_but_for, stored

UNDER_1: dict[str, Any] = {"grant": "grant-1", "badge": "ref-1"}
WRONG_KEY = (IncidentKind.WRONG_KEY_TAKEN, "key-2", True)


class Bench:
    def __init__(self) -> None:
        self.database = fleet.new_database()
        self.box = FakeBox()

    def tell(self, kind: type[Any], **fields: Any) -> None:
        seq = self.box.note(kind, **fields)
        fleet.take(self.database, self.box.batch(seq), now_ms=self.box.now_ms)

    def take_key(self, key: str = "key-2", slot: int = 2) -> None:
        self.tell(KeyTaken, slot=slot, identity=Identity.READ, key=key, **UNDER_1)

    def return_key(self, key: str = "key-2", slot: int = 2, **fields: Any) -> None:
        self.tell(KeyReturned, slot=slot, identity=Identity.READ, key=key, **UNDER_1, **fields)

    def history(self) -> list[tuple[str, dict[str, Any]]]:
        page = self.database.read_now(lambda c: history_page(c, "booking-1", PageRequest(limit=50)))
        return [(entry.what, entry.detail) for entry in page.items]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_wrong_key_of_a_free_vehicle_takes_the_booking_with_it(bench: Bench) -> None:
    before = fleet.book(bench.database)
    bench.take_key()
    after = stored(bench.database)
    assert (after.vehicle_id, after.key_id, after.state) == ("car-2", "key-2", BookingState.ACTIVE)
    assert same_but_for(before, after) == {"vehicle_id", "key_id", "state", "taken_ms", "version"}
    assert after.has_origin
    assert fleet.incidents(bench.database) == []
    (what, detail), *_ = bench.history()
    assert what == "rebound"
    assert detail["before"] == {"vehicle_id": "car-1", "key_id": "key-1"}
    fleet.book(bench.database, 2)  # the former vehicle is free again


def test_it_is_told_to_who_listens_to_changes(bench: Bench) -> None:
    fleet.book(bench.database)
    bench.take_key()
    texts = bench.database.read_now(lambda c: [str(row) for row in c.execute(select(outbox))])
    assert any("rebound" in text and "car-2" in text for text in texts)


def test_a_wrong_key_of_a_booked_vehicle_leaves_the_booking_and_is_an_incident(bench: Bench) -> None:
    fleet.book(bench.database)
    fleet.book(bench.database, 2, vehicle_id="car-2", key_id="key-2", start_ms=NOW_MS + HOUR)
    bench.take_key()
    assert stored(bench.database).vehicle_id == "car-1"
    assert fleet.incidents(bench.database) == [WRONG_KEY]


def test_the_databases_word_counts_where_ours_is_another(bench: Bench) -> None:
    fleet.book(bench.database)
    ended = {"start_ms": NOW_MS - HOUR, "end_ms": NOW_MS + 1, "state": BookingState.RETURNED}
    fleet.book(bench.database, 2, vehicle_id="car-2", key_id="key-2", **ended)
    bench.box.now_ms += HOUR  # over by the clock, and its vehicle still held
    bench.take_key()
    assert stored(bench.database).vehicle_id == "car-1"
    assert fleet.incidents(bench.database) == [WRONG_KEY]


def test_a_vehicle_that_is_out_of_service_is_not_bound_to(bench: Bench) -> None:
    fleet.book(bench.database)
    retire = update(vehicles).where(vehicles.c.id == "car-2").values(life_cycle="retired")
    bench.database.write_now(lambda c: c.execute(retire))
    bench.take_key()
    assert fleet.incidents(bench.database) == [WRONG_KEY]


def test_the_spare_key_of_the_same_vehicle_is_no_wrong_one(bench: Bench) -> None:
    fleet.book(bench.database)
    spare = {
        "id": "key-spare",
        "vehicle_id": "car-1",
        "home_cabinet_id": CABINET,
        "home_slot": 3,
        "life_cycle": "in_service",
    }
    bench.database.write_now(lambda c: c.execute(insert(keys).values(with_origin(c, keys, spare))))
    bench.take_key("key-spare", slot=3)
    after = stored(bench.database)
    assert (after.vehicle_id, after.key_id, after.state) == ("car-1", "key-spare", BookingState.ACTIVE)
    assert fleet.incidents(bench.database) == []


def test_a_second_key_under_a_booking_whose_key_is_out_is_an_incident(bench: Bench) -> None:
    fleet.book(bench.database)
    bench.take_key("key-1", slot=1)
    bench.take_key("key-2", slot=2)
    assert stored(bench.database).vehicle_id == "car-1"
    assert fleet.incidents(bench.database) == [WRONG_KEY]


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
def test_a_booking_that_is_over_follows_no_key(bench: Bench, state: BookingState) -> None:
    before = fleet.book(bench.database, state=state)
    bench.take_key()
    assert stored(bench.database) == before


def test_a_service_order_stays_with_its_vehicle(bench: Bench) -> None:
    fleet.book(bench.database, purpose="garage")
    bench.take_key()
    assert stored(bench.database).vehicle_id == "car-1"
    assert fleet.incidents(bench.database) == [WRONG_KEY]


def test_a_row_that_nobody_vouches_for_follows_no_key(bench: Bench) -> None:
    fleet.book(bench.database)
    unsigned = update(bookings).values(origin=None)
    bench.database.write_now(lambda c: c.execute(unsigned))
    bench.take_key()
    assert stored(bench.database).vehicle_id == "car-1"


def test_another_car_after_one_that_was_handed_back_becomes_the_bookings_own(bench: Bench) -> None:
    fleet.book(bench.database)
    bench.take_key("key-1", slot=1)
    bench.return_key("key-1", slot=1, handed_back=True)
    bench.take_key()
    after = stored(bench.database)
    assert (after.vehicle_id, after.state, after.taken_ms) == ("car-2", BookingState.ACTIVE, NOW_MS)
    assert IncidentKind.WRONG_KEY_TAKEN not in {kind for kind, _, _ in fleet.incidents(bench.database)}


# --- which rights allow another key


def _stand_ins(bench: Bench) -> dict[str, bool]:
    def read(connection: Connection) -> dict[str, bool]:
        material = material_of(connection, CABINET, horizon_ms(RULES, NOW_MS))
        return {right.grant_id: right.stand_in for right in material.rights}

    return bench.database.read_now(read)


def test_a_booking_of_a_category_allows_another_key_of_it_and_one_of_a_vehicle_does_not(bench: Bench) -> None:
    fleet.book(bench.database, 1)
    fleet.book(bench.database, 2, vehicle_id="car-2", key_id="key-2", category="city")
    assert _stand_ins(bench) == {"grant-1": False, "grant-2": True}


def test_who_handed_a_vehicle_back_may_take_another_of_its_category(bench: Bench) -> None:
    fleet.book(bench.database, 1)
    bench.take_key("key-1", slot=1)
    assert _stand_ins(bench) == {"grant-1": False}
    bench.box.now_ms += HOUR // 12
    bench.return_key("key-1", slot=1, handed_back=True)
    assert _stand_ins(bench) == {"grant-1": True}


def test_an_order_allows_no_other_key(bench: Bench) -> None:
    fleet.book(bench.database, 1, purpose="garage", category="city")
    assert _stand_ins(bench) == {"grant-1": False}
