"""The page of one booking or service order."""

from fastapi import Request, Response
from sqlalchemy import Connection

from dispatcher.api.context import Context
from dispatcher.api.problems import not_found
from dispatcher.api.scopes import Scope, needs
from dispatcher.api.values import Id
from dispatcher.core.rules import FleetRules
from dispatcher.pages.answers import answer
from dispatcher.pages.looks import Look, Looking
from dispatcher.pages.rendering import rendered
from dispatcher.pages.routing import pages
from dispatcher.pages.sight import must_see
from dispatcher.pages.views.booking_page import booking_page

router = pages()


@router.get("/bookings/{booking_id}", dependencies=[needs(Scope.BOOKINGS_READ)])
async def booking(request: Request, look: Looking, context: Context, booking_id: Id) -> Response:
    """A service order has the same page; the API shows those to `fleet:read` alone, and so does this."""
    rules = context.rules
    text = await context.database.read(lambda connection: booking_text(connection, look, booking_id, rules))
    if text is None:
        raise not_found("booking", booking_id)
    return answer(request, look, text)


def booking_text(connection: Connection, look: Look, booking_id: str, rules: FleetRules) -> str | None:
    """None: there is none of that name. Raises `Refusal` for an order that the reader may not see."""
    with_member = look.may(Scope.MEMBERS_READ)
    found = booking_page(connection, booking_id, rules, look.now_ms, with_member=with_member)
    if found is None:
        return None
    if found.booking.purpose is not None:
        must_see(look, Scope.FLEET_READ)
    return rendered("booking.html", look, {"page": found})
