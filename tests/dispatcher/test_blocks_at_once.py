"""A block and a booking that are written at once never pass each other unseen, also without the writers' turns."""

import threading
from contextlib import closing
from queue import Queue
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from dispatcher.store.database import Database
from tests.dispatcher.origin_bench import booking_columns
from tests.dispatcher.small_fleet import HOUR, NOW_MS, new_database

BACKENDS = ["postgresql"]  # SQLite has one writer

BLOCK = {
    "id": "block-1",
    "vehicle_id": "car-1",
    "kind": "damage",
    "start_ms": NOW_MS,
    "expected_end_ms": NOW_MS + HOUR,
    "begun": True,
    "created_ms": NOW_MS,
    "changed_ms": NOW_MS,
    "author": "test",
    "version": 1,
}


@pytest.fixture
def database() -> Database:
    return new_database()


def connect(database: Database) -> psycopg.Connection[Any]:
    """Another program: it takes no turns."""
    url = database.engine.url.set(drivername="postgresql")
    return psycopg.connect(url.render_as_string(hide_password=False))


def add(connection: psycopg.Connection[Any], table: str, row: dict[str, Any]) -> None:
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(sql.Placeholder() * len(row)),
    )
    connection.execute(statement, list(row.values()))


def wait_until_it_waits(connection: psycopg.Connection[Any], pid: int) -> None:
    """Until that backend stands behind a lock that somebody else holds."""
    blocked = "SELECT cardinality(pg_blocking_pids(%s))"
    for _ in range(10_000):
        found = connection.execute(blocked, [pid]).fetchone()
        if found is not None and found[0]:
            return
    raise AssertionError("it does not wait")


def second_while_first_is_not_committed(
    database: Database, first: tuple[str, dict[str, Any]], second: tuple[str, dict[str, Any]]
) -> tuple[Exception | None, int]:
    """What the second writer was told, and how many live bookings it saw under the block after its write."""
    outcome: Queue[tuple[Exception | None, int]] = Queue()
    with closing(connect(database)) as one, closing(connect(database)) as other:
        add(one, *first)

        def write() -> None:
            try:
                add(other, *second)
                seen = other.execute("SELECT count(*) FROM bookings WHERE vehicle_id = 'car-1'").fetchone()
                other.commit()
                outcome.put((None, seen[0] if seen is not None else 0))
            except errors.IntegrityError as error:
                outcome.put((error, 0))

        thread = threading.Thread(target=write)
        thread.start()
        wait_until_it_waits(one, other.info.backend_pid)
        one.commit()
        thread.join()
    return outcome.get()


def test_a_booking_that_comes_second_waits_for_the_block_and_is_refused(database: Database) -> None:
    told, _ = second_while_first_is_not_committed(database, ("blocks", BLOCK), ("bookings", booking_columns()))
    assert isinstance(told, errors.ExclusionViolation)
    assert "booking_blocked" in str(told)


def test_a_block_that_comes_second_waits_for_the_booking_and_sees_it(database: Database) -> None:
    told, seen = second_while_first_is_not_committed(database, ("bookings", booking_columns()), ("blocks", BLOCK))
    assert (told, seen) == (None, 1)
