"""How long the store, and the API, take to say which vehicles are free, beside a control in the same run.

    python -m benchmarks.availability [--database sqlite|postgresql] [--questions N] [--large]

Two fleets: 75 vehicles at 30 stations with a year of bookings ahead (three a day each), and with `--large` 75,000
vehicles at 30,000 stations with 1.5 million. Asked is for random windows of one to eight hours, of random stations,
and in the small fleet of the whole network as a front end asks it, in the store and through the API's HTTP stack.
The control reads the rows that no program can do without (the vehicles, their keys, a week of bookings) by one bare
statement. All take turns, so that a busy moment meets all of them. Promised: p99 under 5 ms in the store and 15 ms
through HTTP for the small fleet, and a station's answer of the large one within twice that of the small.

On SQLite all is done by this process, so that its processor time is what is judged: on a machine that is busy with
something else the time on the wall says as much of the others. On PostgreSQL the server's process is added to it.
"""

import argparse
import asyncio
import gc
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from random import Random
from statistics import median
from typing import Any
from urllib.parse import urlencode

import psycopg
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, insert, text

from benchmarks.report import Row, quantile, spread, status_of, table
from dispatcher.api.app import create_app
from dispatcher.api.context import ApiContext
from dispatcher.api.rate_limits import Limits, Rate
from dispatcher.api.scopes import Scope
from dispatcher.api.tokens import Token, Tokens, digest
from dispatcher.core.rules import FleetRules
from dispatcher.core.windows import DAY_MS, MINUTE_MS, Window, utc_text
from dispatcher.store.availability import Question, answer
from dispatcher.store.database import Database
from dispatcher.store.migrate import migrate_engine
from dispatcher.store.origin import Origin, with_origin
from dispatcher.store.paging import PageRequest
from dispatcher.store.schema import bookings, cabinets, keys, members, municipalities, stations, vehicles
from runtime.executor import InlineExecutor
from runtime.health import Monitored
from runtime.listening import AsgiApp
from simulator.postgres import cluster
from tests.dispatcher.fake_link import HandClock
from tests.dispatcher.network import TestClock

RULES = FleetRules()
NOW_MS = 1_790_000_100_000  # on the booking grid
GRID_MS = RULES.grid_ms
PER_STATION = {"small": (30, 75), "large": (30_000, 75_000)}
BOOKINGS = {"small": 75 * 365 * 3, "large": 1_500_000}
STORE_MS = 5.0
HTTP_MS = 15.0
TIMES = 2.0
PAGE = 200
PATH = "/api/v1/availability"
GC_EVERY = (
    50  # questions: what a collection costs is told by nobody, as in a process that freezes what it started with
)
CONTROL = text(
    "SELECT v.id, v.category, v.energy, v.home_station_id, k.id, k.home_cabinet_id, k.origin, b.id, b.state,"
    " b.start_ms, b.end_ms FROM vehicles v JOIN keys k ON k.vehicle_id = v.id"
    " JOIN bookings b ON b.vehicle_id = v.id"
    " WHERE v.category = 'city' AND b.state IN ('booked', 'active', 'returned')"
    " AND b.start_ms BETWEEN :from_ms AND :until_ms"
)
CONTROL_THERE = text(f"{CONTROL.text} AND v.home_station_id = :station")


@dataclass
class Found:
    """Milliseconds of each question: on the wall, and of processors."""

    wall: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    processor: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True, slots=True)
class Meter:
    """Counts the processor time of this thread, and of the database's process where there is one."""

    backend: Path | None

    def ms(self) -> float:
        own_ms = time.thread_time_ns() / 1e6
        if self.backend is None:
            return own_ms
        return own_ms + int(self.backend.read_text().split()[0]) / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description="availability in the store and through HTTP")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--large", action="store_true", help="also 75,000 vehicles: minutes to fill")
    options = parser.parse_args()
    rows: list[Row] = []
    for kind in options.database or ["sqlite", "postgresql"]:
        medians: dict[str, float] = {}
        for scale in ("small", "large") if options.large else ("small",):
            with new_database(kind) as database:
                began = time.perf_counter()
                fill(database, scale)
                print(f"{kind}, {scale}: filled in {time.perf_counter() - began:.0f} s", flush=True)
                found = measure(database, scale, options.questions)
            medians[scale] = median(found.processor["station"])
            rows += judged(kind, found) if scale == "small" else []
            for what in found.wall:
                print(f"{kind}, {scale}, {what}, wall: {spread(found.wall[what], 'ms')}")
                print(f"{kind}, {scale}, {what}, processor: {spread(found.processor[what], 'ms')}", flush=True)
        if "large" in medians:
            beside = f"medians {medians['large']:.2f} and {medians['small']:.2f} ms"
            times = medians["large"] / medians["small"]
            rows.append(Row(f"{kind}: a station, 75,000 vehicles beside 75", times, TIMES, "x", beside=beside))
    print(table(rows))
    return status_of(rows)


