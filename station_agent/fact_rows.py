"""Facts as rows of the journal, which continue a chain of hashes, and as batches for the ledger."""

from collections.abc import Sequence

from contract.chain import next_hash
from contract.facts import Fact
from contract.limits import BATCH_BYTES_MAX, FACT_BYTES_MAX
from contract.messages import FactBatch
from station_agent.journal_database import Epoch, Row


def rows_of_facts(epoch: Epoch, facts: tuple[Fact, ...]) -> list[Row]:
    """Rows of facts that the core has numbered: without gap, behind the epoch's last."""
    for number, fact in enumerate(facts, epoch.last_seq + 1):
        assert fact.seq == number, "numbers have no gaps"
    return rows_of_texts(epoch, [(fact.at_ms, fact.to_json()) for fact in facts])


def rows_of_texts(epoch: Epoch, texts: Sequence[tuple[int, str]]) -> list[Row]:
    """Rows that continue an epoch's chain, from times and texts."""
    seq, last_hash = epoch.last_seq, epoch.last_hash
    rows = []
    for at_ms, text in texts:
        assert len(text.encode()) <= FACT_BYTES_MAX, "every kind of fact is bounded"
        seq, last_hash = seq + 1, next_hash(last_hash, text)
        rows.append(Row(epoch.number, seq, at_ms, text, last_hash))
    return rows


def batch_of(cabinet: str, epoch: Epoch, hash_before: str, rows: Sequence[Row]) -> FactBatch:
    """As many of these facts as one message may carry; at least one."""
    texts: list[str] = []
    size = 0
    for row in rows:
        size += len(row.text.encode()) + 3
        if texts and size > BATCH_BYTES_MAX:
            break
        texts.append(row.text)
    return FactBatch(
        cabinet=cabinet,
        epoch=epoch.epoch,
        epoch_created_ms=epoch.created_ms,
        first_seq=rows[0].seq,
        hash_before=hash_before,
        facts=tuple(texts),
        last_hash=rows[len(texts) - 1].hash,
    )
