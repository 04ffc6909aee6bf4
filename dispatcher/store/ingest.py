"""Takes batches of facts: ledger, projections, incidents and watermark move in the caller's transaction."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from contract.facts import BadFact, UnknownFact
from contract.messages import Acknowledged, FactBatch
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.core.ingest import Continues, DoesNotFit, FactOutcome, NumberedFact, judge, read
from dispatcher.core.rules import FleetRules
from dispatcher.store.applying import Applying
from dispatcher.store.incidents import open_incident
from dispatcher.store.ledger import append, hash_at, lock_cursor, move_cursor, watermark
from dispatcher.store.projections import apply


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of some batches, once their transaction is committed."""

    acknowledgements: tuple[Acknowledged, ...]
    """To be published after the commit."""
    outcomes: Counter[FactOutcome]


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes batches as of one instant."""

    ledger: str
    """Its id, for acknowledgements."""
    rules: FleetRules
    now_ms: int

    def take(self, connection: Connection, batches: Sequence[FactBatch]) -> Taken:
        """Take batches in the order in which they came."""
        outcomes: Counter[FactOutcome] = Counter()
        acknowledged = [self._take_one(connection, batch, outcomes) for batch in batches]
        return Taken(tuple(acknowledged), outcomes)

    def _take_one(self, connection: Connection, batch: FactBatch, outcomes: Counter[FactOutcome]) -> Acknowledged:
        cursor = lock_cursor(connection, batch)
        verdict = judge(batch, cursor, partial(hash_at, connection, batch.cabinet, batch.epoch))
        if isinstance(verdict, DoesNotFit):
            outcomes[FactOutcome(verdict)] += len(batch.facts)
            if verdict is DoesNotFit.CONFLICT:
                self._conflict(connection, batch, cursor.seq)
        else:
            outcomes[FactOutcome.DUPLICATE] += verdict.known
            self._append(connection, batch, verdict, outcomes)
        conflict = verdict is DoesNotFit.CONFLICT
        return watermark(connection, self.ledger, batch, conflict=conflict)

    def _append(
        self, connection: Connection, batch: FactBatch, verdict: Continues, outcomes: Counter[FactOutcome]
    ) -> None:
        complete_ms = 0
        for fact in verdict.new:
            outcome, trusted_ms = self._append_one(connection, batch, fact)
            outcomes[outcome] += 1
            complete_ms = max(complete_ms, trusted_ms)
        if verdict.new:
            move_cursor(connection, batch, verdict.new[-1], complete_ms)

    def _append_one(self, connection: Connection, batch: FactBatch, fact: NumberedFact) -> tuple[FactOutcome, int]:
        """What became of a fact, and until when the cabinet's facts are complete by it (0: it cannot say)."""
        meaning = read(fact)
        if isinstance(meaning, BadFact):
            append(connection, batch, fact, None, self.now_ms)
            self._unreadable(connection, batch, fact, meaning)
            return FactOutcome.UNREADABLE, 0
        position = append(connection, batch, fact, meaning, self.now_ms)
        at = Applying(connection, position, batch.cabinet, self.now_ms, self.rules)
        apply(at, meaning)
        outcome = FactOutcome.UNKNOWN_KIND if isinstance(meaning, UnknownFact) else FactOutcome.APPLIED
        trusted_ms = min(meaning.at_ms, self.now_ms) if meaning.clock_trusted else 0
        return outcome, trusted_ms

    def _conflict(self, connection: Connection, batch: FactBatch, seq: int) -> None:
        discrepancy = Discrepancy(
            IncidentKind.FACTS_CONFLICT,
            batch.cabinet,
            expected=f"the content that the ledger holds up to fact {seq} of epoch {batch.epoch}",
            seen=f"another content from fact {batch.first_seq} to {batch.last_seq}",
            cabinet_id=batch.cabinet,
        )
        open_incident(connection, discrepancy, self.now_ms)

    def _unreadable(self, connection: Connection, batch: FactBatch, fact: NumberedFact, error: BadFact) -> None:
        discrepancy = Discrepancy(
            IncidentKind.FACT_UNREADABLE,
            batch.cabinet,
            expected="a fact that this program can read",
            seen=f"fact {fact.seq} of epoch {batch.epoch}: {error}",
            cabinet_id=batch.cabinet,
        )
        open_incident(connection, discrepancy, self.now_ms)
