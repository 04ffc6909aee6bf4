"""Hunts for each planted bug until a seed finds it, and writes down which: do the checkers bite?

python -m benchmarks.planted_bugs [--seeds 50] [--hours 4] [--stations 8] [BUG ...]

A seed counts only where the unplanted programs keep every promise with it. Writes tests/promises/planted.json and
docs/planted-bugs.md; named bugs alone replace their own entries.
"""

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from simulator.hunt.planted import BUGS
from simulator.hunt.scenario import Options
from simulator.hunt.seeds import cores, hunt_one
from simulator.virtual.premises import premises

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "tests" / "promises" / "planted.json"
TABLE = ROOT / "docs" / "planted-bugs.md"

HEAD = """\
# Planted bugs: do the checkers bite?

Each bug is put into the programs by replacing one function while a hunt runs (`simulator/hunt/planted/`). Found
means: a seed with which the unplanted programs keep every promise breaks one with the bug. Written by
`python -m benchmarks.planted_bugs`; replay one with
`python -m simulator replay --seed SEED --hours HOURS --stations STATIONS --plant BUG`.

| bug | what somebody got wrong | seed | hours x stations | promise that breaks | what is said of it first |
|---|---|---|---|---|---|
"""


def find(name: str, seeds: int, options: Options) -> dict[str, Any] | None:
    """The first seed that finds a bug; None: not one of them does."""
    for seed in range(1, seeds + 1):
        broken = hunt_one(seed, options, name).broken
        if broken and not hunt_one(seed, options).broken:
            return {
                "seed": seed,
                "hours": options.hours,
                "stations": options.stations,
                "promise": broken[0].promise,
                "what": broken[0].what,
            }
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description="which seed finds which planted bug")
    parser.add_argument("bugs", nargs="*", metavar="BUG", help="default: all")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--hours", type=float, default=4.0)
    parser.add_argument("--stations", type=int, default=8)
    parsed = parser.parse_args()
    names = parsed.bugs or sorted(BUGS)
    options = Options(parsed.hours, parsed.stations)
    premises(options.stations)
    record: dict[str, Any] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    with ProcessPoolExecutor(cores()) as pool:
        for name, found in zip(
            names, pool.map(partial(find, seeds=parsed.seeds, options=options), names), strict=True
        ):
            record.pop(name, None)
            if found is not None:
                record[name] = found
            sys.stdout.write(f"{name}: {found or 'NOT FOUND'}\n")
            sys.stdout.flush()
            _write({bug: record[bug] for bug in sorted(record) if bug in BUGS})
    return 0 if all(name in record for name in names) else 1


def _write(record: dict[str, Any]) -> None:
    RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    rows = [
        f"| `{name}` | {BUGS[name].mistake} | {one['seed']} | {one['hours']:g} x {one['stations']} | "
        f"{one['promise'].replace('_', ' ')} | {one['what'].replace('|', '/')[:160]} |"
        for name, one in record.items()
    ]
    missing = [f"- `{name}`: {bug.mistake}" for name, bug in BUGS.items() if name not in record]
    text = HEAD + "\n".join(rows) + "\n"
    if missing:
        text += "\nNot found yet:\n\n" + "\n".join(missing) + "\n"
    TABLE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
