"""How long the store takes to say which vehicles are free, beside a control in the same run.

    python -m benchmarks.availability [--url URL] [--questions N] [--skip-large]

Two fleets: 75 vehicles at 30 stations with a year of bookings ahead (three a day each), and 75,000 vehicles at
30,000 stations with 1.5 million. Asked is for random windows of random stations, and in the small fleet for every
vehicle at once. The control is what no program can do without: the rows of one station's vehicles by their primary
keys. Promised: p99 under 5 ms for the small fleet, and a station's answer of the large one within twice that of the
small. The processor's time is told beside: on a machine that is busy with something else it is the truer figure.
"""

import argparse
import gc
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, text

from benchmarks.report import Row, quantile, spread, status_of, table
from dispatcher.core.rules import FleetRules
from dispatcher.core.windows import DAY_MS, MINUTE_MS, Window
from dispatcher.store.availability import Question, answer
from dispatcher.store.database import Database
from dispatcher.store.migrate import migrate_engine
from dispatcher.store.origin import Origin, with_origin
from dispatcher.store.paging import PageRequest
from dispatcher.store.schema import bookings, cabinets, keys, members, municipalities, stations, vehicles
from runtime.executor import InlineExecutor

RULES = FleetRules()
NOW_MS = 1_790_000_100_000  # on the booking grid
GRID_MS = RULES.grid_ms
PER_STATION = {"small": (30, 75), "large": (30_000, 75_000)}
BOOKINGS = {"small": 75 * 365 * 3, "large": 1_500_000}
P99_MS = 5.0
TIMES = 2.0
CHUNK = 20_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="an empty PostgreSQL database; SQLite in a temporary file where absent")
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--skip-large", action="store_true", help="only the fleet of 75 vehicles")
    options = parser.parse_args()
    rows: list[Row] = []
    medians: dict[str, float] = {}
    for scale in ("small",) if options.skip_large else ("small", "large"):
        with tempfile.TemporaryDirectory() as folder:
            database = Database(
                options.url or f"sqlite:///{folder}/{scale}.db", InlineExecutor(), origin=Origin(b"o" * 32)
            )
            migrate_engine(database.engine)
            began = time.perf_counter()
            fill(database, scale)
            print(f"{scale}: filled in {time.perf_counter() - began:.0f} s")
            figures = measure(database, scale, options.questions)
            database.close()
            if options.url is not None:
                empty(options.url)
        control = spread(figures["control"], "ms")
        medians[scale] = quantile(figures["station"], 0.5)
        for what in ("station", "everywhere") if scale == "small" else ("station",):
            print(f"{scale} {what}: {spread(figures[what], 'ms')}; control: {control}")
            print(f"{scale} {what}, processor: {spread(figures[what + ' cpu'], 'ms')}")
        if scale == "small":
            for what in ("station", "everywhere"):
                p99_ms = quantile(figures[what], 0.99)
                rows.append(Row(f"75 vehicles, a year, {what}: p99", p99_ms, P99_MS, "ms", beside=control))
    if "large" in medians:
        beside = f"medians {medians['large']:.2f} and {medians['small']:.2f} ms"
        rows.append(
            Row(
                "75,000 vehicles beside 75: a station",
                medians["large"] / medians["small"],
                TIMES,
                "x",
                beside=beside,
            )
        )
    print(table(rows))
    return status_of(rows)


def measure(database: Database, scale: str, questions: int) -> dict[str, list[float]]:
    """Milliseconds of each question, the kinds taking turns so that a busy moment meets all of them."""
    rng = Random("questions")
    station_count, vehicle_count = PER_STATION[scale]
    several = vehicle_count // station_count + 1
    by_key = select(vehicles).where(vehicles.c.id.in_(bindparam("ids", expanding=True)))

    def control(connection: Connection) -> object:
        first = rng.randrange(vehicle_count)
        ids = [vehicle_id((first + more) % vehicle_count) for more in range(several)]
        return connection.execute(by_key, {"ids": ids}).all()

    def ask(station: str | None, limit: int) -> Callable[[Connection], object]:
        start_ms = NOW_MS + rng.randrange(360 * DAY_MS // GRID_MS) * GRID_MS
        window = Window(start_ms, start_ms + rng.randrange(4, 33) * GRID_MS)
        question = Question(window, station, None if station else "city", ahead_ms=DAY_MS)
        return lambda connection: answer(connection, RULES, question, PageRequest(limit), NOW_MS)

    found: dict[str, list[float]] = defaultdict(list)
    for number in range(questions + questions // 10):
        works: dict[str, Callable[[Connection], object]] = {
            "control": control,
            "station": ask(station_id(rng.randrange(station_count)), 50),
        }
        if scale == "small":
            works["everywhere"] = ask(None, 200)
        for what, work in works.items():
            began, worked = time.perf_counter(), time.thread_time()
            database.read_now(work)
            if number >= questions // 10:  # the first tenth warms caches up
                found[what].append((time.perf_counter() - began) * 1000)
                found[f"{what} cpu"].append((time.thread_time() - worked) * 1000)
        if number % 100 == 0:
            gc.collect()
    return found


# --- fleets


def station_id(number: int) -> str:
    return f"st-{number}"


def vehicle_id(number: int) -> str:
    return f"v-{number}"


def fill(database: Database, scale: str) -> None:
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
        _insert(connection, bookings, _bookings(scale, vehicle_count, station_count, rng))
        connection.execute(text("ANALYZE"))

    database.write_now(places)


def _insert(connection: Connection, into: Any, rows: Iterator[dict[str, Any]]) -> None:
    chunk = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            connection.execute(insert(into), chunk)
            chunk = []
    if chunk:
        connection.execute(insert(into), chunk)


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


def empty(url: str) -> None:
    """The database as it was: for the fleet that comes next."""
    database = Database(url, InlineExecutor(), origin=Origin(b"o" * 32))
    with database.engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    database.close()


if __name__ == "__main__":
    raise SystemExit(main())
