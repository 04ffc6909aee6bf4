"""A real station in a test: agent as a process, cabinet on ptys, a real broker, the centre played by the test."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import structlog

from contract.chain import genesis_hash
from contract.credentials import credential_digest, pin_digest
from contract.envelope import RULE_BY_KIND, BadMessage, VerifyKey, verify
from contract.facts import Fact, UnknownFact, parse_fact
from contract.messages import (
    Acknowledged,
    BadgeEntry,
    CommandReply,
    Desired,
    DispatcherMessage,
    FactBatch,
    Grant,
    KeyEntry,
    Presence,
    Reported,
    TimeReply,
    TimeRequest,
)
from contract.topics import FACTS, PRESENCE, REPLIES, REPORTED, TIME, Author, parse_topic
from runtime.clocks import Clock, SystemClock, SystemLineClock
from runtime.link import Incoming, LinkError, LinkOwner, Publication, Subscription
from runtime.mqtt_link import MqttLink
from runtime.mqtt_settings import MqttSettings
from simulator.clocks import ScaledClock
from simulator.demo.programs import clock_arguments
from simulator.network.lilas import lilas_network
from simulator.network.model import Card, Network, Vehicle
from simulator.network.station_toml import BoxFiles, BoxSettings, station_toml
from simulator.network.wiring import BADGE_READER, READER_ADDRESS, RETURN_READER, scbk
from simulator.world.acts import ReaderLight
from simulator.world.deeds import what_is_shown
from simulator.world.moment import Moment
from simulator.world.record import Deed, What, WorldRecord
from simulator.world.site import Site
from tests.contract.keys import pem, public_text, signer, verify_key
from tests.runtime.waiting import eventually
from tests.wire.brokers import Mosquitto

SEED = 7
HOUR_MS = 3_600_000
DIGEST_KEY = bytes(range(32))
BOX_KEY, CENTRE_KEY = 1, 2
CENTRE_USER = "dispatcher"


@dataclass
class Centre:
    """The dispatcher's side, played by the test: keeps a ledger, acknowledges, answers about the time."""

    cabinet: str
    port: int
    password_file: Path | None = None
    namespace: str = "carshare"
    clock: Clock = field(default_factory=SystemClock)
    acknowledges: bool = True
    ledger_id: str = "c" * 32
    ledger: list[str] = field(default_factory=list)
    presences: list[Presence] = field(default_factory=list)
    reports: list[Reported] = field(default_factory=list)
    batches: list[FactBatch] = field(default_factory=list)
    replies: list[CommandReply] = field(default_factory=list)
    epoch: str = ""
    version: int = 0
    refused: int = 0
    _last: dict[type[object], Publication] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._signer = signer(Author.DISPATCHER, "centre", CENTRE_KEY)
        keys: dict[str, VerifyKey] = {
            f"agent/{self.cabinet}": verify_key(Author.AGENT, self.cabinet, BOX_KEY),
            "dispatcher/centre": verify_key(Author.DISPATCHER, "centre", CENTRE_KEY),
        }
        self.find_key = keys.get
        subscriptions = tuple(
            Subscription(rule.topic(self.namespace, self.cabinet))
            for rule in (PRESENCE, REPORTED, FACTS, REPLIES, TIME)
        )
        self.link = MqttLink(
            MqttSettings(
                host="127.0.0.1",
                port=self.port,
                username=CENTRE_USER if self.password_file else None,
                password_file=self.password_file,
            ),
            "test-centre",
            LinkOwner(subscriptions=subscriptions, on_message=self._hear, on_connected=self._repeat),
            line_clock=SystemLineClock(),
            random=Random(1),
            log=structlog.get_logger(),
        )

    async def say(self, message: DispatcherMessage) -> None:
        rule = RULE_BY_KIND[type(message)]
        publication = Publication(
            rule.topic(self.namespace, self.cabinet), self._signer.sign(message), retain=rule.retain
        )
        if rule.retain:
            self._last[type(message)] = publication
        with suppress(LinkError):  # retained ones are repeated on connection, the others asked for again
            await self.link.publish(publication)

    async def _repeat(self, _count: int) -> None:
        for publication in self._last.values():
            await self.link.publish(publication)

    async def _hear(self, incoming: Incoming) -> None:
        topic = parse_topic(incoming.topic, self.namespace)
        assert topic is not None
        try:
            message = verify(incoming.payload, topic, self.find_key)
        except BadMessage:
            self.refused += 1
            return
        match message:
            case Presence():
                self.presences.append(message)
            case Reported():
                self.reports.append(message)
            case TimeRequest():
                await self.say(TimeReply(cabinet=self.cabinet, nonce=message.nonce, at_ms=self.clock.now_ms()))
            case CommandReply():
                self.replies.append(message)
            case FactBatch():
                await self._take(message)

    async def _take(self, batch: FactBatch) -> None:
        self.batches.append(batch)
        if batch.epoch != self.epoch:
            self.epoch, self.ledger, self._hash = batch.epoch, [], genesis_hash(self.cabinet, batch.epoch)
        if batch.first_seq == len(self.ledger) + 1:
            assert batch.hash_before == self._hash, "the chain holds from batch to batch"
            self.ledger.extend(batch.facts)
            self._hash = batch.last_hash
        if self.acknowledges:
            await self.say(
                Acknowledged(
                    cabinet=self.cabinet,
                    ledger=self.ledger_id,
                    epoch=self.epoch,
                    seq=len(self.ledger),
                    hash=self._hash,
                )
            )

    def facts(self) -> list[Fact | UnknownFact]:
        return [parse_fact(text) for text in self.ledger]

    def kinds(self) -> list[str]:
        return [fact.kind for fact in self.facts()]


