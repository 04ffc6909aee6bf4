"""The hotline's page while a member is on the phone: found by name or by station, helped on one screen."""

from typing import Annotated

from fastapi import Query, Request, Response
from sqlalchemy import Connection, select

from dispatcher.api.context import Context
from dispatcher.api.problems import not_found
from dispatcher.api.scopes import Scope, needs
from dispatcher.api.values import Body, Id
from dispatcher.core.rules import FleetRules
from dispatcher.pages.answers import answer
from dispatcher.pages.looks import Look, Looking
from dispatcher.pages.rendering import rendered
from dispatcher.pages.routing import pages
from dispatcher.pages.sight import must_see
from dispatcher.pages.views.caller import bookings_there, caller_page
from dispatcher.pages.views.places import Named
from dispatcher.store.schema import stations

router = pages()

_STATIONS = (
    select(stations.c.id, stations.c.name).where(stations.c.life_cycle == "in_service").order_by(stations.c.name)
)


class CallerQuery(Body):
    booking: Id | None = None
    """The booking to look at; absent: the present or the next one."""


@router.get("/caller", dependencies=[needs(Scope.MEMBERS_READ)])
async def find_caller(request: Request, look: Looking, context: Context) -> Response:
    """Members are searched through the API, by POST: no name stands in a path."""
    must_see(look, Scope.BOOKINGS_READ, Scope.NETWORK_READ)
    return answer(request, look, await context.database.read(lambda connection: search_text(connection, look)))


@router.get("/caller/{member_id}", dependencies=[needs(Scope.MEMBERS_READ)])
async def caller(
    request: Request, look: Looking, context: Context, member_id: Id, query: Annotated[CallerQuery, Query()]
) -> Response:
    must_see(look, Scope.BOOKINGS_READ, Scope.NETWORK_READ)
    rules, booking_id = context.rules, query.booking
    text = await context.database.read(lambda c: caller_text(c, look, member_id, booking_id, rules))
    if text is None:
        raise not_found("member", member_id)
    return answer(request, look, text)


@router.get("/caller/stations/{station_id}", dependencies=[needs(Scope.MEMBERS_READ)])
async def callers_there(request: Request, look: Looking, context: Context, station_id: Id) -> Response:
    """Who may be calling from a station."""
    must_see(look, Scope.BOOKINGS_READ, Scope.NETWORK_READ)
    text = await context.database.read(lambda connection: station_text(connection, look, station_id))
    if text is None:
        raise not_found("station", station_id)
    return answer(request, look, text)


def search_text(connection: Connection, look: Look) -> str:
    return rendered("callers.html", look, {"stations": _stations(connection), "station": None, "there": ()})


def station_text(connection: Connection, look: Look, station_id: str) -> str | None:
    """None: there is no station of that name in service."""
    known = _stations(connection)
    station = next((each for each in known if each.id == station_id), None)
    if station is None:
        return None
    there = bookings_there(connection, station_id, look.now_ms)
    return rendered("callers.html", look, {"stations": known, "station": station, "there": there})


def caller_text(
    connection: Connection, look: Look, member_id: str, booking_id: str | None, rules: FleetRules
) -> str | None:
    """None: there is no such member."""
    page = caller_page(
        connection,
        member_id,
        booking_id,
        rules,
        look.now_ms,
        with_facts=look.may(Scope.FACTS_READ),
        with_incidents=look.may(Scope.INCIDENTS_READ),
    )
    return None if page is None else rendered("caller.html", look, {"page": page})


def _stations(connection: Connection) -> list[Named]:
    return [Named(row.id, row.name) for row in connection.execute(_STATIONS)]