def judged(kind: str, found: Found) -> list[Row]:
    rows = []
    for what, limit_ms in (("station", STORE_MS), ("network", STORE_MS), ("network, HTTP", HTTP_MS)):
        control = "control: station" if what == "station" else "control: network"
        beside = (
            f"wall: {spread(found.wall[what], 'ms')}; control: processor"
            f" {spread(found.processor[control], 'ms')}, wall {spread(found.wall[control], 'ms')}"
        )
        p99_ms = quantile(found.processor[what], 0.99)
        rows.append(Row(f"{kind}: {what}, p99 of processor", p99_ms, limit_ms, "ms", beside=beside))
    return rows


@contextmanager
def new_database(kind: str) -> Iterator[Database]:
    """Empty, of the present schema: in a file, or in a cluster of its own."""
    with tempfile.TemporaryDirectory(prefix="carshare-availability-") as folder:
        if kind == "sqlite":
            database = opened(f"sqlite:///{folder}/dispatcher.db")
            yield database
            database.close()
            return
        with cluster(settings=("shared_buffers=256MB",)) as server:
            database = opened(server.create("availability").render_as_string(hide_password=False))
            yield database
            database.close()


def opened(url: str) -> Database:
    database = Database(url, InlineExecutor(), origin=Origin(b"o" * 32))
    migrate_engine(database.engine)
    return database


def meter_of(database: Database) -> Meter:
    """The pool lends the same connection again and again to who asks one after the other."""
    if database.engine.dialect.name == "sqlite":
        return Meter(None)
    number = database.read_now(
        lambda connection: connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    )
    return Meter(Path(f"/proc/{number}/schedstat"))


