"""The list of incidents, and the page of each: what is known, what became of it, what the manual says."""

from typing import Annotated

from fastapi import Query, Request, Response
from sqlalchemy import Connection

from dispatcher.api.context import Context
from dispatcher.api.problems import not_found
from dispatcher.api.scopes import Scope, needs
from dispatcher.api.values import Id, PageQuery, next_cursor, page_request
from dispatcher.core.incidents import KINDS
from dispatcher.pages.answers import answer
from dispatcher.pages.looks import Look, Looking
from dispatcher.pages.rendering import rendered
from dispatcher.pages.routing import pages
from dispatcher.pages.runbooks import runbook_of
from dispatcher.pages.views.strips import closed_strips, open_strips, strip_of
from dispatcher.store.incident_history import history_of
from dispatcher.store.paging import PageRequest

router = pages()


@router.get("/incidents", dependencies=[needs(Scope.INCIDENTS_READ)])
async def incident_list(
    request: Request, look: Looking, context: Context, query: Annotated[PageQuery, Query()]
) -> Response:
    """All that is open, and what was closed last, page by page."""
    wanted = page_request(query, int)
    text = await context.database.read(lambda connection: list_text(connection, look, wanted))
    return answer(request, look, text)


@router.get("/incidents/{incident_id}", dependencies=[needs(Scope.INCIDENTS_READ)])
async def incident(request: Request, look: Looking, context: Context, incident_id: Id) -> Response:
    text = await context.database.read(lambda connection: incident_text(connection, look, incident_id))
    if text is None:
        raise not_found("incident", incident_id)
    return answer(request, look, text)


def list_text(connection: Connection, look: Look, wanted: PageRequest) -> str:
    strips = open_strips(connection, look.now_ms, with_bookings=False)
    closed = closed_strips(connection, look.now_ms, wanted)
    values = {
        "strips": strips,
        "closed": closed.items,
        "is_first": wanted.after is None,
        "next_cursor": next_cursor(closed),
    }
    return rendered("incidents.html", look, values)


def incident_text(connection: Connection, look: Look, incident_id: str) -> str | None:
    """None: there is none of that name."""
    strip = strip_of(connection, incident_id, look.now_ms, with_bookings=look.may(Scope.BOOKINGS_READ))
    if strip is None:
        return None
    values = {
        "strip": strip,
        "history": history_of(connection, strip.incident.id),
        "runbook": runbook_of(strip.kind),
        "by_hand": KINDS[strip.kind].by_hand,
    }
    return rendered("incident.html", look, values)
