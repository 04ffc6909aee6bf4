"""The page of one vehicle."""

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
from dispatcher.pages.views.vehicle_page import vehicle_page

router = pages()


@router.get("/vehicles/{vehicle_id}", dependencies=[needs(Scope.FLEET_READ)])
async def vehicle(request: Request, look: Looking, context: Context, vehicle_id: Id) -> Response:
    """It shows incidents, signals and bookings too: the other scopes are asked for here."""
    must_see(look, Scope.NETWORK_READ, Scope.INCIDENTS_READ, Scope.BOOKINGS_READ)
    text = await context.database.read(lambda connection: vehicle_text(connection, look, vehicle_id))
    if text is None:
        raise not_found("vehicle", vehicle_id)
    return answer(request, look, text)


def vehicle_text(connection: Connection, look: Look, vehicle_id: str) -> str | None:
    """None: there is none of that name."""
    found = vehicle_page(connection, vehicle_id, look.now_ms)
    return None if found is None else rendered("vehicle.html", look, {"page": found})