def measure(database: Database, scale: str, questions: int) -> Found:
    rng = Random("questions")
    station_count, _ = PER_STATION[scale]
    meter, found = meter_of(database), Found()
    with asyncio.Runner() as runner:
        http = api_of(database)
        for number in range(questions + questions // 10):
            start_ms = NOW_MS + rng.randrange(360 * DAY_MS // GRID_MS) * GRID_MS
            window = Window(start_ms, start_ms + rng.randrange(4, 33) * GRID_MS)
            station = station_id(rng.randrange(station_count))
            works = {
                "control: station": in_store(database, partial(control, window=window, station=station)),
                "station": in_store(database, partial(ask, window=window, station=station)),
            }
            if scale == "small":
                works["control: network"] = in_store(database, partial(control, window=window, station=None))
                works["network"] = in_store(database, partial(ask, window=window, station=None))
                works["network, HTTP"] = partial(runner.run, over_http(http, window))
            if number % GC_EVERY == 0:
                gc.collect()
            for what, work in works.items():
                began, worked_ms = time.perf_counter(), meter.ms()
                work()
                if number >= questions // 10:  # the first tenth warms caches up
                    found.wall[what].append((time.perf_counter() - began) * 1000)
                    found.processor[what].append(meter.ms() - worked_ms)
    return found


def in_store(database: Database, work: Callable[[Connection], object]) -> Callable[[], object]:
    return partial(database.read_now, work)


def ask(connection: Connection, window: Window, station: str | None) -> object:
    question = Question(window, station, None if station else "city", ahead_ms=DAY_MS)
    return answer(connection, RULES, question, PageRequest(PAGE), NOW_MS)


def control(connection: Connection, window: Window, station: str | None) -> Sequence[object]:
    times = {"from_ms": window.start_ms, "until_ms": window.end_ms + 7 * DAY_MS}
    if station is None:
        return connection.execute(CONTROL, times).all()
    return connection.execute(CONTROL_THERE, {**times, "station": station}).all()


def api_of(database: Database) -> AsgiApp:
    """The application as it is served, without a socket: authorisation, validation, the answer as JSON."""
    clock = TestClock()
    clock.at_ms = NOW_MS
    context = ApiContext(
        database=database,
        clock=clock,
        line_clock=HandClock(),
        random_bytes=Random("api").randbytes,
        rules=RULES,
        digest_secret=b"m" * 32,
        wake=lambda: None,
    )
    tokens = Tokens([Token("benchmark", digest("benchmark"), frozenset(Scope), None)])
    return create_app(
        context,
        tokens=lambda: tokens,
        monitored=Monitored(CollectorRegistry(), ready=list),
        limits=Limits(Rate(1, 1_000_000), Rate(1, 1_000_000)),
    )


async def over_http(app: AsgiApp, window: Window) -> None:
    """One request as a server hands it on: what its client and its socket cost is not ours."""
    times = {"from": utc_text(window.start_ms), "until": utc_text(window.end_ms)}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": urlencode({"category": "city", "limit": PAGE, **times}).encode(),
        "root_path": "",
        "headers": [(b"host", b"api"), (b"authorization", b"Bearer benchmark")],
        "client": ("127.0.0.1", 1),
        "server": ("api", 80),
    }
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    assert sent[0]["status"] == HTTPStatus.OK, sent


# --- fleets


def station_id(number: int) -> str:
    return f"st-{number}"


def vehicle_id(number: int) -> str:
    return f"v-{number}"


def fill(database: Database, scale: str, *, booked: bool = True) -> None:
    station_count, vehicle_count = PER_STATION[scale]
    rng = Random(f"fleet/{scale}")

    def places(connection: Connection) -> None:
        connection.execute(insert(municipalities).values(id="lille", name="Lille"))
        member = {"id": "m", "name": "M", "standing": "active"}
        connection.execute(insert(members).values(with_origin(connection, members, member)))
        _insert(connection, stations, (_station(number, rng) for number in range(station_count)))
        _insert(
            connection,
            cabinets,
            (
                {"id": f"cab-{n}", "station_id": station_id(n), "slots": 8, "life_cycle": "in_service"}
                for n in range(station_count)
            ),
        )
        _insert(connection, vehicles, (_vehicle(number, station_count) for number in range(vehicle_count)))
        signed = (with_origin(connection, keys, _key(number, station_count)) for number in range(vehicle_count))
        _insert(connection, keys, signed)
        if booked:
            with _unchecked(connection):
                _insert(connection, bookings, _bookings(scale, vehicle_count, station_count, rng))
        connection.execute(text("ANALYZE"))

    database.write_now(places)


@contextmanager
def _unchecked(connection: Connection) -> Iterator[None]:
    """Without the triggers, which look at each row for overlaps and blocks: these rows have none."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        yield
        connection.execute(text("SET LOCAL session_replication_role = DEFAULT"))
        return
    triggers = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
    for name, _ in triggers:
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    yield
    for _, statement in triggers:
        connection.exec_driver_sql(statement)


def _insert(connection: Connection, into: Any, rows: Iterator[dict[str, Any]]) -> None:
    """By the driver itself: a million rows take a minute."""
    first = next(rows)
    names = ", ".join(first)
    driver = connection.connection.driver_connection
    if isinstance(driver, psycopg.Connection):
        with driver.cursor() as cursor, cursor.copy(f"COPY {into.name} ({names}) FROM STDIN") as copy:
            for row in chain((first,), rows):
                copy.write_row(tuple(row.values()))
        return
    assert driver is not None, "a connection that is open has a driver's"
    places = ", ".join("?" * len(first))
    statement = f"INSERT INTO {into.name} ({names}) VALUES ({places})"  # noqa: S608  # names of our schema
    driver.execute(statement, tuple(first.values()))
    driver.executemany(statement, (tuple(row.values()) for row in rows))


def _station(number: int, rng: Random) -> dict[str, Any]:
    return {
        "id": station_id(number), "name": f"Station {number}", "municipality_id": "lille",
        "latitude": 50.6 + rng.uniform(-1, 1), "longitude": 3.06 + rng.uniform(-1, 1), "public": True,
        "life_cycle": "in_service",
    }  # fmt: skip


def _vehicle(number: int, station_count: int) -> dict[str, Any]:
    return {
        "id": vehicle_id(number), "name": f"Car {number}", "category": "city", "energy": "petrol",
        "home_station_id": station_id(number % station_count), "life_cycle": "in_service",
    }  # fmt: skip


def _key(number: int, station_count: int) -> dict[str, Any]:
    return {
        "id": f"k-{number}", "vehicle_id": vehicle_id(number), "home_cabinet_id": f"cab-{number % station_count}",
        "home_slot": number // station_count % 8 + 1, "life_cycle": "in_service",
    }  # fmt: skip


def _bookings(scale: str, vehicle_count: int, station_count: int, rng: Random) -> Iterator[dict[str, Any]]:
    """Spread over the year ahead, none over another: a third of the time is taken in the small fleet."""
    each = BOOKINGS[scale] // vehicle_count
    step_ms = 360 * DAY_MS // each // GRID_MS * GRID_MS
    for number in range(vehicle_count):
        for which in range(each):
            room = step_ms // GRID_MS
            length = min(rng.randrange(4, 24), room)
            start_ms = NOW_MS + which * step_ms + rng.randrange(room - length + 1) * GRID_MS
            yield {
                "id": f"b-{number}-{which}", "grant_id": f"g-{number}-{which}", "member_id": "m",
                "vehicle_id": vehicle_id(number), "station_id": station_id(number % station_count),
                "cabinet_id": f"cab-{number % station_count}", "key_id": f"k-{number}", "start_ms": start_ms,
                "end_ms": start_ms + length * GRID_MS, "original_start_ms": start_ms,
                "take_by_ms": start_ms + 30 * MINUTE_MS, "state": "booked", "created_ms": NOW_MS,
                "changed_ms": NOW_MS, "version": 1,
            }  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
