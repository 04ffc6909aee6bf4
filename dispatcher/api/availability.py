"""Which vehicles are free for a window, and of the others why not and when they are free next."""

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import Field
from sqlalchemy import Connection

from dispatcher.api.context import ApiContext, Context
from dispatcher.api.problems import (
    ApiReason,
    FieldFault,
    FreeWindow,
    Refusal,
    VehicleNotFree,
    refusal_of,
    vehicle_not_free,
)
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import (
    Answer,
    Category,
    Id,
    Listing,
    PageQuery,
    next_cursor,
    page_request,
)
from dispatcher.core.availability import NotFree, VehicleView, judge, latest_end_ms
from dispatcher.core.rules import BookingReason, Refused, check_window
from dispatcher.core.windows import Window, to_ms, to_utc
from dispatcher.instants import Instant
from dispatcher.store.paging import Page, PageRequest
from dispatcher.store.registry import station_exists
from dispatcher.store.vehicles import Vehicle, VehicleFilter, vehicles_page, views

router = resource("availability", read=Scope.NETWORK_READ)

Looked = tuple[Page[Vehicle], list[VehicleView]]


class AvailabilityQuery(PageQuery):
    """Give `station`, `category`, or both."""

    from_: Annotated[Instant, Field(alias="from")]
    until: Instant
    station: Id | None = None
    category: Category | None = None


class FreeVehicle(Answer):
    vehicle_id: str
    station_id: str
    category: str
    energy: str
    latest_end: datetime
    """How long a booking that starts at `from` can last."""


class AvailabilityList(Listing):
    """One page of the vehicles that fit: the free ones, and the others with their reasons."""

    free: list[FreeVehicle]
    not_free: list[VehicleNotFree]
    reason: BookingReason | None
    """Why none is free; null: at least one is."""
    next_free: FreeWindow | None
    """Where none is free: the earliest interval that is long enough, of any vehicle."""


@router.get("", responses=answers(422))
async def read_availability(context: Context, query: Annotated[AvailabilityQuery, Query()]) -> AvailabilityList:
    """Vehicles of a station, of a category, or both, judged for one window."""
    window = Window(to_ms(query.from_), to_ms(query.until))
    wanted = VehicleFilter(query.station, query.category, in_use=True)
    request = page_request(query, str)
    if query.station is None and query.category is None:
        fault = FieldFault(field="station", expected="a station, a category, or both")
        raise Refusal(ApiReason.INVALID_REQUEST, "what is to be looked at is not clear", [fault])
    now_ms = context.clock.now_ms()
    refused = check_window(context.rules, window, now_ms)
    if refused is not None:
        raise refusal_of(_named_as_here(refused))
    looked = await context.database.read(lambda connection: _look(connection, wanted, request, now_ms))
    if isinstance(looked, Refused):
        raise refusal_of(looked)
    return _judged(looked, window, now_ms, context)


def _look(connection: Connection, wanted: VehicleFilter, request: PageRequest, now_ms: int) -> Looked | Refused:
    if wanted.station_id is not None and not station_exists(connection, wanted.station_id):
        return Refused(BookingReason.UNKNOWN_STATION, "station", wanted.station_id, "the id of a station")
    page = vehicles_page(connection, wanted, request)
    return page, views(connection, page.items, now_ms)


def _judged(looked: Looked, window: Window, now_ms: int, context: ApiContext) -> AvailabilityList:
    page, found = looked
    free: list[FreeVehicle] = []
    not_free: list[NotFree] = []
    for vehicle, view in zip(page.items, found, strict=True):
        verdict = judge(context.rules, view, window, now_ms)
        if verdict is None:
            free.append(_free(vehicle, view, window, now_ms, context))
        else:
            not_free.append(verdict)
    coming = [verdict.next_free for verdict in not_free if verdict.next_free is not None]
    first = min(coming, default=None) if not free else None
    return AvailabilityList(
        free=free,
        not_free=[vehicle_not_free(verdict) for verdict in not_free],
        reason=_why_none(free, not_free),
        next_free=None if first is None else FreeWindow(start=to_utc(first.start_ms), end=to_utc(first.end_ms)),
        next=next_cursor(page),
    )


def _free(vehicle: Vehicle, view: VehicleView, window: Window, now_ms: int, context: ApiContext) -> FreeVehicle:
    rules = context.rules
    latest_ms = latest_end_ms(view.holdings, window.start_ms, now_ms + rules.horizon_ms, rules.grid_ms)
    return FreeVehicle(
        vehicle_id=vehicle.id,
        station_id=vehicle.home_station_id,
        category=vehicle.category,
        energy=vehicle.energy,
        latest_end=to_utc(latest_ms),
    )


def _why_none(free: list[FreeVehicle], not_free: list[NotFree]) -> BookingReason | None:
    """The one reason that all vehicles share; where they differ, that time alone helps with some."""
    if free:
        return None
    reasons = {verdict.reason for verdict in not_free}
    if not reasons:
        return BookingReason.NO_SUCH_VEHICLE_HERE
    return reasons.pop() if len(reasons) == 1 else BookingReason.VEHICLE_NOT_FREE


def _named_as_here(refused: Refused) -> Refused:
    """A rule speaks of start and end; this query calls them from and until."""
    field = {"start": "from", "end": "until"}[refused.field]
    return Refused(refused.reason, field, refused.value, refused.expected)
