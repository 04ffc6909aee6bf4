"""The board: what is wrong in the whole network, then every station, on one page."""

from collections.abc import Mapping

from fastapi import Request, Response
from sqlalchemy import Connection

from dispatcher.api.context import Context
from dispatcher.api.scopes import Scope, needs
from dispatcher.api.shift_notes import kept_since_ms
from dispatcher.core.incidents import Severity
from dispatcher.pages.answers import answer
from dispatcher.pages.looks import Look, Looking
from dispatcher.pages.rendering import rendered
from dispatcher.pages.routing import pages
from dispatcher.pages.views.map import network_map
from dispatcher.pages.views.network import network, stale_after_ms
from dispatcher.pages.views.strips import Strips, open_strips
from dispatcher.store.shift_notes import shown_notes

router = pages()


@router.get("/", dependencies=[needs(Scope.INCIDENTS_READ)])
async def board(request: Request, look: Looking, context: Context) -> Response:
    """Read and laid out where reading is done: neither holds up the loop."""
    stale_ms = stale_after_ms(context.rules, context.clock.speed)
    since_ms = kept_since_ms(context)
    text = await context.database.read(lambda connection: board_text(connection, look, stale_ms, since_ms))
    return answer(request, look, text)


def board_text(connection: Connection, look: Look, stale_ms: int, notes_since_ms: int) -> str:
    """The whole page. Without the scopes for stations and keys it is the incidents alone."""
    strips = open_strips(connection, look.now_ms, with_bookings=look.may(Scope.BOOKINGS_READ))
    stations = None
    if look.may(Scope.NETWORK_READ, Scope.FLEET_READ, Scope.BOOKINGS_READ):
        stations = network(connection, stale_ms, look.now_ms)
    values = {
        "strips": strips,
        "notes": shown_notes(connection, notes_since_ms),
        "stations": stations,
        "plan": network_map(stations or ()),
        "troubled": _troubled(strips),
    }
    return rendered("board.html", look, values)


def _troubled(strips: Strips) -> Mapping[str, Severity]:
    """The stations that something open is about, with the worst of it."""
    found: dict[str, Severity] = {}
    for strip in strips.strips:  # the most urgent first
        for place in (strip.place, *strip.storm):
            if place is not None:
                found.setdefault(place.station_id, strip.severity)
    return found
