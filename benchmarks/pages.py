"""The operators' pages in a real browser: how soon the board is there, and a fact on it; what an open one keeps.

    .venv/bin/python -m benchmarks.pages [--stations 30] [--loads 15] [--updates 200]

The control of the first paint is the sign-in page, which reads nothing: what the browser and the wire take anyway.
An update is an incident that another program writes and then closes, each of which has the page look again.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import CDPSession, Page

from benchmarks.report import Row, quantile, spread, status_of, table
from dispatcher.api.scopes import Scope
from dispatcher.core.incidents import IncidentKind
from dispatcher.core.rules import FleetRules
from dispatcher.pages.board import board_text
from dispatcher.pages.looks import Look, Theme
from dispatcher.pages.views.network import stale_after_ms
from dispatcher.pages.words.catalogue import Language
from simulator.network.lilas import STATIONS
from simulator.world.demand import MORNING_MS
from tests.wire.pages_bench import Bench, live, running_bench

PAINT_MS = 1000  # below it nobody feels that they wait
SOON_MS = 1000  # from the commit to the eye
LAID_OUT_MS = 150  # of processor time: a tenth of a second for each of some open pages
KEPT_KIB = 1024  # what an open board may have grown by: a browser's own caches are as large
NODES_MAX = 200
WARM_UP = 20  # updates until caches are as they stay
KIND = IncidentKind.MAINS_LOST
PAINTED = """() => new Promise((resolve) => {
  const told = (list) => {
    const found = list.getEntriesByName("first-contentful-paint")[0];
    if (found) resolve(found.startTime);
  };
  new PerformanceObserver(told).observe({ type: "paint", buffered: true });
})"""


def _paints(page: Page, path: str, loads: int) -> list[float]:
    """First contentful paint of each load, in ms."""
    found = []
    for _ in range(loads):
        page.goto(path)
        found.append(page.evaluate(PAINTED))
    return found


def _laid_out(bench: Bench, times: int) -> list[float]:
    """Processor time of this process for one board, in ms: reading, judging, laying out."""
    look = Look(Language.FR, Theme.AUTO, MORNING_MS, "/", "bench", frozenset(Scope), "0" * 32)
    stale_ms = stale_after_ms(FleetRules())
    found = []
    for _ in range(times):
        began = time.process_time()
        bench.database.read_now(lambda connection: board_text(connection, look, stale_ms))
        found.append(1000 * (time.process_time() - began))
    return found


def _updates(bench: Bench, page: Page, count: int) -> list[float]:
    """From the commit of an incident until it is on the page, in ms; each is gone again before the next."""
    strip = page.locator(".strip.warning")
    found = []
    for number in range(count):
        bench.wrong(KIND, f"bench-{number}")
        began = time.perf_counter()
        strip.first.wait_for()
        found.append(1000 * (time.perf_counter() - began))
        bench.well(KIND, f"bench-{number}")
        strip.first.wait_for(state="detached")
    return found


def _kept(session: CDPSession) -> tuple[float, float]:
    """KiB of script's heap, and nodes, once what nobody refers to is gone."""
    session.send("HeapProfiler.collectGarbage")
    metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    return metrics["JSHeapUsedSize"] / 1024, metrics["Nodes"]


def _rows(bench: Bench, loads: int, updates: int) -> list[Row]:
    with bench.context(signed_in=False) as stranger:
        control = _paints(stranger.new_page(), "/sign-in", loads)
    with bench.context() as context:
        page = context.pages[0]
        paints = _paints(page, "/", loads)
        live(page)
        session = context.new_cdp_session(page)
        session.send("Performance.enable")
        _updates(bench, page, WARM_UP)
        before = _kept(session)
        seen = _updates(bench, page, updates)
        after = _kept(session)
    laid_out = _laid_out(bench, loads)
    return [
        Row("first paint of the board", median(paints), PAINT_MS, "ms", beside=f"sign-in {median(control):.0f} ms"),
        Row("an incident on an open board, p95", quantile(seen, 0.95), SOON_MS, "ms", beside=spread(seen, "ms")),
        Row("a board read and laid out", median(laid_out), LAID_OUT_MS, "ms", beside=spread(laid_out, "ms")),
        Row("heap kept", after[0] - before[0], KEPT_KIB, "KiB", beside=f"{2 * updates} changes"),
        Row("nodes kept", after[1] - before[1], NODES_MAX, "", beside=f"of {after[1]:.0f}"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="the operators' pages in a real browser")
    parser.add_argument("--stations", type=int, default=STATIONS)
    parser.add_argument("--loads", type=int, default=15)
    parser.add_argument("--updates", type=int, default=200)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_bench(Path(folder), options.stations, 1, "--nobody") as bench,
    ):
        rows = _rows(bench, options.loads, options.updates)
    print(table(rows))
    return status_of(rows)


if __name__ == "__main__":
    raise SystemExit(main())
