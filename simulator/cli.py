"""The command `simulator`.

simulator demo [--stations N] [--speed X] [--for SECONDS] [--seed N] ...
simulator hunt [--seeds N] [--hours H] [--faults all|none|NAME,...] ...
simulator replay --seed N [--station ID] [--booking ID] [--key ID] [--hash] ...
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Coroutine

from runtime.config import ConfigError
from simulator.broker import BrokerNotStarted
from simulator.demo.options import add_demo, demo_options
from simulator.hunt.commands import add_hunt, add_replay, run_hunt, run_replay

USAGE_ERROR = 2  # as argparse itself ends


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="simulator", description="A car-sharing network without a car.")
    commands = parser.add_subparsers(dest="command", required=True)
    add_demo(commands)
    add_hunt(commands)
    add_replay(commands)
    parsed = parser.parse_args(arguments)
    if parsed.command in {"hunt", "replay"}:
        return _while_somebody_reads(run_hunt if parsed.command == "hunt" else run_replay, parsed)
    options = demo_options(parsed)
    from simulator.demo.programs import ProgramEnded  # noqa: PLC0415  # --help needs none of the programs
    from simulator.demo.run import run_demo  # noqa: PLC0415  # as above

    try:
        return _run(run_demo(options))
    except (ConfigError, BrokerNotStarted, ProgramEnded) as error:
        sys.stderr.write(f"simulator: {error}\n")
        return USAGE_ERROR


def _while_somebody_reads(run: Callable[[argparse.Namespace], int], parsed: argparse.Namespace) -> int:
    """As `| head` wants it: no word more, once nobody reads any."""
    try:
        return run(parsed)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at the end
        return 1


def _run(work: Coroutine[object, object, int]) -> int:
    """On uvloop where it is there: the demo's thousand wake-ups a second cost a fifth less."""
    try:
        import uvloop  # noqa: PLC0415  # it is not there on every system
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)
