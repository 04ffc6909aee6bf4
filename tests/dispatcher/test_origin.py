"""A row that somebody wrote past the program opens nothing."""

from typing import Any

import pytest
from sqlalchemy import delete, insert, text, update

from dispatcher.core.booking_states import BookingState
from dispatcher.core.rules import BookingReason
from dispatcher.core.windows import Window
from dispatcher.store.booking_requests import Declined, WantedBooking
from dispatcher.store.origin import SIGNED, Origin
from dispatcher.store.schema import badges, booking_drivers, bookings, key_tags, keys, members
from tests.dispatcher.origin_bench import Bench, booking_columns
from tests.dispatcher.small_fleet import (
    HOUR,
    NOW_MS,
    ORIGIN,
    ORIGIN_KEY,
    OTHER_CABINET,
    book,
)


@pytest.fixture
def bench() -> Bench:
    return Bench()


# --- bookings


def test_a_booking_that_somebody_inserts_makes_no_grant_and_one_incident(bench: Bench) -> None:
    bench.forge(insert(bookings).values(booking_columns()))
    for _ in range(3):
        assert bench.grants() == ()
    assert bench.rows_named() == [("bookings/booking-1", True)]


def test_the_code_of_another_booking_is_none_of_its_own(bench: Bench) -> None:
    book(bench.database, 2, start_ms=NOW_MS + 3 * HOUR)
    code = bench.row(bookings, "booking-2")["origin"]
    bench.forge(insert(bookings).values(booking_columns(origin=code)))
    assert [grant.grant for grant in bench.grants()] == ["grant-2"]
    assert bench.rows_named() == [("bookings/booking-1", True)]


@pytest.mark.parametrize("code", [None, "", "0" * 64, "é", b"\x00\xff", 7])
def test_what_is_no_code_at_all_is_none_and_stops_nobody_else(bench: Bench, code: object) -> None:
    book(bench.database, 2, start_ms=NOW_MS + 3 * HOUR)
    bench.forge(insert(bookings).values(booking_columns()))
    with bench.database.engine.begin() as connection:  # past the column's type, as SQLite lets one
        connection.exec_driver_sql("UPDATE bookings SET origin = ? WHERE id = 'booking-1'", (code,))
    assert [grant.grant for grant in bench.grants()] == ["grant-2"]
    assert bench.rows_named() == [("bookings/booking-1", True)]


def test_bytes_where_text_should_be_stop_nobody_else(bench: Bench) -> None:
    book(bench.database, 1)
    book(bench.database, 2, start_ms=NOW_MS + 3 * HOUR)
    bench.forge(text("UPDATE bookings SET grant_id = x'00ff' WHERE id = 'booking-1'"))
    assert [grant.grant for grant in bench.grants()] == ["grant-2"]
    assert bench.rows_named() == [("bookings/booking-1", True)]


