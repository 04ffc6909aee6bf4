"""Who changed what of the network, when and why: kept in the transaction of the change."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from dispatcher.store.paging import Page, PageRequest, cut, in_order
from dispatcher.store.schema import changes
from dispatcher.store.telling import tell_record

NEVER_KEPT = frozenset({"name", "note", "credential", "plate", "sealed", "origin", "pin", "latitude", "longitude"})
"""Columns that may name a person or open a slot; that they changed is kept, and neither value."""

_NEW = insert(changes)


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes something, and why."""

    name: str
    """Of a token, never of a person."""
    at_ms: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    number: int
    at_ms: int
    author: str
    what: str
    subject: str
    reason: str | None
    before: dict[str, Any] | None
    """None: it was new."""
    after: dict[str, Any]


def keep_change(
    connection: Connection,
    by: Author,
    what: str,
    subject: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
) -> None:
    """Keep what differs between two forms of a row, and tell others that it does; `before` None: it is new."""
    differing = [name for name in after if before is None or before.get(name) != after[name]]
    row = {
        "at_ms": by.at_ms,
        "author": by.name,
        "what": what,
        "subject": subject,
        "reason": by.reason,
        "before": None if before is None else _text(before, differing),
        "after": _text(after, differing),
    }
    connection.execute(_NEW, row)
    tell_record(connection, what, subject, differing, by.at_ms, is_new=before is None)


def changes_page(connection: Connection, what: str, subject: str, request: PageRequest) -> Page[Change]:
    """What was changed of one thing, oldest first."""
    found = select(changes).where(changes.c.what == bindparam("of_what"), changes.c.subject == bindparam("of_this"))
    statement = in_order(found, [changes.c.id], request)
    rows = connection.execute(statement, {"of_what": what, "of_this": subject}).all()
    items = [
        Change(
            row.id,
            row.at_ms,
            row.author,
            row.what,
            row.subject,
            row.reason,
            None if row.before is None else json.loads(row.before),
            json.loads(row.after),
        )
        for row in rows
    ]
    return cut(items, request, lambda change: (change.number,))


def _text(row: Mapping[str, Any], names: list[str]) -> str:
    kept = {name: "(not kept)" if name in NEVER_KEPT else row.get(name) for name in names}
    return json.dumps(kept, separators=(",", ":"), sort_keys=True)
