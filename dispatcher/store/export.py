"""All that is known of a member, as one document: the right of access (GDPR, art. 15), and art. 20.

The numbers that their badges carry belong to them and are in it; a PIN is not, only that there is one. Of other
people there is nothing in it: a booking of which the member is a driver does not say whose it is.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, or_, select

from dispatcher.core.windows import utc_text
from dispatcher.store.incident_history import Happened
from dispatcher.store.schema import (
    audit,
    badge_pins,
    badge_sightings,
    badges,
    booking_drivers,
    booking_history,
    bookings,
    custody,
    facts,
    handovers,
    held_badges,
    incident_history,
    incidents,
    key_states,
    members,
    pool_members,
    refusals,
    rentals,
)

Document = dict[str, Any]
NOT_THEIRS = frozenset({"origin", "member_id", "sealed"})
"""Columns that are about the program or about somebody else."""


def export_member(connection: Connection, member_id: str, now_ms: int) -> Document | None:
    """The document, ready for JSON; None: there is no such member."""
    member = connection.execute(
        select(members).where(members.c.id == member_id, members.c.erased_ms.is_(None))
    ).one_or_none()
    if member is None:
        return None
    own = connection.execute(select(badges).where(badges.c.member_id == member_id).order_by(badges.c.id)).all()
    pins = set(connection.execute(select(badge_pins.c.badge_id)).scalars())
    moved = connection.execute(select(held_badges.c.ref).where(held_badges.c.member_id == member_id)).scalars()
    refs = [*(badge.ref for badge in own), *moved]
    drives = select(booking_drivers.c.booking_id).where(booking_drivers.c.member_id == member_id)
    theirs = connection.execute(
        select(bookings)
        .where(or_(bookings.c.member_id == member_id, bookings.c.id.in_(drives)))
        .order_by(bookings.c.start_ms, bookings.c.id)
    ).all()
    booking_ids = [booking.id for booking in theirs]
    return {
        "exported_at": utc_text(now_ms),
        "member": _told(member),
        "badges": [{**_told(badge), "has_pin": badge.id in pins} for badge in own],
        "pools": _rows(connection, _of(pool_members, pool_members.c.member_id, [member_id])),
        "bookings": [_booking(booking, member_id) for booking in theirs],
        "booking_history": _rows(connection, _of(booking_history, booking_history.c.booking_id, booking_ids)),
        "custody": _custody(connection, member_id),
        "rentals": _rows(connection, _of(rentals, rentals.c.badge_ref, refs)),
        "handovers": _rows(connection, _of(handovers, handovers.c.badge_ref, refs)),
        "refusals": _rows(connection, _of(refusals, refusals.c.badge_ref, refs)),
        "keys_brought_last": _rows(connection, _of(key_states, key_states.c.badge_ref, refs)),
        "badge_sightings": _rows(connection, _of(badge_sightings, badge_sightings.c.badge_ref, refs)),
        "facts": _facts(connection, refs),
        "incidents": _incidents(connection, booking_ids, refs),
        "audit": _rows(connection, _of(audit, audit.c.subject, [member_id])),
    }


def as_json(document: Document) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)


def _of(table: Table, column: Any, values: Sequence[str]) -> Select[Any]:
    return select(table).where(column.in_(list(values))).order_by(*table.primary_key)


def _rows(connection: Connection, statement: Select[Any]) -> list[Document]:
    return [_told(row) for row in connection.execute(statement)]


def _told(row: Row[Any], leave_out: Iterable[str] = ()) -> Document:
    """A row with its times as text, in UTC; `detail` is JSON already."""
    told: Document = {}
    for name, value in row._asdict().items():
        if name in NOT_THEIRS or name in leave_out:
            continue
        if name.endswith("_ms"):
            told[f"{name.removesuffix('_ms')}_at"] = None if value is None else utc_text(value)
        else:
            told[name] = json.loads(value) if name == "detail" else value
    return told


def _booking(row: Row[Any], member_id: str) -> Document:
    return {**_told(row), "role": "owner" if row.member_id == member_id else "driver"}


def _custody(connection: Connection, member_id: str) -> list[Document]:
    """Declarations that name the member; the other side is left out."""
    statement = (
        select(custody)
        .where(or_(custody.c.from_member_id == member_id, custody.c.to_member_id == member_id))
        .order_by(custody.c.id)
    )
    others = ("from_member_id", "from_name", "to_member_id", "to_name")
    return [
        {**_told(row, others), "role": "giver" if row.from_member_id == member_id else "taker"}
        for row in connection.execute(statement)
    ]


def _facts(connection: Connection, refs: Sequence[str]) -> list[Document]:
    """What cabinets told of the badges, word for word."""
    if not refs:
        return []
    named = or_(*(facts.c.text.contains(f'"{ref}"', autoescape=True) for ref in refs))
    statement = select(facts.c.cabinet_id, facts.c.text).where(named).order_by(facts.c.position)
    return [{"cabinet_id": row.cabinet_id, "fact": json.loads(row.text)} for row in connection.execute(statement)]


def _incidents(connection: Connection, booking_ids: Sequence[str], refs: Sequence[str]) -> list[Document]:
    """About their bookings and badges, with what operators wrote."""
    named = or_(incidents.c.booking_id.in_(list(booking_ids)), incidents.c.subject.in_(list(refs)))
    found = connection.execute(select(incidents).where(named).order_by(incidents.c.id)).all()
    history: Mapping[int, list[Document]] = {row.id: [] for row in found}
    for entry in connection.execute(_of_incidents(list(history))):
        not_theirs = ("detail",) if entry.what == Happened.ASSIGNED else ()  # who looks after it is another person
        history[entry.incident_id].append(_told(entry, ("id", "incident_id", *not_theirs)))
    return [{**_told(row, ("assigned_to", "acknowledged_by")), "history": history[row.id]} for row in found]


def _of_incidents(incident_ids: Sequence[int]) -> Select[Any]:
    return (
        select(incident_history)
        .where(incident_history.c.incident_id.in_(list(incident_ids)))
        .order_by(incident_history.c.id)
    )
