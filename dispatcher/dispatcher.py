"""The dispatcher's parts and how they are joined: intake, publisher and timed work around one database."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import NamedTuple

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from contract.envelope import Signer
from contract.messages import DispatcherPresence
from dispatcher.core.hearing import Hearing
from dispatcher.core.retention import Retention
from dispatcher.core.rules import FleetRules
from dispatcher.events.envelope import EventNames
from dispatcher.events.post import Post
from dispatcher.events.sender import EventSender
from dispatcher.housekeeping import Housekeeping
from dispatcher.link.courier import Courier
from dispatcher.link.hearing import Ears
from dispatcher.link.intake import Change, IntakeWorker
from dispatcher.link.keyring import KeyRing
from dispatcher.link.orders import Orders
from dispatcher.link.publisher import Publisher
from dispatcher.link.receiver import Receiver, subscriptions
from dispatcher.link.report_requests import ASK_EVERY_US, ReportRequests
from dispatcher.store.blocks import next_block_ms
from dispatcher.store.database import Database
from dispatcher.store.deadlines import next_due_ms
from dispatcher.store.desired import DesiredMaker, was_marked
from dispatcher.store.event_figures import EventFigures, event_figures
from dispatcher.store.figures import Figures, figures
from dispatcher.store.ledger import ledger_id
from dispatcher.store.links import registered_keys
from dispatcher.store.retention import rows_past
from dispatcher.store.scope import Scope
from dispatcher.store.timed import Awaited, run_timed
from runtime.clocks import Clock, LineClock
from runtime.histograms import Histogram
from runtime.link import Link, LinkEnd, LinkOwner, Publication
from runtime.rejects import Rejects
from runtime.steps import Steps

VERSION = version("carshare-controller")
TICK_US = 2_000_000  # of the line clock: a no-show or an incident is seen this much later than it could be
NEWS_US = 5_000_000  # while facts come: what a fact itself shows is decided with it
LOOK_US = 15_000_000  # keys and figures: Prometheus' own usual scrape interval
COUNT_US = 600_000_000  # rows past their limit: the job has hours, and counting reads large tables
NEVER_MS = 1 << 62
REVOCATION_BOUNDS_S = (1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600, 14_400, 86_400)  # a box on a good line: under 5
CHECK_US = 600_000_000  # a pass over everything: a picture that a mistake of ours left wrong is right again by then
QUIET_US = 30_000_000  # while nothing comes and nothing is due: a tenth of the shortest silence that is an incident

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Setup:
    """What a dispatcher is, beside its surroundings."""

    namespace: str
    signer: Signer
    own_key: Ed25519PublicKey
    """Our public key: a broker without `no local` hands us back what we said."""
    digest_secret: bytes
    rules: FleetRules
    retention: Retention = field(default_factory=Retention)
    events: EventNames = field(default_factory=lambda: EventNames("urn:carshare:dispatcher", "carshare"))
    """What webhooks are told."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a dispatcher is given instead of taking it: time, randomness, the database, the link."""

    clock: Clock
    line_clock: LineClock
    random_bytes: Callable[[int], bytes]
    database: Database
    """Migrated."""
    steps: Steps
    make_link: Callable[[LinkOwner], Link]
    post: Post | None = None
    """How events reach their receivers; None: this dispatcher sends none, they wait for one that does."""


