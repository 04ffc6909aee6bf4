"""A network small enough to think about: two stations, three cars, three members; and bookings in it."""

import sqlite3
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert

from contract.messages import FactBatch
from dispatcher.core.booking_states import BookingState
from dispatcher.core.rules import FleetRules, take_by_ms
from dispatcher.core.windows import Window
from dispatcher.store.bookings import Booking, booking_by_id, insert_booking
from dispatcher.store.database import Database
from dispatcher.store.deadlines import decide, past_deadlines
from dispatcher.store.incidents import all_incidents
from dispatcher.store.ingest import Intake, Taken
from dispatcher.store.migrate import migrate, migrate_engine
from dispatcher.store.origin import Origin, with_origin
from dispatcher.store.schema import (
    badges,
    cabinets,
    key_tags,
    keys,
    members,
    municipalities,
    stations,
    vehicles,
)
from runtime.executor import InlineExecutor
from tests.contract.keys import public_text
from tests.dispatcher.backends import (
    backend,
    compiled_before,
    memory_database,
    postgresql_copy,
    postgresql_database,
    postgresql_url,
)

NOW_MS = 1_790_000_100_000  # on the booking grid of 15 minutes
MINUTE = 60_000
HOUR = 60 * MINUTE
RULES = FleetRules()
CABINET, OTHER_CABINET = "cab-a", "cab-b"
BOX_SEED, OTHER_BOX_SEED, DISPATCHER_SEED = 11, 12, 13
LEDGER = "ab" * 16
ORIGIN_KEY = b"o" * 32
ORIGIN = Origin(ORIGIN_KEY)


def random_bytes(count: int) -> bytes:
    """Not random at all: for what a test needs once."""
    return bytes(range(count))


def counted_bytes() -> Callable[[int], bytes]:
    """Different bytes at each call, the same in each run."""
    calls = 0

    def next_bytes(count: int) -> bytes:
        nonlocal calls
        calls += 1
        return calls.to_bytes(count, "big")

    return next_bytes


def new_database(url: str | None = None) -> Database:
    """A migrated database that holds the small fleet, of the kind that the test runs on; at `url`, where named."""
    if url is None and backend() == "postgresql":
        return postgresql_database(fill, ORIGIN)
    database = compiled_before(Database(url or "sqlite://", InlineExecutor(), origin=ORIGIN))
    copy_into(_template(), database)
    return database


def fleet_url(folder: Path) -> str:
    """The same for whoever opens it himself, any number of them: a file in `folder` where it is SQLite."""
    if backend() == "postgresql":
        return postgresql_url(fill, ORIGIN)
    url = f"sqlite:///{folder}/d.sqlite"
    new_database(url).close()
    return url


def empty_url(folder: Path) -> str:
    """As `fleet_url`, with nothing in the tables."""
    if backend() == "postgresql":
        return postgresql_url(None, ORIGIN)
    url = f"sqlite:///{folder}/d.sqlite"
    migrate(url)
    return url


def copy_of(database: Database) -> Database:
    """A second database with the same content: a backup."""
    if backend() == "postgresql":
        return postgresql_copy(database, ORIGIN)
    copy = memory_database(ORIGIN)
    copy_into(database, copy)
    return copy


def copy_into(source: Database, target: Database) -> None:
    """Make one SQLite database what another one is."""
    read, write = source.engine.raw_connection(), target.engine.raw_connection()
    assert isinstance(read.driver_connection, sqlite3.Connection)
    assert isinstance(write.driver_connection, sqlite3.Connection)
    read.driver_connection.backup(write.driver_connection)
    read.close()
    write.close()


@cache
def _template() -> Database:
    """Migrated and filled once per test process: a copy takes a hundredth of the time."""
    database = memory_database(ORIGIN)
    migrate_engine(database.engine)
    database.write_now(fill)
    return database


