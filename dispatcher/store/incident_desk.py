"""Incidents as operators read and handle them: lists, acknowledging, assigning, comments."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, update

from dispatcher.store.incident_history import Entry, Happened, history_of, note
from dispatcher.store.incidents import Incident
from dispatcher.store.paging import Page, PageRequest, cut, newest_first
from dispatcher.store.schema import incidents

_BY_REF = select(incidents).where(incidents.c.ref == bindparam("ref"))
_THIS = update(incidents).where(incidents.c.id == bindparam("this"))


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents a list has; None: whatever it is."""

    is_open: bool | None = None
    kind: str | None = None
    severity: str | None = None
    cabinet_id: str | None = None
    vehicle_id: str | None = None
    booking_id: str | None = None


@dataclass(frozen=True, slots=True)
class IncidentDetail:
    incident: Incident
    history: tuple[Entry, ...]


def incidents_page(connection: Connection, wanted: IncidentFilter, request: PageRequest) -> Page[Incident]:
    """Incidents in the order in which they were opened, the newest first."""
    rows = connection.execute(newest_first(_filtered(wanted), incidents.c.id, request))
    found = [Incident(**row._asdict()) for row in rows]
    return cut(found, request, lambda incident: (incident.id,))


def incident_detail(connection: Connection, ref: str) -> IncidentDetail | None:
    """One incident with its history; None: there is none of that name."""
    row = connection.execute(_BY_REF, {"ref": ref}).one_or_none()
    if row is None:
        return None
    return IncidentDetail(Incident(**row._asdict()), history_of(connection, row.id))


def acknowledge(connection: Connection, ref: str, author: str, now_ms: int) -> IncidentDetail | None:
    """Somebody has seen it. Who was first stays so: a second time changes nothing."""
    row = connection.execute(_BY_REF, {"ref": ref}).one_or_none()
    if row is not None and row.acknowledged_ms is None:
        connection.execute(_THIS, {"this": row.id, "acknowledged_ms": now_ms, "acknowledged_by": author})
        note(connection, row.id, Happened.ACKNOWLEDGED, now_ms, {}, author)
    return incident_detail(connection, ref)


def assign(
    connection: Connection, ref: str, assignee: str | None, author: str, now_ms: int
) -> IncidentDetail | None:
    """Give it to somebody, or to nobody. To whom it is given already, it is not given again."""
    row = connection.execute(_BY_REF, {"ref": ref}).one_or_none()
    if row is not None and row.assigned_to != assignee:
        connection.execute(_THIS, {"this": row.id, "assigned_to": assignee})
        note(connection, row.id, Happened.ASSIGNED, now_ms, {"to": assignee}, author)
    return incident_detail(connection, ref)


def comment(connection: Connection, ref: str, text: str, author: str, now_ms: int) -> IncidentDetail | None:
    """Write down what somebody found or did."""
    row = connection.execute(_BY_REF, {"ref": ref}).one_or_none()
    if row is not None:
        note(connection, row.id, Happened.COMMENTED, now_ms, {"text": text}, author)
    return incident_detail(connection, ref)


def _filtered(wanted: IncidentFilter) -> Select[Any]:
    statement = select(incidents)
    columns: Mapping[str, str | None] = {
        "kind": wanted.kind,
        "severity": wanted.severity,
        "cabinet_id": wanted.cabinet_id,
        "vehicle_id": wanted.vehicle_id,
        "booking_id": wanted.booking_id,
    }
    for name, value in columns.items():
        if value is not None:
            statement = statement.where(incidents.c[name] == value)
    if wanted.is_open is not None:
        closed = incidents.c.closed_ms
        statement = statement.where(closed.is_(None) if wanted.is_open else closed.is_not(None))
    return statement
