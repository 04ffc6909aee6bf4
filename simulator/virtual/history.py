"""What happened in a world, line by line: what hands and locks did, what was journalled, what was decided."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from sqlalchemy import Connection, select

from dispatcher.core.windows import utc_text
from dispatcher.store import schema
from simulator.virtual.world import VirtualWorld


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """One thing that happened. Ordered by time, then by where and who."""

    at_ms: int
    place: str
    """Cabinet, or `dispatcher`."""
    number: int
    """In the order of its author."""
    who: str
    what: str
    about: tuple[str, ...] = ()
    """Ids that it is about: bookings, grants, keys, vehicles."""

    def __str__(self) -> str:
        return f"{utc_text(self.at_ms)}  {self.place:<32} {self.who:<12} {self.what}"


def history(world: VirtualWorld) -> list[Line]:
    """Facts, decisions and effects of a world, in the order of time."""
    lines = [*_world(world), *world.database.read_now(lambda connection: [*_centre(connection)])]
    return sorted(lines)


def history_hash(lines: Iterable[str]) -> str:
    """SHA-256 over the lines, in hexadecimal."""
    whole = hashlib.sha256()
    for line in lines:
        whole.update(line.encode() + b"\n")
    return whole.hexdigest()


def _world(world: VirtualWorld) -> Iterator[Line]:
    for fact in world.record:
        deed = fact.deed
        where = f"slot {deed.slot}" if deed.slot is not None else deed.reader or "?"
        what = " ".join(part for part in (where, deed.what, deed.key, deed.credential, deed.intent) if part)
        about = tuple(part for part in (deed.key, deed.booking) if part)
        by = "" if deed.booking is None else f" for booking {deed.booking}"
        yield Line(fact.moment.at_ms, fact.cabinet, fact.number, "world", f"{what} by {deed.who}{by}", about)


def _centre(connection: Connection) -> Iterator[Line]:
    grants = {row.grant_id: row.id for row in connection.execute(select(schema.bookings))}
    for row in connection.execute(select(schema.facts).order_by(schema.facts.c.position)):
        told = json.loads(row.text)
        about = tuple(told[name] for name in ("key", "grant") if name in told)
        about += tuple(grants[name] for name in about if name in grants)
        detail = " ".join(f"{name} {told[name]}" for name in sorted(told) if name not in _NOT_TOLD)
        what = f"{row.epoch[:4]}/{row.seq} {row.kind} {detail}"
        yield Line(told["at_ms"], row.cabinet_id, row.seq, "box", what.rstrip(), about)
    places = {row.id: row.cabinet_id for row in connection.execute(select(schema.bookings))}
    for row in connection.execute(select(schema.booking_history).order_by(schema.booking_history.c.id)):
        detail = json.loads(row.detail)
        detail.pop("position", None)  # of the fact: the order in which cabinets were heard decides nothing
        what = f"booking {row.booking_id} {row.what} by {row.author} {json.dumps(detail, sort_keys=True)}"
        yield Line(row.at_ms, places[row.booking_id], row.id, "dispatcher", what, (row.booking_id,))
    for row in connection.execute(select(schema.incidents).order_by(schema.incidents.c.id)):
        about = tuple(part for part in (row.subject, row.booking_id, row.vehicle_id) if part)
        place = row.cabinet_id or "dispatcher"
        name = f"incident {row.kind} of {row.subject}"
        what = f"{name} opens: expected {row.expected}, seen {row.seen}"
        yield Line(row.opened_ms, place, row.id, "dispatcher", what, about)
        if row.closed_ms is not None:
            yield Line(row.closed_ms, place, row.id, "dispatcher", f"{name} closes", about)


_NOT_TOLD = frozenset({"at_ms", "seq", "kind", "clock_trusted", "vehicle"})


def first_difference(one: Sequence[str], other: Sequence[str]) -> str:
    """Where two histories part, for a person; empty where they do not."""
    for number, (mine, theirs) in enumerate(zip_longest(one, other, fillvalue="(it ends here)"), 1):
        if mine != theirs:
            return f"line {number}:\n  {mine}\n  {theirs}"
    return ""
