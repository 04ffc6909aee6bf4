"""A vehicle is booked once: the database's word, whoever writes and however many at a time."""

import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, Executable, delete, func, select, text, update
from sqlalchemy.exc import IntegrityError

from dispatcher.core.booking_states import BookingState
from dispatcher.store.bookings import OVERLAP, insert_booking
from dispatcher.store.database import Database
from dispatcher.store.schema import LIVE_BOOKING_STATES, bookings
from runtime.executor import InlineExecutor
from tests.dispatcher.contending import contend, contend_in_processes, overlaps
from tests.dispatcher.small_fleet import (
    HOUR,
    MINUTE,
    NOW_MS,
    ORIGIN,
    book,
    booking,
    fleet_url,
    new_database,
    stored,
)

WAYS = ("store", "past_the_turns")


def run(connection: Connection, statement: Executable) -> None:
    connection.execute(statement)


def test_a_second_booking_of_the_same_time_is_refused() -> None:
    database = new_database()
    book(database, 1)
    for start_ms, end_ms in (
        (NOW_MS, NOW_MS + 2 * HOUR),  # the same
        (NOW_MS - HOUR, NOW_MS + 1),  # its first millisecond
        (NOW_MS + 2 * HOUR - 1, NOW_MS + 3 * HOUR),  # its last
        (NOW_MS + HOUR, NOW_MS + HOUR + MINUTE),  # within
        (NOW_MS - HOUR, NOW_MS + 9 * HOUR),  # around
    ):
        again = booking(2, start_ms=start_ms, end_ms=end_ms)
        assert not database.write_now(partial(insert_booking, booking=again))


def test_windows_that_touch_and_other_vehicles_are_free() -> None:
    database = new_database()
    book(database, 1)
    book(database, 2, start_ms=NOW_MS + 2 * HOUR)
    book(database, 3, start_ms=NOW_MS - HOUR, end_ms=NOW_MS)
    book(database, 4, vehicle_id="car-2", key_id="key-2")


@pytest.mark.parametrize("state", sorted(set(BookingState) - set(LIVE_BOOKING_STATES)))
def test_a_booking_that_is_over_frees_its_time(state: BookingState) -> None:
    database = new_database()
    book(database, 1, state=state)
    book(database, 2)


def test_a_booking_that_is_over_does_not_come_back_over_another() -> None:
    database = new_database()
    book(database, 1, state=BookingState.CANCELLED)
    book(database, 2)
    revive = update(bookings).where(bookings.c.id == "booking-1").values(state="booked")
    with pytest.raises(IntegrityError, match=OVERLAP):
        database.write_now(lambda connection: connection.execute(revive))
    assert stored(database, 1).state is BookingState.CANCELLED


def test_a_change_of_window_or_vehicle_is_refused_like_a_new_booking() -> None:
    database = new_database()
    book(database, 1)
    book(database, 2, start_ms=NOW_MS + 2 * HOUR)
    book(database, 3, vehicle_id="car-2", key_id="key-2")
    longer = update(bookings).where(bookings.c.id == "booking-1").values(end_ms=NOW_MS + 2 * HOUR + 1)
    moved = update(bookings).where(bookings.c.id == "booking-3").values(vehicle_id="car-1")
    for statement in (longer, moved):
        with pytest.raises(IntegrityError, match=OVERLAP):
            database.write_now(partial(run, statement=statement))


def test_a_window_that_does_not_go_forward_is_refused() -> None:
    database = new_database()
    for times in ({"end_ms": NOW_MS}, {"take_by_ms": NOW_MS}, {"take_by_ms": NOW_MS + 3 * HOUR}):
        with pytest.raises(IntegrityError, match="ck_bookings_window"):
            book(database, 1, **times)


def assert_contended(url: str, outcomes: Counter[str], attempts: int) -> None:
    """Every attempt has its outcome, none of them made an overlap, and there was something to fight for."""
    assert outcomes.total() == attempts, outcomes
    database = Database(url, InlineExecutor(), origin=ORIGIN)
    assert overlaps(database) == []
    live = database.read_now(lambda c: c.execute(select(func.count()).select_from(bookings)).scalar_one())
    database.close()
    assert live == outcomes["booked"]
    assert min(outcomes["booked"], outcomes["moved"], outcomes["refused"]) > attempts / 20, outcomes


def test_many_threads_never_book_a_vehicle_twice(tmp_path: Path) -> None:
    url = fleet_url(tmp_path)
    with ThreadPoolExecutor(4) as threads:
        outcomes = sum((threads.map(partial(contend, url, attempts=60), range(4))), Counter[str]())
    assert_contended(url, outcomes, 240)


@pytest.mark.parametrize("how", WAYS)
def test_many_processes_never_book_a_vehicle_twice(tmp_path: Path, backend: str, how: str) -> None:
    url = way_to(tmp_path, backend, how)
    outcomes = contend_in_processes(url, 2, 400, how, within_s=60)
    assert_contended(url, outcomes, 400)


@pytest.mark.long
@pytest.mark.parametrize("how", WAYS)
def test_fifty_thousand_attempts_of_four_processes_make_no_overlap(tmp_path: Path, backend: str, how: str) -> None:
    url = way_to(tmp_path, backend, how)
    outcomes = contend_in_processes(url, 4, 50_000, how, within_s=1200)
    sys.stdout.write(f"50,000 attempts on {backend}, {how}: {dict(outcomes)}\n")
    assert_contended(url, outcomes, 50_000)


def way_to(folder: Path, backend: str, how: str) -> str:
    if how == "past_the_turns" and backend == "sqlite":
        pytest.skip("SQLite itself lets one write after the other")
    return fleet_url(folder)


def test_without_the_databases_word_the_same_attempts_do_overlap(tmp_path: Path, backend: str) -> None:
    url = fleet_url(tmp_path)
    database = Database(url, InlineExecutor(), origin=ORIGIN)
    with without_its_word(database, backend):
        contend(url, 0, 60)
        assert overlaps(database)
    database.close()


@contextmanager
def without_its_word(database: Database, backend: str) -> Iterator[None]:
    """Put back where another test uses the database after this one."""
    if backend == "sqlite":
        for event in ("insert", "update"):
            database.write_now(partial(run, statement=text(f"DROP TRIGGER booking_overlap_{event}")))
        yield
        return
    asked = text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'booking_overlap'")
    words = database.read_now(lambda connection: connection.execute(asked).scalar_one())
    database.write_now(partial(run, statement=text("ALTER TABLE bookings DROP CONSTRAINT booking_overlap")))
    yield
    database.write_now(partial(run, statement=delete(bookings)))
    again = text(f"ALTER TABLE bookings ADD CONSTRAINT booking_overlap {words}")
    database.write_now(partial(run, statement=again))
