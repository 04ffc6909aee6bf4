"""Incidents as operators read and handle them: lists, acknowledging, assigning, comments, closing."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, update

from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import IncidentKind, IncidentReason, check_closing
from dispatcher.store.columns import literally_in
from dispatcher.store.incident_history import Entry, Happened, history_of, note
from dispatcher.store.incidents import Incident, close_by_hand
from dispatcher.store.paging import Page, PageRequest, cut, newest_first
from dispatcher.store.schema import LIVE_BOOKING_STATES, bookings, incidents

NEXT_MAX = 5  # who has to be called tonight and tomorrow

_BY_REF = select(incidents).where(incidents.c.ref == bindparam("ref"))
_NEXT = (
    select(bookings.c.id, bookings.c.start_ms, bookings.c.end_ms)
    .where(
        bookings.c.vehicle_id == bindparam("vehicle"),
        literally_in(bookings.c.state, LIVE_BOOKING_STATES),  # as in the index, which is not used otherwise
        bookings.c.state == BookingState.BOOKED,
        bookings.c.end_ms > bindparam("now_ms"),
        bookings.c.id != bindparam("but"),
    )
    .order_by(bookings.c.start_ms)
    .limit(NEXT_MAX)
)
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
class NextBooking:
    """A booking that what is wrong may hit."""

    id: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class IncidentDetail:
    incident: Incident
    history: tuple[Entry, ...]
    next_bookings: tuple[NextBooking, ...]
    """Of its vehicle, the soonest first, at most `NEXT_MAX`; of a closed incident none."""


def incidents_page(connection: Connection, wanted: IncidentFilter, request: PageRequest) -> Page[Incident]:
    """Incidents in the order in which they were opened, the newest first."""
    rows = connection.execute(newest_first(_filtered(wanted), incidents.c.id, request))
    found = [Incident(**row._asdict()) for row in rows]
    return cut(found, request, lambda incident: (incident.id,))


def incident_detail(connection: Connection, ref: str, now_ms: int) -> IncidentDetail | None:
    """One incident with its history, and whom it may hit next; None: there is none of that name."""
    row = connection.execute(_BY_REF, {"ref": ref}).one_or_none()
    if row is None:
        return None
    next_bookings: tuple[NextBooking, ...] = ()
    if row.vehicle_id is not None and row.closed_ms is None:
        which = {"vehicle": row.vehicle_id, "now_ms": now_ms, "but": row.booking_id or ""}
        next_bookings = tuple(NextBooking(*booking) for booking in connection.execute(_NEXT, which))
    return IncidentDetail(Incident(**row._asdict()), history_of(connection, row.id), next_bookings)


def acknowledge(connection: Connection, ref: str, author: str, now_ms: int) -> IncidentDetail | None:
    """Somebody has seen it. Who was first stays so: a second time changes nothing."""
    row = connection.execute(_BY_REF, {"ref": ref}).one_or_none()
    if row is not None and row.acknowledged_ms is None:
        connection.execute(_THIS, {"this": row.id, "acknowledged_ms": now_ms, "acknowledged_by": author})
        note(connection, row.id, Happened.ACKNOWLEDGED, now_ms, {}, author)
    return incident_detail(connection, ref, now_ms)


def assign(
    connection: Connection, ref: str, assignee: str | None, author: str, now_ms: int
) -> IncidentDetail | None:
    """Give it to somebody, or to nobody. To whom it is given already, it is not given again."""
    row = connection.execute(_BY_REF, {"ref": ref}).one_or_none()
    if row is not None and row.assigned_to != assignee:
        connection.execute(_THIS, {"this": row.id, "assigned_to": assignee})
        note(connection, row.id, Happened.ASSIGNED, now_ms, {"to": assignee}, author)
    return incident_detail(connection, ref, now_ms)


def comment(connection: Connection, ref: str, text: str, author: str, now_ms: int) -> IncidentDetail | None:
    """Write down what somebody found or did."""
    row = connection.execute(_BY_REF, {"ref": ref}).one_or_none()
    if row is not None:
        note(connection, row.id, Happened.COMMENTED, now_ms, {"text": text}, author)
    return incident_detail(connection, ref, now_ms)


def close(
    connection: Connection, ref: str, reason: str, author: str, now_ms: int
) -> IncidentDetail | IncidentReason | None:
    """Somebody found out that it is over, and no sensor will say so."""
    row = connection.execute(_BY_REF, {"ref": ref}).one_or_none()
    if row is not None:
        refused = check_closing(IncidentKind(row.kind), is_open=row.closed_ms is None)
        if refused is not None:
            return refused
        close_by_hand(connection, row.id, author, reason, now_ms)
    return incident_detail(connection, ref, now_ms)


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
