"""The command `simulator`.

simulator demo [--stations N] [--speed X] [--for SECONDS] [--seed N] ...
"""

import argparse
import asyncio
import sys
from collections.abc import Coroutine

from runtime.config import ConfigError
from simulator.broker import BrokerNotStarted
from simulator.demo.options import add_demo, demo_options

USAGE_ERROR = 2  # as argparse itself ends


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="simulator", description="A car-sharing network without a car.")
    commands = parser.add_subparsers(dest="command", required=True)
    add_demo(commands)
    options = demo_options(parser.parse_args(arguments))
    from simulator.demo.programs import ProgramEnded  # noqa: PLC0415  # --help needs none of the programs
    from simulator.demo.run import run_demo  # noqa: PLC0415

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
