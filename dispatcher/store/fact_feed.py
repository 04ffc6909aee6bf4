"""Reads the ledger for others: of all cabinets by position, of one cabinet by epoch and number.

Positions are given out before a transaction commits, and on PostgreSQL one with a lower position can commit after
one with a higher. Who reads up to the highest it sees and goes on from there would never meet the lower one. So
whoever appends holds a lock that is shared among them from before the first position until the end of the
transaction, and the reader asks for it alone before looking: all that it then sees has nothing missing below it.
SQLite has one writer, and needs none of it.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select, text

from dispatcher.store.ledger import LEDGER_ID, LedgerFact
from dispatcher.store.paging import Page, PageRequest
from dispatcher.store.schema import cursors, facts, meta

APPENDING = 0x6C656467  # "ledg": any number does that nobody else takes as an advisory lock
_SHARED = text(f"SELECT pg_advisory_xact_lock_shared({APPENDING})")
_ALONE = text(f"SELECT pg_advisory_xact_lock({APPENDING})")
_LEDGER = select(meta.c.value).where(meta.c.key == LEDGER_ID)
_LAST = select(func.coalesce(func.max(facts.c.position), 0))
_FEED = (
    select(facts)
    .where(facts.c.position > bindparam("after"), facts.c.position <= bindparam("settled"))
    .order_by(facts.c.position)
    .limit(bindparam("count"))
)
_EPOCHS = (
    select(cursors.c.epoch, cursors.c.number, cursors.c.created_ms, cursors.c.seq)
    .where(cursors.c.cabinet_id == bindparam("cabinet"))
    .order_by(cursors.c.number)
)
_OF_EPOCH = (
    select(facts)
    .where(
        facts.c.cabinet_id == bindparam("cabinet"),
        facts.c.epoch == bindparam("epoch"),
        facts.c.seq > bindparam("after"),
    )
    .order_by(facts.c.seq)
    .limit(bindparam("count"))
)


@dataclass(frozen=True, slots=True)
class Epoch:
    """One numbering of a cabinet's facts."""

    id: str
    number: int
    """Highest for the one that was heard last."""
    created_ms: int
    seq: int
    """The ledger has its facts up to this one."""


def appending(connection: Connection) -> None:
    """Said before the first fact of a transaction is written."""
    if connection.dialect.name == "postgresql":
        connection.execute(_SHARED)


def settled_position(connection: Connection) -> int:
    """The last position below which nothing is still to come; in a transaction of its own."""
    if connection.dialect.name == "postgresql":
        connection.execute(_ALONE)
    return int(connection.execute(_LAST).scalar_one())


def known_ledger(connection: Connection) -> str | None:
    """The name of the ledger that positions belong to; None before the first start."""
    return connection.execute(_LEDGER).scalar_one_or_none()


def feed_page(connection: Connection, settled: int, request: PageRequest) -> Page[LedgerFact]:
    """Facts of all cabinets in the order of the ledger, up to a position that is settled.

    `next` is never None: the feed goes on, and a reader asks again from there.
    """
    after = int(request.after[0]) if request.after is not None else 0
    rows = connection.execute(_FEED, {"after": after, "settled": settled, "count": request.limit}).all()
    found = tuple(LedgerFact(**row._asdict()) for row in rows)
    return Page(found, (found[-1].position if found else after,))


def epochs_of(connection: Connection, cabinet_id: str) -> tuple[Epoch, ...]:
    """A cabinet's epochs, the one that was heard last at the end."""
    return tuple(Epoch(*row) for row in connection.execute(_EPOCHS, {"cabinet": cabinet_id}))


def facts_after(
    connection: Connection, cabinet_id: str, after: tuple[str, int] | None, limit: int
) -> tuple[LedgerFact, ...] | None:
    """A cabinet's facts after a number of an epoch, and then those of its later epochs; None: no such epoch.

    An epoch in which a copy of the box speaks again comes after the others then: its facts may be met twice.
    """
    epochs = [epoch.id for epoch in epochs_of(connection, cabinet_id)]
    seq = 0
    if after is not None:
        if after[0] not in epochs:
            return None
        epochs, seq = epochs[epochs.index(after[0]) :], after[1]
    found: list[LedgerFact] = []
    for epoch in epochs:
        which = {"cabinet": cabinet_id, "epoch": epoch, "after": seq, "count": limit - len(found)}
        found += [LedgerFact(**row._asdict()) for row in connection.execute(_OF_EPOCH, which)]
        seq = 0
        if len(found) == limit:
            break
    return tuple(found)
