"""Incidents: what does not agree, what became of it, and who looks after it."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field
from sqlalchemy import Connection

from dispatcher.api.context import Context
from dispatcher.api.problems import Refusal, not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Body, Id, Listing, PageQuery, instant_of, next_cursor, page_request
from dispatcher.api.writing import Change, Writer
from dispatcher.core.incidents import KINDS, IncidentKind, IncidentReason, Severity, runbook
from dispatcher.core.windows import to_utc
from dispatcher.store.incident_desk import (
    IncidentDetail,
    IncidentFilter,
    acknowledge,
    assign,
    close,
    comment,
    incident_detail,
    incidents_page,
)
from dispatcher.store.incident_history import Entry, Happened
from dispatcher.store.incidents import Incident

router = resource("incidents", read=Scope.INCIDENTS_READ, write=Scope.OPERATIONS)

ASSIGNEE_CHARACTERS_MAX = 100
EXPECTED = {
    IncidentReason.ALREADY_CLOSED: "expected one that is open",
    IncidentReason.ENDS_BY_ITSELF: "expected a kind whose end no sensor tells: see `by_itself`",
}
COMMENT_CHARACTERS_MAX = 2000  # a page of text: what is longer belongs into a file beside it


class IncidentOut(Answer):
    id: str
    number: int
    """Counts up in the order of opening: for people to say."""
    kind: IncidentKind
    subject: str
    """What it is about; of one kind and subject at most one is open."""
    severity: Severity
    cabinet_id: str | None
    vehicle_id: str | None
    booking_id: str | None
    opened_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    """null: it is open."""
    expected: str
    seen: str
    reopened: int
    """How often it came back within an hour of its end; 0: this is the first time."""
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    assigned_to: str | None


class HistoryEntry(Answer):
    at: datetime
    what: Happened
    author: str
    """`dispatcher`, or the name of a token."""
    detail: dict[str, Any]
    """`opened`, `updated`: `expected` and `seen`; `assigned`: `to`; `commented`: `text`;
    `closed` by hand: `reason`."""


class NextBookingOut(Answer):
    id: str
    start: datetime
    end: datetime


class IncidentDetailOut(IncidentOut):
    TOLD = frozenset({"next_bookings"})

    by_itself: str
    """What the system does without anybody, and when it closes."""
    advice: str
    """What a person can do."""
    by_hand: bool
    """Whether an operator may close it: no sensor tells that it is over."""
    runbook: str
    """The page of the manual, below its `docs/`."""
    next_bookings: list[NextBookingOut]
    """The bookings of its vehicle that have not begun, the soonest first, at most 5; empty once it is closed."""
    history: list[HistoryEntry]
    """Oldest first; of a long history the newest 200 entries."""


class IncidentList(Listing):
    items: list[IncidentOut]


class IncidentQuery(PageQuery):
    open: bool | None = None
    """true: only those that are open; false: only those that are closed."""
    kind: IncidentKind | None = None
    severity: Severity | None = None
    cabinet: Id | None = None
    vehicle: Id | None = None
    booking: Id | None = None


class Assignment(Body):
    assignee: Annotated[str, Field(min_length=1, max_length=ASSIGNEE_CHARACTERS_MAX)] | None
    """Who looks after it from now on, by the name of a token or of a person; null: nobody."""


class NewComment(Body):
    text: Annotated[str, Field(min_length=1, max_length=COMMENT_CHARACTERS_MAX)]
    """What was found or done. No names of members: it is kept with the incident."""


class Closing(Body):
    reason: Annotated[str, Field(min_length=1, max_length=COMMENT_CHARACTERS_MAX)]
    """What was found, or why nothing is to be done. No names of members: it is kept with the incident."""


@router.get("", responses=answers(422))
async def list_incidents(context: Context, query: Annotated[IncidentQuery, Query()]) -> IncidentList:
    """Incidents that fit every field given, the newest first."""
    wanted = IncidentFilter(query.open, query.kind, query.severity, query.cabinet, query.vehicle, query.booking)
    request = page_request(query, int)
    page = await context.database.read(partial(incidents_page, wanted=wanted, request=request))
    return IncidentList(items=[IncidentOut(**_fields(found)) for found in page.items], next=next_cursor(page))


@router.get("/{incident_id}", responses=answers(404, 422))
async def read_incident(context: Context, incident_id: Id) -> IncidentDetailOut:
    """One incident, with its history, what can be done, and whose booking it may hit."""
    work = partial(incident_detail, ref=incident_id, now_ms=context.clock.now_ms())
    return _out(incident_id, await context.database.read(work))


@router.post("/{incident_id}/acknowledge", responses=answers(404, 412, 422))
async def acknowledge_incident(write: Change, incident_id: Id) -> IncidentDetailOut:
    """Say that somebody has seen it. It stays open until what it names is over."""
    return await _change(write, incident_id, partial(acknowledge, ref=incident_id, author=write.caller))


@router.post("/{incident_id}/assign", responses=answers(400, 404, 412, 413, 422))
async def assign_incident(write: Change, incident_id: Id, wanted: Assignment) -> IncidentDetailOut:
    """Say who looks after it."""
    work = partial(assign, ref=incident_id, assignee=wanted.assignee, author=write.caller)
    return await _change(write, incident_id, work)


@router.post("/{incident_id}/comments", status_code=201, responses=answers(400, 404, 412, 413, 422))
async def comment_on_incident(write: Change, incident_id: Id, wanted: NewComment) -> IncidentDetailOut:
    """Write into its history, open or closed."""
    return await _change(
        write, incident_id, partial(comment, ref=incident_id, text=wanted.text, author=write.caller)
    )


@router.post("/{incident_id}/close", responses=answers(400, 404, 409, 412, 413, 422))
async def close_incident(write: Change, incident_id: Id, closing: Closing) -> IncidentDetailOut:
    """Say that it is over, of a kind whose end no sensor tells (`by_hand`). A new fact opens it again."""

    def work(connection: Connection, now_ms: int) -> IncidentDetail | None:
        found = close(connection, incident_id, closing.reason, write.caller, now_ms)
        if isinstance(found, IncidentReason):
            raise Refusal(found, EXPECTED[found])
        return found

    return await _change(write, incident_id, work)


async def _change(write: Writer, incident_id: str, work: Callable[..., IncidentDetail | None]) -> IncidentDetailOut:
    now_ms = write.context.clock.now_ms()

    def change(connection: Connection) -> IncidentDetailOut:
        if write.if_match is not None:
            write.expected_as_read(_out(incident_id, incident_detail(connection, incident_id, now_ms)))
        return _out(incident_id, work(connection, now_ms=now_ms))

    return await write(change)


def _out(incident_id: str, found: IncidentDetail | None) -> IncidentDetailOut:
    if found is None:
        raise not_found("incident", incident_id)
    kind = IncidentKind(found.incident.kind)
    return IncidentDetailOut(
        **_fields(found.incident),
        by_itself=KINDS[kind].by_itself,
        advice=KINDS[kind].advice,
        by_hand=KINDS[kind].by_hand,
        runbook=runbook(kind),
        next_bookings=[
            NextBookingOut(id=each.id, start=to_utc(each.start_ms), end=to_utc(each.end_ms))
            for each in found.next_bookings
        ],
        history=[_entry_out(entry) for entry in found.history],
    )


def _entry_out(entry: Entry) -> HistoryEntry:
    return HistoryEntry(at=to_utc(entry.at_ms), what=entry.what, author=entry.author, detail=dict(entry.detail))


def _fields(incident: Incident) -> dict[str, Any]:
    return {
        "id": incident.ref,
        "number": incident.id,
        "kind": incident.kind,
        "subject": incident.subject,
        "severity": incident.severity,
        "cabinet_id": incident.cabinet_id,
        "vehicle_id": incident.vehicle_id,
        "booking_id": incident.booking_id,
        "opened_at": to_utc(incident.opened_ms),
        "updated_at": to_utc(incident.updated_ms),
        "closed_at": instant_of(incident.closed_ms),
        "expected": incident.expected,
        "seen": incident.seen,
        "reopened": incident.reopened,
        "acknowledged_at": instant_of(incident.acknowledged_ms),
        "acknowledged_by": incident.acknowledged_by,
        "assigned_to": incident.assigned_to,
    }
