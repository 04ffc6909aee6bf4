"""The command `station-agent`.

station-agent run --config station.toml
station-agent check-config --config station.toml
station-agent doctor --config station.toml
station-agent monitor --config station.toml
station-agent trace readers-1 --config station.toml
station-agent pair-reader entrance --config station.toml
station-agent signing-key signing-key.pem
station-agent --version
"""

import argparse
import asyncio
import os
import random
import secrets
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from runtime.clocks import Clock, LineClock, SystemClock, SystemLineClock
from runtime.config import ConfigError
from runtime.executor import Executor, ThreadExecutor
from runtime.health import HealthApp, serve_health
from runtime.lifetime import run_until, told_to_stop
from runtime.link import Link, LinkOwner
from runtime.logs import configure_logs
from runtime.memory import give_back
from runtime.mqtt_link import MqttLink
from runtime.service_manager import ServiceManager
from runtime.steps import LoopSteps
from station_agent.agent import Agent, Surroundings
from station_agent.config import StationConfig
from station_agent.config_file import load_config
from station_agent.core.device_events import DeviceEvent
from station_agent.drivers.base import Codec
from station_agent.hardware import check_drivers
from station_agent.journal import JournalUnusable
from station_agent.metrics import monitored
from station_agent.onsite.pages import pages
from station_agent.reporting import VERSION
from station_agent.secrets_on_disk import load_keys
from station_agent.serial_line import SerialLine
from station_agent.watchdog import Watchdog

USAGE_ERROR = 2  # as argparse itself ends


def main(arguments: list[str] | None = None, *, clock: Clock | None = None) -> int:
    """Entry point; `clock` is the simulator's way to run the very same program at another speed."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "signing-key":
            from station_agent.onsite.signing_key import signing_key  # noqa: PLC0415  # no agent makes one

            sys.stdout.write(f"{signing_key(options.file, os.urandom)}\n")
            return 0
        config = load_config(options.config)
        # an agent holds nothing of the tools for a person: they are half a megabyte of the 60 that it may use
        if options.command == "monitor":
            from station_agent.onsite.monitor import monitor  # noqa: PLC0415  # see above

            return monitor(config.http, once=options.once)
        if options.command == "trace":
            from station_agent.onsite.trace import trace  # noqa: PLC0415  # see above

            return trace(
                config.http, options.line, everything=options.all, as_json=options.json, for_s=options.seconds
            )
        if options.command == "pair-reader":
            from station_agent.onsite.pair_reader import pair_reader  # noqa: PLC0415  # see above

            return pair_reader(config, options.reader, yes=options.yes, random_bytes=os.urandom)
        keys = load_keys(config)
        check_drivers(config, keys)
        if options.command == "doctor":
            from station_agent.onsite.doctor import doctor  # noqa: PLC0415  # see above

            return doctor(config, keys, line_clock=SystemLineClock(), random_bytes=os.urandom, as_json=options.json)
        if options.command == "check-config":
            sys.stdout.write(
                f"{options.config}: good: cabinet {config.cabinet}, {len(config.locks.slots)} slots, "
                f"{len(config.reader_roles)} readers, {len(config.vehicles)} vehicles\n"
            )
            return 0
        give_back()
        asyncio.run(serve(config, clock or SystemClock()))
    except (ConfigError, JournalUnusable) as error:
        sys.stderr.write(f"station-agent: {error}\n")
        return USAGE_ERROR
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="station-agent", description="Runs one key cabinet of a station.")
    parser.add_argument("--version", action="version", version=f"station-agent {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True)
    made = {}
    for name, text in (
        ("run", "run the agent until it is told to stop"),
        ("check-config", "read the configuration and its key files, say what is wrong with them"),
        ("doctor", "open every line, say what answers and what does not, and what to look at next"),
        ("monitor", "show the cabinet as the running agent sees it, live; q quits"),
        ("pair-reader", "give an OSDP reader in install mode a key of its own; the agent must not run"),
        ("trace", "show what passes on a line of the running agent, in words; cards and PINs are masked"),
    ):
        command = made[name] = commands.add_parser(name, help=text, description=text)
        command.add_argument("--config", type=Path, required=True, metavar="FILE", help="TOML file")
    key = "the key by which this box signs: made where there is none, never replaced; prints its public key"
    commands.add_parser("signing-key", help=key, description=key).add_argument("file", type=Path, metavar="FILE")
    made["pair-reader"].add_argument("reader", metavar="READER", help="its name in the configuration")
    made["pair-reader"].add_argument("--yes", action="store_true", help="the cabinet is open: do not ask")
    made["doctor"].add_argument("--json", action="store_true", help="findings for a program")
    made["monitor"].add_argument("--once", action="store_true", help="one picture, then end")
    made["trace"].add_argument("line", metavar="LINE", help="`locks`, `readers-1`, ...: as in `monitor`")
    made["trace"].add_argument("--all", action="store_true", help="also polls that bring nothing")
    made["trace"].add_argument("--json", action="store_true", help="one JSON object a line")
    made["trace"].add_argument("--seconds", type=float, metavar="S", help="end after so long")
    return parser


async def serve(config: StationConfig, clock: Clock) -> None:
    """Run one agent with its metrics endpoint until SIGTERM or SIGINT."""
    configure_logs(config.logs.format, config.logs.level, clock=clock)
    log = structlog.get_logger().bind(cabinet=config.cabinet)
    line_clock = SystemLineClock()
    stopping = told_to_stop()
    async with AsyncExitStack() as stack:
        executor = ThreadExecutor("journal")
        stack.push_async_callback(executor.close)
        agent = make_agent(config, clock, line_clock, executor)
        serving = await stack.enter_async_context(
            serve_health(
                HealthApp(monitored(agent, pages(agent, line_clock))),
                config.http.host,
                config.http.port,
                field="http.port",
            )
        )
        log.info("metrics_served", url=f"{serving.url}/metrics")
        manager = ServiceManager.of_environment(os.environ)
        watching = asyncio.create_task(Watchdog(agent, executor, line_clock, manager).run())
        stack.callback(watching.cancel)
        stack.callback(manager.tell, "STOPPING=1")
        await run_until(agent, stopping, f"agent {config.cabinet}")


def make_agent(config: StationConfig, clock: Clock, line_clock: LineClock, executor: Executor) -> Agent:
    """An agent on real lines, the real link and the system's randomness. Raises ConfigError for wrong key files."""
    rng = random.Random(secrets.token_bytes(16))
    log = structlog.get_logger().bind(cabinet=config.cabinet)

    def make_link(owner: LinkOwner) -> Link:
        client_id = f"{config.namespace}-{config.cabinet}"
        return MqttLink(config.mqtt, client_id, owner, line_clock=line_clock, random=rng, log=log)

    def make_line(url: str, baud_rate: int, codec: Codec, on_event: Callable[[DeviceEvent], None]) -> SerialLine:
        return SerialLine(url, baud_rate, codec, line_clock, on_event)

    return Agent(
        config,
        load_keys(config),
        Surroundings(
            clock=clock,
            line_clock=line_clock,
            executor=executor,
            random=rng,
            random_bytes=os.urandom,
            steps=LoopSteps(line_clock),
            make_link=make_link,
            make_line=make_line,
        ),
    )
