"""Pictures of the operators' pages: a demo of the whole network with something wrong in it, before a Chromium.

make screenshots
.venv/bin/python -m benchmarks.screenshots --stations 8 --into /tmp/pictures
"""

import argparse
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from dispatcher.core.incidents import IncidentKind
from simulator.network.lilas import STATIONS
from tests.wire.pages_bench import CABINET, STATION, Bench, live, running_bench

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
DESKTOP, PHONE = {"width": 1280, "height": 1000}, {"width": 360, "height": 740}
TAKES = (
    ("desktop-fr-light", DESKTOP, "fr-FR", "light"),
    ("desktop-en-dark", DESKTOP, "en-GB", "dark"),
    ("phone-fr-dark", PHONE, "fr-FR", "dark"),
    ("phone-en-light", PHONE, "en-GB", "light"),
)
BUSY_AFTER_MS = 75_000  # of the demo at this speed: the morning's cars are out
SPEED = 20.0  # faster, and doors are open for minutes of a clock that hands do not follow


def _something_wrong(bench: Bench) -> None:
    bench.wrong(IncidentKind.LOCK_STUCK, f"{CABINET}/5")
    bench.wrong(IncidentKind.MAINS_LOST)
    bench.wrong(IncidentKind.VEHICLE_HANDED_BACK, "car")


def _pictures(page: Page, name: str, into: Path, member_id: str) -> None:
    page.goto("/")
    live(page)
    page.screenshot(path=into / f"board-{name}.png")
    if name.startswith("desktop"):
        page.locator("#stations-title").evaluate("title => title.scrollIntoView()")
        page.screenshot(path=into / f"stations-{name}.png")
        page.goto(f"/stations/{STATION}")
        live(page)
        page.screenshot(path=into / f"station-{name}.png")
    page.goto(f"/caller/{member_id}")
    live(page)
    page.screenshot(path=into / f"caller-{name}.png")
    page.goto("/incidents")
    page.locator("#open th a").first.click()
    live(page)
    page.screenshot(path=into / f"incident-{name}.png")


def main() -> int:
    parser = argparse.ArgumentParser(description="pictures of the operators' pages")
    parser.add_argument("--stations", type=int, default=STATIONS)
    parser.add_argument("--into", type=Path, default=PICTURES)
    options = parser.parse_args()
    options.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running_bench(Path(folder), options.stations, SPEED) as bench:
        _something_wrong(bench)
        with bench.context(signed_in=False) as context:
            page = context.new_page()
            page.goto("/sign-in")
            page.screenshot(path=options.into / "sign-in.png")
            page.wait_for_timeout(BUSY_AFTER_MS)
        member_id = bench.ask(f"/bookings?state=active&station={STATION}")["items"][0]["member_id"]
        for name, viewport, locale, scheme in TAKES:
            with bench.context(viewport=viewport, locale=locale, color_scheme=scheme) as context:
                _pictures(context.pages[0], name, options.into, member_id)
        sys.stdout.write("".join(f"{each}\n" for each in bench.complaints))
        return 1 if bench.complaints else 0


if __name__ == "__main__":
    raise SystemExit(main())
