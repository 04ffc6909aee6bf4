"""The page of one station."""

from fastapi import Request, Response
from sqlalchemy import Connection

from dispatcher.api.context import Context
from dispatcher.api.problems import not_found
from dispatcher.api.scopes import Scope, needs
from dispatcher.api.values import Id
from dispatcher.pages.answers import answer
from dispatcher.pages.looks import Look, Looking
from dispatcher.pages.rendering import rendered
from dispatcher.pages.routing import pages
from dispatcher.pages.sight import must_see
from dispatcher.pages.views.network import stale_after_ms
from dispatcher.pages.views.station_page import station_page

router = pages()


@router.get("/stations/{station_id}", dependencies=[needs(Scope.NETWORK_READ)])
async def station(request: Request, look: Looking, context: Context, station_id: Id) -> Response:
    """It shows incidents, keys and bookings too: the other scopes are asked for here."""
    must_see(look, Scope.INCIDENTS_READ, Scope.FLEET_READ, Scope.BOOKINGS_READ)
    stale_ms = stale_after_ms(context.rules, context.clock.speed)
    text = await context.database.read(lambda connection: station_text(connection, look, station_id, stale_ms))
    if text is None:
        raise not_found("station", station_id)
    return answer(request, look, text)


def station_text(connection: Connection, look: Look, station_id: str, stale_ms: int) -> str | None:
    """None: there is none of that name in service."""
    found = station_page(connection, station_id, stale_ms, look.now_ms)
    return None if found is None else rendered("station.html", look, {"page": found})