def fill(connection: Connection) -> None:
    """Keys 1 and 2 live in slots 1 and 2 of cab-a, key 3 in slot 1 of cab-b; slot 3 of cab-a is spare."""
    connection.execute(insert(municipalities).values(id="lille", name="Lille"))
    for place, seed in (("a", BOX_SEED), ("b", OTHER_BOX_SEED)):
        station = {
            "id": f"st-{place}",
            "name": f"Station {place}",
            "municipality_id": "lille",
            "latitude": 50.6,
            "longitude": 3.06,
            "public": True,
            "life_cycle": "in_service",
        }
        connection.execute(insert(stations).values(station))
        cabinet = {
            "id": f"cab-{place}",
            "station_id": f"st-{place}",
            "slots": 3,
            "public_key": public_text(seed),
            "life_cycle": "in_service",
        }
        connection.execute(insert(cabinets).values(cabinet))
    for number, place, slot in ((1, "a", 1), (2, "a", 2), (3, "b", 1)):
        _add_car(connection, number, place, slot)
        member = {"id": f"member-{number}", "name": f"Member {number}", "standing": "active"}
        connection.execute(insert(members).values(with_origin(connection, members, member)))
        badge = {
            "id": f"badge-{number}",
            "ref": f"ref-{number}",
            "member_id": f"member-{number}",
            "credential": f"calypso:000000000000000{number}",
            "state": "active",
        }
        connection.execute(insert(badges).values(with_origin(connection, badges, badge)))


def _add_car(connection: Connection, number: int, place: str, slot: int) -> None:
    vehicle = {
        "id": f"car-{number}",
        "name": f"Car {number}",
        "category": "city",
        "energy": "electric",
        "home_station_id": f"st-{place}",
        "life_cycle": "in_service",
    }
    connection.execute(insert(vehicles).values(vehicle))
    key = {
        "id": f"key-{number}",
        "vehicle_id": f"car-{number}",
        "home_cabinet_id": f"cab-{place}",
        "home_slot": slot,
        "life_cycle": "in_service",
    }
    connection.execute(insert(keys).values(with_origin(connection, keys, key)))
    tag = {
        "key_id": f"key-{number}",
        "credential": f"fob:0000000{number}",
        "valid_from_ms": 0,
        "valid_until_ms": None,
    }
    connection.execute(insert(key_tags).values(with_origin(connection, key_tags, tag)))


def booking(number: int = 1, **changes: Any) -> Booking:
    """Member 1 books car 1 from now for two hours; any field can be another."""
    start_ms = changes.pop("start_ms", NOW_MS)
    end_ms = changes.pop("end_ms", start_ms + 2 * HOUR)
    plain = Booking(
        id=f"booking-{number}",
        grant_id=f"grant-{number}",
        member_id="member-1",
        organisation_id=None,
        vehicle_id="car-1",
        category=None,
        station_id="st-a",
        cabinet_id=CABINET,
        key_id="key-1",
        start_ms=start_ms,
        end_ms=end_ms,
        original_start_ms=start_ms,
        take_by_ms=take_by_ms(RULES, Window(start_ms, end_ms)),
        state=BookingState.BOOKED,
        taken_ms=None,
        returned_ms=None,
        hold_until_ms=None,
        ended_ms=None,
        created_ms=start_ms,
        changed_ms=start_ms,
        version=1,
    )
    return replace(plain, **changes)


def book(database: Database, number: int = 1, **changes: Any) -> Booking:
    """Write a booking; the test fails where the database refuses it."""
    wanted = booking(number, **changes)
    assert database.write_now(lambda connection: insert_booking(connection, wanted))
    return wanted


def take(database: Database, *batches: FactBatch, now_ms: int = NOW_MS) -> Taken:
    return database.write_now(lambda connection: Intake(LEDGER, RULES, now_ms).take(connection, batches))


def decide_deadlines(database: Database, now_ms: int) -> frozenset[str]:
    """What time alone decides of bookings; the cabinets that are waited for."""
    return database.write_now(lambda c: decide(c, RULES, past_deadlines(c, RULES, now_ms), now_ms))


def incidents(database: Database) -> list[tuple[str, str, bool]]:
    """Kind, subject and whether it is open, of every incident there was."""
    found = database.read_now(all_incidents)
    return [(incident.kind, incident.subject, incident.closed_ms is None) for incident in found]


def stored(database: Database, number: int = 1) -> Booking:
    found = database.read_now(lambda connection: booking_by_id(connection, f"booking-{number}"))
    assert found is not None
    return found


def same_but_for(first: Booking, second: Booking) -> set[str]:
    """The names of the fields in which two bookings differ."""
    before, after = asdict(first), asdict(second)
    return {name for name in before if before[name] != after[name]}
