"""The outbox: what others are told, written in the transaction of the change that it tells of.

    emit(connection, Event("booking.created", f"bookings/{booking.id}", now_ms, BookingData(...)))

Nothing is sent from here: `dispatcher.events` does that, later and as often as it takes.
"""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update

from dispatcher.core.events import EVENTS, SUBJECT_CHARACTERS_MAX, EventData, personal_fields
from dispatcher.store.later import write_later
from dispatcher.store.origin import Origin, origin_of
from dispatcher.store.schema import outbox


@dataclass(frozen=True, slots=True)
class Event:
    kind: str
    """Of `dispatcher.core.events.EVENTS`."""
    subject: str
    """The record, as `bookings/ID`: events of one subject are delivered in their order."""
    at_ms: int
    """When the change is written, by our clock."""
    data: EventData


_NEW, _NEW_LATER = insert(outbox), insert(outbox).inline()
_PERSONAL = {rule.data: sorted(personal_fields(rule.data)) for rule in EVENTS.values()}
_encoded = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def emit(connection: Connection, event: Event) -> None:
    """Tell of a change: told if and only if the transaction is committed."""
    write_later(connection, _NEW_LATER, _row(event))


def emit_now(connection: Connection, event: Event) -> int:
    """As `emit`, before whatever the transaction tells at its end. The number of the event."""
    inserted = connection.execute(_NEW, _row(event)).inserted_primary_key
    assert inserted is not None, "both databases return the key of a row inserted alone"
    return int(inserted[0])


def _row(event: Event) -> dict[str, Any]:
    rule = EVENTS[event.kind]
    assert type(event.data) is rule.data, f"{event.kind} says a {rule.data.__name__}"
    assert len(event.subject) <= SUBJECT_CHARACTERS_MAX, event.subject
    data = event.data.model_dump(mode="json")
    personal = {name: data.pop(name) for name in _PERSONAL[rule.data]}
    told = {name: value for name, value in personal.items() if value}
    return {
        "kind": event.kind,
        "subject": event.subject,
        "at_ms": event.at_ms,
        "data": _encoded(data),
        "personal": _encoded(told) if told else None,
    }


def event_id(origin: Origin, event: RowMapping) -> str:
    """What an event is called: its number and a code of it, the same however often it is sent.

    After a restore numbers are given again: another event with the same number has another id.
    """
    values = (event["sequence"], event["kind"], event["subject"], event["at_ms"])
    return f"{event['sequence']}-{origin.opaque('events', *values)}"


def sequence_of(connection: Connection, an_id: str) -> int | None:
    """The number of an event that is kept, by its id; None: there is none of that id."""
    number = an_id.partition("-")[0]
    if not number.isascii() or not number.isdigit() or len(number) > SEQUENCE_DIGITS_MAX:
        return None
    row = connection.execute(_BY_SEQUENCE, {"this": int(number)}).mappings().one_or_none()
    return row["sequence"] if row is not None and event_id(origin_of(connection), row) == an_id else None


SEQUENCE_DIGITS_MAX = 18  # of a 64-bit column
_BY_SEQUENCE = select(outbox).where(outbox.c.sequence == bindparam("this"))


def forget_member(connection: Connection, member_id: str) -> int:
    """Take a member's id out of all events that are kept; out of how many. What was delivered is out of reach."""
    named = outbox.c.personal.contains(_encoded(member_id), autoescape=True)
    return connection.execute(update(outbox).where(named).values(personal=None)).rowcount
