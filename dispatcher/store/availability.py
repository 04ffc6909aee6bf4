"""Finds the vehicles that are asked about, at a station, of a category or around a place, and looks at them."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from contract.places import Place
from dispatcher.core.rules import BookingReason, FleetRules, Refused
from dispatcher.core.windows import Window
from dispatcher.store.looking import Looked, look
from dispatcher.store.nearby import stations_near
from dispatcher.store.paging import Page, PageRequest, cut
from dispatcher.store.registry import station_exists
from dispatcher.store.schema import vehicles
from dispatcher.store.vehicles import Vehicle, VehicleFilter, vehicles_named, vehicles_page


@dataclass(frozen=True, slots=True)
class Around:
    """A place, and how far somebody goes."""

    place: Place
    radius_m: int


@dataclass(frozen=True, slots=True)
class Question:
    """Which vehicles, for when. Give a station, a category, a place, or more of them."""

    window: Window
    station_id: str | None = None
    category: str | None = None
    around: Around | None = None
    ahead_ms: int = 0
    """How far past the window their free intervals are told."""


@dataclass(frozen=True, slots=True)
class Answered:
    page: Page[Looked]
    metres: dict[str, int]
    """From the place asked about to each station; empty where none was."""


_LIVING = (
    select(vehicles.c.id, vehicles.c.home_station_id, vehicles.c.category)
    .where(
        vehicles.c.home_station_id.in_(bindparam("stations", expanding=True)), vehicles.c.life_cycle != "retired"
    )
    .order_by(vehicles.c.id)
)


def answer(
    connection: Connection, rules: FleetRules, question: Question, request: PageRequest, now_ms: int
) -> Answered | Refused:
    """One page: in the order of ids or, around a place, of the stations' distance."""
    station_id = question.station_id
    metres: dict[str, int] = {}
    if question.around is None:
        wanted = VehicleFilter(station_id, question.category, in_use=True)
        page = vehicles_page(connection, wanted, request, signals=False)
    else:
        page, metres = _around(connection, question, question.around, request)
    if station_id is not None and not page.items and not station_exists(connection, station_id):
        return Refused(BookingReason.UNKNOWN_STATION, "station", station_id, "the id of a station")
    looked = look(connection, rules, page.items, question.window, now_ms, ahead_ms=question.ahead_ms)
    return Answered(Page(tuple(looked), page.next), metres)


def _around(
    connection: Connection, question: Question, around: Around, request: PageRequest
) -> tuple[Page[Vehicle], dict[str, int]]:
    near = {it.station_id: it.distance_m for it in stations_near(connection, around.place, around.radius_m)}
    here = [station for station in near if question.station_id in (None, station)]
    places = sorted(
        (near[row.home_station_id], row.id)
        for row in connection.execute(_LIVING, {"stations": here})
        if question.category in (None, row.category)
    )
    if request.after is not None:
        places = [place for place in places if place > request.after]
    page = cut(places[: request.limit + 1], request, lambda place: place)
    named = {vehicle.id: vehicle for vehicle in vehicles_named(connection, [place[1] for place in page.items])}
    return Page(tuple(named[place[1]] for place in page.items), page.next), near
