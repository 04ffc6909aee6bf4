"""Runs the programs of a demo: all in this process, or each as a process of its own.

Both ways they are the programs' own mains with their real configuration files; only the clock is passed in.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from prometheus_client import CollectorRegistry

from dispatcher.config import load_config
from dispatcher.service import make_dispatcher, serve_http
from runtime.clocks import LineClock
from runtime.config import ConfigError
from runtime.executor import ThreadExecutor
from runtime.health import HealthApp, Monitored, serve_health
from runtime.lifetime import run_until
from simulator.clocks import ScaledClock
from simulator.demo.premises import Premises
from station_agent.cli import make_agent
from station_agent.config_file import load_config as load_station_config
from station_agent.metrics import monitored

START_S = 60.0  # thirty interpreters on two cores need about a second each
DISPATCHER = "dispatcher"
STOP_S = 15.0  # a program that was told to stop ends within five seconds; then it is killed


@dataclass(frozen=True, slots=True)
class Running:
    """Where the programs answer, and what they cost."""

    api_url: str
    agents_url: str
    """One page of metrics per agent: below it, or (with processes) an example."""
    children: "Mapping[str, Child]" = field(default_factory=dict)
    """By name, `dispatcher` and each cabinet; none where all run in this process."""

    @property
    def agents(self) -> tuple[psutil.Process, ...]:
        """The agents' processes as they are now."""
        running = (child for name, child in self.children.items() if name != DISPATCHER and child.is_running)
        return tuple(psutil.Process(child.pid) for child in running)


class ProgramEnded(Exception):
    """A program ended by itself. The text says which, how, and where its words are."""


# --- in this process


@asynccontextmanager
async def in_process(
    premises: Premises, clock: ScaledClock, line_clock: LineClock, agents_port: int
) -> AsyncIterator[Running]:
    """Dispatcher and agents as tasks of this loop, while the block runs."""
    stopping_agents, stopping_dispatcher = asyncio.Event(), asyncio.Event()
    async with AsyncExitStack() as stack:
        config = load_config(premises.dispatcher_config)
        dispatcher = await make_dispatcher(config, clock, stack)
        serving = await serve_http(config, clock, dispatcher, stack)
        health = HealthApp(Monitored(CollectorRegistry()))
        executor = ThreadExecutor("journals")
        stack.push_async_callback(executor.close)
        agents = []
        for cabinet, path in premises.station_configs.items():
            agent = make_agent(load_station_config(path), clock, line_clock, executor)
            health.mount(f"/cabinets/{cabinet}", monitored(agent))
            agents.append(agent)
        monitoring = await stack.enter_async_context(
            serve_health(health, "127.0.0.1", agents_port, field="--http-port")
        )
        async with asyncio.TaskGroup() as tasks:
            centre = tasks.create_task(run_until(dispatcher, stopping_dispatcher, "dispatcher"))
            running = [
                tasks.create_task(run_until(agent, stopping_agents, agent.config.cabinet)) for agent in agents
            ]
            try:
                yield Running(serving.url, f"{monitoring.url}/cabinets/CABINET/metrics")
            finally:  # also where something went wrong in the block: they end in their order, and then it is said
                stopping_agents.set()
                await asyncio.gather(*running)
                stopping_dispatcher.set()
                await centre


# --- as processes


@asynccontextmanager
async def as_processes(
    premises: Premises, clock_arguments: tuple[str, ...], api_port: int, agent_ports: Mapping[str, int]
) -> AsyncIterator[Running]:
    """Dispatcher and agents as processes, while the block runs. Raises ProgramEnded.

    `clock_arguments` empty: the programs' own console scripts, on the system's clock.
    """
    commands = {DISPATCHER: _command("dispatcher", clock_arguments, "serve", premises.dispatcher_config)}
    for cabinet, path in premises.station_configs.items():
        commands[cabinet] = _command("station-agent", clock_arguments, "run", path)
    children = {name: Child(name, command, premises.directory) for name, command in commands.items()}
    try:
        for child in children.values():
            await child.start()
        url = f"http://127.0.0.1:{api_port}"
        ports = [api_port, *agent_ports.values()]
        await _all_answer(ports, children)
        example = f"http://127.0.0.1:{next(iter(agent_ports.values()))}/metrics"
        yield Running(url, f"{example} (one port per agent, from there on)", children)
        for child in children.values():
            child.must_run()
    finally:
        for child in reversed(children.values()):
            child.tell_to_stop()
        await asyncio.gather(*(child.stopped() for child in children.values()))


class Child:
    """One program as a process, which may be killed and started again."""

    def __init__(self, name: str, command: tuple[str, ...], directory: Path) -> None:
        self.name = name
        self._command = command
        self._log = directory / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Its words go on behind those of the lives before."""
        with self._log.open("ab") as stream:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )

    async def kill(self) -> None:
        """As a crash, or the kernel short of memory, does it. Raises ProgramEnded where it has ended already."""
        self.must_run()
        self._running.kill()
        await self._running.wait()

    def must_run(self) -> None:
        """Raises ProgramEnded where it does not run any more."""
        if self._running.returncode is not None:
            last = self._log.read_text(errors="replace").strip().rsplit("\n", 1)[-1]
            status = self._running.returncode
            raise ProgramEnded(f"{self.name} ended with status {status}: {last or 'it said nothing'}")

    async def stop(self) -> None:
        """Tells it to end, and waits for that."""
        self.tell_to_stop()
        await self.stopped()

    def tell_to_stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)

    async def stopped(self) -> None:
        if self._process is None:
            return
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    @property
    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "it was started"
        return self._process


def _command(script: str, clock_arguments: tuple[str, ...], verb: str, config: Path) -> tuple[str, ...]:
    if not clock_arguments:
        return (str(Path(sys.executable).with_name(script)), verb, "--config", str(config))
    module = "simulator.programs"
    return (sys.executable, "-m", module, *clock_arguments, script, verb, "--config", str(config))


async def _all_answer(ports: list[int], children: Mapping[str, Child]) -> None:
    try:
        async with asyncio.timeout(START_S):
            for port in ports:
                while not await _answers(port):
                    for child in children.values():
                        child.must_run()
                    await asyncio.sleep(0.1)
    except TimeoutError:
        raise ProgramEnded(f"not all programs answered within {START_S:g} s") from None


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def clock_arguments(start_ms: int, speed: float, origin_us: int) -> tuple[str, ...]:
    """For `simulator.programs`: the monotonic clock is one for all processes of a machine."""
    return ("--start-ms", str(start_ms), "--speed", str(speed), "--origin-us", str(origin_us))


def mosquitto_path() -> str:
    """The broker's program. Debian keeps it where only root's PATH leads."""
    for folder in (*os.environ.get("PATH", "").split(":"), "/usr/sbin", "/usr/local/sbin"):
        path = Path(folder) / "mosquitto"
        if path.is_file():
            return str(path)
    raise ConfigError(
        "--broker mosquitto: it is not installed here; apt-get install mosquitto, or leave --broker out"
    )