class Station:
    """The first station of the network; `start` runs the agent by its own console entry."""

    def __init__(
        self,
        folder: Path,
        broker_port: int,
        *,
        password: str = "",
        clock: Clock | None = None,
        python: Sequence[str] = (sys.executable,),
        gone: str | None = None,
    ) -> None:
        """One station of the network, not started yet.

        Args:
            clock: the time that it is; the agent gets a `ScaledClock` by the simulator's entry point.
            gone: the vehicle whose key does not hang there.
        """
        self.folder = folder
        self.clock = clock or SystemClock()
        self._python = python
        self._password = password
        self.network: Network = lilas_network(SEED, 1)
        self.cabinet = self.network.cabinets[0]
        self.vehicles: tuple[Vehicle, ...] = self.network.vehicles
        self.centre = Centre(
            self.cabinet, broker_port, password_file=self._write_password(CENTRE_USER), clock=self.clock
        )
        self.record = WorldRecord()
        self.line_clock = SystemLineClock()
        self.site = Site(
            self.cabinet,
            {vehicle.key.home_slot: vehicle.key for vehicle in self.vehicles if vehicle.id != gone},
            seed=SEED,
            directory=folder / "ports",
            moment=self.now,
            line_clock=self.line_clock,
            record=self.record,
        )
        self.config = folder / "station.toml"
        self._write_files(broker_port)
        self.environment: dict[str, str] = {}
        """Of the agent, beside the test's own."""
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "agent.log"

    def _write_password(self, user: str) -> Path | None:
        if not self._password:
            return None
        path = self.folder / f"{user}.password"
        path.write_text(self._password + "\n")
        return path

    def now(self) -> Moment:
        return Moment(self.clock.now_ms(), self.line_clock.now_us())

    def _write_files(self, broker_port: int) -> None:
        (self.folder / "box.pem").write_bytes(pem(BOX_KEY))
        (self.folder / "digest.key").write_text(DIGEST_KEY.hex())
        for reader in READER_ADDRESS:
            (self.folder / f"{reader}.scbk").write_text(scbk(SEED, self.cabinet, reader).hex())
        mqtt: dict[str, str | int | bool] = {"host": "127.0.0.1", "port": broker_port}
        password_file = self._write_password(self.cabinet)
        if password_file is not None:
            mqtt |= {"username": self.cabinet, "password_file": password_file.name}
        files = BoxFiles(
            journal=Path("journal.sqlite"),
            signing_key=Path("box.pem"),
            digest_key=Path("digest.key"),
            scbk={reader: Path(f"{reader}.scbk") for reader in READER_ADDRESS},
            ports=self.folder / "ports",
        )
        settings = BoxSettings(
            namespace="carshare",
            dispatcher_id="centre",
            dispatcher_public_key=public_text(CENTRE_KEY),
            mqtt=mqtt,
            http_port=0,
            log_format="json",
        )
        text = station_toml(self.network, self.cabinet, files, settings)
        self.config.write_text(text.replace('driver = "vss"\n', ""))  # a test that wants another driver says so

    # --- the agent's process

    def start(self, environment: Mapping[str, str] | None = None, through: Sequence[str] = ()) -> None:
        """With `environment` beside the test's own, and by a command that becomes another one."""
        program = ["station_agent"]
        if isinstance(self.clock, ScaledClock):
            times = clock_arguments(self.clock.start_ms, self.clock.speed, self.clock.origin_us)
            vouched = [] if self.clock.synchronised() else ["--unsynchronised"]
            program = ["simulator.programs", *times, *vouched, "station-agent"]
        with self.log.open("ab") as log:
            command = [*through, *self._python, "-m", *program, "run", "--config", str(self.config)]
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, **self.environment, **(environment or {})}
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(10)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The agent's own log lines of one event; for waiting, never as evidence."""
        rows = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [row for row in rows if row["event"] == event]

    @property
    def metrics_url(self) -> str:
        return str(self.logged("metrics_served")[-1]["url"])

    async def ready(self) -> None:
        """The agent reports every device online, a trusted clock and the wanted state held."""

        def is_ready() -> bool:
            if not self.centre.reports:
                return False
            report = self.centre.reports[-1]
            return (
                all(device.online for device in report.devices)
                and report.clock_trusted
                and report.desired_version == self.centre.version
            )

        await eventually(is_ready, within_s=20)

    # --- rights and people

    async def grant(
        self,
        vehicle: Vehicle,
        badge: Card,
        name: str = "booking-1",
        pin: str | None = None,
        *,
        end_ms: int | None = None,
    ) -> None:
        """The wanted state with one right from an hour ago to an hour ahead, or to `end_ms`."""
        digest = credential_digest(DIGEST_KEY, badge.credential)
        now_ms = self.clock.now_ms()
        end_ms = now_ms + HOUR_MS if end_ms is None else end_ms
        self.centre.version += 1
        grant = Grant(
            grant=name,
            badges=("ref-of-badge",),
            key=vehicle.key.id,
            start_ms=now_ms - HOUR_MS,
            take_by_ms=end_ms,
            end_ms=end_ms,
        )
        nonce = self.centre.presences[-1].boot_nonce if self.centre.presences else None
        await self.centre.say(
            Desired(
                cabinet=self.cabinet,
                version=self.centre.version,
                boot_nonce=nonce,
                badges=(
                    BadgeEntry(
                        ref="ref-of-badge",
                        digest=digest,
                        pin_digest=pin_digest(DIGEST_KEY, digest, pin) if pin is not None else None,
                    ),
                ),
                keys=tuple(
                    KeyEntry(
                        key=one.key.id,
                        vehicle=one.id,
                        tag_digests=(credential_digest(DIGEST_KEY, one.key.tag.credential),),
                        home_slot=one.key.home_slot,
                    )
                    for one in self.vehicles
                ),
                grants=(grant,),
            )
        )

    async def show(self, card: Card, reader: str = BADGE_READER) -> None:
        assert await self.site.show_card(reader, card, Deed(what_is_shown(card), "somebody", reader=reader))

    async def key_in(self, keys: str, reader: str = BADGE_READER) -> None:
        assert self.site.press(reader, keys, Deed(What.PIN_KEYED, "somebody", reader=reader))

    async def until_light(self, light: ReaderLight) -> None:
        assert await self.site.watch(5_000_000) is light

    async def until_open(self, slot: int) -> None:
        await eventually(lambda: self.site.cabinet.is_open(slot), within_s=5)

    async def take(self, slot: int) -> None:
        """Take the key out of an open slot and shut it, no faster than hands do."""
        await self._reach()
        self.site.apply(self.site.cabinet.take_key(self.now(), slot, "somebody")[1])
        await self.shut(slot)

    async def shut(self, slot: int) -> None:
        await self._reach()
        self.site.apply(self.site.cabinet.close_door(self.now(), slot, "somebody"))
        await self._reach()

    async def bring_back(self, vehicle: Vehicle, slot: int) -> None:
        await self.show(vehicle.key.tag, RETURN_READER)
        await self.until_open(slot)
        await self._reach()
        self.site.apply(self.site.cabinet.hang_key(self.now(), slot, vehicle.key, "somebody"))
        await self.shut(slot)

    @staticmethod
    async def _reach() -> None:
        """Hands take time: two looks at the contacts are 0.4 s."""
        await asyncio.sleep(0.6)


async def eventually_facts(centre: Centre, condition: Callable[[list[str]], bool], within_s: float = 10) -> None:
    """Wait until the kinds in the ledger satisfy a condition."""
    await eventually(lambda: condition(centre.kinds()), within_s=within_s)


@asynccontextmanager
async def running(folder: Path, badge: Card) -> AsyncIterator[tuple[Station, Mosquitto]]:
    """A station with its broker and centre, ready for a member who has `badge` and a right to the first key."""
    broker = Mosquitto(folder)
    await broker.start()
    async with at_broker(Station(folder, broker.port), broker, badge) as station:
        yield station, broker


@asynccontextmanager
async def at_broker(station: Station, broker: Mosquitto, badge: Card) -> AsyncIterator[Station]:
    """The same for a station and a broker that were made already."""
    station.site.open()
    centre = asyncio.create_task(station.centre.link.run())
    try:
        await eventually(lambda: station.centre.link.connected)
        station.start()
        await eventually(lambda: station.centre.presences, within_s=15)
        await station.grant(station.vehicles[0], badge)
        await station.ready()
        yield station
    finally:
        if station.process is not None and station.process.poll() is None:
            station.kill()
        station.site.close()
        await station.centre.link.stop()
        broker.stop()
        await centre
