r"""The shell around the core: one agent, one cabinet.

    lines ----events---\                       /-- journal (durable first)
    broker --messages---> queue -> core -> effects -- locks and readers
    timer ---elapsed---/                        \-- facts and reports

One task takes from the queue and carries out the effects in their order: nothing overtakes the journal.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from random import Random
from typing import assert_never

import structlog

from contract.envelope import BadMessage, Signer, VerifyKey, public_key_from_text, public_key_text, verify
from contract.facts import Fact, UnknownFact, parse_fact
from contract.limits import fit_reported
from contract.messages import (
    Acknowledged,
    Command,
    CommandReply,
    Desired,
    Presence,
    ReplyOutcome,
    Reported,
    TimeReply,
    TimeRequest,
)
from contract.reasons import Reason
from contract.topics import DESIRED, Author, ParsedTopic
from runtime.clocks import Clock, LineClock
from runtime.executor import Executor
from runtime.link import Incoming, Link, LinkEnd, LinkError, LinkOwner
from station_agent.clock_trust import ClockTrust
from station_agent.config import StationConfig
from station_agent.core import model
from station_agent.core.device_events import CardRead, DeviceEvent
from station_agent.core.picture import Picture
from station_agent.core.station import Station, StationSetup
from station_agent.fact_sender import FactSender
from station_agent.hardware import Hardware
from station_agent.journal import HeldDesired, Journal
from station_agent.latency import ReleaseLatency
from station_agent.messages_in import FromCentre, Inbox
from station_agent.outgoing import Outgoing
from station_agent.secrets_on_disk import StationKeys, load_keys

VERSION = version("carshare-controller")
REPORT_EVERY_S = 600  # the contract: on change, at least every ten minutes
REPORT_GAP_S = 0.2  # changes within a blink are one report
CLOCK_CHECK_S = 10  # the kernel's word costs one system call
TIDY_S = 60  # how often the write-ahead log is folded back and old facts are deleted
DAY_MS = 86_400_000
TELEMETRY_WAITING_MAX = 1000  # beyond it a vehicle's signals are left out: the next ones repeat them

LinkFactory = Callable[[LinkOwner], Link]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an agent is given instead of taking it: time, randomness, where blocking calls run, the link."""

    clock: Clock
    line_clock: LineClock
    executor: Executor
    random: Random
    random_bytes: Callable[[int], bytes]
    make_link: LinkFactory


@dataclass(frozen=True, slots=True)
class _Stamped:
    """Something to handle, and when it came."""

    what: model.Event | FromCentre
    at_us: int


