"""The outbox: what others are told, written in the transaction of the change that it tells of.

    emit(connection, Event("booking.created", f"bookings/{booking.id}", now_ms, BookingData(...)))

Nothing is sent from here: `dispatcher.events` does that, later and as often as it takes.
"""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from dispatcher.core.events import EVENTS, SUBJECT_CHARACTERS_MAX, EventData, personal_fields
from dispatcher.store.schema import outbox, webhook_deliveries


@dataclass(frozen=True, slots=True)
class Event:
    kind: str
    """Of `dispatcher.core.events.EVENTS`."""
    subject: str
    """The record, as `bookings/ID`: events of one subject are delivered in their order."""
    at_ms: int
    """When the change is written, by our clock."""
    data: EventData


_NEW = insert(outbox)
_PERSONAL = {rule.data: sorted(personal_fields(rule.data)) for rule in EVENTS.values()}
_encoded = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def emit(connection: Connection, event: Event) -> None:
    """Tell of a change: told if and only if the transaction is committed."""
    rule = EVENTS[event.kind]
    assert type(event.data) is rule.data, f"{event.kind} says a {rule.data.__name__}"
    assert len(event.subject) <= SUBJECT_CHARACTERS_MAX, event.subject
    data = event.data.model_dump(mode="json")
    personal = {name: data.pop(name) for name in _PERSONAL[rule.data]}
    told = {name: value for name, value in personal.items() if value}
    row = {
        "kind": event.kind,
        "subject": event.subject,
        "at_ms": event.at_ms,
        "data": _encoded(data),
        "personal": _encoded(told) if told else None,
    }
    connection.execute(_NEW, row)


_OLD = select(outbox.c.sequence).where(outbox.c.at_ms < bindparam("before_ms")).order_by(outbox.c.sequence)


def remove_old(connection: Connection, before_ms: int, limit: int) -> int:
    """Remove the oldest events told before an instant, delivered or not, `limit` at most; how many they were."""
    sequences = connection.execute(_OLD.limit(limit), {"before_ms": before_ms}).scalars().all()
    if sequences:
        these: Any = {"last": sequences[-1], "before_ms": before_ms}
        connection.execute(_DELETE_DELIVERIES, these)
        connection.execute(_DELETE, these)
    return len(sequences)


_DONE_WITH = (outbox.c.sequence <= bindparam("last"), outbox.c.at_ms < bindparam("before_ms"))
_DELETE = delete(outbox).where(*_DONE_WITH)
_DELETE_DELIVERIES = delete(webhook_deliveries).where(
    webhook_deliveries.c.sequence.in_(select(outbox.c.sequence).where(*_DONE_WITH))
)


def forget_member(connection: Connection, member_id: str) -> int:
    """Take a member's id out of all events that are kept; out of how many. What was delivered is out of reach."""
    named = outbox.c.personal.contains(_encoded(member_id), autoescape=True)
    return connection.execute(update(outbox).where(named).values(personal=None)).rowcount
