"""What a batch of facts is, seen from what the ledger already holds."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from contract.chain import chain_hashes, genesis_hash
from contract.facts import BadFact, Fact, UnknownFact, parse_fact
from contract.messages import FactBatch


class FactOutcome(StrEnum):
    """What became of a fact: the label of the metric that counts it."""

    APPLIED = "applied"
    UNKNOWN_KIND = "unknown_kind"  # from a newer agent: kept in the ledger, skipped by the projections
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


def read(fact: NumberedFact) -> Fact | UnknownFact | BadFact:
    """The fact's meaning. One that names another number than its place gives it is no fact."""
    try:
        parsed = parse_fact(fact.text)
    except BadFact as error:
        return error
    if parsed.seq != fact.seq:
        return BadFact(f"seq: expected {fact.seq}, the fact's place in its batch (was {parsed.seq})")
    return parsed
