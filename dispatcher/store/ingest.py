"""Takes batches of facts: ledger, projections, incidents and watermark move in the caller's transaction."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from contract.facts import BadFact, EpochStarted, Fact, UnknownFact
from contract.messages import Acknowledged, FactBatch
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.core.ingest import (
    Continues,
    Cursor,
    DoesNotFit,
    FactOutcome,
    NumberedFact,
    content,
    first_cursor,
    happened_ms,
    joined,
    judge,
    last_common,
    may_be_carried,
    read,
)
from dispatcher.core.rules import FleetRules
from dispatcher.store.applying import Applying
from dispatcher.store.fact_feed import appending
from dispatcher.store.incidents import open_incident
from dispatcher.store.isolation import is_hopeful, set_apart
from dispatcher.store.ledger import (
    acknowledgement,
    append,
    append_all,
    contents_elsewhere,
    hash_at,
    is_newest,
    known_by_kind,
    known_cursor,
    lock_cursor,
    move_cursor,
)
from dispatcher.store.projections import apply

log = structlog.get_logger()

Meaning = Fact | UnknownFact | BadFact


class AppliedFact(NamedTuple):
    """A fact that is in the ledger and moved the projections."""

    cabinet: str
    epoch: str
    fact: Fact
    trusted_ms: int
    """When it was noted, as far as its box's clock was trusted; 0: it was not."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of some batches, once their transaction is committed."""

    acknowledgements: tuple[Acknowledged, ...]
    """To be published after the commit."""
    outcomes: Counter[FactOutcome]
    applied: tuple[AppliedFact, ...] = ()

    def answering(self, more: Iterable[Acknowledged | None]) -> "Taken":
        """With what is to be published beside the answers to batches."""
        return replace(self, acknowledgements=(*filter(None, more), *self.acknowledgements))


