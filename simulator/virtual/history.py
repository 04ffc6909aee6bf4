"""What happened in a world, as lines for a person: two runs of one seed that differ anywhere differ here.

    2025-06-02T07:12:31.204Z  c-gambetta  record 12    key_removed slot 3 key k-... by member:...
    2025-06-02T07:12:31.350Z  c-gambetta  ledger 17    key_taken {"badge":...,"slot":3}

For each cabinet: what physically happened, the facts in the dispatcher's ledger, what became of bookings, incidents.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, select

from dispatcher.store import schema
from simulator.virtual.world import VirtualWorld
from simulator.world.record import PhysicalFact, WorldRecord

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NETWORK = "network"  # where an incident belongs to no cabinet
SAID_APART = frozenset({"kind", "seq", "at_ms"})  # the fields of a fact that stand in its line already


@dataclass(frozen=True, slots=True, order=True)
class _Entry:
    """Ordered by time, then cabinet, then source and number."""

    at_ms: int
    cabinet: str
    source: str
    number: int
    text: str

    def line(self) -> str:
        when = (EPOCH + timedelta(milliseconds=self.at_ms)).isoformat(timespec="milliseconds")
        return f"{when.removesuffix('+00:00')}Z  {self.cabinet}  {self.source} {self.number}  {self.text}"


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
        yield _Entry(fact.moment.at_ms, fact.cabinet, "record", fact.number, _told(fact))


def _told(fact: PhysicalFact) -> str:
    deed = fact.deed
    details = {
        "slot": deed.slot,
        "key": deed.key,
        "reader": deed.reader,
        "card": deed.credential,
        "intent": deed.intent,
        "booking": deed.booking,
    }
    known = " ".join(f"{name} {value}" for name, value in details.items() if value is not None)
    return f"{deed.what} by {deed.who}: {known}" + (", told that it is on the box" if deed.on_box else "")


def _written(connection: Connection) -> list[_Entry]:
    return [*_ledger(connection), *_bookings(connection), *_incidents(connection)]


def _ledger(connection: Connection) -> Iterator[_Entry]:
    cursors = {(row.cabinet_id, row.epoch): row.number for row in connection.execute(select(schema.cursors))}
    facts = schema.facts
    for row in connection.execute(select(facts).order_by(facts.c.position)):
        said = {name: value for name, value in json.loads(row.text).items() if name not in SAID_APART}
        epoch = cursors.get((row.cabinet_id, row.epoch))
        text = f"{row.kind} of epoch {epoch}: {json.dumps(said, sort_keys=True, separators=(',', ':'))}"
        yield _Entry(row.at_ms, row.cabinet_id, "ledger", row.seq, text)


def _bookings(connection: Connection) -> Iterator[_Entry]:
    rows, bookings = schema.booking_history, schema.bookings
    joined = select(rows, bookings.c.cabinet_id).join(bookings, bookings.c.id == rows.c.booking_id)
    for number, row in enumerate(connection.execute(joined.order_by(rows.c.id)), start=1):
        yield _Entry(row.at_ms, row.cabinet_id, "booking", number, f"{row.booking_id} {row.what}")


def _incidents(connection: Connection) -> Iterator[_Entry]:
    incidents = schema.incidents
    for row in connection.execute(select(incidents).order_by(incidents.c.id)):
        cabinet = row.cabinet_id or NETWORK
        yield _Entry(row.opened_ms, cabinet, "incident", row.id, f"{row.kind} of {row.subject} opened")
        if row.closed_ms is not None:
            yield _Entry(row.closed_ms, cabinet, "incident", row.id, f"{row.kind} of {row.subject} closed")
