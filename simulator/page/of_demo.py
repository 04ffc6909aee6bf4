"""The page of `simulator demo`: every cabinet of the network, with all that lies around it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import httpx

from contract.envelope import VerifyKey, private_key_from_pem
from contract.topics import Author
from runtime.clocks import Clock, LineClock
from runtime.mqtt_settings import MqttSettings
from simulator.cabinet.bench import Event
from simulator.cabinet.commands import Commands
from simulator.clocks import JumpingClock
from simulator.demo.premises import DISPATCHER_ID, NAMESPACE, Premises
from simulator.demo.programs import Child
from simulator.network.model import Network
from simulator.page.app import serve_page
from simulator.page.around import Around
from simulator.page.booking import Bookings
from simulator.page.journal import JournalLane
from simulator.page.messages import Messages, observed
from simulator.page.people import people_of
from simulator.page.place import Place
from simulator.page.site_bench import Known, SiteBench
from simulator.page.stage import Stage
from simulator.page.uplink import Uplink
from simulator.world.record import PhysicalFact
from simulator.world.shell import World

NO_CONFIG: Final = "the station.toml of a demo's cabinet lies in its folder"


@dataclass(frozen=True, slots=True)
class DemoParts:
    """What a demo consists of, as far as a page shows and moves it."""

    network: Network
    premises: Premises
    world: World
    clock: Clock
    line_clock: LineClock
    broker: MqttSettings
    client: httpx.AsyncClient
    """Of the API, with a token."""
    grid_ms: int
    uplinks: Mapping[str, Uplink]
    """By cabinet."""
    children: Mapping[str, Child]
    """Agents that are processes, by cabinet; none where they are not."""
    forget: Callable[[], Awaitable[None]] | None
    """Has the broker forget, where it is this demo's own process."""


class DemoPage:
    """What is served, and what a demo tells it."""

    def __init__(self, stages: Mapping[str, Stage], url: str) -> None:
        self._stages = stages
        self.url = url

    @property
    def broke(self) -> tuple[str, ...]:
        """The commands with which things were put wrong, or the clock was moved, by name."""
        return tuple(sorted({name for stage in self._stages.values() for name in stage.broke}))

    def on_fact(self, fact: PhysicalFact) -> None:
        """Something happened in the world."""
        stage = self._stages[fact.cabinet]
        stage.bench.moved.set()
        deed = fact.deed
        where = f"slot {deed.slot}" if deed.slot is not None else f"reader {deed.reader}"
        words = deed.what.replace("_", " ")
        stage.noticed(Event("cabinet", deed.what, f"{where}: {words} by {deed.who}", {}))


@asynccontextmanager
async def demo_page(parts: DemoParts, port: int) -> AsyncIterator[DemoPage]:
    """Serves it on loopback while the block runs; then what was broken from it is mended. Raises ListenFailed."""
    vehicles = {vehicle.key.id: vehicle.key.cabinet for vehicle in parts.network.vehicles}
    cabinet_of = {vehicle.id: vehicles[vehicle.key.id] for vehicle in parts.network.vehicles}
    messages = Messages(NAMESPACE, _keys(parts.premises).get, cabinet_of, parts.line_clock)
    stages = {
        station.cabinet: _stage(parts, station.cabinet, f"{station.name} ({station.cabinet})", messages)
        for station in parts.network.stations
    }
    async with (
        observed(messages, NAMESPACE, parts.broker, parts.line_clock),
        serve_page(tuple(stages.values()), port) as serving,
    ):
        yield DemoPage(stages, f"{serving.url}/")


def _keys(premises: Premises) -> dict[str, VerifyKey]:
    """Public keys, by `kid`."""
    files = {(Author.AGENT, name): config.with_name("box.pem") for name, config in premises.station_configs.items()}
    files[Author.DISPATCHER, DISPATCHER_ID] = premises.dispatcher_config.with_name("signing-key.pem")
    return {
        f"{author}/{subject}": VerifyKey(author, subject, private_key_from_pem(file.read_bytes()).public_key())
        for (author, subject), file in files.items()
    }


def _stage(parts: DemoParts, cabinet: str, title: str, messages: Messages) -> Stage:
    site = parts.world.sites[cabinet]
    people = people_of(parts.network)
    pins = {person.card.credential: person.pin for person in people}
    desk = Bookings(parts.client, parts.network, site.cabinet, parts.clock, parts.grid_ms)
    stages: list[Stage] = []

    def tell(event: Event) -> None:
        for stage in stages:
            stage.noticed(event)

    known = Known(desk.made.get, pins.get)
    bench = SiteBench(site, parts.clock, parts.line_clock, parts.world.record, known, tell)
    around = Around(
        vehicles={vehicle.key.id: vehicle.name for vehicle in parts.network.vehicles},
        people=people,
        desk=desk,
        place=Place(site.turn, bench.later),
        uplink=parts.uplinks[cabinet],
        forget=parts.forget,
        agent=parts.children.get(cabinet),
        clock=parts.clock if isinstance(parts.clock, JumpingClock) else None,
        messages=messages.of(cabinet),
        journal=JournalLane(
            parts.premises.station_configs[cabinet].with_name("journal.sqlite"), parts.clock, parts.line_clock
        ),
    )
    commands = Commands(bench, partial(str, NO_CONFIG))
    stages.append(Stage(cabinet, title, bench, commands, around))
    return stages[0]
