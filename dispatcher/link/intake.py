"""From verified messages to the database: whatever waits goes into one commit, then facts are acknowledged."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from contract.messages import Acknowledged, CommandReply, FactBatch, Presence, Reported
from contract.trails import Trails
from dispatcher.core.ingest import FactOutcome
from dispatcher.core.rules import FleetRules
from dispatcher.link.courier import Courier
from dispatcher.store.commands import keep_outcome
from dispatcher.store.database import Database
from dispatcher.store.desired import was_marked
from dispatcher.store.ingest import AppliedFact, Intake, Taken
from dispatcher.store.ledger import beginning
from dispatcher.store.links import keep_presence, keep_reported
from dispatcher.store.reports import apply_reports
from runtime.clocks import Clock, LineClock
from runtime.histograms import Histogram
from runtime.steps import Steps

log = structlog.get_logger()

WAITING_MAX = 200  # messages of at most 64 KiB: 13 MB, a few seconds of work behind a busy disk
PER_COMMIT_MAX = 20  # messages; their 2,000 facts take 2 s (1,000/s were measured), a box resends after 4
DELAY_BOUNDS_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86_400)  # resent after 4 s; a day cut off
RETRY_US = 1_000_000  # a database that is locked or full is asked again soon, and not in a spin

Recorded = Presence | Reported | FactBatch | CommandReply
"""The messages that change the database."""


class Change(NamedTuple):
    """What a commit may have changed for others."""

    is_news: bool
    """Something was said that timed work decides by."""
    is_wanted: bool
    """A cabinet is to be told something else."""
    cabinets: frozenset[str] = frozenset()
    """Those that told facts, or their whole state."""


class IntakeWorker:
    """Takes messages in and answers facts, one commit at a time.

    Up to `WAITING_MAX` messages wait; then whoever brings one more waits too, which paces the broker.
    """

    def __init__(
        self,
        database: Database,
        courier: Courier,
        clocks: tuple[Clock, LineClock],
        rules: FleetRules,
        ledger: str,
        committed: Callable[[Change], None],
        steps: Steps,
    ) -> None:
        self.outcomes: Counter[FactOutcome] = Counter()
        self.delay = Histogram(DELAY_BOUNDS_S)
        """From when a fact was noted to its commit."""
        self.failed = 0
        """Messages that the store could not take: a mistake of ours, in the log with its traceback."""
        self.healthy = True
        """Whether the database took the last commit."""
        self._database = database
        self._courier = courier
        self._clock, self._line_clock = clocks
        self._rules = rules
        self._ledger = ledger
        self._committed = committed
        self._trails: defaultdict[str, Trails] = defaultdict(Trails)
        """By cabinet, for the log alone."""
        self._waiting: deque[Recorded] = deque()
        self._taking = steps.step("intake", self._take_waiting)
        self._room = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    async def put(self, message: Recorded) -> None:
        """Returns once there is room for the message."""
        while len(self._waiting) >= WAITING_MAX:
            self._room.clear()
            await self._room.wait()
        self._waiting.append(message)
        self._taking.soon()

    async def _take_waiting(self) -> None:
        """Take in all that waits. What the database cannot do now is done a little later."""
        while self._waiting:
            count = min(len(self._waiting), PER_COMMIT_MAX)
            group = [self._waiting.popleft() for _ in range(count)]
            self._room.set()
            try:
                await self._take(group)
            except OperationalError as error:
                if self.healthy:
                    log.warning("database_unavailable", reason=str(error.orig))
                self.healthy = False
                self._waiting.extendleft(reversed(group))
                self._taking.at_us(self._line_clock.now_us() + RETRY_US)
                return
            except Exception:  # the boxes send again what is not answered
                self.failed += len(group)
                log.exception("messages_not_answered", count=len(group))

    async def _take(self, group: Sequence[Recorded]) -> None:
        """Commit a group. A message that breaks us is dropped."""
        try:
            taken, change = await self._database.write(partial(self._store, group))
        except OperationalError:
            raise
        except Exception:  # a mistake of ours must not stop the other cabinets' messages
            if len(group) > 1:
                for message in group:
                    await self._take([message])
            else:
                self.failed += 1
                log.exception("message_not_taken", kind=group[0].kind, cabinet=group[0].cabinet)
        else:
            self.healthy = True
            self._answer(taken)
            self._committed(change)

    def _store(self, group: Sequence[Recorded], connection: Connection) -> tuple[Taken, Change]:
        """What became of the batches, and what else changed.

        A report alone decides nothing that cannot wait for the next round, nor does the answer to a request for it.
        """
        now_ms = self._clock.now_ms()
        ahead = []
        is_news = False
        for message in group:
            if isinstance(message, Presence):
                is_news |= keep_presence(connection, message, now_ms)
        for message in group:
            if isinstance(message, Reported):  # a broker may deliver an older one again after a newer one
                has = keep_reported(connection, message, now_ms).ledger_seq
                if has is None or has < message.seq:
                    ahead.append(message)
            elif isinstance(message, CommandReply):
                is_news |= keep_outcome(
                    connection, message.cabinet, message.command, message.outcome, message.reason, now_ms
                )
        batches = [message for message in group if isinstance(message, FactBatch)]
        taken = Intake(self._ledger, self._rules, now_ms).take(connection, batches)
        is_news |= any(outcome is not FactOutcome.DUPLICATE for outcome in taken.outcomes.elements())
        if not all(isinstance(message, Presence | CommandReply) for message in group):
            apply_reports(connection, self._rules, now_ms)
        beginnings = [beginning(connection, self._ledger, message) for message in ahead]
        told = frozenset(message.cabinet for message in group if isinstance(message, FactBatch | Reported))
        return taken.answering(beginnings), Change(is_news, was_marked(connection), told)

    def _answer(self, taken: Taken) -> None:
        """After the commit: one watermark per cabinet, a conflict before any other."""
        self.outcomes.update(taken.outcomes)
        self._tell_of(taken.applied)
        answers: dict[str, Acknowledged] = {}
        for acknowledged in taken.acknowledgements:
            earlier = answers.get(acknowledged.cabinet)
            if earlier is None or _tells_more(acknowledged, earlier):
                answers[acknowledged.cabinet] = acknowledged
        for acknowledged in answers.values():
            self._courier.send(acknowledged)

    def _tell_of(self, applied: Sequence[AppliedFact]) -> None:
        """What is in the ledger now: all in the metrics, in the log what follows from a decision."""
        now_ms = self._clock.now_ms()
        for cabinet, epoch, fact, trusted_ms in applied:
            if trusted_ms:
                self.delay.observe((now_ms - trusted_ms) / 1000)
            decision = self._trails[cabinet].follow(epoch, fact)
            if decision is not None:
                log.info("fact_in_ledger", cabinet=cabinet, fact=fact.kind, seq=fact.seq, decision=decision)


def _tells_more(answer: Acknowledged, earlier: Acknowledged) -> bool:
    """A conflict tells more than none, and of two the one that names more in common: the other only knew less."""
    if answer.conflict and earlier.conflict:
        return answer.seq >= earlier.seq
    return answer.conflict or not earlier.conflict
