"""Which vehicles are hardly used and which stations are short of them, from a period's bookings."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from contract.places import Place, distance_m
from dispatcher.core.fleet import Car, Played, play_without
from dispatcher.core.rules import BookingReason
from dispatcher.core.windows import DAY_MS, Window
from dispatcher.store.schema import bookings, stations, unmet_demand, vehicles
from dispatcher.store.unmet import ANY

MORE_CARS_HELP = frozenset(
    {
        BookingReason.VEHICLE_NOT_FREE,
        BookingReason.IN_SERVICE_ORDER,
        BookingReason.VEHICLE_BLOCKED,
        BookingReason.VEHICLE_NOT_BACK,
        BookingReason.NO_SUCH_VEHICLE_HERE,
    }
)
"""Reasons of unmet demand that one vehicle more would have ended; a cabinet that is cut off is none of them."""
WEEK_MS = 7 * DAY_MS


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From when on a vehicle is hardly used, or a station short."""

    under_share: float
    """Of the period, that bookings held the vehicle."""
    short_per_week: float
    """Searches and bookings a week that found nothing."""
    walk_m: int
    """How far somebody walks to another station."""


@dataclass(frozen=True, slots=True)
class UnderUsed:
    played: Played
    share: float
    near: tuple[tuple[str, int, int], ...]
    """Stations within walking distance, the own one first: id, metres, other vehicles of the category there."""
    move_to: str | None
    """Where such a vehicle is short, if it could go: the station with the most unmet demand."""


@dataclass(frozen=True, slots=True)
class Short:
    station_id: str
    category: str
    vehicles: int
    """Of the category that are at home there."""
    unmet: Mapping[str, int]
    per_week: float
    share: float | None
    """Of their time, that bookings held them; None: there are none."""


@dataclass(frozen=True, slots=True)
class FleetReport:
    under_used: tuple[UnderUsed, ...]
    """The least used first."""
    short: tuple[Short, ...]
    """The shortest first."""


_VEHICLES = select(vehicles.c.id, vehicles.c.home_station_id, vehicles.c.category).where(
    vehicles.c.life_cycle == "in_service"
)
_PLACES = select(stations.c.id, stations.c.latitude, stations.c.longitude)


def fleet_report(connection: Connection, period: Window, thresholds: Thresholds) -> FleetReport:
    """Read a period's bookings and play it again without the vehicles that were hardly used."""
    cars = _cars(connection, period)
    shares = {car.vehicle_id: car.held_ms / period.length_ms for car in cars}
    place_of = {row.id: Place(row.latitude, row.longitude) for row in connection.execute(_PLACES)}
    little = sorted((shares[car.vehicle_id], car.vehicle_id) for car in cars)
    candidates = [vehicle_id for share, vehicle_id in little if share < thresholds.under_share]
    near = _near(cars, set(candidates), place_of, thresholds.walk_m)
    ids = {station: [other for _, other in around] for station, around in near.items()}
    short = _short(connection, period, cars, thresholds)
    where_short: dict[str, str] = {}
    for it in short:
        where_short.setdefault(it.category, it.station_id)
    there = Counter((car.station_id, car.category) for car in cars)
    under_used = []
    for played in play_without(cars, candidates, ids):
        car = played.car
        places = ((0, car.station_id), *near[car.station_id])
        beside = tuple(
            (station, metres, there[station, car.category] - (station == car.station_id))
            for metres, station in places
        )
        target = where_short.get(car.category) if played.could_go else None
        move_to = target if target != car.station_id else None
        under_used.append(UnderUsed(played, shares[car.vehicle_id], beside, move_to))
    return FleetReport(tuple(under_used), short)


def _cars(connection: Connection, period: Window) -> list[Car]:
    """Vehicles in service with the windows for which members' bookings held them, cut to the period."""
    statement = select(bookings.c.vehicle_id, bookings.c.start_ms, bookings.c.end_ms, bookings.c.ended_ms).where(
        bookings.c.purpose.is_(None),
        bookings.c.start_ms < period.end_ms,
        bookings.c.end_ms > period.start_ms,
        bookings.c.state.not_in(["cancelled", "no_show"]),
    )
    held: dict[str, list[Window]] = defaultdict(list)
    for vehicle_id, start_ms, end_ms, ended_ms in connection.execute(statement):
        until_ms = end_ms if ended_ms is None else min(end_ms, ended_ms)
        window = Window(max(start_ms, period.start_ms), min(until_ms, period.end_ms))
        if window.length_ms > 0:
            held[vehicle_id].append(window)
    return [
        Car(row.id, row.home_station_id, row.category, tuple(sorted(held[row.id])))
        for row in connection.execute(_VEHICLES)
    ]


def _near(
    cars: list[Car], candidates: set[str], place_of: Mapping[str, Place], walk_m: int
) -> dict[str, list[tuple[int, str]]]:
    """For each station of a candidate the others within walking distance, nearest first."""
    with_cars = {car.station_id for car in cars}
    return {
        station: sorted(
            (metres, other)
            for other in with_cars - {station}
            if (metres := round(distance_m(place_of[station], place_of[other]))) <= walk_m
        )
        for station in {car.station_id for car in cars if car.vehicle_id in candidates}
    }


def _short(connection: Connection, period: Window, cars: list[Car], thresholds: Thresholds) -> tuple[Short, ...]:
    statement: Any = select(
        unmet_demand.c.station_id, unmet_demand.c.category, unmet_demand.c.reason, unmet_demand.c["count"]
    ).where(unmet_demand.c.hour_ms >= period.start_ms, unmet_demand.c.hour_ms < period.end_ms)
    unmet: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for station_id, category, reason, count in connection.execute(statement):
        if ANY not in (station_id, category) and reason in MORE_CARS_HELP:
            unmet[station_id, category][reason] += count
    found = []
    for (station_id, category), reasons in unmet.items():
        per_week = reasons.total() * WEEK_MS / period.length_ms
        here = [car for car in cars if (car.station_id, car.category) == (station_id, category)]
        share = sum(car.held_ms for car in here) / (len(here) * period.length_ms) if here else None
        if per_week >= thresholds.short_per_week:
            found.append(Short(station_id, category, len(here), dict(sorted(reasons.items())), per_week, share))
    return tuple(sorted(found, key=lambda it: (-it.per_week, it.station_id, it.category)))
