"""The commands `hunt` and `replay`.

simulator hunt --seeds 200 --hours 6            many seeds; for each broken promise the command that replays it
simulator replay --seed 7 --hours 6             one seed's history, as a story
"""

import argparse
import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.clocks import LineClock, SystemLineClock
from simulator.hunt.checks.promises import broken_promises
from simulator.hunt.planted import BUGS
from simulator.hunt.scenario import MENU, Options, named
from simulator.hunt.seeds import SeedResult, cores, hunt_many, lived
from simulator.hunt.story import Filter, story
from simulator.network.lilas import STATIONS
from simulator.virtual.history import history_hash

SHOWN_MAX = 5  # broken promises of one seed on a screen; the JSON has them all
HOURS_MAX = 24 * 14


@dataclass(frozen=True, slots=True)
class _Faults:
    """What `--faults` asks for (`Options`)."""

    names: tuple[str, ...]
    drawn: bool


ALL = _Faults(tuple(MENU), drawn=True)


def add_hunt(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "run many networks in virtual time, with faults, and say which promise broke with which seed"
    hunt = commands.add_parser("hunt", help=text, description=text)
    hunt.add_argument("--seeds", type=_count, metavar="N", default=None, help="how many; without it, until stopped")
    hunt.add_argument("--first-seed", type=int, default=1, metavar="N", help="default 1")
    hunt.add_argument("--jobs", type=_count, default=cores(), metavar="N", help="processes; default: all cores")
    hunt.add_argument("--json", type=Path, metavar="FILE", help="write seeds, hours, broken promises and rates")
    _add_options(hunt)


def add_replay(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "tell the history of one seed: who, what, when, why"
    replay = commands.add_parser("replay", help=text, description=text)
    replay.add_argument("--seed", type=int, required=True, metavar="N")
    replay.add_argument("--station", metavar="ID", help="only what concerns this station or cabinet")
    replay.add_argument("--booking", metavar="ID", help="only what concerns this booking")
    replay.add_argument("--key", metavar="ID", help="only what concerns this key")
    replay.add_argument("--hash", action="store_true", help="print the history's hash alone")
    _add_options(replay)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--hours", type=_hours, default=6.0, metavar="H", help="virtual hours of each seed; default 6"
    )
    parser.add_argument("--stations", type=_stations, default=STATIONS, metavar="N", help="1 to 30; default 30")
    parser.add_argument(
        "--faults",
        type=_faults,
        default=ALL,
        metavar="F",
        help="all (default: each seed draws about half of the menu, and how often each comes), every (the whole "
        f"menu in each seed), none, or of {', '.join(MENU)}",
    )
    parser.add_argument(
        "--plant", choices=sorted(BUGS), metavar="BUG", help=f"with a bug put in: {', '.join(sorted(BUGS))}"
    )


def run_hunt(parsed: argparse.Namespace) -> int:
    """The exit status: 1 if a promise broke."""
    clock: LineClock = SystemLineClock()
    options = options_of(parsed)
    began_us = clock.now_us()
    results: list[SeedResult] = []
    try:
        for result in hunt_many(parsed.first_seed, parsed.seeds, options, parsed.jobs, parsed.plant):
            results.append(result)
            _tell(result, options, parsed, results, (clock.now_us() - began_us) / 1e6)
    except KeyboardInterrupt:
        sys.stdout.write("\nstopped\n")
    wall_s = (clock.now_us() - began_us) / 1e6
    sys.stdout.write(f"{_summary(results, wall_s)}\n")
    if parsed.json is not None:
        document = _document(results, options, wall_s, parsed.plant)
        parsed.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 1 if any(result.broken for result in results) else 0


def run_replay(parsed: argparse.Namespace) -> int:
    """Tell one seed's story; the exit status is 1 if it breaks a promise."""
    with lived(parsed.seed, options_of(parsed), parsed.plant) as run:
        lines = story(run)
        broken = broken_promises(run)
    if parsed.hash:
        sys.stdout.write(f"{history_hash([str(line) for line in lines])}\n")
        return 1 if broken else 0
    wanted = Filter(parsed.station, parsed.booking, parsed.key)
    for line in wanted.of(lines):
        sys.stdout.write(f"{line}\n")
    for one in broken:
        sys.stdout.write(f"BROKEN {one.promise}: {one.what}\n")
    return 1 if broken else 0


def _tell(
    result: SeedResult, options: Options, parsed: argparse.Namespace, results: list[SeedResult], wall_s: float
) -> None:
    rate = len(results) / wall_s * 60
    hours = sum(one.hours for one in results)
    word = "BROKEN" if result.broken else "held"
    sys.stdout.write(
        f"seed {result.seed:<6} {word:<6} {result.faults:>4} faults {result.facts:>5} facts {result.wall_s:6.1f} s"
        f"   {len(results)} seeds, {rate:.1f} a minute, {hours:g} virtual hours\n"
    )
    for one in result.broken[:SHOWN_MAX]:
        sys.stdout.write(f"    {one.promise}: {one.what}\n")
    if len(result.broken) > SHOWN_MAX:
        sys.stdout.write(f"    and {len(result.broken) - SHOWN_MAX} more\n")
    if result.broken:
        sys.stdout.write(f"    {replay_command(result.seed, options, parsed.plant)}\n")
    sys.stdout.flush()


def replay_command(seed: int, options: Options, plant: str | None = None) -> str:
    """The one command that lives a seed again."""
    words = [f"python -m simulator replay --seed {seed} --hours {options.hours:g}"]
    if options.stations != STATIONS:
        words.append(f"--stations {options.stations}")
    if not options.drawn:
        every = options.faults == tuple(MENU)
        words.append(f"--faults {'every' if every else ','.join(options.faults) or 'none'}")
    if plant is not None:
        words.append(f"--plant {plant}")
    return " ".join(words)


def _summary(results: list[SeedResult], wall_s: float) -> str:
    hours = sum(result.hours for result in results)
    broken = [result.seed for result in results if result.broken]
    rate = len(results) / wall_s * 60 if wall_s else 0.0
    told = f"broken promises with seeds {broken}" if broken else "every promise held"
    return f"{len(results)} seeds, {hours:g} virtual hours in {wall_s:.0f} s ({rate:.1f} seeds a minute): {told}"


def _document(results: list[SeedResult], options: Options, wall_s: float, plant: str | None) -> dict[str, Any]:
    promises = Counter(one.promise for result in results for one in result.broken)
    return {
        "seeds": [result.seed for result in results],
        "stations": options.stations,
        "hours_per_seed": options.hours,
        "virtual_hours": sum(result.hours for result in results),
        "faults": list(options.faults),
        "faults_drawn": options.drawn,
        "faults_begun": sum(result.faults for result in results),
        "facts": sum(result.facts for result in results),
        "wall_s": round(wall_s, 1),
        "seeds_per_minute": round(len(results) / wall_s * 60, 2) if wall_s else 0.0,
        "broken": [
            {
                "seed": result.seed,
                "promise": one.promise,
                "what": one.what,
                "replay": replay_command(result.seed, options, plant),
            }
            for result in results
            for one in result.broken
        ],
        "broken_by_promise": dict(promises),
    }


def options_of(parsed: argparse.Namespace) -> Options:
    """What the words of a command line ask for."""
    return Options(parsed.hours, parsed.stations, parsed.faults.names, parsed.faults.drawn)


def _count(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 1")
    return value


def _stations(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if not 1 <= value <= STATIONS:
        raise argparse.ArgumentTypeError(f"{text!r}: expected 1 to {STATIONS}")
    return value


def _hours(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= HOURS_MAX:
        raise argparse.ArgumentTypeError(f"{text!r}: expected hours, 0.1 to {HOURS_MAX}")
    return value


def _faults(text: str) -> _Faults:
    if text == "all":
        return ALL
    if text == "every":
        return _Faults(tuple(MENU), drawn=False)
    if text == "none":
        return _Faults((), drawn=False)
    names = text.split(",")
    unknown = [name for name in names if name not in MENU]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"{', '.join(unknown)}: expected all, every, none, or of {', '.join(MENU)}"
        )
    return _Faults(named(names), drawn=False)
