"""What the open data costs: one snapshot read from the database, and every file of both versions made of it.

    python -m benchmarks.open_data [--calls N] [--large]

On an SQLite file: 75 vehicles at 30 stations with a year of bookings ahead and a hundred rentals behind each, and
with `--large` 3,000 vehicles at 1,200 stations with three months of bookings. The control of the same run reads the
vehicles, their keys and the bookings of the week by one bare statement: no snapshot can be quicker. Promised: the
small network's snapshot takes less than a twentieth of the five seconds that it lasts at least; its files too.
"""

import argparse
import gc
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

from sqlalchemy import Connection, insert, select

from benchmarks.availability import BOOKINGS, CONTROL, NOW_MS, PER_STATION, RULES, fill, new_database
from benchmarks.report import Row, quantile, spread, status_of, table
from dispatcher.core.windows import DAY_MS, HOUR_MS
from dispatcher.open_data.feeds import NAMES, Version, data_of
from dispatcher.open_data.reading import read_snapshot
from dispatcher.open_data.shelf import SNAPSHOT_US, TIMES_ITS_READ
from dispatcher.open_data.snapshot import Snapshot
from dispatcher.store.database import Database
from dispatcher.store.schema import cabinet_links, cabinets, keys, rentals
from tests.dispatcher.open_data_bench import open_data

PROMISED_MS = SNAPSHOT_US / 1000 / TIMES_ITS_READ
BEHIND = 100  # rentals of each vehicle: two months
NETWORKS = {"small": "75 vehicles", "national": "3,000 vehicles"}
PER_STATION["national"], BOOKINGS["national"] = (1200, 3000), 3000 * 90


def lived_in(connection: Connection) -> None:
    """Every cabinet was heard, and every vehicle was driven."""
    heard = {"online": True, "heard_ms": NOW_MS, "reported_applied": False}
    ids = connection.scalars(select(cabinets.c.id)).all()
    connection.execute(insert(cabinet_links), [{"cabinet_id": cabinet_id, **heard} for cabinet_id in ids])
    connection.execute(insert(rentals), list(_rentals(connection)))


def _rentals(connection: Connection) -> Iterator[dict[str, object]]:
    for key in connection.execute(select(keys)).all():
        for number in range(1, BEHIND + 1):
            taken_ms = NOW_MS - number * 12 * HOUR_MS
            yield {
                "vehicle_id": key.vehicle_id, "key_id": key.id, "cabinet_id": key.home_cabinet_id,
                "taken_ms": taken_ms, "returned_ms": taken_ms + HOUR_MS,
            }  # fmt: skip


def timed(work: Callable[[], object], calls: int) -> list[float]:
    """Milliseconds of this thread's processor time; the first call, which warms caches up, is not counted."""
    found = []
    for number in range(calls + 1):
        gc.collect()
        began_ns = time.thread_time_ns()
        work()
        if number:
            found.append((time.thread_time_ns() - began_ns) / 1e6)
    return found


def bare_read(connection: Connection) -> object:
    return connection.execute(CONTROL, {"from_ms": NOW_MS, "until_ms": NOW_MS + 7 * DAY_MS}).all()


def all_files(snapshot: Snapshot) -> object:
    return [data_of(name, version, snapshot, open_data()) for version in Version for name in sorted(NAMES)]


def measure(database: Database, calls: int) -> dict[str, list[float]]:
    read = partial(read_snapshot, rules=RULES, now_ms=NOW_MS + 7 * 60_000)
    snapshot = database.read_now(read)
    return {
        "control": timed(partial(database.read_now, bare_read), calls),
        "a snapshot": timed(partial(database.read_now, read), calls),
        "all files of both versions": timed(partial(all_files, snapshot), calls),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="what the open data costs")
    parser.add_argument("--calls", type=int, default=30)
    parser.add_argument("--large", action="store_true", help="also 3,000 vehicles: a minute to fill")
    options = parser.parse_args()
    rows: list[Row] = []
    for scale in ("small", "national") if options.large else ("small",):
        with new_database("sqlite") as database:
            fill(database, scale)
            database.write_now(lived_in)
            found = measure(database, options.calls)
        for what, took_ms in found.items():
            sys.stdout.write(f"{NETWORKS[scale]}, {what}, processor: {spread(took_ms, 'ms')}\n")
            if scale == "small" and what != "control":
                beside = f"control: {spread(found['control'], 'ms')}"
                rows.append(
                    Row(f"{what}, p99 of processor", quantile(took_ms, 0.99), PROMISED_MS, "ms", beside=beside)
                )
    sys.stdout.write(f"{table(rows)}\n")
    return status_of(rows)


if __name__ == "__main__":
    raise SystemExit(main())
