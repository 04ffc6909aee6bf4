"""The demo: the whole network from one command, and a verdict at its end."""

import asyncio
import json
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from dispatcher.config import load_config
from dispatcher.core.rules import FleetRules
from dispatcher.store.database import Database
from runtime.clocks import Clock, LineClock, SystemClock, SystemLineClock
from runtime.config import ConfigError
from runtime.executor import InlineExecutor
from runtime.listening import bind
from runtime.logs import configure_logs
from runtime.mqtt_settings import MqttSettings
from simulator.broker import embedded_broker
from simulator.clocks import JumpingClock, ScaledClock
from simulator.demo.cost import Meter
from simulator.demo.live import LiveLine, local_day, local_time
from simulator.demo.mosquitto import OwnMosquitto, own_mosquitto
from simulator.demo.options import DemoOptions
from simulator.demo.premises import LOOPBACK, NAMESPACE, Centre, Ports, Premises, make_premises, run_directory
from simulator.demo.programs import DISPATCHER, Running, as_processes, clock_arguments, in_process
from simulator.demo.trackers import trackers
from simulator.kills.excuses import KillExcuses
from simulator.kills.figures import Figures, figures
from simulator.kills.killer import Killer
from simulator.network.draws import stream
from simulator.network.lilas import lilas_network
from simulator.network.model import Network
from simulator.page.of_demo import DemoPage, DemoParts, demo_page
from simulator.page.uplink import Uplink, uplink
from simulator.postgres import NoPostgres, cluster
from simulator.verdict.evidence import Evidence, read_evidence
from simulator.verdict.rights import Judge
from simulator.verdict.verdict import Verdict, reach_verdict
from simulator.world.demand import GRID_MS, MINUTE_MS, MORNING_MS
from simulator.world.http_api import HttpBookingApi
from simulator.world.moment import Moment
from simulator.world.record import PhysicalFact
from simulator.world.shell import World

GRID_REAL_TIME_MIN = 1  # on the system's clock nobody wants to wait a quarter of an hour for the first booking
SETTLE_S = 45.0  # facts are resent after 20 s: twice that, and some
LOOK_AGAIN_S = 0.5
BROKER_ANSWERS_S = 5.0  # it is on loopback, or behind TLS that the demo does not speak
API_TIMEOUT_S = 20.0


async def run_demo(options: DemoOptions) -> int:
    """Run, judge, tell. The exit status: 0 if every promise held, 1 if one broke."""
    for option, port in (("--http-port", options.http_port), ("--page-port", options.page_port)):
        if port:
            bind(LOOPBACK, port, option).close()  # said now, not when everything runs
    network = lilas_network(options.seed, options.stations)
    line_clock = SystemLineClock()
    system_time = options.processes and options.speed == 1.0
    clock: Clock = SystemClock() if system_time else _clock(options, line_clock)
    grid_min = GRID_REAL_TIME_MIN if system_time else GRID_MS // MINUTE_MS
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(run_directory(options.directory))
        configure_logs("text", "info", clock=clock, stream=stack.enter_context((directory / "demo.log").open("w")))
        mqtt, broker = await stack.enter_async_context(_broker(options, directory))
        ports = _ports(options, network)
        ways = {cabinet: await stack.enter_async_context(way) for cabinet, way in _ways(options, network, mqtt)}
        ports = replace(ports, uplinks={cabinet: way.port for cabinet, way in ways.items()})
        centre = Centre(mqtt, _database(options, stack))
        premises = make_premises(directory, network, options.seed, centre, ports, grid_min=grid_min)
        stage = _Stage(options, network, premises, clock, line_clock, grid_min)
        stage.broker, stage.uplinks = broker, ways
        judged, wall_s, simulated_s = await stage.play(mqtt, ports)
    if judged is None:
        return 0
    sys.stdout.write(f"{judged.verdict.to_text()}\n")
    if judged.figures is not None:
        sys.stdout.write(f"kills:\n{judged.figures.to_text()}\n")
    if options.json_file is not None:
        document = judged.verdict.to_document(wall_s=wall_s, simulated_s=simulated_s)
        if judged.figures is not None:
            document["kills"] = judged.figures.to_document()
        options.json_file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0 if judged.held else 1


def _clock(options: DemoOptions, line_clock: LineClock) -> ScaledClock:
    """A page in front of programs that share this process' clock may move it on."""
    kind = JumpingClock if options.page_port is not None and not options.processes else ScaledClock
    return kind(MORNING_MS, options.speed, line_clock)


def _ways(
    options: DemoOptions, network: Network, mqtt: MqttSettings
) -> Iterator[tuple[str, AbstractAsyncContextManager[Uplink]]]:
    """Each box's own way to the broker, where a page may cut it."""
    if options.page_port is not None:
        for cabinet in network.cabinets:
            yield cabinet, uplink(mqtt.host, mqtt.effective_port)


