"""A cheap mark of all that pages show: what is different since another one, as topics.

Whoever writes moves one of these numbers in the transaction of the change: a fact its position, an event its
sequence, an incident its history; a cabinet's presence and reports their counts.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from dispatcher.store.schema import blocks, cabinet_links, commands, facts, incident_history, outbox, shift_notes

EVENTS_MAX = 200  # of an import of a thousand rows as much is said: that much changed

INCIDENTS, BOOKINGS, NETWORK, CABINETS, NOTES = "incidents", "bookings", "network", "cabinets", "notes"
_TOPIC_OF_EVENT: Mapping[str, str] = {"incident": INCIDENTS, "booking": BOOKINGS, "order": BOOKINGS}

_NUMBERS = select(
    select(func.max(facts.c.position)).scalar_subquery(),
    select(func.max(outbox.c.sequence)).scalar_subquery(),
    select(func.max(incident_history.c.id)).scalar_subquery(),
    select(func.max(blocks.c.changed_ms)).scalar_subquery(),
    select(func.count(commands.c.id)).where(commands.c.answered_ms.is_(None)).scalar_subquery(),
    select(func.max(shift_notes.c.id)).scalar_subquery(),
    select(func.count(shift_notes.c.done_ms)).scalar_subquery(),
)
_LINKS = select(
    cabinet_links.c.cabinet_id,
    cabinet_links.c.online,
    cabinet_links.c.connection,
    cabinet_links.c.reported_boot_ms,
    cabinet_links.c.reported_revision,
    cabinet_links.c.desired_version_held,
    cabinet_links.c.clock_trusted,
)
_TOLD = select(facts.c.cabinet_id).distinct().where(facts.c.position > bindparam("after"))
_KINDS = (
    select(outbox.c.kind)
    .where(outbox.c.sequence > bindparam("after"))
    .order_by(outbox.c.sequence.desc())
    .limit(EVENTS_MAX)
)


class Mark(NamedTuple):
    """The highest of each, and every cabinet's link. An empty table has 0."""

    fact: int
    event: int
    incident_entry: int
    block_ms: int
    open_commands: int
    note: int
    notes_done: int
    links: Mapping[str, tuple[object, ...]]


def mark(connection: Connection) -> Mark:
    """As of now."""
    numbers = connection.execute(_NUMBERS).one()
    links = {row[0]: tuple(row[1:]) for row in connection.execute(_LINKS)}
    fact, event, entry, block_ms, open_commands, note, notes_done = (number or 0 for number in numbers)
    return Mark(fact, event, entry, block_ms, open_commands, note, notes_done, links)


def changed(connection: Connection, before: Mark, now: Mark) -> frozenset[str]:
    """The topics of what is different: `incidents`, `bookings`, `network`, `notes`, `cabinet:ID`."""
    return frozenset(_changed(connection, before, now))


def _changed(connection: Connection, before: Mark, now: Mark) -> Iterator[str]:
    if now.incident_entry != before.incident_entry:
        yield INCIDENTS
    if now.fact != before.fact:
        for cabinet_id in connection.execute(_TOLD, {"after": before.fact}).scalars():
            yield f"cabinet:{cabinet_id}"
    if now.event != before.event:
        for kind in connection.execute(_KINDS, {"after": before.event}).scalars():
            yield _TOPIC_OF_EVENT.get(kind.partition(".")[0], NETWORK)
    if (now.block_ms, now.open_commands) != (before.block_ms, before.open_commands):
        yield NETWORK
    if (now.note, now.notes_done) != (before.note, before.notes_done):
        yield NOTES
    for cabinet_id, link in now.links.items():
        if before.links.get(cabinet_id) != link:
            yield f"cabinet:{cabinet_id}"
