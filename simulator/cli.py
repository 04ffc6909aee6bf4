"""The command `simulator`.

simulator demo [--stations N] [--speed X] [--for SECONDS] [--seed N] ...
simulator hunt [--seeds N] [--hours H] [--faults all|none|NAME,...] ...
simulator replay --seed N [--station ID] [--booking ID] [--key ID] [--hash] ...
"""

import argparse
import asyncio
import sys
from collections.abc import Coroutine

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
    if parsed.command == "hunt":
        return run_hunt(parsed)
    if parsed.command == "replay":
        return run_replay(parsed)
    options = demo_options(parsed)
    from simulator.demo.programs import ProgramEnded  # noqa: PLC0415  # --help needs none of the programs
    from simulator.demo.run import run_demo  # noqa: PLC0415  # as above

    try:
        return _run(run_demo(options))
    except (ConfigError, BrokerNotStarted, ProgramEnded) as error:
        sys.stderr.write(f"simulator: {error}\n")
        return USAGE_ERROR


def _run(work: Coroutine[object, object, int]) -> int:
    """On uvloop where it is there: the demo's thousand wake-ups a second cost a fifth less."""
    try:
        import uvloop  # noqa: PLC0415  # it is not there on every system
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)