@pytest.mark.parametrize(
    "changes",
    [
        {"grant_id": "grant-9"},
        {"member_id": "member-2"},
        {"vehicle_id": "car-2"},
        {"key_id": "key-2"},
        {"start_ms": NOW_MS - HOUR},
        {"end_ms": NOW_MS + 9 * HOUR},
        {"take_by_ms": NOW_MS + HOUR},
        {"state": "active"},
        {"version": 2},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_booking_whose_right_was_changed_makes_no_grant(bench: Bench, changes: dict[str, Any]) -> None:
    book(bench.database)
    assert len(bench.grants()) == 1
    bench.forge(update(bookings).values(changes))
    assert bench.grants() == ()
    assert bench.rows_named() == [("bookings/booking-1", True)]


def test_a_booking_moved_to_another_cabinet_makes_no_grant_there(bench: Bench) -> None:
    book(bench.database)
    bench.forge(update(bookings).values(cabinet_id=OTHER_CABINET))
    assert bench.grants() == bench.grants(OTHER_CABINET) == ()


def test_a_cancelled_booking_that_is_put_back_makes_no_grant(bench: Bench) -> None:
    made = bench.booked()
    bench.cancelled(made)
    bench.forge(update(bookings).values(state="booked"))
    assert bench.grants() == ()
    assert bench.rows_named() == [(f"bookings/{made.id}", True)]


def test_neither_the_old_code_nor_the_old_version_alone_puts_a_booking_back(bench: Bench) -> None:
    made = bench.booked()
    before = bench.row(bookings, made.id)
    bench.cancelled(made)
    bench.forge(update(bookings).values(state="booked", origin=before["origin"]))
    assert bench.grants() == ()
    bench.forge(
        update(bookings).values(origin=bench.row(bookings, made.id)["origin"], version=before["version"] + 5)
    )
    assert bench.grants() == ()


def test_a_whole_old_row_put_back_is_not_told_from_the_original(bench: Bench) -> None:
    """The known limit (docs/limits.md): what is in the database alone cannot prove that it is the newest."""
    made = bench.booked()
    before = bench.row(bookings, made.id)
    bench.cancelled(made)
    bench.forge(update(bookings).values(before))
    assert len(bench.grants()) == 1


def test_a_driver_whom_somebody_adds_has_no_right_and_neither_has_the_booking(bench: Bench) -> None:
    book(bench.database, driver_ids=("member-2",))
    assert bench.grants()[0].badges == ("ref-1", "ref-2")
    bench.forge(insert(booking_drivers).values(booking_id="booking-1", member_id="member-3"))
    assert bench.grants() == ()
    assert bench.rows_named() == [("bookings/booking-1", True)]


def test_a_driver_whom_somebody_removes_is_missed(bench: Bench) -> None:
    book(bench.database, driver_ids=("member-2", "member-3"))
    bench.forge(delete(booking_drivers).where(booking_drivers.c.member_id == "member-2"))
    assert bench.grants() == ()


def test_drivers_of_two_bookings_do_not_change_places(bench: Bench) -> None:
    book(bench.database, 1, driver_ids=("member-2",))
    book(bench.database, 2, start_ms=NOW_MS + 3 * HOUR, driver_ids=("member-3",))
    bench.forge(
        delete(booking_drivers),
        insert(booking_drivers).values(booking_id="booking-1", member_id="member-3"),
        insert(booking_drivers).values(booking_id="booking-2", member_id="member-2"),
    )
    assert bench.grants() == ()


# --- people


def test_a_badge_whose_number_was_changed_opens_nothing_and_is_named(bench: Bench) -> None:
    book(bench.database, driver_ids=("member-2",))
    bench.forge(update(badges).where(badges.c.id == "badge-1").values(credential="calypso:00000000000000FF"))
    told = bench.told()
    assert [grant.badges for grant in told.grants] == [("ref-2",)]
    assert [badge.ref for badge in told.badges] == ["ref-2"]
    assert bench.rows_named() == [("badges/badge-1", True)]


def test_a_badge_that_somebody_inserts_opens_nothing(bench: Bench) -> None:
    book(bench.database)
    own = {"id": "badge-9", "ref": "ref-9", "member_id": "member-1", "credential": "calypso:09", "state": "active"}
    bench.forge(insert(badges).values(own))
    assert [grant.badges for grant in bench.grants()] == [("ref-1",)]
    assert bench.rows_named() == [("badges/badge-9", True)]


@pytest.mark.parametrize(
    "changes", [{"member_id": "member-1"}, {"ref": "ref-8"}], ids=lambda changes: next(iter(changes))
)
def test_another_members_badge_is_not_moved_into_a_booking(bench: Bench, changes: dict[str, str]) -> None:
    book(bench.database, driver_ids=("member-2",))
    bench.forge(update(badges).where(badges.c.id == "badge-2").values(changes))
    assert [grant.badges for grant in bench.grants()] == [("ref-1",)]


def test_a_revoked_badge_that_is_made_active_stays_shut(bench: Bench) -> None:
    badge = {"id": "badge-1", "member_id": "member-1", "credential": "calypso:0000000000000001"}
    bench.imports(badges=[{**badge, "state": "revoked"}])
    book(bench.database)
    told = bench.told()
    assert (told.grants, told.revoked) == ((), ("ref-1",))
    bench.forge(update(badges).where(badges.c.id == "badge-1").values(state="active"))
    assert bench.grants() == ()
    assert bench.rows_named() == [("badges/badge-1", True)]


def test_a_badge_that_was_revoked_past_the_program_is_refused_without_an_incident(bench: Bench) -> None:
    book(bench.database)
    bench.forge(update(badges).where(badges.c.id == "badge-1").values(state="revoked"))
    assert bench.grants() == ()
    assert bench.rows_named() == []


def test_a_suspended_member_who_is_made_active_gets_no_key(bench: Bench) -> None:
    book(bench.database)
    bench.imports(members=[{"id": "member-1", "name": "Member 1", "standing": "suspended"}])
    assert bench.grants() == ()
    bench.forge(update(members).where(members.c.id == "member-1").values(standing="active"))
    assert bench.grants() == ()
    assert bench.rows_named() == [("members/member-1", True)]


def test_a_key_that_is_out_is_not_cut_off_because_its_members_row_was_changed(bench: Bench) -> None:
    book(bench.database, state=BookingState.ACTIVE)
    bench.forge(update(members).where(members.c.id == "member-1").values(origin=None))
    assert [grant.badges for grant in bench.grants()] == [("ref-1",)]
    assert bench.rows_named() == [("members/member-1", True)]


def test_nobody_books_for_a_member_whom_somebody_inserted(bench: Bench) -> None:
    bench.forge(insert(members).values(id="member-9", name="Nobody", standing="active"))
    wanted = WantedBooking("member-1", Window(NOW_MS, NOW_MS + HOUR), vehicle_id="car-1", driver_ids=("member-9",))
    declined = bench.desk(lambda desk: desk.create(wanted))
    assert isinstance(declined, Declined)
    assert (declined.why.reason, declined.why.field) == (BookingReason.ROW_WITHOUT_ORIGIN, "driver_ids")


# --- keys


def test_a_key_whose_home_was_moved_has_none_and_may_still_come_back(bench: Bench) -> None:
    book(bench.database)
    bench.forge(update(keys).where(keys.c.id == "key-1").values(home_slot=2))
    entries = {entry.key: entry for entry in bench.told().keys}
    assert entries["key-1"].home_slot is None
    assert len(entries["key-1"].tag_digests) == 1
    assert entries["key-2"].home_slot == 2
    assert bench.rows_named() == [("keys/key-1", True)]


def test_a_key_of_a_vehicle_out_of_service_stays_blocked_whatever_is_said_of_its_home(bench: Bench) -> None:
    bench.forge(text("UPDATE vehicles SET life_cycle = 'retired' WHERE id = 'car-1'"))
    assert bench.told().blocked == ("key-1",)
    bench.forge(update(keys).where(keys.c.id == "key-1").values(home_cabinet_id=OTHER_CABINET))
    assert bench.told().blocked == ("key-1",)


def test_a_tag_that_somebody_hangs_on_another_key_says_nothing(bench: Bench) -> None:
    bench.forge(update(key_tags).where(key_tags.c.key_id == "key-2").values(key_id="key-1"))
    tags = {entry.key: len(entry.tag_digests) for entry in bench.told().keys}
    assert tags == {"key-1": 1, "key-2": 0, "key-3": 1}
    assert bench.rows_named() == [("key_tags/key-1", True)]


def test_a_key_that_was_moved_to_another_vehicle_is_not_booked_as_that_one(bench: Bench) -> None:
    """The program would sign the booking, and whoever moved the row could put it back afterwards."""
    bench.forge(
        update(keys).where(keys.c.id == "key-1").values(life_cycle="retired"),
        update(keys).where(keys.c.id == "key-2").values(vehicle_id="car-1"),
    )
    wanted = WantedBooking("member-1", Window(NOW_MS, NOW_MS + HOUR), vehicle_id="car-1")
    declined = bench.desk(lambda desk: desk.create(wanted))
    assert isinstance(declined, Declined)
    assert declined.why.reason is BookingReason.KEY_NOT_IN_SERVICE


# --- codes


def test_a_code_is_of_one_table_and_one_key() -> None:
    row = {"id": "x", "standing": "active"}
    code = ORIGIN.code(members, row)
    assert ORIGIN.holds(members, {**row, "origin": code})
    assert not Origin(b"x" * 32).holds(members, {**row, "origin": code})
    badge = {"id": "x", "ref": "r", "member_id": "m", "credential": 3, "state": "in_service"}
    key = {"id": "x", "vehicle_id": "r", "home_cabinet_id": "m", "home_slot": 3, "life_cycle": "in_service"}
    assert ORIGIN.code(badges, badge) != ORIGIN.code(keys, key)


def test_values_that_read_alike_when_joined_have_different_codes() -> None:
    base = {"id": "a", "ref": "b", "member_id": "c", "credential": "d", "state": "active"}
    rows: list[dict[str, Any]] = [
        base,
        {**base, "id": 'a","b', "ref": ""},
        {**base, "id": "ab", "ref": ""},
        {**base, "id": "", "ref": "ab"},
        {**base, "ref": None},
        {**base, "ref": "None"},
        {**base, "ref": 5},
        {**base, "ref": "5"},
    ]
    assert len({ORIGIN.code(badges, row) for row in rows}) == len(rows)


def test_every_code_covers_what_its_table_identifies_a_row_by() -> None:
    for table, names in SIGNED.items():
        assert {column.name for column in table.primary_key} <= set(names)
        assert set(names) <= set(table.c.keys())


def test_an_origin_does_not_show_its_key() -> None:
    assert ORIGIN_KEY.decode() not in repr(ORIGIN)
    assert ORIGIN_KEY.hex() not in repr(ORIGIN)


def test_a_bookings_code_does_not_depend_on_the_order_of_its_drivers() -> None:
    row = booking_columns()
    assert ORIGIN.code(bookings, row, ["a", "b"]) == ORIGIN.code(bookings, row, ["b", "a"])
    assert ORIGIN.code(bookings, row, ["a", "b"]) != ORIGIN.code(bookings, row, ["ab"])
