"""What happened in a world, as lines for a person: two runs of one seed that differ anywhere differ here.

    2026-03-02T05:58:38.644Z  lille-gare-1  world 13    key_removed by member:m-u2tnn3cavf: slot 4, key k-9z6atzz2bx
    2026-03-02T05:58:38.768Z  lille-gare-1  ledger 13   key_taken: slot 4, identity presumed, key k-9z6atzz2bx, ...
    2026-03-02T05:58:38.865Z  lille-gare-1  bookings 7  key_taken: booking BWZ7rLvPxmAddSQ4SZhX

For each cabinet: what physically happened, the facts in the dispatcher's ledger with all that they say, what became
of bookings, incidents. The number counts within a source; in the ledger it is the box's own.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any

from sqlalchemy import Connection, select

from dispatcher.store import schema
from simulator.virtual.world import VirtualWorld
from simulator.world.record import PhysicalFact, WorldRecord

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NETWORK = "network"  # where an incident belongs to no cabinet
SAID_APART = frozenset({"kind", "seq", "at_ms"})  # the fields of a fact that stand in its line already


class _Source(IntEnum):
    """Within one millisecond a cause comes before what was made of it."""

    WORLD = 1
    LEDGER = 2
    BOOKINGS = 3
    INCIDENTS = 4


@dataclass(frozen=True, slots=True, order=True)
class _Entry:
    """Ordered by time, then cabinet, then source and number."""

    at_ms: int
    cabinet: str
    source: _Source
    number: int
    text: str

    def line(self) -> str:
        when = (EPOCH + timedelta(milliseconds=self.at_ms)).isoformat(timespec="milliseconds")
        return f"{when.removesuffix('+00:00')}Z  {self.cabinet}  {self.source.name.lower()} {self.number}  {self.text}"


def history(world: VirtualWorld) -> list[str]:
    """Everything that happened so far."""
    entries = [*_physical(world.record), *world.database.read_now(_written)]
    return [entry.line() for entry in sorted(entries)]


def history_hash(lines: Iterable[str]) -> str:
    """SHA-256 over all lines."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(f"{line}\n".encode())
    return digest.hexdigest()


def first_difference(one: list[str], other: list[str]) -> str:
    """Where two histories part, for a person; empty where they do not."""
    for number, (mine, theirs) in enumerate(zip(one, other, strict=False)):
        if mine != theirs:
            return f"line {number}:\n  {mine}\n  {theirs}"
    if len(one) != len(other):
        number = min(len(one), len(other))
        return f"line {number}: one history ends, the other goes on:\n  {max(one, other, key=len)[number]}"
    return ""


def _physical(record: WorldRecord) -> Iterator[_Entry]:
    for fact in record:
        yield _Entry(fact.moment.at_ms, fact.cabinet, _Source.WORLD, fact.number, _done(fact))


def _done(fact: PhysicalFact) -> str:
    deed = fact.deed
    details = {
        "slot": deed.slot,
        "key": deed.key,
        "reader": deed.reader,
        "card": deed.credential,
        "intent": deed.intent,
        "booking": deed.booking,
        "told on box": deed.on_box or None,
    }
    return f"{deed.what} by {deed.who}: {_listed(details)}"


def _listed(details: Mapping[str, Any]) -> str:
    """`slot 3, key k-...`; what has no value is left out, and what is not a word or number is JSON."""
    return ", ".join(
        f"{name} {value if isinstance(value, str) else json.dumps(value, separators=(',', ':'))}"
        for name, value in details.items()
        if value is not None
    )


def _written(connection: Connection) -> list[_Entry]:
    return [*_ledger(connection), *_bookings(connection), *_incidents(connection)]


def _ledger(connection: Connection) -> Iterator[_Entry]:
    cursors = {(row.cabinet_id, row.epoch): row.number for row in connection.execute(select(schema.cursors))}
    facts = schema.facts
    for row in connection.execute(select(facts).order_by(facts.c.position)):
        said = {name: value for name, value in json.loads(row.text).items() if name not in SAID_APART}
        epoch = cursors[row.cabinet_id, row.epoch]  # as they arrived, from 1
        text = f"{row.kind}: {_listed(said)}" + (f", epoch {epoch}" if epoch > 1 else "")
        yield _Entry(row.at_ms, row.cabinet_id, _Source.LEDGER, row.seq, text)


def _bookings(connection: Connection) -> Iterator[_Entry]:
    rows, bookings = schema.booking_history, schema.bookings
    joined = select(rows, bookings.c.cabinet_id).join(bookings, bookings.c.id == rows.c.booking_id)
    for number, row in enumerate(connection.execute(joined.order_by(rows.c.id)), start=1):
        yield _Entry(row.at_ms, row.cabinet_id, _Source.BOOKINGS, number, f"{row.what}: booking {row.booking_id}")


def _incidents(connection: Connection) -> Iterator[_Entry]:
    incidents = schema.incidents
    for row in connection.execute(select(incidents).order_by(incidents.c.id)):
        cabinet = row.cabinet_id or NETWORK
        yield _Entry(row.opened_ms, cabinet, _Source.INCIDENTS, row.id, f"opened: {row.kind} {row.subject}")
        if row.closed_ms is not None:
            yield _Entry(row.closed_ms, cabinet, _Source.INCIDENTS, row.id, f"closed: {row.kind} {row.subject}")
