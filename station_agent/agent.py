r"""The shell around the core: one agent, one cabinet.

    lines ----events---\                       /-- journal (durable first)
    broker --messages---> queue -> core -> effects -- locks and readers
    timer ---elapsed---/                        \-- facts and reports

One task takes from the queue and carries out the effects in their order: nothing overtakes the journal.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import assert_never

import structlog

from contract.envelope import BadMessage, Signer, VerifyKey, public_key_from_text, public_key_text, verify
from contract.facts import Fact, UnknownFact, parse_fact
from contract.messages import Acknowledged, CommandReply, Desired, TimeReply
from contract.topics import DESIRED, Author, ParsedTopic
from runtime.clocks import Clock, LineClock
from runtime.executor import Executor
from runtime.link import Incoming, Link, LinkEnd, LinkOwner
from station_agent.clock_trust import ClockKeeper
from station_agent.config import StationConfig
from station_agent.core import model
from station_agent.core.device_events import CardRead, DeviceEvent
from station_agent.core.picture import Picture
from station_agent.core.station import Station, StationSetup
from station_agent.fact_sender import FactSender
from station_agent.hardware import Hardware
from station_agent.journal import HeldDesired, Journal, JournalUnusable
from station_agent.journal_database import CannotNow
from station_agent.latency import ReleaseLatency
from station_agent.messages_in import FromCentre, Inbox
from station_agent.outgoing import Outgoing
from station_agent.reporting import VERSION, Boot, Reporter, presence
from station_agent.secrets_on_disk import load_keys
from station_agent.storage import FileStorage, Storage

TIDY_S = 60  # how often the write-ahead log is folded back and old facts are deleted
DAY_MS = 86_400_000
WAITING_MAX = 200  # beyond it messages are left out: their authors repeat every one of them
REPLIES_WAITING_MAX = 16  # an answer that is left out is asked for again
CARD_VALID_US = 3_000_000  # a slot that opens later opens for nobody: members wait a breath or two


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an agent is given instead of taking it: time, randomness, where blocking calls run, the link."""

    clock: Clock
    line_clock: LineClock
    executor: Executor
    random: Random
    random_bytes: Callable[[int], bytes]
    make_link: Callable[[LinkOwner], Link]
    make_storage: Callable[[Path], Storage] = FileStorage


@dataclass(frozen=True, slots=True)
class Opened:
    """What an agent has from the moment its journal is open."""

    journal: Journal
    station: Station
    sender: FactSender
    reporter: Reporter


@dataclass(frozen=True, slots=True)
class _Stamped:
    """Something to handle, and when it came on the line clock."""

    what: model.Event | FromCentre
    at_us: int