@dataclass(slots=True)
class _Tally:
    """What became of facts so far."""

    outcomes: Counter[FactOutcome] = field(default_factory=Counter)
    applied: list[AppliedFact] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes batches as of one instant."""

    ledger: str
    """Its id, for acknowledgements."""
    rules: FleetRules
    now_ms: int

    def take(self, connection: Connection, batches: Sequence[FactBatch]) -> Taken:
        """Take batches in the order in which they came."""
        appending(connection)
        tally = _Tally()
        acknowledged = [self._take_one(connection, batch, tally) for batch in joined(batches)]
        return Taken(tuple(acknowledged), tally.outcomes, tuple(tally.applied))

    def _take_one(self, connection: Connection, batch: FactBatch, tally: _Tally) -> Acknowledged:
        incomplete = _incomplete_before(connection, batch)
        if incomplete is not None:  # this ledger was put back: what happened before is told first
            tally.outcomes[FactOutcome.AHEAD] += len(batch.facts)
            return acknowledgement(self.ledger, batch.cabinet, incomplete)
        cursor = lock_cursor(connection, batch)
        known_hash = partial(hash_at, connection, batch.cabinet, batch.epoch)
        verdict = judge(batch, cursor, known_hash)
        if isinstance(verdict, DoesNotFit):
            tally.outcomes[FactOutcome(verdict)] += len(batch.facts)
            if verdict is DoesNotFit.CONFLICT:
                if is_newest(connection, batch):
                    self._conflict(connection, batch, cursor.seq)
                common = last_common(batch, cursor, known_hash)
                return acknowledgement(self.ledger, batch.cabinet, common, conflict=True)
        else:
            tally.outcomes[FactOutcome.DUPLICATE] += verdict.known
            if verdict.new:
                cursor = self._append(connection, batch, verdict, tally)
        return acknowledgement(self.ledger, batch.cabinet, cursor)

    def _append(self, connection: Connection, batch: FactBatch, verdict: Continues, tally: _Tally) -> Cursor:
        """Append what is new of a batch, and move its cursor, which nobody else can: it is locked."""
        complete_ms = 0
        facts = [(fact, read(fact)) for fact in verdict.new]
        told = self._told_before(connection, batch, facts)
        positions = self._appended(connection, batch, facts, told)
        for fact, meaning in facts:
            outcome, trusted_ms = self._append_one(connection, batch, fact, meaning, told, positions.get(fact.seq))
            tally.outcomes[outcome] += 1
            if outcome is FactOutcome.APPLIED and not isinstance(meaning, UnknownFact | BadFact):
                tally.applied.append(AppliedFact(batch.cabinet, batch.epoch, meaning, trusted_ms))
            complete_ms = max(complete_ms, trusted_ms)
        return move_cursor(connection, batch, verdict.new[-1], complete_ms)

    def _appended(
        self,
        connection: Connection,
        batch: FactBatch,
        facts: Sequence[tuple[NumberedFact, Meaning]],
        told: Mapping[int, int],
    ) -> dict[int, int]:
        """Positions of facts that are appended at once; none where each is set apart, or one cannot be read."""
        readable = [(fact, meaning) for fact, meaning in facts if not isinstance(meaning, BadFact)]
        if not is_hopeful(connection) or len(readable) < len(facts):
            return {}
        return append_all(connection, batch, readable, told, self.now_ms)

    def _told_before(
        self, connection: Connection, batch: FactBatch, facts: Sequence[tuple[NumberedFact, Meaning]]
    ) -> dict[int, int]:
        """The facts that the ledger holds in another epoch of the same box: number and position there."""
        carried = {
            fact.seq: (meaning.at_ms, content(fact.text), known_by_kind(meaning.kind, meaning.at_ms))
            for fact, meaning in facts
            if not isinstance(meaning, BadFact) and may_be_carried(meaning, batch.epoch_created_ms)
        }
        if not carried:
            return {}
        known = contents_elsewhere(connection, batch, {at_ms for at_ms, *_ in carried.values()})
        found = {seq: known.get(said, known.get(kind)) for seq, (_, said, kind) in carried.items()}
        return {seq: position for seq, position in found.items() if position is not None}

    def _append_one(
        self,
        connection: Connection,
        batch: FactBatch,
        fact: NumberedFact,
        meaning: Meaning,
        told: Mapping[int, int],
        position: int | None,
    ) -> tuple[FactOutcome, int]:
        """What became of a fact, and until when the cabinet's facts are complete by it (0: it cannot say).

        `position`: where it was appended already.
        """
        if isinstance(meaning, BadFact):
            return self._unreadable(connection, batch, fact, str(meaning)), 0
        if fact.seq in told:
            if position is None:
                append(connection, batch, fact, meaning, self.now_ms, repeats=told[fact.seq])
            outcome = FactOutcome.TOLD_BEFORE
        else:
            why = self._apply(connection, batch, fact, meaning, position)
            if why is not None:
                return self._unreadable(connection, batch, fact, why), 0
            outcome = FactOutcome.UNKNOWN_KIND if isinstance(meaning, UnknownFact) else FactOutcome.APPLIED
        # The first fact of an epoch is noted before what the box carries over from the epoch before it.
        proves = meaning.clock_trusted and not isinstance(meaning, EpochStarted)
        return outcome, happened_ms(meaning, self.now_ms) if proves else 0

    def _apply(
        self,
        connection: Connection,
        batch: FactBatch,
        fact: NumberedFact,
        meaning: Fact | UnknownFact,
        position: int | None,
    ) -> str | None:
        """Append and apply a fact; why not, where that fails: signed and chained, it is no reason to stop."""
        try:
            with set_apart(connection):
                if position is None:
                    position = append(connection, batch, fact, meaning, self.now_ms)
                at = Applying(connection, position, batch.cabinet, self.now_ms, self.rules)
                at_ms = happened_ms(meaning, self.now_ms)
                apply(at, meaning if at_ms == meaning.at_ms else meaning.model_copy(update={"at_ms": at_ms}))
        except OperationalError:
            raise  # the database cannot now: all of it is done again later
        except Exception as error:
            log.exception("fact_not_applied", cabinet=batch.cabinet, epoch=batch.epoch, seq=fact.seq)
            return f"applying it raised {type(error).__name__}"
        return None

    def _conflict(self, connection: Connection, batch: FactBatch, seq: int) -> None:
        discrepancy = Discrepancy(
            IncidentKind.FACTS_CONFLICT,
            batch.cabinet,
            expected=f"the content that the ledger holds up to fact {seq} of epoch {batch.epoch}",
            seen=f"another content from fact {batch.first_seq} to {batch.last_seq}",
            cabinet_id=batch.cabinet,
        )
        open_incident(connection, discrepancy, self.now_ms)

    def _unreadable(self, connection: Connection, batch: FactBatch, fact: NumberedFact, why: str) -> FactOutcome:
        append(connection, batch, fact, None, self.now_ms)
        discrepancy = Discrepancy(
            IncidentKind.FACT_UNREADABLE,
            batch.cabinet,
            expected="a fact that this program can read",
            seen=f"fact {fact.seq} of epoch {batch.epoch}: {why}",
            cabinet_id=batch.cabinet,
        )
        open_incident(connection, discrepancy, self.now_ms)
        return FactOutcome.UNREADABLE


def _incomplete_before(connection: Connection, batch: FactBatch) -> Cursor | None:
    """How far the ledger has the epoch that a new one goes on from, where it lacks facts of that."""
    if batch.first_seq > 1:
        return None
    known = known_cursor(connection, batch.cabinet, batch.epoch)
    if known is not None and known.seq > 0:
        return None
    started = read(NumberedFact(1, batch.facts[0], ""))
    if not isinstance(started, EpochStarted) or started.after_epoch is None:
        return None
    cursor = known_cursor(connection, batch.cabinet, started.after_epoch)
    cursor = cursor or first_cursor(batch.cabinet, started.after_epoch)
    return cursor if cursor.seq < started.after_seq else None
