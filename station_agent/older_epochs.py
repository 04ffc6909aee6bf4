"""Epochs that ended: what the present one says of the one before it, and what a ledger may still ask for."""

from dataclasses import dataclass

from contract.facts import EpochStarted, parse_fact
from contract.messages import FACTS_PER_BATCH_MAX, FactBatch
from station_agent.fact_rows import batch_of
from station_agent.journal_database import Epoch, JournalDatabase


@dataclass(frozen=True, slots=True)
class Older:
    """What there is to tell of an epoch that ended. Nothing at all: it is another journal's."""

    batch: FactBatch | None = None
    is_complete: bool = False
    """The ledger has all of it that counts."""
    is_forgotten: bool = False
    """What it lacks next is not kept any more."""


def older_batch(database: JournalDatabase, epoch: str, seq: int) -> Older:
    """See `Journal.older_batch`."""
    ended = database.epoch_of(epoch)
    started = _first_fact(database, ended.number + 1) if ended is not None else None
    if ended is None or started is None or started.after_epoch != epoch:
        return Older()
    missing = started.after_seq - seq
    if missing <= 0:
        return Older(is_complete=True)
    rows = database.rows_from(ended, seq + 1, min(missing, FACTS_PER_BATCH_MAX))
    hash_before = database.hash_at(ended, seq)
    if hash_before is None or not rows or rows[0].seq != seq + 1:
        return Older(is_forgotten=True)
    return Older(batch_of(database.cabinet, ended, hash_before, rows))


def goes_on_from(database: JournalDatabase, present: Epoch, common_seq: int) -> tuple[str, int] | None:
    """See `Journal.goes_on_from`."""
    if common_seq > 0:
        return present.epoch, common_seq
    started = _first_fact(database, present.number)
    if started is None or started.after_epoch is None:
        return None
    return started.after_epoch, started.after_seq


def _first_fact(database: JournalDatabase, number: int) -> EpochStarted | None:
    text = database.first_text(number)
    fact = parse_fact(text) if text is not None else None
    return fact if isinstance(fact, EpochStarted) else None
