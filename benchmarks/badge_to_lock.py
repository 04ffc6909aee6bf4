"""Badge shown to lock pulsed: one agent process, real baud rates over ptys, a real broker, telemetry all the while.

    python -m benchmarks.badge_to_lock [--taps N] [--fsync-ms 20]

The agent's own share is measured twice: of all taps by its own histogram (card's event to order at the lock line),
and from outside, on the cables, from the last byte of the reader's reply (or from when the lock bus was free again)
to the first of the pulse; taps during which another look at the contacts began are left out there, for they tell
the time of the wire. Needs mosquitto.
"""

import argparse
import asyncio
import os
import random
import re
import sqlite3
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Row, quantile, spread, status_of, table
from benchmarks.rig import BADGES, CARD_FRAME_MIN, Passed, Rig, rig
from simulator.network.wiring import BADGE_READER, LOCK_BAUD
from tests.runtime.waiting import eventually

TAPS = 200
OWN_MS = 10  # the promise; a blink is ten times as long
SLOW_FSYNC_MS = 20  # of a worn card
TELEMETRY_PER_S = 50
GAP_US = 3_646  # 3.5 characters at 9600 baud: the silence that ends the frame before a pulse
FSYNCS = 200  # as a control
TAP_WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Taps:
    """What came of them, in milliseconds."""

    whole_ms: list[float]
    """From the card at the reader to the pulse on the lock bus."""
    outside_ms: list[float]
    """The agent's own share, from the cables, where that can be told."""
    inside: dict[float, int]
    """By its histogram: how many took at most so many milliseconds."""
    telemetry_per_s: float
    """Messages that the agent read all the while."""

    def share_within(self, limit_ms: float) -> float:
        return self.inside[limit_ms] / max(self.inside.values())


async def tap(station: Rig, count: int) -> Taps:
    """Show one badge after the other; between them the door springs open and is shut again."""
    rng = random.Random("taps")
    whole_ms, outside_ms = [], []
    before, began_us = await asyncio.to_thread(_page, station), station.clock.now_us()
    for number in range(count):
        badge = station.badges[number % BADGES]
        await asyncio.sleep(rng.uniform(0.2, 0.3))  # at any moment of the readers' and the boards' polls
        station.opened.clear()
        shown_us = station.clock.now_us()
        assert station.readers[BADGE_READER].show_card(badge.bits, badge.data), "the reader is full"
        await eventually(lambda: station.opened, within_s=TAP_WAIT_S)
        slot = station.opened[0]
        assert slot == number % BADGES + 1, f"slot {slot} opened for badge {number % BADGES + 1}"
        pulse = next(passed for passed in reversed(station.locks.from_agent) if passed.data[1] == 0x05)
        whole_ms.append((pulse.at_us - shown_us) / 1000)
        own_us = _own_us(station, shown_us, pulse)
        if own_us is not None:
            outside_ms.append(own_us / 1000)
        await station.told("door_opened", number + 1)
        station.set_door(slot, is_open=False)
        await station.told("door_closed", number + 1)
    after, took_s = await asyncio.to_thread(_page, station), (station.clock.now_us() - began_us) / 1e6
    return Taps(whole_ms, outside_ms, _histogram(after), (_reports(after) - _reports(before)) / took_s)


def _own_us(station: Rig, shown_us: int, pulse: Passed) -> int | None:
    """From when the agent had card and free bus to its pulse; None where a look at the contacts came in between."""
    replies = [passed.at_us for passed in station.bus.to_agent if len(passed.data) >= CARD_FRAME_MIN]
    card_us = max(at_us for at_us in replies if shown_us <= at_us < pulse.at_us)  # one before may be a status
    if any(card_us < passed.at_us < pulse.at_us for passed in station.locks.from_agent):
        return None
    answered_us = max(passed.at_us for passed in station.locks.to_agent if passed.at_us < pulse.at_us)
    return pulse.at_us - max(card_us, answered_us + GAP_US)


def _page(station: Rig) -> str:
    """The agent's metrics."""
    served = re.findall(r'"url": ?"(http://[^"]+/metrics)"', station.log_text())
    with urllib.request.urlopen(served[-1], timeout=5) as answer:  # noqa: S310  # the agent's own page, on loopback
        return str(answer.read().decode())


