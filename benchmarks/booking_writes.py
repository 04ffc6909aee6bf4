"""A booking written through the store, beside the bare INSERT of its row on the same PostgreSQL.

    python -m benchmarks.booking_writes [--bookings N] [--statements]

The desk checks the rules and the member, finds the vehicle, judges its calendar, writes the booking with its
history, marks the cabinet and tells the event, in one durable transaction. The control writes the same row by one
statement, in a transaction that is as durable, into a table with the same constraints and indexes: no program that
keeps bookings can do less. The two take turns, on a cluster of their own with all on that a commit waits for.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from random import Random
from statistics import median
from typing import Any

import psycopg
from sqlalchemy import Connection, event

from benchmarks.availability import NOW_MS, RULES, fill, vehicle_id
from benchmarks.report import Row, spread, status_of, table
from dispatcher.core.windows import HOUR_MS, Window
from dispatcher.store.booking_desk import BookingDesk
from dispatcher.store.booking_requests import WantedBooking
from dispatcher.store.bookings import Booking
from dispatcher.store.database import Database
from dispatcher.store.migrate import migrate_engine
from dispatcher.store.origin import Origin
from runtime.executor import InlineExecutor
from simulator.postgres import cluster

SHARE = 0.5
"""Of the control's bookings per second: the rules and all that a booking is told to may cost as much again."""
WARM_UP = 20
EACH_H = 3  # hours from one booking of a vehicle to its next, two of them booked
VEHICLES = 75
BARE = "CREATE TABLE bare_bookings (LIKE bookings INCLUDING ALL)"


def wanted(number: int) -> WantedBooking:
    """Vehicle after vehicle, and each of them again three hours later: none is in the way of another."""
    start_ms = NOW_MS + (1 + number // VEHICLES) * EACH_H * HOUR_MS
    return WantedBooking(
        member_id="m",
        window=Window(start_ms, start_ms + 2 * HOUR_MS),
        vehicle_id=vehicle_id(number % VEHICLES),
        accept_unreachable=True,
    )


def book(connection: Connection, number: int, random_bytes: Callable[[int], bytes]) -> Booking:
    desk = BookingDesk(connection, RULES, NOW_MS, random_bytes, "api/benchmark")
    made = desk.create(wanted(number))
    assert isinstance(made, Booking), made
    return made


def row_of(connection: Connection, booking: Booking) -> dict[str, Any]:
    found = connection.exec_driver_sql("SELECT * FROM bookings WHERE id = %(id)s", {"id": booking.id})
    return dict(found.mappings().one())


def measure(database: Database, conninfo: str, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each booking through the store, and of each by the bare statement."""
    random_bytes = Random("bookings").randbytes
    ours: list[float] = []
    bare: list[float] = []
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(BARE)
        for number in range(count + WARM_UP):
            began = time.perf_counter()
            made = database.write_now(partial(book, number=number, random_bytes=random_bytes))
            took_ms = (time.perf_counter() - began) * 1e3
            row = database.read_now(partial(row_of, booking=made))
            names = ", ".join(row)
            places = ", ".join(f"%({name})s" for name in row)
            statement = f"INSERT INTO bare_bookings ({names}) VALUES ({places})"  # noqa: S608  # our columns
            began = time.perf_counter()
            connection.execute(statement, row)
            bare_ms = (time.perf_counter() - began) * 1e3
            if number >= WARM_UP:
                ours.append(took_ms)
                bare.append(bare_ms)
    return ours, bare


@contextmanager
def counted(database: Database) -> Iterator[Counter[str]]:
    """How often each statement was executed inside."""
    found: Counter[str] = Counter()

    def count(_c: object, _cursor: object, statement: str, *_more: object) -> None:
        found[" ".join(statement.split())] += 1

    event.listen(database.engine, "before_cursor_execute", count)
    try:
        yield found
    finally:
        event.remove(database.engine, "before_cursor_execute", count)


def main() -> int:
    parser = argparse.ArgumentParser(description="bookings through the store, beside the bare INSERT")
    parser.add_argument("--bookings", type=int, default=500)
    parser.add_argument("--statements", action="store_true", help="list what one booking executes")
    options = parser.parse_args()
    with cluster(fleeting=False) as server:
        url = server.create("bookings")
        database = Database(url, InlineExecutor(), origin=Origin(b"o" * 32))
        migrate_engine(database.engine)
        fill(database, "small", booked=False)
        ours, bare = measure(
            database, f"host={server.folder} user={url.username} dbname=bookings", options.bookings
        )
        with counted(database) as statements:
            database.write_now(
                partial(book, number=options.bookings + WARM_UP, random_bytes=Random("more").randbytes)
            )
        database.close()
    if options.statements:
        for statement, times in statements.items():
            print(f"{times} x {statement[:160]}")
    beside = f"{statements.total()} statements; {spread(ours, 'ms')}; control: {spread(bare, 'ms')}"
    rows = [Row("a booking, PostgreSQL", median(bare) / median(ours), SHARE, "times", at_least=True, beside=beside)]
    print(table(rows))
    return status_of(rows)


if __name__ == "__main__":
    raise SystemExit(main())
