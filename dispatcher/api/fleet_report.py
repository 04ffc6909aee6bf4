"""The report on the fleet: which vehicles could be sold or moved, and where one more is wanted."""

from datetime import datetime
from functools import partial
from typing import Annotated, Literal

from fastapi import Query, Request, Response
from pydantic import Field

from dispatcher.api.context import Context
from dispatcher.api.csv_answers import ALSO_CSV, Format, csv_answer, wants_csv
from dispatcher.api.periods import PeriodQuery
from dispatcher.api.resources import resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer
from dispatcher.core.windows import HOUR_MS, to_utc
from dispatcher.store.fleet_report import Short, Thresholds, UnderUsed, fleet_report

router = resource("reports", read=Scope.REPORTS_READ)

WALK_M_MAX = 5000  # an hour on foot


class FleetQuery(PeriodQuery):
    under_percent: Annotated[float, Field(gt=0, le=100)] = 15
    """Percent of the period below which bookings hold a vehicle that is called under-used. Default: 25 hours a
    week, half of what round-trip operators count on."""
    short_per_week: Annotated[float, Field(gt=0, le=10_000)] = 2
    """Searches and bookings a week that found nothing from which on a station is short of a category."""
    walk_m: Annotated[int, Field(ge=0, le=WALK_M_MAX)] = 500
    """Metres that somebody walks to another station. Default: some seven minutes."""
    format: Format = "json"
    """CSV also where the header `Accept` asks for `text/csv`: then one of the two tables."""
    table: Literal["under_used", "short_of_cars"] = "under_used"
    """Which one, as CSV."""


class NearOut(Answer):
    station_id: str
    distance_m: int
    vehicles: int
    """Others of the same category there."""


class UnderUsedOut(Answer):
    vehicle_id: str
    station_id: str
    category: str
    bookings: int
    """That held it in the period."""
    booked_h: float
    share_booked: float
    """Of the period; 0 to 1."""
    fitted_here: int
    """Of its bookings, those that other vehicles of the category at its station had room for."""
    fitted_nearby: int
    """Those that vehicles at stations within walking distance had room for."""
    fitted_nowhere: int
    could_go: bool
    """All of its bookings fitted elsewhere. All vehicles of this list that could go could go together."""
    near: list[NearOut]
    """Its own station, then those within walking distance, nearest first."""
    move_to_station_id: str | None
    """Where its category is short, if it could go; null: nowhere, so that it could be sold."""


class ShortOut(Answer):
    station_id: str
    category: str
    vehicles: int
    share_booked: float | None
    """Of the time of the vehicles that are there; null: there are none."""
    unmet: dict[str, int]
    """Searches and bookings that found nothing and that one vehicle more would have helped, by reason."""
    unmet_per_week: float


class FleetOut(Answer):
    from_at: datetime
    until_at: datetime
    under_percent: float
    short_per_week: float
    walk_m: int
    under_used: list[UnderUsedOut]
    """The least used first."""
    short_of_cars: list[ShortOut]
    """The shortest first."""


@router.get("/fleet", response_model=FleetOut, responses=ALSO_CSV)
async def read_fleet(
    context: Context, request: Request, query: Annotated[FleetQuery, Query()]
) -> FleetOut | Response:
    """Which vehicles were hardly used and could be sold or moved: the period is played again without them."""
    period = query.period()
    thresholds = Thresholds(query.under_percent / 100, query.short_per_week, query.walk_m)
    found = await context.database.read(partial(fleet_report, period=period, thresholds=thresholds))
    under_used, short_of_cars = [_under_used(it) for it in found.under_used], [_short(it) for it in found.short]
    if wants_csv(request, query.format):
        if query.table == "under_used":
            return csv_answer(UnderUsedOut, under_used)
        return csv_answer(ShortOut, short_of_cars)
    return FleetOut(
        from_at=to_utc(period.start_ms),
        until_at=to_utc(period.end_ms),
        under_percent=query.under_percent,
        short_per_week=query.short_per_week,
        walk_m=query.walk_m,
        under_used=under_used,
        short_of_cars=short_of_cars,
    )


def _under_used(it: UnderUsed) -> UnderUsedOut:
    car, played = it.played.car, it.played
    return UnderUsedOut(
        vehicle_id=car.vehicle_id,
        station_id=car.station_id,
        category=car.category,
        bookings=len(car.held),
        booked_h=round(car.held_ms / HOUR_MS, 2),
        share_booked=round(it.share, 4),
        fitted_here=played.same_station,
        fitted_nearby=played.nearby,
        fitted_nowhere=played.unplaced,
        could_go=played.could_go,
        near=[
            NearOut(station_id=station, distance_m=metres, vehicles=others) for station, metres, others in it.near
        ],
        move_to_station_id=it.move_to,
    )


def _short(it: Short) -> ShortOut:
    return ShortOut(
        station_id=it.station_id,
        category=it.category,
        vehicles=it.vehicles,
        share_booked=None if it.share is None else round(it.share, 4),
        unmet=dict(it.unmet),
        unmet_per_week=round(it.per_week, 2),
    )
