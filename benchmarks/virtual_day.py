"""How long the whole network's day takes: virtual seconds per real second, and where the time goes.

python -m benchmarks.virtual_day [--stations 30] [--hours 24] [--seed 1] [--no-faults] [--profiled 3]

The day is lived once untimed by anything but the clock. The control, in the same run, is one station for an hour
with every poll on its line (on the virtual loop) and with idle polls left out (on the heap): what that saves.
Where the time goes is measured apart, over `--profiled` hours of the same day, since a profiler slows all it sees.
"""

import argparse
import cProfile
import pstats
import time
from collections import defaultdict
from pathlib import Path

from simulator.hunt.checks.promises import broken_promises
from simulator.hunt.scenario import Options, Run
from simulator.hunt.seeds import lived
from simulator.virtual.premises import premises
from simulator.virtual.runs import on_heap, on_loop, people_act
from simulator.virtual.spells import Touches
from simulator.virtual.timers import HOUR_US, SECOND_US

ROOT = Path(__file__).parents[1]
LINES = frozenset({Touches.LOCKS, Touches.READERS})
SHARES_SHOWN = 14


def line_faults_share(run: Run) -> float:
    """The share of all lines' time during which a fault of lines or devices was active."""
    lines = 2 * len(run.world.boxes)
    active_us = sum(
        min(spell.until_us, run.options.end_us) - spell.from_us  # each is of one line, whichever it may be
        for spell in run.spells
        if spell.touches and spell.touches <= LINES and spell.fault != "stuck_lock"  # which leaves its bus as it is
    )
    return active_us / (lines * run.options.end_us)


def control() -> None:
    """One station for an hour, on each driver."""
    course = people_act(HOUR_US)
    begun_s = time.process_time()
    on_heap(1, 1, course)
    left_out_s = time.process_time() - begun_s
    begun_s = time.process_time()
    on_loop(1, 1, course, real_lines=True)
    polled_s = time.process_time() - begun_s
    print(
        f"control: one station, one hour: every poll on the loop {polled_s:.2f} s, left out on the heap "
        f"{left_out_s:.2f} s of CPU: {polled_s / left_out_s:.1f} times"
    )


def profiled(seed: int, options: Options) -> None:
    """By package, the time spent in its own functions."""
    profile = cProfile.Profile()
    profile.enable()
    with lived(seed, options):
        profile.disable()
    own_s: dict[str, float] = defaultdict(float)
    for (file, _line, name), (_calls, _all_calls, seconds, _cumulative, _callers) in pstats.Stats(
        profile
    ).stats.items():  # type: ignore[attr-defined]  # typeshed does not know it
        own_s[_package(file, name)] += seconds
    total_s = sum(own_s.values())
    print(f"where the time goes ({options.hours:g} h under a profiler, own time):")
    for package, seconds in sorted(own_s.items(), key=lambda item: -item[1])[:SHARES_SHOWN]:
        print(f"  {seconds / total_s:6.1%}  {package}")


def _package(file: str, name: str) -> str:
    path = Path(file)
    if path.is_relative_to(ROOT) and "site-packages" not in path.parts:
        return "/".join(path.relative_to(ROOT).parts[:2]).removesuffix(".py")
    if "site-packages" in path.parts:
        return path.parts[path.parts.index("site-packages") + 1]
    for library in ("sqlite3", "cryptography", "pydantic_core", "_hashlib", "_heapq"):
        if library in name:
            return f"{library} (C)"
    return "Python itself" if file == "~" else "standard library"


def main() -> None:
    parser = argparse.ArgumentParser(description="how long the network's day takes in virtual time")
    parser.add_argument("--stations", type=int, default=30)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-faults", action="store_true")
    parser.add_argument("--profiled", type=float, default=3.0, metavar="HOURS", help="0: not")
    parsed = parser.parse_args()
    faults: dict[str, tuple[str, ...]] = {"faults": ()} if parsed.no_faults else {}
    premises(parsed.stations)
    options = Options(parsed.hours, parsed.stations, **faults)
    begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
    with lived(parsed.seed, options) as run:
        wall_s, cpu_s = time.perf_counter() - begun_s, time.process_time() - begun_cpu_s
        broken = broken_promises(run)
    virtual_s = run.heap.now_us() / SECOND_US
    print(
        f"{options.stations} stations x {options.hours:g} h, seed {parsed.seed}: {wall_s:.1f} s "
        f"({cpu_s:.1f} s of CPU), {virtual_s / wall_s:.0f} virtual seconds per second; "
        f"{len(broken)} promises broken"
    )
    print(
        f"{len(run.spells)} faults, {line_faults_share(run):.2%} of line time under a line fault; "
        f"{sum(1 for _ in run.world.record)} physical facts"
    )
    control()
    if parsed.profiled:
        profiled(parsed.seed, Options(parsed.profiled, parsed.stations, **faults))


if __name__ == "__main__":
    main()
