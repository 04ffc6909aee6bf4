r"""The shell around the core: one agent, one cabinet.

    lines ----events---\                       /-- journal (durable first)
    broker --messages---> queue -> core -> effects -- locks and readers
    timer ---elapsed---/                        \-- facts and reports

One step takes from the queue and carries out the effects in their order: nothing overtakes the journal. Who runs
the steps, keeps the time and carries the bytes is given (`Surroundings`): asyncio and real lines, or a simulator.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import assert_never

import structlog

from contract.envelope import BadMessage, Signer, VerifyKey, verify
from contract.facts import Fact
from contract.messages import Acknowledged, CommandReply, Desired, TimeReply
from contract.topics import DESIRED, Author, ParsedTopic
from runtime.clocks import Clock, LineClock
from runtime.executor import Executor
from runtime.histograms import Histogram
from runtime.link import Incoming, Link, LinkEnd, LinkOwner
from runtime.rejects import Rejects
from runtime.steps import Steps
from station_agent.clock_trust import ClockKeeper
from station_agent.config import StationConfig
from station_agent.core import model
from station_agent.core.device_events import CardRead, DeviceEvent
from station_agent.core.picture import Picture
from station_agent.core.setup import StationSetup
from station_agent.core.station import Station
from station_agent.drivers.base import MakeLine
from station_agent.epochs import Epochs
from station_agent.fact_log import FactLog
from station_agent.fact_sender import FactSender
from station_agent.hardware import Hardware
from station_agent.journal import HeldDesired, Journal, JournalUnusable
from station_agent.journal_database import Damaged
from station_agent.journal_log import JournalLog
from station_agent.messages_in import FromCentre, Inbox
from station_agent.outgoing import Outgoing
from station_agent.reporting import VERSION, Boot, Reporter, presence
from station_agent.secrets_on_disk import StationKeys
from station_agent.storage import FileStorage, Storage

TIDY_US = 60_000_000  # how often the write-ahead log is folded back and old facts are deleted
DAY_MS = 86_400_000
WAITING_MAX = 200  # beyond it messages are left out: their authors repeat every one of them
REPLIES_WAITING_MAX = 16  # an answer that is left out is asked for again
RELEASE_BOUNDS_S = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
)  # a blink is 0.1
CARD_VALID_US = 3_000_000  # a slot that opens later opens for nobody: members wait a breath or two


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an agent is given instead of taking it: time, randomness, where blocking calls run, the link."""

    clock: Clock
    line_clock: LineClock
    executor: Executor
    random: Random
    random_bytes: Callable[[int], bytes]
    steps: Steps
    make_link: Callable[[LinkOwner], Link]
    make_line: MakeLine
    make_storage: Callable[[Path], Storage] = FileStorage


@dataclass(frozen=True, slots=True)
class Opened:
    """What an agent has from the moment its journal is open."""

    journal: Journal
    station: Station
    sender: FactSender
    reporter: Reporter
    epochs: Epochs


@dataclass(frozen=True, slots=True)
class _Stamped:
    """Something to handle, and when it came on the line clock."""

    what: model.Event | FromCentre
    at_us: int


