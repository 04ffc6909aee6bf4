"""The ledger: every fact once, in order per cabinet and epoch, never changed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Connection,
    Update,
    bindparam,
    case,
    func,
    insert,
    select,
    update,
)

from contract.facts import Fact, UnknownFact
from contract.messages import Acknowledged, FactBatch, Reported
from dispatcher.core.ingest import Cursor, NumberedFact, content, first_cursor
from dispatcher.store.later import mind_of, remembered
from dispatcher.store.schema import cursors, facts, meta
from dispatcher.store.upsert import insert_absent

LEDGER_ID = "ledger_id"
UNREADABLE_KIND = "unreadable"  # in the column `kind`, of a fact whose text could not be read
KIND_CHARACTERS_MAX = 64  # the column's; a newer agent's kind is kept whole in the text


@dataclass(frozen=True, slots=True)
class LedgerFact:
    """A fact as the ledger holds it."""

    position: int
    cabinet_id: str
    epoch: str
    seq: int
    at_ms: int
    received_ms: int
    kind: str
    text: str
    hash: str
    repeats: int | None
    """The position of the fact that it tells again."""


def ledger_id(connection: Connection, random_bytes: Callable[[int], bytes]) -> str:
    """The name of this ledger; made at the first call. Who restores a backup deletes the row."""
    insert_absent(connection, meta, {"key": LEDGER_ID, "value": random_bytes(16).hex()})
    return str(connection.execute(select(meta.c.value).where(meta.c.key == LEDGER_ID)).scalar_one())


_THIS = (cursors.c.cabinet_id == bindparam("this_cabinet"), cursors.c.epoch == bindparam("this_epoch"))
_KNOWN = select(cursors.c.epoch, cursors.c.seq, cursors.c.hash).where(*_THIS)
_MOVED = "moved cursor"
_LOCKED = _KNOWN.with_for_update()  # SQLite's one writer has its lock since BEGIN IMMEDIATE, and this is left out


def lock_cursor(connection: Connection, batch: FactBatch) -> Cursor:
    """The cursor of a batch's epoch, locked for this transaction; made where the epoch is new."""
    moved: Cursor | None = remembered(connection).get((_MOVED, batch.cabinet, batch.epoch))
    if moved is not None:
        return moved
    this = _this(batch)
    known = connection.execute(_LOCKED, this).one_or_none()
    if known is None:
        _insert_cursor(connection, batch)
        known = connection.execute(_LOCKED, this).one()
    return Cursor(*known)


def known_cursor(connection: Connection, cabinet_id: str, epoch: str) -> Cursor | None:
    """How far the ledger has an epoch; None: it has never met it."""
    row = connection.execute(_KNOWN, {"this_cabinet": cabinet_id, "this_epoch": epoch}).one_or_none()
    return None if row is None else Cursor(*row)


def _this(batch: FactBatch) -> dict[str, str]:
    """A batch's epoch, as the statements here name it."""
    return {"this_cabinet": batch.cabinet, "this_epoch": batch.epoch}


def _insert_cursor(connection: Connection, batch: FactBatch) -> None:
    """The next of the cabinet's epochs, in the order in which they are first heard."""
    first = first_cursor(batch.cabinet, batch.epoch)
    of_cabinet = select(func.coalesce(func.max(cursors.c.number), 0)).where(cursors.c.cabinet_id == batch.cabinet)
    row = {
        "cabinet_id": batch.cabinet,
        "epoch": batch.epoch,
        "number": connection.execute(of_cabinet).scalar_one() + 1,
        "created_ms": batch.epoch_created_ms,
        "seq": first.seq,
        "hash": first.hash,
        "complete_ms": 0,
    }
    insert_absent(connection, cursors, row)


def hash_at(connection: Connection, cabinet_id: str, epoch: str, seq: int) -> str | None:
    """The chain's hash after a number; None where the ledger does not hold it."""
    if seq == 0:
        return first_cursor(cabinet_id, epoch).hash
    statement = select(facts.c.hash).where(
        facts.c.cabinet_id == cabinet_id, facts.c.epoch == epoch, facts.c.seq == seq
    )
    return connection.execute(statement).scalar_one_or_none()


def is_newest(connection: Connection, told: FactBatch | Reported) -> bool:
    """Whether a word is of the epoch that its cabinet is in. What comes late of one that it left is no news."""
    newest = select(cursors.c.epoch).where(cursors.c.cabinet_id == told.cabinet).order_by(cursors.c.number.desc())
    return bool(connection.execute(newest.limit(1)).scalar_one() == told.epoch)


def contents_elsewhere(connection: Connection, batch: FactBatch, at_ms: Collection[int]) -> dict[str, int]:
    """What other epochs of a batch's cabinet say of these moments, and at which position first.

    Of a fact whose text is past its limit only its kind is left to know it by: `known_by_kind`.
    """
    statement = (
        select(facts.c.position, facts.c.text, facts.c.kind, facts.c.at_ms)
        .where(
            facts.c.cabinet_id == batch.cabinet,
            facts.c.epoch != batch.epoch,
            facts.c.at_ms.in_(sorted(at_ms)),
            facts.c.kind != UNREADABLE_KIND,
            facts.c.repeats.is_(None),
        )
        .order_by(facts.c.position.desc())
    )
    return {
        content(row.text) if row.text else known_by_kind(row.kind, row.at_ms): row.position
        for row in connection.execute(statement)
    }


def known_by_kind(kind: str, at_ms: int) -> str:
    """Of two facts of a kind in one millisecond at one cabinet, both were told or neither."""
    return f"{kind[:KIND_CHARACTERS_MAX]}@{at_ms}"


_APPEND = insert(facts)
_APPEND_ALL = insert(facts).returning(facts.c.seq, facts.c.position)


