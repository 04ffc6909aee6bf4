"""The audit record, for whoever has to answer for it."""

from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import Query
from pydantic import Field

from dispatcher.api.context import Context
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Listing, PageQuery, next_cursor, page_request
from dispatcher.core.windows import to_ms, to_utc
from dispatcher.instants import Instant
from dispatcher.store.audit import AuditAction, AuditEntry, AuditFilter, audit_page

router = resource("audit", read=Scope.AUDIT_READ)

Subject = Annotated[str, Field(pattern=r"^[A-Za-z0-9_/:.-]{1,128}$", description="ids")]


class AuditQuery(PageQuery):
    action: AuditAction | None = None
    author: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")] | None = None
    """The name of a token."""
    subject: Subject | None = None
    """What it was about: the id of a vehicle, a member, a cabinet; or cabinet and slot, as `cabinet/3`."""
    from_: Annotated[Instant | None, Field(alias="from")] = None
    until: Instant | None = None
    """Entries before this instant."""


class AuditOut(Answer):
    number: int
    at: datetime
    author: str
    action: AuditAction
    subject: str
    case: str
    """What the author files it under; empty where none is asked for."""
    reason: str
    """In the author's words."""


class AuditList(Listing):
    items: list[AuditOut]


@router.get("", responses=answers(422))
async def list_audit(context: Context, query: Annotated[AuditQuery, Query()]) -> AuditList:
    """Who looked at what about somebody, or opened a slot, and why. The newest first."""
    wanted = AuditFilter(
        action=query.action,
        author=query.author,
        subject=query.subject,
        from_ms=None if query.from_ is None else to_ms(query.from_),
        until_ms=None if query.until is None else to_ms(query.until),
    )
    page = await context.database.read(partial(audit_page, wanted=wanted, request=page_request(query, int)))
    return AuditList(items=[_out(entry) for entry in page.items], next=next_cursor(page))


def _out(entry: AuditEntry) -> AuditOut:
    return AuditOut(
        number=entry.number,
        at=to_utc(entry.at_ms),
        author=entry.author,
        action=entry.action,
        subject=entry.subject,
        case=entry.case,
        reason=entry.reason,
    )
