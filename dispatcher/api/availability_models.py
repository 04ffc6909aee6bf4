"""Availability as it is asked for and answered."""

from collections import defaultdict
from datetime import datetime
from typing import Annotated

from pydantic import Field

from contract.places import Latitude, Longitude
from dispatcher.api.problems import FreeWindow, VehicleNotFree, free_window
from dispatcher.api.values import Answer, Category, Id, Listing, PageQuery, next_cursor
from dispatcher.core.availability import FREE_LATER, free_intervals, latest_end_ms
from dispatcher.core.rules import BookingReason, FleetRules
from dispatcher.core.windows import HOUR_MS, Window, to_utc
from dispatcher.instants import Instant
from dispatcher.store.availability import Answered, Question
from dispatcher.store.looking import FURTHER_MS, Looked

RADIUS_M_MAX = 20_000  # a city and its suburbs: further away nobody goes for a car
RADIUS_M_DEFAULT = 2000  # half an hour on foot
AHEAD_H_MAX = 168  # a week is what a calendar shows


class AvailabilityQuery(PageQuery):
    """Give `station`, `category`, a place (`lat` and `lon`), or more of them."""

    from_: Annotated[Instant, Field(alias="from")]
    until: Instant
    station: Id | None = None
    category: Category | None = None
    lat: Latitude | None = None
    """Degrees (WGS 84) of a place: then stations come nearest first."""
    lon: Longitude | None = None
    radius_m: Annotated[int, Field(ge=1, le=RADIUS_M_MAX)] = RADIUS_M_DEFAULT
    """Metres around the place within which stations lie."""
    ahead_h: Annotated[int, Field(ge=0, le=AHEAD_H_MAX)] = 24
    """Hours past `until` for which free intervals are told."""


class FreeVehicle(Answer):
    vehicle_id: str
    station_id: str
    category: str
    energy: str
    latest_end: datetime
    """How long a booking that starts at `from` can last."""
    distance_m: int | None = None
    """From the place asked about to its station."""
    free_intervals: list[FreeWindow]
    """When it is free, from `from` to `ahead_h` past `until`."""


class NotFreeVehicle(VehicleNotFree):
    station_id: str
    category: str
    distance_m: int | None = None
    free_intervals: list[FreeWindow]
    """When it is free, from `from` to `ahead_h` past `until`; empty where time alone does not help."""


class StationAvailability(Answer):
    """The vehicles of one station among those of this page."""

    station_id: str
    distance_m: int | None = None
    free: int
    not_free: int
    reason: BookingReason | None
    """Why none is free; null: at least one is."""
    next_free: FreeWindow | None
    """Where none is free: the earliest interval that is long enough."""


class AvailabilityList(Listing):
    """One page of the vehicles that fit: the free ones, and the others with their reasons."""

    free: list[FreeVehicle]
    not_free: list[NotFreeVehicle]
    stations: list[StationAvailability]
    """Station by station, in the order of the vehicles."""
    reason: BookingReason | None
    """Why none is free; null: at least one is."""
    next_free: FreeWindow | None
    """Where none is free: the earliest interval that is long enough, of any vehicle."""
    looked_until: datetime
    """Intervals that begin before are told as `next_free`, those that begin later are not: a week past `until`."""


def availability_list(answered: Answered, question: Question, rules: FleetRules, now_ms: int) -> AvailabilityList:
    looked = answered.page.items
    by_station: dict[str, list[Looked]] = defaultdict(list)
    for it in looked:
        by_station[it.vehicle.home_station_id].append(it)
    within = Window(question.window.start_ms, question.window.end_ms + question.ahead_ms)
    return AvailabilityList(
        free=[
            _free(it, within, rules, now_ms, answered.metres.get(it.vehicle.home_station_id))
            for it in looked
            if it.verdict is None
        ],
        not_free=[
            _not_free(it, within, answered.metres.get(it.vehicle.home_station_id))
            for it in looked
            if it.verdict is not None
        ],
        stations=[
            _station(station_id, here, answered.metres.get(station_id)) for station_id, here in by_station.items()
        ],
        reason=why_none(looked),
        next_free=_first_of(looked),
        looked_until=to_utc(min(question.window.end_ms + FURTHER_MS, now_ms + rules.horizon_ms)),
        next=next_cursor(answered.page),
    )


def why_none(looked: list[Looked] | tuple[Looked, ...]) -> BookingReason | None:
    """The one reason that all vehicles share; where they differ, that time alone helps with some."""
    reasons = {None if it.verdict is None else it.verdict.reason for it in looked}
    if None in reasons:
        return None
    if not reasons:
        return BookingReason.NO_SUCH_VEHICLE_HERE
    return reasons.pop() if len(reasons) == 1 else BookingReason.VEHICLE_NOT_FREE


def _free(it: Looked, within: Window, rules: FleetRules, now_ms: int, metres: int | None) -> FreeVehicle:
    latest_ms = latest_end_ms(it.view.holdings, within.start_ms, now_ms + rules.horizon_ms, rules.grid_ms)
    return FreeVehicle(
        vehicle_id=it.vehicle.id,
        station_id=it.vehicle.home_station_id,
        category=it.vehicle.category,
        energy=it.vehicle.energy,
        latest_end=to_utc(latest_ms),
        distance_m=metres,
        free_intervals=_intervals(it, within),
    )


def _not_free(it: Looked, within: Window, metres: int | None) -> NotFreeVehicle:
    assert it.verdict is not None, "the caller asks for those that are not free"
    return NotFreeVehicle(
        vehicle_id=it.vehicle.id,
        reason=it.verdict.reason,
        next_free=free_window(it.verdict.next_free),
        station_id=it.vehicle.home_station_id,
        category=it.vehicle.category,
        distance_m=metres,
        free_intervals=_intervals(it, within) if it.verdict.reason in FREE_LATER else [],
    )


def _intervals(it: Looked, within: Window) -> list[FreeWindow]:
    free = free_intervals(it.busy, within)
    return [FreeWindow(start=to_utc(window.start_ms), end=to_utc(window.end_ms)) for window in free]


def _station(station_id: str, here: list[Looked], metres: int | None) -> StationAvailability:
    free = sum(it.verdict is None for it in here)
    return StationAvailability(
        station_id=station_id,
        distance_m=metres,
        free=free,
        not_free=len(here) - free,
        reason=why_none(here),
        next_free=_first_of(here),
    )


def _first_of(looked: list[Looked] | tuple[Looked, ...]) -> FreeWindow | None:
    """Where none of them is free: when one is."""
    if any(it.verdict is None for it in looked):
        return None
    coming = [it.verdict.next_free for it in looked if it.verdict is not None and it.verdict.next_free is not None]
    return free_window(min(coming, default=None))


def ahead_ms(query: AvailabilityQuery) -> int:
    return query.ahead_h * HOUR_MS