class Dispatcher:
    """Everything but HTTP. Make it with `open_dispatcher`."""

    def __init__(self, setup: Setup, around: Surroundings, ledger: str) -> None:
        self.database = around.database
        self.figures = Figures()
        self.event_figures = EventFigures()
        self.rows_past: Mapping[str, int] = {}
        """Rows past their limit, by limit."""
        self.ledger = ledger
        self.ticks_failed = 0
        self.timed_work_ok = True
        self._looked_us: int | None = None
        """When keys and figures were read."""
        self._counted_us: int | None = None
        """When rows past their limit were counted."""
        self._ticked_us = 0
        self._due_ms = 0
        """When timed work has something to decide next, by the wall clock."""
        self._has_news = True
        self._touched: frozenset[str] | None = None
        """Cabinets that told something since the last tick; None: look at everything."""
        self._checked_us = 0
        self.revocation = Histogram(REVOCATION_BOUNDS_S)
        """From a badge's revocation until the last box had it."""
        self.reconciler_differences = 0
        """Incidents that a pass over everything found wrong."""
        self._timing = around.steps.step("timed work", self._keep_time)
        self._setup = setup
        self._around = around
        clock, line_clock = around.clock, around.line_clock
        self.keyring = KeyRing(setup.signer.subject, setup.own_key)
        self.rejects = Rejects(line_clock)
        self.ears = Ears(clock, line_clock)
        self.courier = Courier(setup.namespace, setup.signer, line_clock, around.steps)
        maker = DesiredMaker(setup.rules, setup.digest_secret, setup.signer.sign)
        self.publisher = Publisher(around.database, maker, self.courier, ledger, (clock, line_clock), around.steps)
        self.intake = IntakeWorker(
            around.database,
            self.courier,
            (clock, line_clock),
            setup.rules,
            ledger,
            committed=self._taken_in,
            steps=around.steps,
        )
        self.receiver = Receiver(
            setup.namespace, self.keyring, self.rejects, self.intake, self.courier, self.ears, clock
        )
        self.orders = Orders(around.database, self.courier, (clock, line_clock), around.steps)
        self.housekeeping = Housekeeping(
            around.database, setup.retention, (clock, line_clock), around.random_bytes, around.steps
        )
        self.sender = None if around.post is None else self._make_sender(around.post)
        self._requests = ReportRequests(around.database, self.courier, (clock, line_clock), around.random_bytes)
        self.link = around.make_link(
            LinkOwner(
                subscriptions=subscriptions(setup.namespace),
                on_message=self.receiver.receive,
                on_connected=self._on_connected,
                on_disconnected=self._on_disconnected,
                will=lambda _count: self._presence(online=False),
            )
        )

    def _make_sender(self, post: Post) -> EventSender:
        around = self._around
        clocks = (around.clock, around.line_clock)
        return EventSender(around.database, post, self._setup.events, clocks, around.random_bytes, around.steps)

    @property
    def now_ms(self) -> int:
        """By the wall clock."""
        return self._around.clock.now_ms()

    @property
    def digest_secret(self) -> bytes:
        """The master secret of all cabinets' digest keys."""
        return self._setup.digest_secret

    async def begin(self) -> None:
        """Do the timed work once, and make everything due that a start asks for."""
        self.courier.use(self.link)
        self.orders.wake()
        self.housekeeping.begin()
        await self._keep_time()
        self._told()

    async def run(self) -> None:
        """Run until cancelled, or until `stop` ended the link."""
        await self.begin()
        async with asyncio.TaskGroup() as tasks:
            steps = tasks.create_task(self._around.steps.run(), name="steps")
            await self.link.run()
            steps.cancel()

    async def stop(self) -> None:
        """Say goodbye and disconnect: `run` then returns. Facts that wait in memory come again by themselves."""
        await self.link.stop(self._presence(online=False))

    async def _on_connected(self, _count: int) -> None:
        self.ears.listen()
        await self.link.publish(self._presence(online=True))
        self.publisher.connected()
        self.orders.connected()

    def _on_disconnected(self, _end: LinkEnd) -> None:
        self.ears.go_deaf()
        self.publisher.disconnected()
        self.orders.disconnected()
        self.courier.forget()

    def _presence(self, *, online: bool) -> Publication:
        presence = DispatcherPresence(dispatcher=self._setup.signer.subject, online=online, version=VERSION)
        return self.courier.publication(presence)

    def changed(self) -> None:
        """Something was written that decisions may depend on: look at once instead of at the next round."""
        self._has_news = True
        self._touched = None
        self.publisher.wake()
        self.orders.wake()
        self._told()

    def _told(self) -> None:
        """There may be events for others."""
        if self.sender is not None:
            self.sender.wake()

    def _taken_in(self, change: Change) -> None:
        self._has_news |= change.is_news
        self._touched = None if self._touched is None else self._touched | change.cabinets
        if change.is_wanted:
            self.publisher.wake()
        if change.is_news:
            self.orders.answered()
            self._told()

    async def _keep_time(self) -> None:
        """Every two seconds, where there is anything to look at."""
        now_us = self._around.line_clock.now_us()
        quiet_us = NEWS_US if self._has_news else QUIET_US
        if self._around.clock.now_ms() >= self._due_ms or now_us - self._ticked_us >= quiet_us:
            self._has_news = False
            self._ticked_us = now_us
            await self.tick()
        self._timing.at_us(now_us + TICK_US)

    async def tick(self) -> None:
        """Timed work, once. A database that cannot now is asked again at the next tick."""
        now_ms, now_us = self._around.clock.now_ms(), self._around.line_clock.now_us()
        touched, self._touched = self._touched, frozenset()
        scope = Scope(touched, is_checked=touched is not None and now_us - self._checked_us >= CHECK_US)
        work = partial(_timed, rules=self._setup.rules, hearing=self.ears.now(), now_ms=now_ms, scope=scope)
        try:
            done = await self.database.write(work)
            self.reconciler_differences += done.awaited.differences
            for took_ms in done.awaited.spread_ms:
                self.revocation.observe(took_ms / 1000)
            if touched is None or scope.is_checked:
                self._checked_us = now_us
            await self._requests.ask(done.awaited.by_decisions, done.awaited.offline)
            if self._looked_us is None or now_us - self._looked_us >= LOOK_US:
                keys, self.figures, self.event_figures = await self.database.read(partial(_look, now_ms=now_ms))
                self.keyring.replace(keys)
                self._looked_us = now_us
            if self._counted_us is None or now_us - self._counted_us >= COUNT_US:
                count = partial(rows_past, retention=self._setup.retention, now_ms=now_ms)
                self.rows_past = await self.database.read(count)
                self._counted_us = now_us
        except OperationalError as error:
            self.ticks_failed += 1
            self.timed_work_ok = False
            self._touched = None
            log.warning("timed_work_failed", reason=str(error.orig))
        except Exception:  # a mistake of ours: the next round may do better
            self.ticks_failed += 1
            self.timed_work_ok = False
            self._touched = None
            log.exception("timed_work_failed")
        else:
            self.timed_work_ok = True
            self._due_ms = done.due_ms if done.due_ms is not None else NEVER_MS
            if done.awaited.by_decisions:
                self._due_ms = min(self._due_ms, now_ms + ASK_EVERY_US // 1000)
            if done.is_wanted:
                self.publisher.wake()
            self._told()


class _Done(NamedTuple):
    """What came of timed work."""

    awaited: Awaited
    is_wanted: bool
    """A cabinet is to be told something else."""
    due_ms: int | None
    """When there is more to decide."""


def _timed(connection: Connection, rules: FleetRules, hearing: Hearing, now_ms: int, scope: Scope) -> _Done:
    awaited = run_timed(connection, rules, hearing, now_ms, scope)
    moments = (next_due_ms(connection, rules, now_ms), next_block_ms(connection, now_ms))
    due_ms = min((at_ms for at_ms in moments if at_ms is not None), default=None)
    return _Done(awaited, was_marked(connection), due_ms)


def _look(connection: Connection, now_ms: int) -> tuple[dict[str, str], Figures, EventFigures]:
    return registered_keys(connection), figures(connection), event_figures(connection, now_ms)


async def open_dispatcher(setup: Setup, around: Surroundings) -> Dispatcher:
    """A dispatcher on a migrated database, not yet running."""
    ledger = await around.database.write(partial(ledger_id, random_bytes=around.random_bytes))
    return Dispatcher(setup, around, ledger)
