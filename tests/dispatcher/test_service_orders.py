"""Service orders between facts, boxes and the clock: what differs from a member's booking."""

from typing import Any

import pytest
from sqlalchemy import insert, update

from contract.facts import DeviceBack, Identity, KeyReturned, KeyTaken
from dispatcher.core.booking_states import BookingState
from dispatcher.core.hearing import Hearing
from dispatcher.core.orders import Purpose
from dispatcher.core.windows import Window
from dispatcher.store.bookings import Booking, history_page
from dispatcher.store.order_desk import OrderDesk, WantedOrder
from dispatcher.store.paging import PageRequest
from dispatcher.store.schema import bookings, members, vehicles
from dispatcher.store.timed import run_timed
from tests.dispatcher.origin_bench import Bench, booking_columns
from tests.dispatcher.small_fleet import HOUR, MINUTE, NOW_MS, RULES, book, incidents, new_database, stored

OLD_CODE = "bfbabb781380cc362cdb31d626b7fe9b62809b1026548bf9942e05f0843ccd0a"
"""What this program wrote beside `booking_columns` before bookings had a purpose."""


@pytest.fixture
def bench() -> Bench:
    bench = Bench(new_database())
    bench.forge(update(members).where(members.c.id == "member-1").values(role="staff"))
    return bench


def order(bench: Bench, **fields: Any) -> Booking:
    """One hour in the garage, from now, by member 1 who is of the staff."""
    wanted = {
        "holder_id": "member-1",
        "vehicle_id": "car-1",
        "purpose": Purpose.GARAGE,
        "window": Window(NOW_MS, NOW_MS + HOUR),
        **fields,
    }
    made = bench.database.write_now(
        lambda connection: OrderDesk(connection, RULES, NOW_MS, bench.random_bytes, "api/test").create(
            WantedOrder(**wanted)
        )
    )
    assert isinstance(made, Booking), made
    return made


def state_of(bench: Bench, made: Booking) -> str:
    return str(bench.row(bookings, made.id)["state"])


def test_the_box_is_told_that_it_is_a_service_order_that_opens_until_its_end(bench: Bench) -> None:
    made = order(bench)
    (grant,) = bench.grants()
    assert grant.order == "service_order"
    assert (grant.start_ms, grant.take_by_ms, grant.end_ms) == (NOW_MS, NOW_MS + HOUR, NOW_MS + HOUR)
    assert grant.grant == made.grant_id


def test_an_order_holds_a_vehicle_that_is_out_of_service(bench: Bench) -> None:
    bench.forge(update(vehicles).where(vehicles.c.id == "car-1").values(life_cycle="ordered"))
    order(bench)
    desired = bench.told()
    assert desired.blocked == ("key-1",)
    assert [grant.order for grant in desired.grants] == ["service_order"]


def test_a_purpose_that_somebody_writes_into_a_booking_makes_no_order(bench: Bench) -> None:
    book(bench.database)
    bench.forge(update(bookings).where(bookings.c.id == "booking-1").values(purpose="garage"))
    assert bench.grants() == ()
    assert bench.rows_named() == [("bookings/booking-1", True)]


def test_an_order_whose_purpose_was_taken_away_is_no_booking(bench: Bench) -> None:
    made = order(bench)
    bench.forge(update(bookings).where(bookings.c.id == made.id).values(purpose=None))
    assert bench.grants() == ()
    assert bench.rows_named() == [(f"bookings/{made.id}", True)]


def test_a_code_from_before_there_were_orders_holds(bench: Bench) -> None:
    bench.forge(insert(bookings).values(booking_columns(origin=OLD_CODE)))
    assert [grant.grant for grant in bench.grants()] == ["grant-1"]


def test_after_its_return_an_order_opens_again_until_its_end(bench: Bench) -> None:
    made = order(bench)
    where = {"slot": 1, "key": "key-1", "grant": made.grant_id, "badge": "ref-1", "identity": Identity.READ}
    bench.fact(KeyTaken, **where)
    bench.fact(KeyReturned, **where)
    found = bench.row(bookings, made.id)
    assert (found["state"], found["hold_until_ms"]) == ("returned", NOW_MS + HOUR)
    bench.fact(KeyTaken, **where)
    assert state_of(bench, made) == "active"


def test_an_order_that_nobody_used_is_cancelled_at_its_end_and_is_no_no_show(bench: Bench) -> None:
    made = order(bench)
    told(bench, NOW_MS)
    tick(bench, NOW_MS + HOUR // 2)
    assert state_of(bench, made) == "booked"
    told(bench, NOW_MS + HOUR + MINUTE)
    tick(bench, NOW_MS + HOUR + MINUTE)
    assert state_of(bench, made) == "cancelled"
    page = bench.database.read_now(lambda c: history_page(c, made.id, PageRequest(10)))
    assert (page.items[-1].what, page.items[-1].detail) == ("cancelled", {"state": "cancelled", "why": "not_used"})


def test_an_order_whose_key_is_out_past_its_end_has_an_incident_of_its_own(bench: Bench) -> None:
    made = order(bench)
    where = {"slot": 1, "key": "key-1", "grant": made.grant_id, "badge": "ref-1", "identity": Identity.READ}
    bench.fact(KeyTaken, **where)
    late_ms = NOW_MS + HOUR + RULES.grace_s * 1000 + MINUTE
    told(bench, late_ms)
    tick(bench, late_ms)
    tick(bench, late_ms + MINUTE)
    assert incidents(bench.database) == [("service_order_overdue", made.id, True)]
    bench.fact(KeyReturned, **where)
    tick(bench, late_ms + 2 * MINUTE)
    assert incidents(bench.database) == [("service_order_overdue", made.id, False)]


def test_a_members_booking_is_a_booking_as_before(bench: Bench) -> None:
    book(bench.database)
    assert stored(bench.database).purpose is None
    assert [grant.order for grant in bench.grants()] == ["booking"]
    assert stored(bench.database).state is BookingState.BOOKED


def told(bench: Bench, at_ms: int) -> None:
    """A fact of that instant: all before it is told."""
    bench.box.now_ms = at_ms
    bench.fact(DeviceBack, device="reader")


def tick(bench: Bench, now_ms: int) -> None:
    hearing = Hearing(listening=False, listening_since_ms=NOW_MS, listening_s=0.0, quiet_s={})
    bench.database.write_now(lambda connection: run_timed(connection, RULES, hearing, now_ms))
