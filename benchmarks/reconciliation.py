"""What the reconciler's passes cost over a year of a network: everything, and what one cabinet's facts touched.

    python -m benchmarks.reconciliation [--calls N]

On an SQLite file with the Lilas network (30 cabinets, 75 vehicles), every box online and told, a third of the keys
out, and two bookings a day of each vehicle for half a year behind and half a year ahead. The control of the same
run reads the same rows with the bare driver and judges nothing: no pass over everything can be quicker.
"""

import argparse
import gc
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median

from sqlalchemy import Connection, insert

from benchmarks.dispatcher_rounds import LATER_MS, RULES, fleet
from benchmarks.report import Row, quantile, spread, status_of, table
from dispatcher.core.hearing import Hearing
from dispatcher.core.windows import DAY_MS, HOUR_MS
from dispatcher.store.schema import bookings
from dispatcher.store.scope import EVERYTHING, Scope
from dispatcher.store.timed import run_timed
from simulator.network.lilas import lilas_network
from simulator.network.model import Network
from tests.dispatcher.small_fleet import NOW_MS

FULL_MS = 100.0  # promised for 30 stations
RATIO = 15.0  # SQLAlchemy, a dozen statements instead of five, and the judging; a scan of the bookings makes it 40
DAYS = 182  # behind, and ahead
TODAY = 2  # left to the bookings that the fleet has already
CONTROL = (
    "SELECT * FROM cabinets LEFT JOIN cabinet_links ON cabinet_links.cabinet_id = cabinets.id",
    "SELECT * FROM key_states LEFT JOIN bookings ON bookings.grant_id = key_states.grant_id",
    "SELECT * FROM slot_states",
    "SELECT * FROM bookings WHERE state IN ('booked', 'active', 'returned') AND state = 'active'",
    "SELECT * FROM incidents WHERE closed_ms IS NULL",
)
"""What a pass over everything has to look at."""


def year_of_bookings(connection: Connection, network: Network) -> int:
    """Two a day of each vehicle, those behind completed; how many."""
    rows = list(_rows(network))
    connection.execute(insert(bookings), rows)
    return len(rows)


def _rows(network: Network) -> Iterator[dict[str, object]]:
    for number, vehicle in enumerate(network.vehicles):
        for day in (*range(-DAYS, -TODAY), *range(TODAY, DAYS)):
            for half in range(2):
                start_ms = NOW_MS + day * DAY_MS + half * 6 * HOUR_MS
                name = f"y-{number}-{day + DAYS}-{half}"
                yield {
                    "id": name, "grant_id": f"grant-{name}", "member_id": network.members[number].id,
                    "vehicle_id": vehicle.id, "station_id": vehicle.station, "cabinet_id": vehicle.key.cabinet,
                    "key_id": vehicle.key.id, "start_ms": start_ms, "end_ms": start_ms + 2 * HOUR_MS,
                    "original_start_ms": start_ms, "take_by_ms": start_ms + HOUR_MS // 2,
                    "state": "completed" if day < 0 else "booked", "created_ms": NOW_MS, "changed_ms": NOW_MS,
                    "version": 1,
                }  # fmt: skip


def ms_of(call: Callable[[], object], calls: int) -> list[float]:
    for _ in range(5):
        call()
    gc.collect()
    found = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        found.append((time.perf_counter() - start) * 1e3)
    return found


def measure(path: Path, calls: int) -> list[Row]:
    network = lilas_network(1)
    database, boxes = fleet(network, f"sqlite:///{path}")
    count = database.write_now(partial(year_of_bookings, network=network))
    database.write_now(lambda connection: connection.exec_driver_sql("ANALYZE"))
    hearing = Hearing(True, NOW_MS, 600, {box.cabinet: 5 for box in boxes})

    def passing(scope: Scope) -> Callable[[], object]:
        work = partial(run_timed, rules=RULES, hearing=hearing, now_ms=LATER_MS, scope=scope)
        return lambda: database.write_now(work)

    one = frozenset({boxes[0].cabinet})
    everything, touched, checked = (
        ms_of(passing(scope), calls) for scope in (EVERYTHING, Scope(one), Scope(one, is_checked=True))
    )
    bare = sqlite3.connect(path)
    control = ms_of(lambda: [bare.execute(statement).fetchall() for statement in CONTROL], calls)
    bare.close()
    database.close()
    beside = f"{count:,} bookings; {spread(everything, 'ms')}"
    return [
        Row("a pass over everything, p99", quantile(everything, 0.99), FULL_MS, "ms", beside=beside),
        Row("the same beside a bare read of its rows", median(everything) / median(control), RATIO, "x",
            beside=f"control: {spread(control, 'ms')}"),
        Row("what one cabinet touched, p99", quantile(touched, 0.99), FULL_MS, "ms", beside=spread(touched, "ms")),
        Row("that and a pass over everything, p99", quantile(checked, 0.99), 2 * FULL_MS, "ms",
            beside=spread(checked, "ms")),
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description="the reconciler's passes over a year of a network")
    parser.add_argument("--calls", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder) / "dispatcher.sqlite", options.calls)
    print(table(rows))
    return status_of(rows)


if __name__ == "__main__":
    sys.exit(main())