class Agent:
    """One agent. `run` raises JournalUnusable if it cannot start, or cannot go on without losing facts."""

    def __init__(self, config: StationConfig, keys: StationKeys, surroundings: Surroundings) -> None:
        self.config = config
        self._around = surroundings
        self._digest_key = keys.digest_key
        self._log = structlog.get_logger().bind(cabinet=config.cabinet)
        self._boot = Boot(surroundings.random_bytes(16).hex(), surroundings.clock.now_ms())
        self._waiting: deque[_Stamped] = deque()
        self._core = surroundings.steps.step("core", self._work)
        self._tidying = surroundings.steps.step("tidy", self._tidy)
        self._replying = surroundings.steps.step("replies", self._reply)
        self.messages_left_out = 0
        self.cards_too_old = 0
        self._journal_log = JournalLog(self._log)
        self._fact_log = FactLog(self._log)
        self._replies: deque[CommandReply] = deque(maxlen=REPLIES_WAITING_MAX)
        self.latency = Histogram(RELEASE_BOUNDS_S)
        """From a card's event to the order to pulse the lock."""
        self.opened: Opened | None = None
        own = VerifyKey(Author.AGENT, config.cabinet, keys.signing.public_key())
        self._find_key = {**keys.dispatchers, f"{Author.AGENT}/{config.cabinet}": own}.get
        rejects = Rejects(surroundings.line_clock)
        self.inbox = Inbox(config, self._find_key, surroundings.clock.now_ms, rejects)
        self.outgoing = Outgoing(config.namespace, Signer(Author.AGENT, config.cabinet, keys.signing), self._log)
        self._clock_keeper = ClockKeeper(
            (surroundings.clock, surroundings.line_clock),
            self.outgoing,
            surroundings.random_bytes,
            surroundings.steps,
            self._clock_read,
        )
        self.hardware = Hardware(
            config,
            keys,
            random_bytes=surroundings.random_bytes,
            make_line=surroundings.make_line,
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

    async def begin(self) -> None:
        """Open the journal, note the start, and make everything due that a start asks for."""
        opened = self.opened = await self._open()
        self._log.info("agent_started", version=VERSION, boot_nonce=self._boot.nonce)
        await opened.epochs.after_damage()
        await self._carry_out(opened, opened.station.start(self.now, VERSION), None)
        opened.reporter.note()
        self._journal_log.tidied(opened.journal, 0)
        self._clock_keeper.begin()
        self._core.soon()
        self._tidying.at_us(self._around.line_clock.now_us() + TIDY_US)

    async def run(self) -> None:
        """Run until cancelled. Every fact is durable when it is told, so there is nothing to flush."""
        try:
            await self.begin()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._around.steps.run(), name="steps")
                tasks.create_task(self.link.run(), name="link")
                for name, line in self.hardware.lines.items():
                    tasks.create_task(line.run(), name=name)
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        except BaseExceptionGroup as group:
            broken, other = group.split(sqlite3.Error)
            if broken is None or other is not None:
                raise
            raise self._unusable(_first(broken)) from group
        finally:
            if self.opened is not None:
                await self._around.executor.run(self.opened.journal.close)
                self._log.info("agent_stopped")

    def _unusable(self, error: BaseException) -> JournalUnusable:
        """Not a slot opens without a durable fact: the service manager starts the agent again."""
        what = f"cannot be written: {error}"
        if isinstance(error, Damaged) and self.opened is not None:
            self.opened.journal.condemn()
            what = f"is damaged ({error}): the next start sets it aside and goes on with what can be read of it"
        return JournalUnusable(f"journal {self.config.journal.file}: {what}")

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
            bytes_max=self.config.journal.bytes_max,
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
        sender = FactSender(journal, self.outgoing, around.executor, around.line_clock, around.steps, self._log)
        reporter = Reporter(
            self._boot, station, journal, self.outgoing, (around.clock, around.line_clock), around.steps
        )
        epochs = Epochs(
            (journal, station, sender),
            self.outgoing,
            (around.clock, around.line_clock),
            around.executor,
            around.random_bytes,
            self._carry_on,
            self._log,
        )
        return Opened(journal, station, sender, reporter, epochs)

    async def _carry_on(self, effects: list[model.Effect]) -> None:
        """What a new epoch leaves to be done."""
        assert self.opened is not None, "it is begun after the journal is open"
        await self._carry_out(self.opened, effects, None)

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
        self._waiting.append(_Stamped(what, self._around.line_clock.now_us()))
        self._core.soon()

    def _on_message(self, incoming: Incoming) -> None:
        told = self.inbox.read(incoming)
        if len(self._waiting) >= WAITING_MAX:
            self.messages_left_out += told is not None
        elif told is not None:
            self._put(told)

    async def _on_connected(self, _connection: int) -> None:
        assert self.opened is not None, "the link runs after the journal is open"
        await self.outgoing.post(self.opened.reporter.online())
        await self.outgoing.post(self.opened.reporter.reported())
        self.opened.sender.connected()
        await self._clock_keeper.ask()

    def _on_disconnected(self, _end: LinkEnd) -> None:
        assert self.opened is not None, "the link runs after the journal is open"
        self.opened.sender.disconnected()

    def _clock_read(self, synchronised: bool) -> None:
        if self.opened is not None and self.opened.station.has_clock_news(self.now):
            self._put(model.ClockRead(synchronised))

    # --- the one step that acts

    async def _work(self) -> None:
        opened = self.opened
        assert opened is not None, "steps are done after the journal is open"
        while self._waiting:
            await self._handle(opened, self._waiting[0])  # it waits until it is done: the watchdog looks
            self._waiting.popleft()
        wake_ms = opened.station.wake_at_line_ms
        if wake_ms is not None and self._line_ms() >= wake_ms:
            await self._handle(opened, _Stamped(model.Elapsed(), self._around.line_clock.now_us()))
            wake_ms = opened.station.wake_at_line_ms
        self._core.at_us(None if wake_ms is None else wake_ms * 1000)

    async def _handle(self, opened: Opened, stamped: _Stamped) -> None:
        match stamped.what:
            case Acknowledged():
                opened.station.centre_heard(self.now)
                await opened.epochs.acknowledged(stamped.what)
            case TimeReply():
                opened.station.centre_heard(self.now)
                self._clock_keeper.answered(stamped.what)
            case CardRead() if self._around.line_clock.now_us() - stamped.at_us > CARD_VALID_US:
                self.cards_too_old += 1  # whoever showed it has gone, or taps again
            case event:
                await self._carry_out(opened, opened.station.handle(self.now, event), stamped)
        opened.reporter.note()

    async def _carry_out(self, opened: Opened, effects: list[model.Effect], cause: _Stamped | None) -> None:
        for effect in effects:
            match effect:
                case model.Journal(facts, picture):
                    durable = await self._journal_facts(opened, facts, picture)
                    if durable is not opened.station.durable:
                        told = opened.station.handle(self.now, model.DurabilityChanged(durable))
                        await self._carry_out(opened, told, cause)
                        if not durable:
                            return  # what was carried out just now takes the place of the rest
                case model.KeepDesired(wire, version, digest):
                    held = HeldDesired(wire, version, digest)
                    await self._around.executor.run(partial(opened.journal.keep_desired, held))
                case model.ReleaseSlot(slot, again):
                    self.hardware.release(slot, again=again)
                    self._released(slot, cause, again=again)
                case model.Indicate(reader, signal):
                    self.hardware.indicate(reader, signal)
                case model.Reply(reply):
                    self._answer(reply)
                case model.Report(at_once):
                    opened.reporter.want(at_once=at_once)
                case _:
                    assert_never(effect)

    async def _journal_facts(self, opened: Opened, facts: tuple[Fact, ...], picture: str) -> bool:
        durable = await self._around.executor.run(partial(opened.journal.append, facts, picture))
        self._journal_log.wrote(opened.journal, durable=durable)
        if durable:
            opened.sender.appended()
            self._fact_log.noted(opened.journal.epoch.epoch, facts)
        return durable

    def _released(self, slot: int, cause: _Stamped | None, *, again: bool) -> None:
        """The order is on its way to the lock."""
        after_us = None
        if cause is not None and isinstance(cause.what, CardRead):
            after_us = self._around.line_clock.now_us() - cause.at_us
            self.latency.observe(after_us / 1e6)
        self._fact_log.released(slot, after_us, again=again)

    # --- the centre's words

    def _answer(self, reply: CommandReply) -> None:
        self._replies.append(reply)  # where there are too many, the oldest goes: its author asks again
        self._replying.soon()

    async def _reply(self) -> None:
        """Apart from the core's step: badges do not wait for a broker that does not answer."""
        while self._replies:
            await self.outgoing.post_or_leave(self._replies.popleft())

    # --- housekeeping

    async def _tidy(self) -> None:
        opened = self.opened
        assert opened is not None, "steps are done after the journal is open"
        if opened.station.clock_source != "none":  # a clock in the future would forget what is young
            oldest_ms = self._around.clock.now_ms() - self.config.journal.keep_days * DAY_MS
            await self._around.executor.run(partial(opened.journal.forget, oldest_ms))
        forgotten = await self._around.executor.run(opened.journal.make_room)
        self._journal_log.tidied(opened.journal, forgotten)
        await self._around.executor.run(opened.journal.checkpoint)
        self._tidying.at_us(self._around.line_clock.now_us() + TIDY_US)

    @property
    def waits_since_us(self) -> int | None:
        """Since when the oldest of what came in waits to be handled, on the line clock; None: nothing waits."""
        return self._waiting[0].at_us if self._waiting else None

    @property
    def now(self) -> model.Now:
        """Both clocks, as the core is told them."""
        return model.Now(self._around.clock.now_ms(), self._line_ms())

    @property
    def line_now_us(self) -> int:
        return self._around.line_clock.now_us()

    def _line_ms(self) -> int:
        return self.line_now_us // 1000


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """One of the exceptions in a group of groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def station_setup(config: StationConfig, digest_key: bytes) -> StationSetup:
    """What the core needs of the configuration."""
    kinds = config.credential_types
    return StationSetup(
        slots=tuple(slot.slot for slot in config.locks.slots),
        readers=config.reader_roles,
        badge_types=tuple(kind for kind in kinds if kind.role == "badge"),
        tag_types=tuple(kind for kind in kinds if kind.role == "tag"),
        digest_key=digest_key,
    )