class Agent:
    """One agent. The constructor raises ConfigError, `run` raises JournalUnusable, if it cannot start."""

    def __init__(self, config: StationConfig, surroundings: Surroundings) -> None:
        self.config = config
        self._around = surroundings
        keys = load_keys(config)
        self._digest_key = keys.digest_key
        self._log = structlog.get_logger().bind(cabinet=config.cabinet)
        self._boot = Boot(surroundings.random_bytes(16).hex(), surroundings.clock.now_ms())
        self._queue: asyncio.Queue[_Stamped] = asyncio.Queue()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at_ms: int | None = None
        self.messages_left_out = 0
        self.cards_too_old = 0
        self._trouble = ""
        self._replies: asyncio.Queue[CommandReply] = asyncio.Queue(REPLIES_WAITING_MAX)
        self.latency = ReleaseLatency()
        self.opened: Opened | None = None
        own_key = public_key_from_text(public_key_text(keys.signing))
        own = VerifyKey(Author.AGENT, config.cabinet, own_key)
        self._find_key = {**keys.dispatchers, f"{Author.AGENT}/{config.cabinet}": own}.get
        self.inbox = Inbox(config, self._find_key, surroundings.clock.now_ms, self._log)
        self.outgoing = Outgoing(config.namespace, Signer(Author.AGENT, config.cabinet, keys.signing), self._log)
        self._clock_keeper = ClockKeeper(
            (surroundings.clock, surroundings.line_clock),
            self.outgoing,
            surroundings.random_bytes,
            self._clock_read,
        )
        self.hardware = Hardware(
            config,
            keys,
            line_clock=surroundings.line_clock,
            random_bytes=surroundings.random_bytes,
            on_event=self._put,
        )
        owner = LinkOwner(
            subscriptions=self.inbox.subscriptions,
            on_message=self._on_message,
            on_connected=self._on_connected,
            on_disconnected=self._on_disconnected,
            will=lambda connection: self.outgoing.publication(
                presence(config.cabinet, self._boot, connection, online=False)
            ),
        )
        self.link = self.outgoing.link = surroundings.make_link(owner)

    # --- life

    async def run(self) -> None:
        """Run until cancelled. Every fact is durable when it is told, so there is nothing to flush."""
        opened = self.opened = await self._open()
        self._log.info("agent_started", version=VERSION, boot_nonce=self._boot.nonce)
        try:
            await self._carry_out(opened, opened.station.start(self._now(), VERSION), None)
            opened.reporter.note()
            self._set_timer(opened.station)
            self._clock_keeper.judge()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._work(opened), name="core")
                tasks.create_task(opened.sender.run(), name="facts")
                tasks.create_task(opened.reporter.run(), name="report")
                tasks.create_task(self._clock_keeper.run(), name="clock")
                tasks.create_task(self._tidy(opened), name="tidy")
                tasks.create_task(self._reply(), name="replies")
                tasks.create_task(self.link.run(), name="link")
                for name, line in self.hardware.lines.items():
                    tasks.create_task(line.run(), name=name)
        except BaseExceptionGroup as group:
            broken, other = group.split(sqlite3.Error)
            if broken is None or other is not None:
                raise
            # not a slot opens without a durable fact: the service manager starts the agent again
            why = broken.exceptions[0]
            raise JournalUnusable(f"journal {self.config.journal.file}: cannot be written: {why}") from group
        finally:
            if self._timer is not None:
                self._timer.cancel()
            await self._around.executor.run(opened.journal.close)
            self._log.info("agent_stopped")

    async def stop(self) -> None:
        """Tell the centre that this is a farewell and no loss; the caller cancels `run` afterwards."""
        farewell = presence(self.config.cabinet, self._boot, self.link.connection_count, online=False)
        await self.link.stop(self.outgoing.publication(farewell))

    async def _open(self) -> Opened:
        around = self._around
        opening = partial(
            Journal.open,
            around.make_storage(self.config.journal.file),
            self.config.cabinet,
            now_ms=around.clock.now_ms(),
            random_bytes=around.random_bytes,
        )
        journal = await around.executor.run(opening)
        picture, held = await around.executor.run(lambda: (journal.picture(), journal.held_desired()))
        station = Station(
            station_setup(self.config, self._digest_key),
            boot_nonce=self._boot.nonce,
            picture=Picture.model_validate_json(picture),
            last_seq=journal.epoch.last_seq,
            clock=self._clock_keeper.trust,
        )
        if held is not None:
            self._restore(station, held)
        sender = FactSender(journal, self.outgoing, around.executor, around.line_clock, self._log)
        clocks = (around.clock, around.line_clock)
        return Opened(journal, station, sender, Reporter(self._boot, station, journal, self.outgoing, clocks))

    def _restore(self, station: Station, held: HeldDesired) -> None:
        """The wanted state from before the reboot, if its signature still holds under today's keys."""
        try:
            message = verify(held.wire, ParsedTopic(DESIRED, self.config.cabinet), self._find_key)
        except BadMessage as error:
            self._log.error("held_desired_refused", fault=error.fault, detail=error.detail)
            return
        assert isinstance(message, Desired)
        station.restore_desired(model.DesiredArrived(message, held.wire, held.digest))

    # --- what comes in

    def _put(self, what: DeviceEvent | model.Event | FromCentre) -> None:
        self._queue.put_nowait(_Stamped(what, self._around.line_clock.now_us()))

    def _on_message(self, incoming: Incoming) -> None:
        told = self.inbox.read(incoming)
        if self._queue.qsize() >= WAITING_MAX:
            self.messages_left_out += told is not None
        elif told is not None:
            self._put(told)

    async def _on_connected(self, connection: int) -> None:
        assert self.opened is not None, "the link runs after the journal is open"
        await self.outgoing.post(presence(self.config.cabinet, self._boot, connection, online=True))
        await self.outgoing.post(self.opened.reporter.reported())
        self.opened.sender.connected()
        await self._clock_keeper.ask()

    def _on_disconnected(self, _end: LinkEnd) -> None:
        assert self.opened is not None, "the link runs after the journal is open"
        self.opened.sender.disconnected()

    def _clock_read(self, synchronised: bool) -> None:
        if self.opened is not None:
            self._put(model.ClockRead(synchronised))

    # --- the one task that acts

    async def _work(self, opened: Opened) -> None:
        while True:
            stamped = await self._queue.get()
            match stamped.what:
                case Acknowledged():
                    await self._acknowledged(opened, stamped.what)
                case TimeReply():
                    self._clock_keeper.answered(stamped.what)
                case CardRead() if self._around.line_clock.now_us() - stamped.at_us > CARD_VALID_US:
                    self.cards_too_old += 1  # whoever showed it has gone, or taps again
                case event:
                    await self._carry_out(opened, opened.station.handle(self._now(), event), stamped)
            opened.reporter.note()
            self._set_timer(opened.station)

    async def _carry_out(self, opened: Opened, effects: list[model.Effect], cause: _Stamped | None) -> None:
        for effect in effects:
            match effect:
                case model.Journal(facts, picture):
                    durable = await self._journal_facts(opened, facts, picture)
                    if durable is not opened.station.durable:
                        told = opened.station.handle(self._now(), model.DurabilityChanged(durable))
                        await self._carry_out(opened, told, cause)
                        if not durable:
                            return  # what was carried out just now takes the place of the rest
                case model.KeepDesired(wire, version, digest):
                    held = HeldDesired(wire, version, digest)
                    await self._around.executor.run(partial(opened.journal.keep_desired, held))
                case model.ReleaseSlot(slot):
                    self.hardware.release(slot)
                    if cause is not None and isinstance(cause.what, CardRead):
                        self.latency.observe((self._around.line_clock.now_us() - cause.at_us) / 1e6)
                case model.Indicate(reader, signal):
                    self.hardware.indicate(reader, signal)
                case model.Reply(reply):
                    self._answer(reply)
                case model.Report():
                    opened.reporter.want()
                case _:
                    assert_never(effect)

    async def _journal_facts(self, opened: Opened, facts: tuple[Fact, ...], picture: str) -> bool:
        durable = await self._around.executor.run(partial(opened.journal.append, facts, picture))
        self._log_trouble(opened.journal, durable=durable)
        if durable:
            opened.sender.appended()
            for fact in facts:
                fields = fact.model_dump(mode="json", exclude={"kind", "vehicle"}, exclude_none=True)
                self._log.info(fact.kind, **fields)
        return durable

    def _log_trouble(self, journal: Journal, *, durable: bool) -> None:
        if journal.trouble != self._trouble:
            self._trouble = journal.trouble
            level = logging.ERROR if journal.trouble else logging.INFO
            self._log.log(level, "journal_trouble", why=journal.trouble or "over", durable=durable)

    def _set_timer(self, station: Station) -> None:
        wake_ms = station.wake_at_line_ms
        if wake_ms == self._timer_at_ms:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at_ms = wake_ms
        if wake_ms is not None:
            delay_s = max(wake_ms - self._line_ms(), 0) / 1000
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._elapsed)

    def _elapsed(self) -> None:
        self._timer = self._timer_at_ms = None
        self._put(model.Elapsed())

    # --- the centre's words

    async def _acknowledged(self, opened: Opened, message: Acknowledged) -> None:
        """Move the watermark; where ledger and journal disagree about the past, start a new epoch."""
        journal = opened.journal
        if message.epoch != journal.epoch.epoch:
            return  # of an epoch that ended
        known_hash = await self._around.executor.run(partial(journal.hash_at, message.seq))
        if message.seq > journal.epoch.last_seq:
            await self._start_epoch(opened, beyond=True, common_seq=journal.epoch.acknowledged_seq)
        elif message.conflict or known_hash not in {None, message.hash}:
            fits = message.conflict and known_hash == message.hash
            common_seq = message.seq if fits else journal.epoch.acknowledged_seq
            await self._start_epoch(opened, beyond=False, common_seq=common_seq)
        else:
            await opened.sender.acknowledged(message)

    async def _start_epoch(self, opened: Opened, *, beyond: bool, common_seq: int) -> None:
        """Number anew, and tell again what lies beyond the last number that ledger and journal have in common."""
        journal, run = opened.journal, self._around.executor.run
        if not opened.station.durable or not await run(journal.settle):
            return  # the ledger says it again when there is room to write
        ended = journal.epoch
        self._log.error(
            "epoch_starts", beyond_sent=beyond, common_seq=common_seq, was=ended.epoch, at_seq=ended.last_seq
        )
        try:
            texts = await run(partial(journal.texts_after, common_seq))
        except CannotNow as error:
            self._log.error("epoch_not_started", why=str(error))
            return
        facts = (parse_fact(text) for text in texts)
        carried = tuple(fact for fact in facts if not isinstance(fact, UnknownFact))
        first, *others = opened.station.start_epoch(
            self._now(), "acknowledged_beyond_sent" if beyond else "hash_conflict", carried
        )
        assert isinstance(first, model.Journal), "facts come before actions"
        epoch, created_ms = self._around.random_bytes(16).hex(), self._around.clock.now_ms()
        if not await run(partial(journal.start_epoch, epoch, created_ms, first.facts, first.picture)):
            opened.station.epoch_not_started(ended.last_seq)
            return
        opened.sender.new_epoch()
        await self._carry_out(opened, others, None)

    def _answer(self, reply: CommandReply) -> None:
        if self._replies.full():
            self._replies.get_nowait()  # its author asks again, and is answered then
        self._replies.put_nowait(reply)

    async def _reply(self) -> None:
        """Apart from the core's task: badges do not wait for a broker that does not answer."""
        while True:
            await self.outgoing.post_or_leave(await self._replies.get())

    # --- housekeeping

    async def _tidy(self, opened: Opened) -> None:
        while True:
            await asyncio.sleep(TIDY_S)
            if opened.station.clock_source != "none":  # a clock in the future would forget what is young
                oldest_ms = self._around.clock.now_ms() - self.config.journal.keep_days * DAY_MS
                await self._around.executor.run(partial(opened.journal.forget, oldest_ms))
            await self._around.executor.run(opened.journal.checkpoint)

    def _now(self) -> model.Now:
        return model.Now(self._around.clock.now_ms(), self._line_ms())

    def _line_ms(self) -> int:
        return self._around.line_clock.now_us() // 1000


def station_setup(config: StationConfig, digest_key: bytes) -> StationSetup:
    """What the core needs of the configuration."""
    kinds = config.credential_types
    return StationSetup(
        slots=tuple(slot.slot for slot in config.locks.slots),
        readers=tuple((reader.name, reader.role) for bus in config.readers for reader in bus.readers),
        badge_types=tuple(kind for kind in kinds if kind.role == "badge"),
        tag_types=tuple(kind for kind in kinds if kind.role == "tag"),
        digest_key=digest_key,
    )
