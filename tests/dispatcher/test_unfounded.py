"""A row without an origin is an incident: opened once, closed once, naming no person."""

from typing import Any

import pytest
from sqlalchemy import delete, event, insert, select, update

from dispatcher.core.incidents import IncidentKind
from dispatcher.store import schema
from dispatcher.store.schema import badges, bookings, members
from tests.dispatcher.origin_bench import Bench, booking_columns
from tests.dispatcher.small_fleet import (
    CABINET,
    HOUR,
    NOW_MS,
    OTHER_CABINET,
    book,
    booking,
)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_incident_of_a_row_is_closed_once_when_the_row_is_gone(bench: Bench) -> None:
    bench.forge(insert(bookings).values(booking_columns()))
    bench.grants()
    bench.forge(delete(bookings))
    for _ in range(3):
        bench.grants()
    assert bench.rows_named() == [("bookings/booking-1", False)]


def test_the_incident_of_a_booking_is_closed_when_the_booking_is_cancelled(bench: Bench) -> None:
    bench.forge(insert(bookings).values(booking_columns()))
    bench.grants()
    bench.cancelled(booking())
    bench.grants()
    assert bench.rows_named() == [("bookings/booking-1", False)]


def test_a_row_that_is_put_right_by_hand_is_good_again(bench: Bench) -> None:
    book(bench.database)
    bench.forge(update(bookings).values(end_ms=NOW_MS + 3 * HOUR))
    assert bench.grants() == ()
    bench.forge(update(bookings).values(end_ms=NOW_MS + 2 * HOUR))
    assert len(bench.grants()) == 1
    assert bench.rows_named() == [("bookings/booking-1", False)]


def test_a_row_that_two_cabinets_ask_for_is_one_incident_until_it_is_good(bench: Bench) -> None:
    book(bench.database, 1)
    book(bench.database, 2, vehicle_id="car-3", key_id="key-3", cabinet_id=OTHER_CABINET, station_id="st-b")
    bench.forge(update(badges).where(badges.c.id == "badge-1").values(ref="ref-8"))
    bench.grants()
    assert bench.rows_named() == [("badges/badge-1", True)]
    bench.cancelled(booking(1))
    bench.grants()
    bench.cancelled(booking(2))
    bench.grants()
    assert bench.rows_named() == [("badges/badge-1", True)]
    bench.forge(update(badges).where(badges.c.id == "badge-1").values(ref="ref-1"))
    bench.grants()
    assert bench.rows_named() == [("badges/badge-1", False)]


def test_an_incident_says_which_booking_and_no_person(bench: Bench) -> None:
    bench.forge(insert(bookings).values(booking_columns()))
    bench.grants()
    row = bench.database.read_now(lambda connection: connection.execute(select(schema.incidents)).one())
    assert (row.cabinet_id, row.vehicle_id, row.booking_id) == (CABINET, "car-1", "booking-1")
    assert (row.severity, row.seen) == ("urgent", "it carries no code")
    assert "member" not in f"{row.subject} {row.expected} {row.seen}"


def test_a_row_that_was_changed_is_told_from_one_that_was_never_signed(bench: Bench) -> None:
    book(bench.database)
    bench.forge(update(bookings).values(member_id="member-2"))
    bench.grants()
    seen = select(schema.incidents.c.seen)
    assert (
        bench.database.read_now(lambda connection: connection.execute(seen).scalar_one())
        == "its code does not fit what it says"
    )


def test_a_row_that_could_not_be_a_right_is_no_incident(bench: Bench) -> None:
    bench.forge(insert(bookings).values(booking_columns(state="cancelled")))
    bench.forge(insert(members).values(id="member-9", name="Nobody", standing="active"))  # in no booking
    bench.grants()
    assert bench.rows_named() == []


def test_an_incident_that_somebody_made_up_hides_no_other(bench: Bench) -> None:
    made_up = {"kind": IncidentKind.ROW_WITHOUT_ORIGIN, "subject": "nonsense", "severity": "info"}
    times = {"opened_ms": NOW_MS, "updated_ms": NOW_MS, "expected": "", "seen": ""}
    bench.forge(insert(schema.incidents).values(made_up | times), insert(bookings).values(booking_columns()))
    bench.grants()
    assert bench.rows_named() == [("nonsense", False), ("bookings/booking-1", True)]


def test_checking_asks_the_database_nothing_more_for_more_rows(bench: Bench) -> None:
    def statements() -> int:
        asked: list[str] = []

        def count(_c: Any, _u: Any, statement: str, *_rest: Any) -> None:
            if statement.startswith("SELECT"):
                asked.append(statement)

        event.listen(bench.database.engine, "before_cursor_execute", count)
        bench.grants()
        event.remove(bench.database.engine, "before_cursor_execute", count)
        return len(asked)

    book(bench.database, 1)
    bench.grants()
    few = statements()
    for number in range(2, 30):
        book(bench.database, number, start_ms=NOW_MS + 3 * number * HOUR, driver_ids=("member-2",))
    bench.grants()
    assert statements() == few
