"""The command `simulator`.

simulator demo [--stations N] [--speed X] [--for SECONDS] [--seed N] ...
simulator cabinet [--locks modbus-io|kerong-cu16] [--slots N] [--tag-reader osdp|rdm6300|none] ...
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
from simulator.cabinet.options import add_cabinet, cabinet_options
from simulator.demo.options import add_demo, demo_options

USAGE_ERROR = 2  # as argparse itself ends


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="simulator", description="A car-sharing network without a car.")
    commands = parser.add_subparsers(dest="command", required=True)
    add_demo(commands)
    add_cabinet(commands)
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] in (["demo"], ["cabinet"]):
        parsed = parser.parse_args(words)
        return _while_somebody_reads(_cabinet if parsed.command == "cabinet" else _demo, parsed)
    from simulator.hunt.commands import add_hunt, add_replay, run_hunt, run_replay  # noqa: PLC0415  # takes 2 s

    add_hunt(commands)
    add_replay(commands)
    parsed = parser.parse_args(words)
    return _while_somebody_reads(run_hunt if parsed.command == "hunt" else run_replay, parsed)


def _demo(parsed: argparse.Namespace) -> int:
    try:
        options = demo_options(parsed)
    except ConfigError as error:
        return _refused(error)
    from simulator.demo.programs import ProgramEnded  # noqa: PLC0415  # --help needs none of the programs
    from simulator.demo.run import run_demo  # noqa: PLC0415  # as above

    try:
        return _run(run_demo(options))
    except (ConfigError, BrokerNotStarted, ProgramEnded) as error:
        return _refused(error)


def _cabinet(parsed: argparse.Namespace) -> int:
    from simulator.cabinet.run import run_cabinet  # noqa: PLC0415  # the demo needs none of it

    try:
        return _run(run_cabinet(cabinet_options(parsed)))
    except ConfigError as error:
        return _refused(error)


def _refused(error: Exception) -> int:
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
