"""What is in the outbox, for tests of what writes it and of what sends it."""

import json
from typing import Any, NamedTuple

from sqlalchemy import select

from dispatcher.core.events import EVENTS, HandoverData
from dispatcher.core.windows import to_utc
from dispatcher.store.database import Database
from dispatcher.store.outbox import Event, emit
from dispatcher.store.schema import outbox
from tests.dispatcher.small_fleet import NOW_MS


class Told(NamedTuple):
    kind: str
    subject: str
    at_ms: int
    data: dict[str, Any]
    personal: dict[str, Any] | None


def told(database: Database) -> list[Told]:
    """Every event in the outbox, oldest first; what it says fits its schema."""
    rows = database.read_now(lambda c: c.execute(select(outbox).order_by(outbox.c.sequence)).all())
    found = []
    for row in rows:
        data, personal = json.loads(row.data), json.loads(row.personal) if row.personal else None
        EVENTS[row.kind].data.model_validate_json(json.dumps({**data, **(personal or {})}))
        found.append(Told(row.kind, row.subject, row.at_ms, data, personal))
    return found


def kinds(database: Database) -> list[str]:
    return [event.kind for event in told(database)]


def say(database: Database, key_id: str = "key-1", kind: str = "key.taken", at_ms: int = NOW_MS) -> None:
    """An event, of a key as its subject."""
    data = HandoverData(
        position=1,
        at=to_utc(at_ms),
        cabinet_id="cab-a",
        slot=1,
        key_id=key_id,
        vehicle_id=None,
        booking_id=None,
        identity="read",
        wrong_slot=False,
    )
    database.write_now(lambda connection: emit(connection, Event(kind, f"keys/{key_id}", at_ms, data)))
