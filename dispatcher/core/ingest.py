"""What a batch of facts is, seen from what the ledger already holds."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from contract.chain import chain_hashes, genesis_hash
from contract.facts import BadFact, EpochStarted, Fact, UnknownFact, parse_fact
from contract.messages import FactBatch


class FactOutcome(StrEnum):
    """What became of a fact: the label of the metric that counts it."""

    APPLIED = "applied"
    UNKNOWN_KIND = "unknown_kind"  # from a newer agent: kept in the ledger, skipped by the projections
    TOLD_BEFORE = (
        "told_before"  # carried into a new epoch, and in the ledger under another number: not applied again
    )
    UNREADABLE = "unreadable"  # signed and numbered, so kept in the ledger; an incident
    DUPLICATE = "duplicate"
    AHEAD = "ahead"  # begins beyond the next number: not stored, the box resends from our watermark
    CONFLICT = "conflict"  # another content under a number that the ledger holds; an incident


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far the ledger holds an epoch of a cabinet, and the hash there."""

    epoch: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class NumberedFact:
    """A fact to be appended."""

    seq: int
    text: str
    hash: str


@dataclass(frozen=True, slots=True)
class Continues:
    """The batch fits: `new` continues the ledger, the `known` facts before them are in it already."""

    new: tuple[NumberedFact, ...]
    known: int


class DoesNotFit(StrEnum):
    """Why nothing of a batch is appended."""

    AHEAD = FactOutcome.AHEAD
    CONFLICT = FactOutcome.CONFLICT


def joined(batches: Iterable[FactBatch]) -> list[FactBatch]:
    """The same facts in fewer batches: neighbours become one where the second goes on from the first.

    A box has several under way while it drains what it could not tell, and each costs the ledger a look of its own.
    Together they are answered as the first alone: of a new epoch that goes on from one which the ledger lacks facts
    of, with what is lacking, where the second alone is answered with the beginning of the new one.
    """
    found: list[FactBatch] = []
    for batch in batches:
        before = found[-1] if found else None
        if before is not None and _ends(before) == _begins(batch):
            facts = (*before.facts, *batch.facts)
            found[-1] = before.model_copy(update={"facts": facts, "last_hash": batch.last_hash})
        else:
            found.append(batch)
    return found


def _ends(batch: FactBatch) -> tuple[str, str, int, int, str]:
    return batch.cabinet, batch.epoch, batch.epoch_created_ms, batch.last_seq + 1, batch.last_hash


def _begins(batch: FactBatch) -> tuple[str, str, int, int, str]:
    return batch.cabinet, batch.epoch, batch.epoch_created_ms, batch.first_seq, batch.hash_before


def first_cursor(cabinet: str, epoch: str) -> Cursor:
    """Where an epoch begins that the ledger has not met."""
    return Cursor(epoch, 0, genesis_hash(cabinet, epoch))


def judge(batch: FactBatch, cursor: Cursor, hash_at: Callable[[int], str | None]) -> Continues | DoesNotFit:
    """Compare a batch with the ledger.

    One hash covers all facts up to it, so one comparison, at the last number that both hold, is enough.

    Args:
        batch: its own chain was verified when it was read.
        cursor: of the batch's epoch.
        hash_at: the ledger's hash after a number before the cursor; 0 stands for the beginning.
    """
    assert batch.epoch == cursor.epoch
    if batch.first_seq > cursor.seq + 1:
        return DoesNotFit.AHEAD
    hashes = chain_hashes(batch.hash_before, batch.facts)
    common = min(batch.last_seq, cursor.seq)
    known = common - batch.first_seq + 1
    theirs = hashes[known - 1] if known else batch.hash_before
    ours = cursor.hash if common == cursor.seq else hash_at(common)
    if theirs != ours:
        return DoesNotFit.CONFLICT
    new = tuple(
        NumberedFact(batch.first_seq + index, batch.facts[index], hashes[index])
        for index in range(known, len(batch.facts))
    )
    return Continues(new, known)


def last_common(batch: FactBatch, cursor: Cursor, hash_at: Callable[[int], str | None]) -> Cursor:
    """Where a batch in conflict leaves the ledger: the last number up to which both are the same for certain.

    A batch that does not even begin where the ledger stood says nothing of what lies before it: then only
    the beginning is common.
    """
    hashes = (batch.hash_before, *chain_hashes(batch.hash_before, batch.facts))
    for seq in range(min(batch.last_seq, cursor.seq), batch.first_seq - 2, -1):
        theirs = hashes[seq - batch.first_seq + 1]
        if theirs == hash_at(seq):
            return Cursor(batch.epoch, seq, theirs)
    return first_cursor(batch.cabinet, batch.epoch)


def may_be_carried(fact: Fact | UnknownFact, epoch_created_ms: int) -> bool:
    """Whether a fact can be from before its epoch: a box that begins anew tells again what it believes untold.

    One whose memory was put back believes that of facts which the ledger has.
    """
    return fact.at_ms <= epoch_created_ms and not isinstance(fact, EpochStarted)


def content(text: str) -> str:
    """What a fact says, whatever its number."""
    said = json.loads(text)
    return json.dumps({name: said[name] for name in said if name != "seq"}, sort_keys=True)


def happened_ms(fact: Fact | UnknownFact, received_ms: int) -> int:
    """When a fact happened, as far as can be said: by the box's clock if that is trusted, never later than now."""
    return heard_ms(fact.at_ms, received_ms, clock_trusted=fact.clock_trusted)


def heard_ms(at_ms: int, received_ms: int, *, clock_trusted: bool) -> int:
    """A box's time as we believe it."""
    return min(at_ms, received_ms) if clock_trusted else received_ms


def read(fact: NumberedFact) -> Fact | UnknownFact | BadFact:
    """The fact's meaning. One that names another number than its place gives it is no fact."""
    try:
        parsed = parse_fact(fact.text)
    except BadFact as error:
        return error
    if parsed.seq != fact.seq:
        return BadFact(f"seq: expected {fact.seq}, the fact's place in its batch (was {parsed.seq})")
    return parsed