def _database(options: DemoOptions, stack: AsyncExitStack) -> str | None:
    """URL of an empty database on a server that lives as long as `stack`; None: a file will do."""
    if options.database == "sqlite":
        return None
    try:
        server = stack.enter_context(cluster(fleeting=False))
    except NoPostgres as error:
        raise ConfigError(f"--database postgresql: {error}") from None
    return server.create(DISPATCHER).render_as_string()


@dataclass(frozen=True, slots=True)
class _Judged:
    """What a run comes to."""

    verdict: Verdict
    figures: Figures | None

    @property
    def held(self) -> bool:
        return self.verdict.held and not (self.figures is not None and self.figures.flaws)


class _Stage:
    """One run, from the first process to the verdict."""

    def __init__(  # what a run consists of
        self,
        options: DemoOptions,
        network: Network,
        premises: Premises,
        clock: Clock,
        line_clock: LineClock,
        grid_min: int,
    ) -> None:
        self._options = options
        self._network = network
        self._premises = premises
        self._clock = clock
        self._line_clock = line_clock
        self._grid_min = grid_min
        self._killer: Killer | None = None
        self.broker: OwnMosquitto | None = None
        """Where it is this run's own process."""
        self.uplinks: Mapping[str, Uplink] = {}
        """Each box's way to the broker, where it has one of its own."""

    async def play(self, mqtt: MqttSettings, ports: Ports) -> tuple[_Judged | None, float, float]:
        """The verdict, if there can be one, and how long the run was on both clocks, in seconds."""
        began_s, began_ms = time.perf_counter(), self._clock.now_ms()
        async with AsyncExitStack() as stack:
            publish = await stack.enter_async_context(trackers(mqtt, self._line_clock))
            client = await stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=f"http://127.0.0.1:{ports.api}",
                    headers={"Authorization": f"Bearer {self._premises.token}"},
                    timeout=API_TIMEOUT_S,
                )
            )
            world = World(
                self._network,
                self._options.seed,
                self._clock,
                self._line_clock,
                self._premises.ports,
                HttpBookingApi(client),
                publish,
                namespace=NAMESPACE,
                grid_ms=self._grid_min * MINUTE_MS,
                has_members=not self._options.nobody,
            )
            world.open()
            stack.callback(world.close)
            running = await stack.enter_async_context(self._programs(ports))
            if self._options.kills:
                broker = self.broker if self._options.kill_centre else None
                self._killer = Killer(
                    running.children,
                    ports.agents,
                    self._line_clock,
                    stream(self._options.seed, "kills"),
                    broker.kill_and_start if broker is not None else None,
                )
            parts = self._parts(world, mqtt, client, running)
            async with _page(parts, self._options.page_port) as page:
                await self._live(world, running, page)
            if page is not None and page.broke:
                sys.stdout.write(
                    f"no verdict: nothing excuses what was done from the page: {', '.join(page.broke)}\n"
                )
                judged = None
            else:
                judged = await self._settled_verdict(world)
        return judged, time.perf_counter() - began_s, (self._clock.now_ms() - began_ms) / 1000

    def _parts(self, world: World, mqtt: MqttSettings, client: httpx.AsyncClient, running: Running) -> DemoParts:
        return DemoParts(
            network=self._network,
            premises=self._premises,
            world=world,
            clock=self._clock,
            line_clock=self._line_clock,
            broker=mqtt,
            client=client,
            grid_ms=self._grid_min * MINUTE_MS,
            uplinks=self.uplinks,
            children=running.children,
            forget=self.broker.kill_and_start if self.broker is not None else None,
        )

    @asynccontextmanager
    async def _programs(self, ports: Ports) -> AsyncIterator[Running]:
        if not self._options.processes:
            assert isinstance(self._clock, ScaledClock), "in one process the clock is always a scaled one"
            agents_port = ports.api + 1 if self._options.http_port else 0
            async with in_process(self._premises, self._clock, self._line_clock, agents_port) as running:
                yield running
            return
        arguments: tuple[str, ...] = ()
        if isinstance(self._clock, ScaledClock):
            arguments = clock_arguments(self._clock.start_ms, self._clock.speed, self._clock.origin_us)
        async with as_processes(self._premises, arguments, ports.api, ports.agents) as running:
            yield running

    def _tell_where(self, running: Running, page: DemoPage | None) -> None:
        stations, cars = len(self._network.stations), len(self._network.vehicles)
        now_ms = self._clock.now_ms()
        sys.stdout.write(
            f"{stations} stations, {cars} vehicles, {len(self._network.members)} members; "
            f"it is {local_time(now_ms)} on {local_day(now_ms)} in Lille, speed {self._options.speed:g}\n"
            f"operators  {running.api_url}/   (sign in with {self._premises.token})\n"
            f"API        {running.api_url}/api/v1/openapi.json   (Authorization: Bearer, the same token)\n"
            f"open data  {running.api_url}/gbfs/gbfs.json\n"
            f"dispatcher {running.api_url}/metrics\n"
            f"agents     {running.agents_url}\n"
            f"ports      {self._premises.ports}/CABINET/{{locks,readers}}\n"
            f"logs       {self._premises.directory}/*.log\n"
            f"{'' if page is None else f'page       {page.url}{chr(10)}'}"
            "Ctrl-C ends it with a verdict.\n"
        )
        sys.stdout.flush()

    async def _live(self, world: World, running: Running, page: DemoPage | None) -> None:
        """Let the world live for the time asked for, or until Ctrl-C; then let hands come to rest."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        self._tell_where(running, page)  # which says that Ctrl-C ends it: from here on it does
        live = LiveLine(self._clock)
        killer = self._killer

        def on_fact(fact: PhysicalFact) -> None:
            live.on_fact(fact)
            if killer is not None:
                killer.on_fact(fact)
            if page is not None:
                page.on_fact(fact)

        world.record.on_fact = on_fact
        meter = Meter(running)
        drawing = asyncio.create_task(live.run())
        living = asyncio.create_task(world.run())
        waiting = asyncio.create_task(stop.wait())
        killing = asyncio.create_task(killer.run(self._options.kills)) if killer is not None else None
        ends = {living, waiting} | ({killing} if killing is not None else set())
        await asyncio.wait(ends, timeout=self._options.seconds, return_when=asyncio.FIRST_COMPLETED)
        cost = meter.read()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        world.stop_acting()
        waiting.cancel()
        try:
            if killer is not None and killing is not None:
                killer.stop()
                await killing
            await living
        finally:
            drawing.cancel()
            with suppress(asyncio.CancelledError):
                await drawing
        sys.stdout.write(f"cost: {cost}\n")

    async def _settled_verdict(self, world: World) -> _Judged:
        """Judge again and again until all is well or the time to settle is over."""
        database = Database(self._premises.database, InlineExecutor())
        rules: FleetRules = load_config(self._premises.dispatcher_config).rules
        deadline_us = self._line_clock.now_us() + int(SETTLE_S * 1e6)
        try:
            while True:
                evidence = await asyncio.to_thread(database.read_now, read_evidence)
                end = Moment(self._clock.now_ms(), self._line_clock.now_us())
                # in a thread: this process is the cabinets, too, and they have to answer meanwhile
                judged = await asyncio.to_thread(self._judged, world, evidence, rules, end)
                if judged.held or self._line_clock.now_us() > deadline_us:
                    return judged
                took_s = (self._line_clock.now_us() - end.line_us) / 1e6
                await asyncio.sleep(max(LOOK_AGAIN_S, took_s))
        finally:
            database.close()

    def _judged(self, world: World, evidence: Evidence, rules: FleetRules, end: Moment) -> _Judged:
        speed = self._options.speed

        def at_us(at_ms: int) -> int:
            return end.line_us - round((end.at_ms - at_ms) * 1000 / speed)

        killer = self._killer
        if killer is None:
            judge = Judge(self._network, evidence, rules, speed, told=world.told)
            return _Judged(reach_verdict(judge, world.record, end), None)
        silences = {cabinet: tuple(site.silences) for cabinet, site in world.sites.items()}
        excuses = KillExcuses(killer.spells, silences, world.record, evidence, at_us, speed)
        judge = Judge(self._network, evidence, rules, speed, excuses, told=world.told)
        verdict = reach_verdict(judge, world.record, end)
        journals = {
            cabinet: path.with_name("journal.sqlite") for cabinet, path in self._premises.station_configs.items()
        }
        return _Judged(verdict, figures(killer, evidence, verdict, world, journals, at_us))


@asynccontextmanager
async def _broker(options: DemoOptions, directory: Path) -> AsyncIterator[tuple[MqttSettings, OwnMosquitto | None]]:
    external = options.external_broker
    if external is not None:
        await _must_answer(external)
        yield external, None
    elif options.broker == "mosquitto":
        async with own_mosquitto(directory) as broker:
            yield MqttSettings(host="127.0.0.1", port=broker.port), broker
    else:
        async with embedded_broker() as port:
            yield MqttSettings(host="127.0.0.1", port=port), None


async def _must_answer(broker: MqttSettings) -> None:
    try:
        async with asyncio.timeout(BROKER_ANSWERS_S):
            _, writer = await asyncio.open_connection(broker.host, broker.effective_port)
    except (OSError, TimeoutError):
        place = f"{broker.host} port {broker.effective_port}"
        raise ConfigError(f"--broker: nobody answers at {place}; expected an MQTT 5 broker") from None
    writer.close()


def _page(parts: DemoParts, port: int | None) -> AbstractAsyncContextManager[DemoPage | None]:
    return nullcontext() if port is None else demo_page(parts, port)


def _ports(options: DemoOptions, network: Network) -> Ports:
    """The ports that were asked for, or free ones. Each agent that is a process has one of its own."""
    api = options.http_port or _free_ports(1)[0]
    agents = dict.fromkeys(network.cabinets, 0)
    if options.processes:
        if options.http_port:
            numbers = [options.http_port + 1 + index for index in range(len(agents))]
        else:
            numbers = _free_ports(len(agents))
        agents = dict(zip(network.cabinets, numbers, strict=True))
    return Ports(api, agents)


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    numbers = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return numbers