def _histogram(page: str) -> dict[float, int]:
    buckets = re.findall(r'station_agent_release_seconds_bucket\{le="([^"]+)"\} (\S+)', page)
    return {float(bound.replace("+Inf", "inf")) * 1000: round(float(count)) for bound, count in buckets}


def _reports(page: str) -> float:
    (count,) = re.findall(r"^station_agent_vehicle_reports_total (\S+)", page, re.MULTILINE)
    return float(count)


async def measured(folder: Path, python: str, taps: int, fsync_ms: float) -> Taps:
    """One agent, on this disk or on a slower one."""
    command = [python, "-m", "station_agent", "run"]
    if fsync_ms:
        command = [python, "-m", "benchmarks.slow_disk_agent", str(fsync_ms), "run"]
    async with rig(folder, command) as station:
        await station.start()
        await station.serve_members()
        driving = asyncio.create_task(station.drive(TELEMETRY_PER_S))
        try:
            return await tap(station, taps)
        finally:
            driving.cancel()


def fsync_ms(folder: Path) -> list[float]:
    """The control: a few bytes and an fsync, on the disk where the journal lies."""
    took = []
    with (folder / "control").open("wb", buffering=0) as file:
        for _ in range(FSYNCS):
            began = time.perf_counter()
            file.write(bytes(100))
            os.fsync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    return took


def commit_ms(folder: Path) -> list[float]:
    """The other control: SQLite's own durable commit of one row, as the journal is set up."""
    took = []
    database = sqlite3.connect(folder / "control.sqlite", isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 0"):
        database.execute(f"PRAGMA {pragma}")
    database.execute("CREATE TABLE control (bytes BLOB)")
    for _ in range(FSYNCS):
        began = time.perf_counter()
        database.execute("INSERT INTO control VALUES (zeroblob(400))")
        took.append((time.perf_counter() - began) * 1000)
    database.close()
    return took


def rows(python: str, taps: int, *, slow_ms: float = SLOW_FSYNC_MS) -> list[Row]:
    """The promises about a badge, on this disk and on a slow one."""
    made = []
    for name, extra_ms in (("this disk", 0.0), (f"{slow_ms:g} ms an fsync", slow_ms)):
        with tempfile.TemporaryDirectory(prefix="carshare-bench-") as folder:
            found = asyncio.run(measured(Path(folder), python, taps, extra_ms))
            bare, commit = fsync_ms(Path(folder)), commit_ms(Path(folder))
        limit_ms = OWN_MS + 2 * extra_ms
        inside = ", ".join(f"{count} within {bound:g} ms" for bound, count in found.inside.items() if count)
        assert found.telemetry_per_s > 0.9 * TELEMETRY_PER_S, f"only {found.telemetry_per_s:.0f} messages a second"
        what = f"badge to lock within {limit_ms:g} ms, {name}"
        made.append(Row(what, 100 * found.share_within(limit_ms), 99, "%", at_least=True, beside=inside))
        if found.outside_ms and not extra_ms:
            p99_ms = quantile(found.outside_ms, 0.99)
            times = f"{len(found.outside_ms)} taps, {p99_ms / quantile(commit, 0.99):.1f} times a bare commit's p99"
            beside = f"{spread(found.outside_ms, 'ms')}; {times}"
            made.append(Row("  the same on the cables, p99", p99_ms, limit_ms, "ms", beside=beside))
        sys.stderr.write(
            f"{name}: {taps} taps, with poll and wires: {spread(found.whole_ms, 'ms')}\n"
            f"  controls: bare fsync {spread(bare, 'ms')}; bare commit {spread(commit, 'ms')}\n"
        )
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="badge shown to lock pulsed, over ptys at real baud rates")
    parser.add_argument("--taps", type=int, default=TAPS)
    parser.add_argument("--fsync-ms", type=float, default=SLOW_FSYNC_MS, help="of the slow disk")
    parser.add_argument("--python", default=sys.executable, help="interpreter of the agent's process")
    options = parser.parse_args(arguments)
    made = rows(options.python, options.taps, slow_ms=options.fsync_ms)
    print(f"{table(made)}\nlock bus at {LOCK_BAUD} baud; {TELEMETRY_PER_S} telemetry messages a second")
    return status_of(made)


if __name__ == "__main__":
    sys.exit(main())
