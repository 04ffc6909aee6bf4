"""A vehicle is booked once: the database's word, whoever writes and however many at a time."""

import subprocess
import sys
import threading
from collections.abc import Iterable
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Connection, Executable, select, text, update
from sqlalchemy.exc import IntegrityError

from dispatcher.core.booking_states import BookingState
from dispatcher.core.windows import Window
from dispatcher.store.bookings import OVERLAP, insert_booking
from dispatcher.store.database import Database
from dispatcher.store.schema import LIVE_BOOKING_STATES, bookings
from runtime.executor import InlineExecutor
from tests.dispatcher.small_fleet import HOUR, MINUTE, NOW_MS, ORIGIN, book, booking, new_database, stored

GRID_MS = 15 * MINUTE
ROOT = Path(__file__).parents[2]


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


def attempt(url: str, actor: int, attempts: int) -> int:
    """Random bookings and moves of two vehicles, by one writer of its own; how many were accepted."""
    rng = Random(f"overlap/{actor}")
    database = Database(url, InlineExecutor(), origin=ORIGIN)
    accepted = 0
    for number in range(attempts):
        start_ms = NOW_MS + rng.randrange(60) * GRID_MS
        window = Window(start_ms, start_ms + rng.randint(4, 12) * GRID_MS)
        car = rng.randint(1, 2)
        wanted = booking(
            1000 * actor + number,
            vehicle_id=f"car-{car}",
            key_id=f"key-{car}",
            start_ms=window.start_ms,
            end_ms=window.end_ms,
        )
        done = database.write_now(partial(insert_booking, booking=wanted))
        accepted += done
        if not done:
            accepted += _move_one(database, rng, actor, window)
    database.close()
    return accepted


def _move_one(database: Database, rng: Random, actor: int, window: Window) -> bool:
    """Try to give one of our own bookings this window instead; whether the database let us."""
    mine = f"booking-{1000 * actor + rng.randrange(50)}"
    values = {"start_ms": window.start_ms, "end_ms": window.end_ms, "take_by_ms": window.end_ms}
    statement = update(bookings).where(bookings.c.id == mine).values(values)
    try:
        return bool(database.write_now(lambda connection: connection.execute(statement).rowcount))
    except IntegrityError:
        return False


def overlaps(database: Database) -> list[tuple[str, str]]:
    """Pairs of live bookings of one vehicle that share an instant."""
    statement = (
        select(bookings.c.vehicle_id, bookings.c.start_ms, bookings.c.end_ms, bookings.c.id)
        .where(bookings.c.state.in_(LIVE_BOOKING_STATES))
        .order_by(bookings.c.vehicle_id, bookings.c.start_ms)
    )
    rows = database.read_now(lambda connection: connection.execute(statement).all())
    return [
        (first.id, second.id)
        for first, second in pairwise(rows)
        if first.vehicle_id == second.vehicle_id and second.start_ms < first.end_ms
    ]


def _assert_contended(database: Database, accepted: Iterable[int]) -> None:
    assert overlaps(database) == []
    assert sum(accepted) > 4, "nothing was booked: the test shows nothing"


def test_many_threads_never_book_a_vehicle_twice(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/d.sqlite"
    database = new_database(url)
    accepted = [0] * 6

    def work(actor: int) -> None:
        accepted[actor] = attempt(url, actor, 60)

    threads = [threading.Thread(target=work, args=(actor,)) for actor in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _assert_contended(database, accepted)
    database.close()


def test_many_processes_never_book_a_vehicle_twice(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/d.sqlite"
    database = new_database(url)
    program = "import sys; from tests.dispatcher.test_overlap import attempt; print(attempt({!r}, {}, 60))"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program.format(url, actor)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for actor in range(3)
    ]
    accepted = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert all(process.returncode == 0 for process in processes)
    _assert_contended(database, accepted)
    database.close()


def test_without_the_databases_word_the_same_attempts_do_overlap(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/d.sqlite"
    database = new_database(url)
    for event in ("insert", "update"):
        drop = text(f"DROP TRIGGER booking_overlap_{event}")
        database.write_now(partial(run, statement=drop))
    attempt(url, 0, 60)
    assert overlaps(database)
    database.close()
