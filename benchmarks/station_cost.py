"""What a station costs: memory, processor, start, latency and codecs, each beside its target and a control.

    make benchmark                                         # all of it, six minutes; exit status 1 on a miss
    make benchmark ARGS="--rest-s 10 --taps 20"

One agent as it is installed (in `.venv-run` the packages of requirements/run.txt alone; what its unit sets), with
sixteen slots, two readers and eight vehicles. "At rest": nobody is at the cabinet, the contacts are looked at
five times a second, each reader is polled every 50 ms, each vehicle speaks every 10 s.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from benchmarks import badge_to_lock, codec_speed
from benchmarks.report import Row, spread, status_of, table
from benchmarks.rig import ROOT, VEHICLES, rig

MEMORY_MIB = 60
CPU_PERCENT = 3
START_S = 2
REST_S = 60.0
STARTS = 7
VEHICLE_EVERY_S = 10
SETTLED_S = 12.0  # looks are frequent for 10 s after a start finds the cabinet
USAGE_ERROR = 2
WAKES_PER_S = 100  # two readers every 50 ms and two boards every 200 ms, each with a question and an answer
IDLE = "print('ready', flush=True); import time; time.sleep(600)"
WAKING = f"""
import asyncio
async def main():
    print('ready', flush=True)
    while True:
        await asyncio.sleep(1 / {WAKES_PER_S})
asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class AtRest:
    """Resident memory in MiB, processor time in percent of one core."""

    memory: float
    memory_most: float
    cpu_percent: float


def at_rest(agent: psutil.Process, rest_s: float) -> AtRest:
    """What a process costs that is left alone."""
    before, began = agent.cpu_times(), time.monotonic()
    time.sleep(rest_s)
    after, took_s = agent.cpu_times(), time.monotonic() - began
    spent_s = after.user + after.system - before.user - before.system
    memory = agent.memory_info().rss / 2**20
    most = next(line for line in Path(f"/proc/{agent.pid}/status").read_text().splitlines() if "VmHWM" in line)
    return AtRest(memory, int(most.split()[1]) / 1024, 100 * spent_s / took_s)


async def measure(python: str, rest_s: float, starts: int) -> tuple[AtRest, list[float]]:
    """An agent that is started some times, and then left alone."""
    took_s = []
    with tempfile.TemporaryDirectory(prefix="carshare-bench-") as folder:
        async with rig(Path(folder), [python, "-m", "station_agent", "run"]) as station:
            for _ in range(starts):
                station.stop()
                took_s.append(await station.start())
            await station.serve_members()
            driving = asyncio.create_task(station.drive(VEHICLES / VEHICLE_EVERY_S))
            await asyncio.sleep(min(SETTLED_S, 2 * rest_s))
            rest = await asyncio.to_thread(at_rest, station.agent, rest_s)
            driving.cancel()
    return rest, took_s


def control(python: str, program: str, rest_s: float) -> tuple[AtRest, float]:
    """A Python that does next to nothing: what it costs, and how long it takes to begin."""
    began = time.monotonic()
    with subprocess.Popen([python, "-c", program], stdout=subprocess.PIPE) as idle:  # noqa: S603  # our own
        assert idle.stdout is not None
        idle.stdout.readline()
        took_s = time.monotonic() - began
        rest = at_rest(psutil.Process(idle.pid), rest_s)
        idle.kill()
    return rest, took_s


def rows(python: str, rest_s: float, starts: int) -> list[Row]:
    rest, took_s = asyncio.run(measure(python, rest_s, starts))
    idle, idle_start_s = control(python, IDLE, min(rest_s, 2.0))
    waking, _ = control(python, WAKING, min(rest_s, 20.0))
    memory = (
        f"at most {rest.memory_most:.1f}; {rest.memory / idle.memory:.1f} times an idle Python's {idle.memory:.1f}"
    )
    times = rest.cpu_percent / max(waking.cpu_percent, 0.01)
    cpu = f"over {rest_s:g} s; {times:.1f} times a bare loop that wakes as often ({waking.cpu_percent:.2f} %)"
    begun = f"{spread(took_s, 's')} of {starts}; an idle Python {idle_start_s:.3f} s"
    return [
        Row("resident memory at rest", rest.memory, MEMORY_MIB, "MiB", beside=memory),
        Row("of one core at rest", rest.cpu_percent, CPU_PERCENT, "%", beside=cpu),
        Row("start to ready", median(took_s), START_S, "s", beside=begun),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="what a station costs, beside what was promised")
    parser.add_argument("--rest-s", type=float, default=REST_S, help="how long it is left alone")
    parser.add_argument("--starts", type=int, default=STARTS)
    parser.add_argument("--taps", type=int, default=badge_to_lock.TAPS)
    parser.add_argument("--codec-seconds", type=float, default=codec_speed.SECONDS)
    parser.add_argument("--python", default=str(ROOT / ".venv-run/bin/python"), help="of the agent's process")
    options = parser.parse_args(arguments)
    if not Path(options.python).exists():
        sys.stderr.write(f"{options.python} is missing: `make benchmark` makes .venv-run\n")
        return USAGE_ERROR
    made = [
        *rows(options.python, options.rest_s, options.starts),
        *badge_to_lock.rows(options.python, options.taps),
        *codec_speed.rows(options.codec_seconds),
    ]
    print(table(made))
    return status_of(made)


if __name__ == "__main__":
    sys.exit(main())