class Agent:
    """One agent. `run` raises ConfigError or JournalUnusable if it cannot start."""

    def __init__(self, config: StationConfig, surroundings: Surroundings) -> None:
        self.config = config
        self._around = surroundings
        self._keys: StationKeys = load_keys(config)
        self._log = structlog.get_logger().bind(cabinet=config.cabinet)
        self._boot_nonce = surroundings.random_bytes(16).hex()
        self._boot_ms = surroundings.clock.now_ms()
        self._queue: asyncio.Queue[_Stamped] = asyncio.Queue()
        self._report_wanted = asyncio.Event()
        self._revision = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at_ms: int | None = None
        self.telemetry_left_out = 0
        self.clock_trust = ClockTrust()
        self.latency = ReleaseLatency()
        signer = Signer(Author.AGENT, config.cabinet, self._keys.signing)
        own = VerifyKey(Author.AGENT, config.cabinet, public_key_from_text(public_key_text(self._keys.signing)))
        known = {**self._keys.dispatchers, f"{Author.AGENT}/{config.cabinet}": own}
        self._find_key = known.get
        self.inbox = Inbox(config, self._find_key, surroundings.clock.now_ms, self._log)
        self.outgoing = Outgoing(config.namespace, signer)
        self.hardware = Hardware(
            config,
            self._keys,
            line_clock=surroundings.line_clock,
            random_bytes=surroundings.random_bytes,
            on_event=self._queue_event,
        )
        self.link = surroundings.make_link(
            LinkOwner(
                subscriptions=self.inbox.subscriptions,
                on_message=self._on_message,
                on_connected=self._on_connected,
                on_disconnected=self._on_disconnected,
                will=lambda connection: self.outgoing.publication(self._presence(connection, online=False)),
            )
        )
        self.outgoing.link = self.link
        self.journal: Journal | None = None
        self.station: Station | None = None
        self.sender: FactSender | None = None

    # --- life

    async def run(self) -> None:
        """Run until cancelled; what is under way is finished, then the centre is told."""
        await self._open()
        assert self.station is not None
        assert self.sender is not None
        self._log.info("agent_started", version=VERSION, boot_nonce=self._boot_nonce)
        try:
            await self._carry_out(self.station.start(self._now(), VERSION), None)
            self._judge_clock()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._work(), name="core")
                tasks.create_task(self.sender.run(), name="facts")
                tasks.create_task(self._report(), name="report")
                tasks.create_task(self._keep_clock(), name="clock")
                tasks.create_task(self._tidy(), name="tidy")
                tasks.create_task(self.link.run(), name="link")
                for name, line in self.hardware.lines.items():
                    tasks.create_task(line.run(), name=name)
        finally:
            await self._close()

    async def _open(self) -> None:
        now_ms = self._around.clock.now_ms()
        self.journal = journal = await self._around.executor.run(
            partial(
                Journal.open,
                self.config.journal.file,
                self.config.cabinet,
                now_ms=now_ms,
                random_bytes=self._around.random_bytes,
            )
        )
        picture, held = await self._around.executor.run(lambda: (journal.picture(), journal.held_desired()))
        self.station = Station(
            station_setup(self.config, self._keys.digest_key),
            boot_nonce=self._boot_nonce,
            picture=Picture.model_validate_json(picture),
            last_seq=journal.epoch.last_seq,
        )
        self.sender = FactSender(journal, self.outgoing, self._around.executor, self._around.line_clock, self._log)
        if held is not None:
            self._restore(self.station, held)

    def _restore(self, station: Station, held: HeldDesired) -> None:
        """The wanted state from before the reboot, if its signature still holds under today's keys."""
        try:
            message = verify(held.wire, ParsedTopic(DESIRED, self.config.cabinet), self._find_key)
        except BadMessage as error:
            self._log.error("held_desired_refused", fault=error.fault, detail=error.detail)
            return
        assert isinstance(message, Desired)
        station.restore_desired(model.DesiredArrived(message, held.wire, held.digest))

    async def _close(self) -> None:
        """Say goodbye, then let go of the journal: every fact in it is durable already."""
        if self._timer is not None:
            self._timer.cancel()
        if self.journal is not None:
            await self._around.executor.run(self.journal.close)
        self._log.info("agent_stopped")

    async def stop(self) -> None:
        """Tell the centre that this is a farewell and no loss; `run` is cancelled by the caller afterwards."""
        farewell = self._presence(max(self.link.connection_count, 1), online=False)
        await self.link.stop(self.outgoing.publication(farewell))

    # --- what comes in

    def _queue_event(self, event: DeviceEvent) -> None:
        self._queue.put_nowait(_Stamped(event, self._around.line_clock.now_us()))

    def _on_message(self, incoming: Incoming) -> None:
        told = self.inbox.read(incoming)
        if told is None:
            return
        if isinstance(told, model.VehicleRead) and self._queue.qsize() >= TELEMETRY_WAITING_MAX:
            self.telemetry_left_out += 1
            return
        self._queue.put_nowait(_Stamped(told, self._around.line_clock.now_us()))

    async def _on_connected(self, connection: int) -> None:
        assert self.sender is not None
        await self.outgoing.post(self._presence(connection, online=True))
        await self.outgoing.post(self._reported())
        self.sender.connected()
        if self.clock_trust.wants_to_ask(self._line_ms()):
            await self._ask_time()

    def _on_disconnected(self, _end: LinkEnd) -> None:
        assert self.sender is not None
        self.sender.disconnected()

    # --- the one task that acts

    async def _work(self) -> None:
        assert self.station is not None
        while True:
            stamped = await self._queue.get()
            match stamped.what:
                case Acknowledged():
                    await self._acknowledged(stamped.what)
                case Command():
                    await self._command(stamped.what)
                case TimeReply():
                    now = self._now()
                    self.clock_trust.answered(now.line_ms, now.wall_ms, stamped.what)
                    self._judge_clock()
                case event:
                    await self._carry_out(self.station.handle(self._now(), event), stamped)
            self._set_timer()

    async def _carry_out(self, effects: list[model.Effect], cause: _Stamped | None) -> None:
        for effect in effects:
            match effect:
                case model.Journal(facts, picture):
                    await self._journal_facts(facts, picture)
                case model.KeepDesired(wire, wanted_version, digest):
                    assert self.journal is not None
                    held = HeldDesired(wire, wanted_version, digest)
                    await self._around.executor.run(partial(self.journal.keep_desired, held))
                case model.ReleaseSlot(slot):
                    self.hardware.release(slot)
                    if cause is not None and isinstance(cause.what, CardRead):
                        self.latency.observe((self._around.line_clock.now_us() - cause.at_us) / 1e6)
                case model.Indicate(reader, signal):
                    self.hardware.indicate(reader, signal)
                case model.Report():
                    self._report_wanted.set()
                case _:
                    assert_never(effect)

    async def _journal_facts(self, facts: tuple[Fact, ...], picture: str) -> None:
        assert self.journal is not None
        assert self.sender is not None
        await self._around.executor.run(partial(self.journal.append, facts, picture))
        self.sender.appended()
        for fact in facts:
            fields = fact.model_dump(mode="json", exclude={"kind", "vehicle"}, exclude_none=True)
            fields["badge_ref"] = fields.pop("badge", None)
            self._log.info(fact.kind, **fields)

    def _set_timer(self) -> None:
        assert self.station is not None
        wake_ms = self.station.wake_at_line_ms
        if wake_ms == self._timer_at_ms and self._timer is not None:
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
        self._queue.put_nowait(_Stamped(model.Elapsed(), self._around.line_clock.now_us()))

    # --- the centre's words

    async def _acknowledged(self, message: Acknowledged) -> None:
        """Move the watermark; where ledger and journal disagree about the past, start a new epoch."""
        assert self.journal is not None
        assert self.sender is not None
        journal = self.journal
        if message.epoch != journal.epoch.epoch:
            return  # of an epoch that ended
        known_hash = await self._around.executor.run(partial(journal.hash_at, message.seq))
        if message.seq > journal.epoch.last_seq:
            await self._start_epoch("acknowledged_beyond_sent")
        elif message.conflict or known_hash not in {None, message.hash}:
            await self._start_epoch("hash_conflict")
        else:
            ledger = await self._around.executor.run(journal.ledger)
            if ledger != message.ledger:
                await self._around.executor.run(partial(journal.keep_ledger, message.ledger))
            new_ledger = ledger not in {None, message.ledger}
            await self.sender.acknowledged(message, new_ledger=new_ledger)

    async def _start_epoch(self, why: str) -> None:
        assert self.journal is not None
        assert self.sender is not None
        assert self.station is not None
        journal, sender = self.journal, self.sender
        self._log.error("epoch_started", why=why, was=journal.epoch.epoch, at_seq=journal.epoch.last_seq)
        texts = await self._around.executor.run(journal.unacknowledged_texts)
        facts = (parse_fact(text) for text in texts)
        carried = tuple(fact for fact in facts if not isinstance(fact, UnknownFact))
        epoch = self._around.random_bytes(16).hex()
        await self._around.executor.run(partial(journal.start_epoch, epoch, self._around.clock.now_ms()))
        sender.new_epoch()
        beyond = why == "acknowledged_beyond_sent"
        effects = self.station.start_epoch(
            self._now(), "acknowledged_beyond_sent" if beyond else "hash_conflict", carried
        )
        await self._carry_out(effects, None)

    async def _command(self, command: Command) -> None:
        """Commands that open slots come with a later contract of this agent; until then they are refused."""
        if self._around.clock.now_ms() >= command.expires_ms:
            outcome, reason = ReplyOutcome.EXPIRED, Reason.EXPIRED
        elif command.action == "report_now":
            self._report_wanted.set()
            outcome, reason = ReplyOutcome.COMPLETED, None
        else:
            outcome, reason = ReplyOutcome.REFUSED, Reason.UNSUPPORTED
        reply = CommandReply(cabinet=self.config.cabinet, command=command.command, outcome=outcome, reason=reason)
        await self._post_or_leave(reply)

    # --- what goes out

    def _presence(self, connection: int, *, online: bool) -> Presence:
        return Presence(
            cabinet=self.config.cabinet,
            online=online,
            boot_nonce=self._boot_nonce,
            boot_ms=self._boot_ms,
            connection=connection,
            version=VERSION,
        )

    def _reported(self) -> Reported:
        assert self.station is not None
        assert self.journal is not None
        self._revision += 1
        now = self._now()
        reported = Reported(
            cabinet=self.config.cabinet,
            boot_nonce=self._boot_nonce,
            boot_ms=self._boot_ms,
            connection=max(self.link.connection_count, 1),
            revision=self._revision,
            at_ms=now.wall_ms,
            epoch=self.journal.epoch.epoch,
            seq=self.journal.epoch.last_seq,
            desired_version=self.station.wanted.version,
            desired_high_water=self.station.wanted.high_water,
            journal_depth=self.journal.depth,
            clock_trusted=self.station.clock_source != "none",
            slots=self.station.slot_reports(),
            devices=self.station.devices.states(),
            vehicles=self.station.vehicle_reports(now),
        )
        return fit_reported(reported)

    async def _report(self) -> None:
        while True:
            try:
                async with asyncio.timeout(REPORT_EVERY_S):
                    await self._report_wanted.wait()
            except TimeoutError:
                pass  # nothing changed for long: say so
            self._report_wanted.clear()
            if self.link.connected:
                await self._post_or_leave(self._reported())
            await asyncio.sleep(REPORT_GAP_S)

    async def _post_or_leave(self, message: Reported | CommandReply | TimeRequest) -> None:
        """What may be lost: it is repeated, or asked for again."""
        try:
            await self.outgoing.post(message)
        except LinkError as error:
            self._log.info("not_published", kind=message.kind, why=str(error))

    # --- the clock, and housekeeping

    def _judge_clock(self) -> None:
        source = self.clock_trust.source(self._line_ms(), kernel_synchronised=self._around.clock.synchronised())
        if self.station is not None and source != self.station.clock_source:
            self._queue.put_nowait(_Stamped(model.ClockJudged(source), self._around.line_clock.now_us()))

    async def _keep_clock(self) -> None:
        while True:
            await asyncio.sleep(CLOCK_CHECK_S)
            self._judge_clock()
            if self.link.connected and self.clock_trust.wants_to_ask(self._line_ms()):
                await self._ask_time()

    async def _ask_time(self) -> None:
        nonce = self._around.random_bytes(16).hex()
        self.clock_trust.asks(self._line_ms(), nonce)
        await self._post_or_leave(TimeRequest(cabinet=self.config.cabinet, nonce=nonce))

    async def _tidy(self) -> None:
        assert self.journal is not None
        while True:
            await asyncio.sleep(TIDY_S)
            oldest_ms = self._around.clock.now_ms() - self.config.journal.keep_days * DAY_MS
            await self._around.executor.run(partial(self.journal.forget, oldest_ms))
            await self._around.executor.run(self.journal.checkpoint)

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
