"""The board: what is wrong in the whole network, on one page."""

from fastapi import Request, Response
from sqlalchemy import Connection

from dispatcher.api.context import Context
from dispatcher.api.scopes import Scope, needs
from dispatcher.pages.answers import answer
from dispatcher.pages.looks import Look, Looking
from dispatcher.pages.rendering import rendered
from dispatcher.pages.routing import pages
from dispatcher.pages.views.strips import open_strips

router = pages()


@router.get("/", dependencies=[needs(Scope.INCIDENTS_READ)])
async def board(request: Request, look: Looking, context: Context) -> Response:
    """Read and laid out where reading is done: neither holds up the loop."""
    return answer(request, look, await context.database.read(lambda connection: _board(connection, look)))


def _board(connection: Connection, look: Look) -> str:
    strips = open_strips(connection, look.now_ms, with_bookings=look.may(Scope.BOOKINGS_READ))
    return rendered("board.html", look, {"strips": strips})