def append(
    connection: Connection,
    batch: FactBatch,
    fact: NumberedFact,
    meaning: Fact | UnknownFact | None,
    now_ms: int,
    repeats: int | None = None,
) -> int:
    """Write one fact; its position. `meaning` None: nobody could read it."""
    row = _fact_row(batch, fact, meaning, now_ms, repeats)
    inserted = connection.execute(_APPEND, row).inserted_primary_key
    assert inserted is not None, "both databases return the key of a row inserted alone"
    return int(inserted[0])


def append_all(
    connection: Connection,
    batch: FactBatch,
    read: Sequence[tuple[NumberedFact, Fact | UnknownFact]],
    repeats: Mapping[int, int],
    now_ms: int,
) -> dict[int, int]:
    """Write facts at once; their positions by number."""
    rows = [_fact_row(batch, fact, meaning, now_ms, repeats.get(fact.seq)) for fact, meaning in read]
    return {row.seq: row.position for row in connection.execute(_APPEND_ALL, rows)}


def _fact_row(
    batch: FactBatch, fact: NumberedFact, meaning: Fact | UnknownFact | None, now_ms: int, repeats: int | None
) -> dict[str, Any]:
    return {
        "cabinet_id": batch.cabinet,
        "epoch": batch.epoch,
        "seq": fact.seq,
        "at_ms": meaning.at_ms if meaning is not None else now_ms,
        "received_ms": now_ms,
        "kind": meaning.kind[:KIND_CHARACTERS_MAX] if meaning is not None else UNREADABLE_KIND,
        "text": fact.text,
        "hash": fact.hash,
        "repeats": repeats,
    }


def _move() -> Update:
    of_cabinet = cursors.alias()
    newest = (
        select(func.max(of_cabinet.c.number))
        .where(of_cabinet.c.cabinet_id == bindparam("this_cabinet"))
        .scalar_subquery()
    )
    complete_ms: BindParameter[int] = bindparam("until_ms", type_=BigInteger)
    return (
        update(cursors)
        .where(*_THIS)
        .values(
            seq=bindparam("to_seq"),
            hash=bindparam("to_hash"),
            number=case((cursors.c.number < newest, newest + 1), else_=cursors.c.number),
            complete_ms=case((cursors.c.complete_ms < complete_ms, complete_ms), else_=cursors.c.complete_ms),
        )
    )


_MOVE = _move()


class _Moves:
    """Where a transaction moved cursors: each is written once, in the order in which they were moved last."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], dict[str, Any]] = {}

    def add(self, move: dict[str, Any]) -> None:
        this = move["this_cabinet"], move["this_epoch"]
        before = self._last.pop(this, move)
        self._last[this] = move | {"until_ms": max(before["until_ms"], move["until_ms"])}

    def write(self, connection: Connection) -> None:
        if self._last:
            connection.execute(_MOVE, list(self._last.values()))
        self._last.clear()


def move_cursor(connection: Connection, batch: FactBatch, last: NumberedFact, complete_ms: int) -> Cursor:
    """All up to `last` is in the ledger and applied; `complete_ms` 0 says nothing about time. The cursor there.

    The epoch becomes the cabinet's newest: of two copies of a box, the one that speaks is the one to wait for.
    """
    move = _this(batch) | {"to_seq": last.seq, "to_hash": last.hash, "until_ms": complete_ms}
    mind = mind_of(connection)
    if mind is None:
        connection.execute(_MOVE, move)
    else:
        mind.of(cursors.name, _Moves).add(move)
    moved = Cursor(batch.epoch, last.seq, last.hash)
    remembered(connection)[_MOVED, batch.cabinet, batch.epoch] = moved
    return moved


def acknowledgement(ledger: str, cabinet: str, cursor: Cursor, *, conflict: bool = False) -> Acknowledged:
    """`conflict`: the box holds something else than the ledger beyond the cursor."""
    return Acknowledged(
        cabinet=cabinet, ledger=ledger, epoch=cursor.epoch, seq=cursor.seq, hash=cursor.hash, conflict=conflict
    )


def beginning(connection: Connection, ledger: str, reported: Reported) -> Acknowledged | None:
    """What a box is told whose epoch the ledger has never met, or has less of than the box was told.

    It was acknowledged by a ledger that was since put back, and says nothing more of its own accord. What is told
    on each connection may be lost on its way, and is the copy's where a copy of the box spoke last.
    """
    if reported.seq == 0:
        return None
    known = known_cursor(connection, reported.cabinet, reported.epoch)
    if known is None:
        return acknowledgement(ledger, reported.cabinet, first_cursor(reported.cabinet, reported.epoch))
    was_told = reported.seq - reported.journal_depth
    if known.seq < was_told or (known.seq < reported.seq and not is_newest(connection, reported)):
        return acknowledgement(ledger, reported.cabinet, known)
    return None


def watermarks(connection: Connection, ledger: str) -> tuple[Acknowledged, ...]:
    """Each cabinet's newest epoch: what is published again on every connection."""
    statement = select(cursors).order_by(cursors.c.cabinet_id, cursors.c.number)
    newest = {row.cabinet_id: row for row in connection.execute(statement)}
    return tuple(
        Acknowledged(cabinet=cabinet, ledger=ledger, epoch=row.epoch, seq=row.seq, hash=row.hash)
        for cabinet, row in newest.items()
    )


def facts_of(connection: Connection, cabinet_id: str | None = None) -> tuple[LedgerFact, ...]:
    """The ledger in its own order: of one cabinet, or of all."""
    statement = select(facts).order_by(facts.c.position)
    if cabinet_id is not None:
        statement = statement.where(facts.c.cabinet_id == cabinet_id)
    return tuple(LedgerFact(**row._asdict()) for row in connection.execute(statement))
