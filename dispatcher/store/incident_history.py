"""What became of an incident, entry by entry: told by this program, or by an operator through the API."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from dispatcher.store.later import write_later
from dispatcher.store.schema import incident_history
from dispatcher.store.telling import tell_incident

PROGRAM = "dispatcher"  # the author of what nobody ordered
HISTORY_MAX = 200  # newest entries shown: an incident that changed more often is told by its last hours


class Happened(StrEnum):
    OPENED = "opened"
    UPDATED = "updated"  # something else is seen than before
    CLOSED = "closed"
    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    COMMENTED = "commented"


@dataclass(frozen=True, slots=True)
class Entry:
    at_ms: int
    what: Happened
    author: str
    detail: Mapping[str, Any]


_NEW = insert(incident_history).inline()
_NEWEST = (
    select(incident_history)
    .where(incident_history.c.incident_id == bindparam("incident"))
    .order_by(incident_history.c.id.desc())
    .limit(HISTORY_MAX)
)


def note(
    connection: Connection,
    incident_id: int,
    what: Happened,
    at_ms: int,
    detail: Mapping[str, Any],
    author: str = PROGRAM,
) -> None:
    """Write one entry, and tell others that there is one."""
    row = {
        "incident_id": incident_id,
        "at_ms": at_ms,
        "what": what,
        "author": author,
        "detail": json.dumps(detail, ensure_ascii=False, sort_keys=True),
    }
    if author == PROGRAM:
        write_later(connection, _NEW, row)
    else:  # who comments on it is answered with its history
        connection.execute(_NEW, row)
    tell_incident(connection, f"incident.{what}", incident_id, at_ms)


def history_of(connection: Connection, incident_id: int) -> tuple[Entry, ...]:
    """The entries of an incident, oldest first; of a long history the newest."""
    rows = connection.execute(_NEWEST, {"incident": incident_id}).all()
    return tuple(Entry(row.at_ms, Happened(row.what), row.author, json.loads(row.detail)) for row in reversed(rows))
