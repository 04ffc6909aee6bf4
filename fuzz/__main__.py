"""Searches for inputs that bring a codec to harm, guided by what they reach.

    make fuzz                                     # all codecs, 60 s each
    make fuzz ARGS="--seconds 600 osdp kerong"
    .venv/bin/python -m fuzz --replay osdp FILE   # what one input does; needs no fuzzer

What was found useful stays in `.fuzz/NAME/corpus` and is where the next search begins. An input that does harm is
written to `.fuzz/NAME/`, its command is printed, and the exit status is 1.
"""

import argparse
import importlib.util
import re
import subprocess
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

from fuzz.covered import lines_covered
from fuzz.targets import TARGETS, Target
from runtime.clocks import SystemLineClock

SECONDS = 60
SLOW_S = 10  # one input; the slowest takes a tenth of a second here
MEMORY_MB = 1024  # ten times what a search needs
USAGE_ERROR = 2
QUOTED = re.compile(rb'"[^"\\]{2,60}"')
REACHED = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)/")
RAISED = re.compile(r"=== Uncaught Python exception: ===\s*(.*?)\s*\n==\d+==", re.DOTALL)
EXECUTED = re.compile(r"stat::number_of_executed_units:\s+(\d+)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one search."""

    name: str
    took_s: int
    executed: int
    reached: tuple[int, ...]
    """Edges, features and kept inputs."""
    lines: tuple[int, int]
    """Reached by what is kept, and all there are."""
    harm: tuple[Path, ...]
    said: str


def main() -> int:
    options = _parser().parse_args()
    unknown = [name for name in options.names if name not in TARGETS]
    if unknown or (options.replay and len(options.names) != 1):
        sys.stderr.write(f"fuzz: {unknown or options.names}: expected names out of {', '.join(TARGETS)}\n")
        return USAGE_ERROR
    if options.replay:
        return replay(options.names[0], options.replay)
    if importlib.util.find_spec("atheris") is None:
        sys.stderr.write("fuzz: atheris is missing: `make fuzz` sets up .venv-fuzz, which has it\n")
        return USAGE_ERROR
    outcomes = [search(name, options.folder / name, options.seconds) for name in options.names or TARGETS]
    return 1 if any(outcome.harm for outcome in outcomes) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fuzz", description="coverage-guided search for inputs that do harm")
    parser.add_argument("names", nargs="*", metavar="CODEC", help=f"one or more of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="for each codec")
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"), help="where corpus and findings are kept")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="feed this one input")
    return parser


def replay(name: str, file: Path) -> int:
    """Feed one input: 1, with what was raised, where it does harm."""
    try:
        TARGETS[name].check(file.read_bytes())
    except Exception:  # noqa: BLE001  # whatever a codec raises is what is looked for
        traceback.print_exc()
        return 1
    sys.stdout.write(f"{name}: {file} does no harm\n")
    return 0


def search(name: str, folder: Path, seconds: int) -> Outcome:
    """Search for so long or until the first harm, and tell what came of it."""
    target = TARGETS[name]
    corpus, clock = _prepare(target, folder), SystemLineClock()
    known = set(folder.iterdir())
    command = [
        sys.executable, "-m", "fuzz.search", name, str(corpus), str(folder / "seeds"),
        f"-max_total_time={seconds}", f"-max_len={target.bytes_max}", f"-timeout={SLOW_S}",
        f"-rss_limit_mb={MEMORY_MB}", f"-artifact_prefix={folder}/", "-print_final_stats=1",
    ]  # fmt: skip
    if (folder / "words").stat().st_size:  # libFuzzer takes no empty dictionary
        command.append(f"-dict={folder / 'words'}")
    began_us = clock.now_us()
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
    took_s = (clock.now_us() - began_us) // 1_000_000
    kept = [file.read_bytes() for file in sorted(corpus.iterdir())]
    lines = lines_covered(target, [*target.seeds, *kept])
    executed = EXECUTED.findall(done.stderr)
    reached = REACHED.findall(done.stderr)
    outcome = Outcome(
        name,
        took_s,
        int(executed[-1]) if executed else 0,
        tuple(map(int, reached[-1])) if reached else (),
        (lines.covered, lines.total),
        tuple(sorted(set(folder.iterdir()) - known)),
        done.stdout + done.stderr,
    )
    if done.returncode and not outcome.harm:
        raise SystemExit(f"fuzz: the search itself failed:\n{done.stderr}")
    _tell(outcome)
    return outcome


def _prepare(target: Target, folder: Path) -> Path:
    """Corpus, seeds and the words of the seeds, where libFuzzer reads them."""
    corpus, seeds = folder / "corpus", folder / "seeds"
    corpus.mkdir(parents=True, exist_ok=True)
    seeds.mkdir(exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (seeds / f"{number:02}").write_bytes(seed)
    words = {word for seed in target.seeds for word in QUOTED.findall(seed)}
    escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in sorted(words))
    (folder / "words").write_text("".join(f'"{word}"\n' for word in escaped))
    return corpus


def _tell(outcome: Outcome) -> None:
    edges, _, kept = outcome.reached or (0, 0, 0)
    lines = "{}/{}".format(*outcome.lines)
    sys.stdout.write(
        f"{outcome.name:<11}{outcome.executed:>9} inputs in {outcome.took_s:>4} s, {edges:>4} edges, "
        f"{kept:>5} kept, {lines} lines; {len(outcome.harm)} found\n"
    )
    for file in outcome.harm:
        raised = RAISED.search(outcome.said)
        why = raised[1] if raised else "too slow, or too much memory"
        sys.stdout.write(f"{why}\n  again: .venv/bin/python -m fuzz {outcome.name} --replay {file}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
