"""The program signs all that it writes, and nothing that somebody else wrote."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, text, update

from contract.facts import DoorOpened, GrantCompleted, Identity, KeyReturned, KeyTaken
from dispatcher.core.booking_states import BookingState
from dispatcher.core.rules import BookingReason
from dispatcher.importing.faults import ImportRefused
from dispatcher.store.booking_requests import Declined
from dispatcher.store.bookings import Booking, insert_booking
from dispatcher.store.database import Database
from dispatcher.store.deadlines import MARGIN_MS
from dispatcher.store.links import keep_reported
from dispatcher.store.schema import badges, bookings, key_tags
from runtime.executor import InlineExecutor
from tests.dispatcher.origin_bench import Bench, booking_columns
from tests.dispatcher.small_fleet import (
    CABINET,
    HOUR,
    MINUTE,
    NOW_MS,
    ORIGIN,
    OTHER_CABINET,
    RULES,
    book,
    booking,
    decide_deadlines,
    fleet_url,
    stored,
)


@pytest.fixture
def bench() -> Bench:
    return Bench()


# --- the program signs nothing that somebody else wrote


def test_a_forged_booking_is_not_changed_only_cancelled(bench: Bench) -> None:
    bench.forge(insert(bookings).values(booking_columns()))
    declined = bench.changed(booking(), end_ms=NOW_MS + 3 * HOUR)
    assert isinstance(declined, Declined)
    assert declined.why.reason is BookingReason.ROW_WITHOUT_ORIGIN
    assert isinstance(bench.cancelled(booking()), Booking)
    assert bench.grants() == ()


@pytest.mark.parametrize("forged", [{"end_ms": NOW_MS + 9 * HOUR}, {"member_id": "member-2"}])
def test_what_happens_under_a_forged_booking_does_not_sign_it(bench: Bench, forged: dict[str, Any]) -> None:
    book(bench.database)
    bench.forge(update(bookings).values(forged))
    under = {"grant": "grant-1", "badge": "ref-1"}
    bench.fact(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **under)
    assert stored(bench.database).state is BookingState.ACTIVE
    assert bench.grants() == ()
    bench.fact(KeyReturned, slot=1, identity=Identity.READ, key="key-1", **under)
    assert stored(bench.database).state is BookingState.RETURNED
    assert bench.grants() == ()
    assert not stored(bench.database).has_origin


@pytest.mark.parametrize(
    ("kind", "row_id", "row", "field"),
    [
        ("members", "member-1", {"name": "Member 1"}, "standing"),
        ("badges", "badge-1", {"member_id": "member-1", "credential": "calypso:0000000000000001"}, "state"),
        ("keys", "key-1", {"vehicle_id": "car-1", "home_cabinet_id": CABINET, "home_slot": 1}, "life_cycle"),
    ],
)
def test_an_import_takes_nothing_from_a_row_that_somebody_changed(
    bench: Bench, kind: str, row_id: str, row: dict[str, Any], field: str
) -> None:
    bench.forge(text(f"UPDATE {kind} SET origin = NULL WHERE id = '{row_id}'"))  # noqa: S608  # of this test's own
    with pytest.raises(ImportRefused) as refused:
        bench.imports(**{kind: [{"id": row_id, **row}]})
    (fault,) = refused.value.faults
    assert (fault.field, fault.expected) == (field, "a value: what is stored was not written by this program")


def test_an_import_does_not_keep_a_tag_alive_that_somebody_revived(bench: Bench) -> None:
    tag = {"key_id": "key-1", "credential": "fob:00000009", "valid_from": "2026-01-01T00:00:00Z"}
    bench.imports(tags=[{**tag, "valid_until": "2026-02-01T00:00:00Z"}])
    bench.forge(update(key_tags).where(key_tags.c.valid_until_ms.is_not(None)).values(valid_until_ms=None))
    with pytest.raises(ImportRefused, match=r"valid_until.*was not written by this program"):
        bench.imports(tags=[tag])


def test_an_import_that_says_all_of_a_row_makes_it_good_and_closes_its_incident(bench: Bench) -> None:
    book(bench.database)
    bench.forge(update(badges).where(badges.c.id == "badge-1").values(credential="calypso:00000000000000FF"))
    assert bench.grants() == ()
    badge = {"id": "badge-1", "member_id": "member-1", "credential": "calypso:0000000000000001", "state": "active"}
    bench.imports(badges=[badge])
    for _ in range(2):
        assert [grant.badges for grant in bench.grants()] == [("ref-1",)]
    assert bench.rows_named() == [("badges/badge-1", False)]


def test_a_database_without_the_key_neither_reads_nor_writes_rights(tmp_path: Path) -> None:
    url = fleet_url(tmp_path)
    keyless = Database(url, InlineExecutor())
    with pytest.raises(AssertionError, match="origin key"):
        keyless.write_now(lambda connection: insert_booking(connection, booking()))
    keyless.close()


# --- what the program writes has an origin


def test_a_booking_made_changed_and_moved_at_the_desk_keeps_its_grant(bench: Bench) -> None:
    made = bench.booked(driver_ids=("member-3", "member-2"))
    assert bench.grants()[0].badges == ("ref-1", "ref-2", "ref-3")
    assert isinstance(bench.changed(made, end_ms=NOW_MS + 3 * HOUR), Booking)
    assert bench.grants()[0].end_ms == NOW_MS + 3 * HOUR
    assert isinstance(bench.changed(made, vehicle_id="car-3", accept_unreachable=True), Booking)
    assert bench.grants() == ()
    assert bench.grants(OTHER_CABINET)[0].badges == ("ref-1", "ref-2", "ref-3")
    assert bench.rows_named() == []


def test_a_booking_keeps_its_origin_through_take_return_retake_and_the_end_of_the_hold(bench: Bench) -> None:
    made = bench.booked()
    under = {"grant": made.grant_id, "badge": "ref-1"}
    back = {"slot": 1, "identity": Identity.READ, "key": "key-1", **under}
    out = {"slot": 1, "identity": Identity.READ, "key": "key-1", **under}
    for kind, fields in ((KeyTaken, out), (KeyReturned, back), (KeyTaken, out), (KeyReturned, back)):
        bench.fact(kind, **fields)
        assert len(bench.grants()) == 1
    later_ms = NOW_MS + RULES.retake_hold_s * 1000 + MARGIN_MS
    bench.box.now_ms = later_ms
    bench.fact(DoorOpened, slot=3, released=True)
    bench.database.write_now(lambda connection: keep_reported(connection, bench.box.report(), later_ms))
    decide_deadlines(bench.database, later_ms)
    assert bench.row(bookings, made.id)["state"] == "completed"
    assert ORIGIN.holds(bookings, bench.row(bookings, made.id))
    assert bench.rows_named() == []


def test_a_second_tap_a_cancellation_and_a_no_show_are_signed_too(bench: Bench) -> None:
    tapped = bench.booked()
    under = {"grant": tapped.grant_id, "badge": "ref-1"}
    bench.fact(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **under)
    bench.fact(KeyReturned, slot=1, identity=Identity.READ, key="key-1", **under)
    bench.fact(GrantCompleted, reader="reader-1", **under)
    cancelled = bench.booked(vehicle_id="car-2")
    bench.cancelled(cancelled)
    missed = bench.booked(vehicle_id="car-2")
    late_ms = NOW_MS + 30 * MINUTE + MARGIN_MS
    bench.box.now_ms = late_ms
    bench.fact(DoorOpened, slot=3, released=True)
    bench.database.write_now(lambda connection: keep_reported(connection, bench.box.report(), late_ms))
    decide_deadlines(bench.database, late_ms)
    states = {made.id: bench.row(bookings, made.id)["state"] for made in (tapped, cancelled, missed)}
    assert list(states.values()) == ["completed", "cancelled", "no_show"]
    assert all(ORIGIN.holds(bookings, bench.row(bookings, booking_id)) for booking_id in states)


def test_an_import_signs_what_it_adds_and_what_it_changes(bench: Bench) -> None:
    bench.imports(
        members=[{"id": "m-new", "name": "New"}, {"id": "member-1", "name": "Member 1", "standing": "suspended"}],
        badges=[{"id": "b-new", "member_id": "m-new", "credential": "calypso:0000000000000009"}],
        vehicles=[
            {"id": "car-9", "name": "Car 9", "category": "city", "energy": "petrol", "home_station_id": "st-a"}
        ],
        keys=[
            {"id": "key-9", "vehicle_id": "car-9", "home_cabinet_id": CABINET, "home_slot": 3},
            {"id": "key-3", "vehicle_id": "car-3", "home_cabinet_id": OTHER_CABINET, "home_slot": 2},
        ],
        tags=[{"key_id": "key-9", "credential": "fob:09"}],
    )
    bench.booked(member_id="m-new", vehicle_id="car-9")
    told = bench.told()
    assert [len(grant.badges) for grant in told.grants] == [1]
    entry = next(entry for entry in told.keys if entry.key == "key-9")
    assert (entry.home_slot, len(entry.tag_digests)) == (3, 1)
    bench.imports(members=[{"id": "member-1", "name": "Member 1", "standing": "active"}])
    bench.booked()
    assert len(bench.grants()) == 2
    assert bench.rows_named() == []


def test_an_import_that_swaps_two_credentials_signs_both(bench: Bench) -> None:
    numbers = {"badge-1": "2", "badge-2": "1"}
    bench.imports(
        badges=[
            {"id": badge, "member_id": f"member-{badge[-1]}", "credential": f"calypso:000000000000000{number}"}
            for badge, number in numbers.items()
        ]
    )
    book(bench.database, driver_ids=("member-2",))
    assert bench.grants()[0].badges == ("ref-1", "ref-2")
