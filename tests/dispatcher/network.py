"""A small network for tests: two stations, four vehicles, six people, on a real database."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import Any

from sqlalchemy import Connection, insert

from dispatcher.core.booking_states import BookingState
from dispatcher.core.windows import MINUTE_MS, to_ms, utc_text
from dispatcher.importing.files import read_document
from dispatcher.store.bookings import Booking, booking_by_id, update_booking
from dispatcher.store.database import Database
from dispatcher.store.importing import ImportReport, import_rows
from dispatcher.store.migrate import migrate_engine
from dispatcher.store.schema import cabinet_links, key_states
from dispatcher.store.upsert import upsert
from tests.dispatcher.backends import Fill, backend, memory_database, postgresql_database
from tests.dispatcher.small_fleet import ORIGIN, copy_into

HOUR_MS = 60 * MINUTE_MS
GRID_MS = 15 * MINUTE_MS
NOW_MS = to_ms(datetime(2026, 10, 4, 10, 7, tzinfo=UTC))  # seven minutes into a step of the grid
NINE_MS = NOW_MS - 67 * MINUTE_MS
ELEVEN_MS = NOW_MS + 53 * MINUTE_MS

NETWORK: Mapping[str, list[dict[str, Any]]] = {
    "municipalities": [{"id": "lille", "name": "Lille"}],
    "stations": [
        {
            "id": "gare",
            "name": "Gare Lille-Flandres",
            "municipality_id": "lille",
            "latitude": 50.6366,
            "longitude": 3.0706,
        },
        {
            "id": "mairie",
            "name": "Mairie",
            "municipality_id": "lille",
            "latitude": 50.63,
            "longitude": 3.06,
            "public": False,
        },
    ],
    "cabinets": [
        {"id": "gare-1", "station_id": "gare", "slots": 8},
        {"id": "mairie-1", "station_id": "mairie", "slots": 4},
    ],
    "cabinet_stations": [{"cabinet_id": "mairie-1", "station_id": "mairie"}],
    "organisations": [{"id": "city-hall", "name": "Ville de Lille"}],
    "cost_centres": [{"id": "archives", "organisation_id": "city-hall", "name": "Archives"}],
    "pools": [{"id": "archivists", "organisation_id": "city-hall", "name": "Archivistes"}],
    "members": [
        {"id": "m-alix", "name": "Alix Dumont"},
        {"id": "m-brahim", "name": "Brahim Lesage"},
        {"id": "m-agent", "name": "Agathe Agent", "organisation_id": "city-hall"},
        {"id": "m-colleague", "name": "Constant Agent", "organisation_id": "city-hall"},
        {"id": "m-suspended", "name": "Sam Suspended", "standing": "suspended"},
        {"id": "m-expired", "name": "Emile Expired", "standing": "licence_expired"},
    ],
    "pool_members": [{"pool_id": "archivists", "member_id": "m-agent"}],
    "badges": [
        {"id": "b-alix", "member_id": "m-alix", "credential": "calypso:00000000075BCD15"},
        {"id": "b-alix-old", "member_id": "m-alix", "credential": "calypso:0000000000000A01", "state": "revoked"},
        {"id": "b-brahim", "member_id": "m-brahim", "credential": "mifare-7:04A1B2C3D4E5F6"},
    ],
    "vehicles": [
        {"id": vehicle_id, "name": name, "category": category, "energy": energy, "home_station_id": station}
        for vehicle_id, name, category, energy, station in (
            ("v-city-1", "Lilas 001", "city", "electric", "gare"),
            ("v-city-2", "Lilas 002", "city", "petrol", "gare"),
            ("v-family", "Lilas 003", "family", "hybrid", "gare"),
            ("v-mairie", "Lilas 004", "city", "electric", "mairie"),
        )
    ],
    "keys": [
        {"id": "k-city-1", "vehicle_id": "v-city-1", "home_cabinet_id": "gare-1", "home_slot": 1},
        {"id": "k-city-2", "vehicle_id": "v-city-2", "home_cabinet_id": "gare-1", "home_slot": 2},
        {"id": "k-family", "vehicle_id": "v-family", "home_cabinet_id": "gare-1", "home_slot": 3},
        {"id": "k-mairie", "vehicle_id": "v-mairie", "home_cabinet_id": "mairie-1", "home_slot": 1},
    ],
    "tags": [
        {"key_id": "k-city-1", "credential": "em4100:0100000001"},
        {"key_id": "k-city-2", "credential": "em4100:0100000002"},
    ],
}  # fmt: skip


class TestClock:
    """Wall time that stands still until it is set."""

    __test__ = False
    speed = 1.0

    def __init__(self, now_ms: int = NOW_MS) -> None:
        self.at_ms = now_ms

    def now_ms(self) -> int:
        return self.at_ms

    def synchronised(self) -> bool:
        return True

    def line_delay_s(self, at_ms: int) -> float:
        return max(at_ms - self.at_ms, 0) / 1000

    async def sleep_until_ms(self, at_ms: int) -> None:
        self.at_ms = max(self.at_ms, at_ms)


@contextmanager
def empty_database() -> Iterator[Database]:
    """A migrated database, of the kind that the test runs on."""
    with closing(_made(None)) as database:
        yield database


@contextmanager
def network_database() -> Iterator[Database]:
    with closing(_made(_network)) as database:
        yield database


def _made(fill: Fill | None) -> Database:
    if backend() == "postgresql":
        return postgresql_database(fill, ORIGIN)
    database = memory_database(ORIGIN)
    copy_into(_template(fill), database)
    return database


@cache
def _template(fill: Fill | None) -> Database:
    """Migrated and filled once per test process: a copy takes a hundredth of the time."""
    database = memory_database(ORIGIN)
    migrate_engine(database.engine)
    if fill is not None:
        database.write_now(fill)
    return database


def _network(connection: Connection) -> None:
    _import(connection, NETWORK)


def import_document(
    database: Database, document: Mapping[str, Any], now_ms: int = NOW_MS, seed: int = 1
) -> ImportReport:
    return database.write_now(lambda connection: _import(connection, document, now_ms, seed))


def _import(
    connection: Connection, document: Mapping[str, Any], now_ms: int = NOW_MS, seed: int = 1
) -> ImportReport:
    rows, faults = read_document(document, "network.json")
    assert not faults, faults
    return import_rows(connection, rows, now_ms, Random(f"{seed}/import").randbytes)


def booking_row(booking_id: str, start_ms: int, end_ms: int, **changes: Any) -> Booking:
    """A booking of the first city car by Alix, as a row: for what the API itself does not make."""
    values: dict[str, Any] = {
        "id": booking_id,
        "grant_id": f"grant-{booking_id}",
        "member_id": "m-alix",
        "organisation_id": None,
        "vehicle_id": "v-city-1",
        "category": None,
        "station_id": "gare",
        "cabinet_id": "gare-1",
        "key_id": "k-city-1",
        "start_ms": start_ms,
        "end_ms": end_ms,
        "original_start_ms": start_ms,
        "take_by_ms": min(start_ms + 30 * MINUTE_MS, end_ms),
        "state": BookingState.BOOKED,
        "taken_ms": None,
        "returned_ms": None,
        "hold_until_ms": None,
        "ended_ms": None,
        "created_ms": NOW_MS,
        "changed_ms": NOW_MS,
        "version": 1,
    }
    return Booking(**{**values, **changes})


def set_booking(database: Database, booking_id: str, **columns: Any) -> None:
    """What a fact from a cabinet would have done."""

    def work(connection: Connection) -> bool:
        found = booking_by_id(connection, booking_id)
        assert found is not None
        same_version = replace(found, version=found.version - 1)  # which writing it moves on
        return update_booking(connection, replace(same_version, **columns))

    assert database.write_now(work)


def set_key(
    database: Database, key_id: str, state: str, cabinet_id: str | None = "gare-1", *, slot: int = 1
) -> None:
    """Where a key is, whatever was known of it before."""
    row = {
        "key_id": key_id,
        "state": state,
        "cabinet_id": cabinet_id,
        "slot": slot,
        "identity": "read",
        "since_ms": NOW_MS,
    }
    database.write_now(lambda connection: upsert(connection, key_states, row))


def set_link(database: Database, cabinet_id: str, **columns: Any) -> None:
    values = {"cabinet_id": cabinet_id, "online": True, "heard_ms": NOW_MS, "reported_applied": False, **columns}
    database.write_now(lambda connection: connection.execute(insert(cabinet_links).values(values)))


def at(at_ms: int) -> str:
    """An instant as the API takes it."""
    return utc_text(at_ms)
