"""Blocks between the database, the box and the clock: what they refuse, and what they hold up."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, text, update
from sqlalchemy.exc import IntegrityError

from contract.facts import DeviceBack
from dispatcher.core.blocks import BlockKind
from dispatcher.core.booking_states import BookingState
from dispatcher.core.hearing import Hearing
from dispatcher.core.orders import Purpose
from dispatcher.core.rules import BookingReason
from dispatcher.core.windows import Window
from dispatcher.store.block_desk import BlockDesk, WantedBlock
from dispatcher.store.blocks import Block, begin_blocks, block_by_id, next_block_ms
from dispatcher.store.booking_requests import Declined, WantedBooking
from dispatcher.store.bookings import BLOCKED, Booking, insert_booking
from dispatcher.store.changes import Author, changes_page
from dispatcher.store.grant_status import grant_statuses
from dispatcher.store.order_desk import OrderDesk, WantedOrder
from dispatcher.store.paging import PageRequest
from dispatcher.store.schema import bookings, members
from dispatcher.store.timed import run_timed
from tests.dispatcher.origin_bench import Bench
from tests.dispatcher.small_fleet import HOUR, MINUTE, NOW_MS, RULES, book, booking, incidents, new_database, stored


@pytest.fixture
def bench() -> Bench:
    return Bench(new_database())


def desk(bench: Bench, work: Any, now_ms: int = NOW_MS, reason: str | None = None) -> Any:
    return bench.database.write_now(
        lambda connection: work(BlockDesk(connection, Author("api/test", now_ms, reason), bench.random_bytes))
    )


def lay(bench: Bench, now_ms: int = NOW_MS, **fields: Any) -> Block:
    """Car 1 is damaged from now, for four hours, unless told otherwise."""
    wanted: dict[str, Any] = {
        "vehicle_id": "car-1",
        "kind": BlockKind.DAMAGE,
        "start_ms": NOW_MS,
        "expected_end_ms": NOW_MS + 4 * HOUR,
        "note": None,
        **fields,
    }
    made = desk(bench, lambda it: it.create(WantedBlock(**wanted)), now_ms)
    assert isinstance(made, Block), made
    return made


def end(bench: Bench, block: Block, now_ms: int) -> Block:
    def work(it: BlockDesk) -> Any:
        found = block_by_id(it.connection, block.id, lock=True)
        assert found is not None
        return it.end(found)

    ended = desk(bench, work, now_ms, reason="repaired")
    assert isinstance(ended, Block)
    return ended


def inserted(bench: Bench, wanted: Booking) -> bool:
    return bench.database.write_now(partial(insert_booking, booking=wanted))


def tick(bench: Bench, now_ms: int) -> None:
    hearing = Hearing(listening=False, listening_since_ms=NOW_MS, listening_s=0.0, quiet_s={})
    bench.database.write_now(lambda connection: run_timed(connection, RULES, hearing, now_ms))


# --- what the database refuses


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "is_free"),
    [
        (NOW_MS, NOW_MS + HOUR, False),
        (NOW_MS + 3 * HOUR, NOW_MS + 5 * HOUR, False),
        (NOW_MS - HOUR, NOW_MS + 1, False),
        (NOW_MS + 4 * HOUR, NOW_MS + 6 * HOUR, True),
        (NOW_MS - HOUR, NOW_MS, True),
    ],
)
def test_the_database_refuses_a_booking_under_a_block(
    bench: Bench, start_ms: int, end_ms: int, is_free: bool
) -> None:
    lay(bench)
    assert inserted(bench, booking(start_ms=start_ms, end_ms=end_ms, changed_ms=NOW_MS)) is is_free
    assert inserted(bench, booking(2, vehicle_id="car-2", key_id="key-2"))


def test_a_block_without_an_expected_end_refuses_whatever_comes_later(bench: Bench) -> None:
    block = lay(bench, expected_end_ms=None)
    months = 100 * 24 * HOUR
    assert not inserted(bench, booking(start_ms=NOW_MS + months, changed_ms=NOW_MS))
    end(bench, block, NOW_MS + HOUR)
    assert inserted(bench, booking(start_ms=NOW_MS + months))


def test_a_block_past_its_expected_end_still_holds_the_present(bench: Bench) -> None:
    lay(bench, expected_end_ms=NOW_MS + HOUR)
    late_ms = NOW_MS + 2 * HOUR
    assert not inserted(bench, booking(start_ms=late_ms, changed_ms=late_ms))
    assert inserted(bench, booking(2, start_ms=late_ms + HOUR, changed_ms=late_ms))


def test_what_was_booked_before_goes_its_way_and_gets_no_more_time(bench: Bench) -> None:
    book(bench.database)
    lay(bench)
    lay(bench, vehicle_id="car-2")
    this = update(bookings).where(bookings.c.id == "booking-1")
    bench.forge(this.values(state="active"), this.values(end_ms=NOW_MS + HOUR))
    for values in ({"end_ms": NOW_MS + 3 * HOUR}, {"start_ms": NOW_MS - 1}, {"vehicle_id": "car-2"}):
        with pytest.raises(IntegrityError, match=BLOCKED):
            bench.forge(this.values(values))
    bench.forge(this.values(state="completed"))
    with pytest.raises(IntegrityError, match=BLOCKED):
        bench.forge(this.values(state="booked"))


@pytest.mark.only_sqlite
def test_without_the_databases_word_the_same_booking_passes(bench: Bench) -> None:
    lay(bench)
    bench.forge(text("DROP TRIGGER booking_blocked_insert"))
    assert inserted(bench, booking())


def test_the_desk_says_that_the_vehicle_is_blocked_and_until_when(bench: Bench) -> None:
    lay(bench)
    wanted = WantedBooking("member-1", Window(NOW_MS, NOW_MS + HOUR), vehicle_id="car-1")
    declined = bench.desk(lambda it: it.create(wanted))
    assert isinstance(declined, Declined)
    assert declined.why.reason is BookingReason.VEHICLE_BLOCKED
    (verdict,) = declined.not_free
    assert verdict.next_free is not None
    assert verdict.next_free.start_ms == NOW_MS + 4 * HOUR


def test_a_category_is_planned_on_a_vehicle_that_is_not_blocked(bench: Bench) -> None:
    lay(bench)
    made = bench.booked(vehicle_id=None, category="city", station_id="st-a")
    assert made.vehicle_id == "car-2"


# --- what the box is told


def test_a_block_in_force_has_the_box_refuse_the_key_by_name(bench: Bench) -> None:
    book(bench.database)
    lay(bench)
    told = bench.told()
    assert told.blocked == ("key-1",)
    assert [grant.grant for grant in told.grants] == ["grant-1"]  # so that its member is told why


def test_a_right_under_a_block_to_come_is_off_the_box_before_it_begins(bench: Bench) -> None:
    book(bench.database, 1, start_ms=NOW_MS + 2 * HOUR)
    book(bench.database, 2, start_ms=NOW_MS, end_ms=NOW_MS + HOUR)
    block = lay(bench, start_ms=NOW_MS + 3 * HOUR, expected_end_ms=NOW_MS + 5 * HOUR)
    told = bench.told()
    assert (told.blocked, [grant.grant for grant in told.grants]) == ((), ["grant-2"])
    end(bench, block, NOW_MS + MINUTE)
    assert [grant.grant for grant in bench.grants()] == ["grant-2", "grant-1"]


def test_a_running_rental_keeps_its_right(bench: Bench) -> None:
    book(bench.database, state=BookingState.ACTIVE)
    lay(bench, start_ms=NOW_MS + HOUR)
    assert [grant.grant for grant in bench.grants()] == ["grant-1"]
    tick(bench, NOW_MS)
    assert incidents(bench.database) == []


def test_a_service_order_passes_a_block(bench: Bench) -> None:
    lay(bench)
    bench.forge(update(members).where(members.c.id == "member-1").values(role="staff"))
    wanted = WantedOrder("member-1", "car-1", Purpose.GARAGE, Window(NOW_MS, NOW_MS + HOUR))
    made = bench.database.write_now(
        lambda connection: OrderDesk(connection, RULES, NOW_MS, bench.random_bytes, "api/test").create(wanted)
    )
    assert isinstance(made, Booking)
    told = bench.told()
    assert (told.blocked, [grant.order for grant in told.grants]) == (("key-1",), ["service_order"])
    tick(bench, NOW_MS)
    assert incidents(bench.database) == []


def test_the_boxes_are_told_when_a_block_begins(bench: Bench) -> None:
    lay(bench, start_ms=NOW_MS + HOUR)
    bench.told()

    def due(connection: Connection) -> int | None:
        return next_block_ms(connection, NOW_MS)

    assert bench.database.read_now(due) == NOW_MS + HOUR
    dirty = text("SELECT cabinet_id FROM desired_states WHERE dirty")
    bench.database.write_now(partial(begin_blocks, now_ms=NOW_MS + HOUR - 1))
    assert bench.database.read_now(lambda c: c.execute(dirty).scalars().all()) == []
    tick(bench, NOW_MS + HOUR)
    assert bench.database.read_now(lambda c: c.execute(dirty).scalars().all()) == ["cab-a"]


# --- what people are told


def test_each_booking_under_a_block_is_an_incident_until_it_is_planned_anew(bench: Bench) -> None:
    book(bench.database, 1)
    book(bench.database, 2, start_ms=NOW_MS + 3 * HOUR)
    book(bench.database, 3, start_ms=NOW_MS + 6 * HOUR)
    lay(bench)
    tick(bench, NOW_MS)
    tick(bench, NOW_MS + 1)
    assert incidents(bench.database) == [
        ("booking_blocked", "booking-1", True),
        ("booking_blocked", "booking-2", True),
    ]
    bench.cancelled(stored(bench.database, 1))
    moved = bench.changed(stored(bench.database, 2), vehicle_id="car-2", accept_unreachable=True)
    assert isinstance(moved, Booking), moved
    tick(bench, NOW_MS + 2)
    assert [is_open for _, _, is_open in incidents(bench.database)] == [False, False]


def test_the_incident_of_a_booking_closes_when_the_block_ends(bench: Bench) -> None:
    book(bench.database)
    block = lay(bench)
    tick(bench, NOW_MS)
    end(bench, block, NOW_MS + 1)
    tick(bench, NOW_MS + 2)
    assert incidents(bench.database) == [("booking_blocked", "booking-1", False)]


def test_a_block_that_takes_longer_meets_the_booking_that_begins_meanwhile(bench: Bench) -> None:
    book(bench.database, start_ms=NOW_MS + 5 * HOUR)
    lay(bench)
    tick(bench, NOW_MS + 5 * HOUR - 1)
    assert incidents(bench.database) == []
    tick(bench, NOW_MS + 5 * HOUR)
    assert incidents(bench.database) == [("booking_blocked", "booking-1", True)]


def test_of_a_block_without_an_end_the_bookings_of_the_coming_days_are_named(bench: Bench) -> None:
    days = 24 * HOUR
    book(bench.database, 1, start_ms=NOW_MS + 2 * days)
    book(bench.database, 2, start_ms=NOW_MS + 30 * days)
    lay(bench, expected_end_ms=None)
    tick(bench, NOW_MS)
    assert incidents(bench.database) == [("booking_blocked", "booking-1", True)]
    tick(bench, NOW_MS + 25 * days)
    assert [subject for _, subject, is_open in incidents(bench.database) if is_open] == ["booking-1", "booking-2"]


def test_a_member_is_told_that_the_booked_vehicle_is_blocked(bench: Bench) -> None:
    book(bench.database, 1, start_ms=NOW_MS + HOUR)
    block = lay(bench)

    def status() -> str:
        found = stored(bench.database)
        return bench.database.read_now(lambda connection: grant_statuses(connection, [found]))["booking-1"]

    assert status() == "blocked"
    end(bench, block, NOW_MS + MINUTE)
    assert status() != "blocked"


def test_a_member_whose_vehicle_was_blocked_is_no_no_show(bench: Bench) -> None:
    book(bench.database)
    lay(bench)
    late_ms = NOW_MS + RULES.take_by_s * 1000 + MINUTE
    for at_ms, state in ((late_ms, "booked"), (NOW_MS + 2 * HOUR + MINUTE, "cancelled")):
        bench.box.now_ms = at_ms
        bench.fact(DeviceBack, device="reader")
        tick(bench, at_ms)
        assert stored(bench.database).state == state


# --- the desk


def test_what_was_changed_of_a_block_is_kept_without_its_note(bench: Bench) -> None:
    block = lay(bench, note="scratch at the left door")
    ended = end(bench, block, NOW_MS + HOUR)
    assert (ended.ended_ms, ended.version) == (NOW_MS + HOUR, 2)
    page = bench.database.read_now(lambda c: changes_page(c, "blocks", block.id, PageRequest(10)))
    first, second = page.items
    assert (first.before, first.after["kind"], first.after["note"]) == (None, "damage", "(not kept)")
    assert (second.author, second.reason) == ("api/test", "repaired")
    assert second.after["ended_ms"] == NOW_MS + HOUR
