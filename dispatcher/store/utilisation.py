"""How much vehicles were used in a period: added up by the database, by vehicle, station and organisation.

Service orders are no use of a vehicle, and are left out with their rentals; so are rentals without a booking.
A booking counts up to its end or, where it ended earlier, up to that: the rest was free again. Keys that are out
together, a spare beside the main one, count once. What a rental drove counts where its key came back.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, case, distinct, func, literal_column, select

from dispatcher.core.windows import Window
from dispatcher.store.schema import bookings, cabinets, refusals, rentals, unmet_demand, vehicles


@dataclass(slots=True)
class Use:
    """The figures of one vehicle, category, station or organisation."""

    vehicles: int = 0
    bookings: int = 0
    """That start in the period, whatever became of them, cancelled ones left out."""
    cancelled: int = 0
    no_shows: int = 0
    booked_ms: int = 0
    driven_ms: int = 0
    rentals: int = 0
    """That ended in the period."""
    distance_m: int = 0
    distance_unknown: int = 0
    """Rentals that ended in the period and whose distance is not known."""
    refusals: Counter[str] = field(default_factory=Counter)
    unmet: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Line:
    """Where a figure belongs; None: it belongs to none of that kind."""

    vehicle_id: str | None = None
    station_id: str | None = None
    organisation_id: str | None = None
    category: str | None = None


@dataclass(frozen=True, slots=True)
class Utilisation:
    by_line: Mapping[Line, Use]
    drivers: Mapping[str, int]
    """Members who booked on an organisation's account for the period, by organisation."""


_FROM: ColumnElement[int] = bindparam("from_ms", type_=bookings.c.start_ms.type)
_UNTIL: ColumnElement[int] = bindparam("until_ms", type_=bookings.c.start_ms.type)
_NOW: ColumnElement[int] = bindparam("now_ms", type_=bookings.c.start_ms.type)


def _later(one: Any, other: Any) -> Any:
    """The greater of two: SQLite and PostgreSQL call the function differently."""
    return case((one > other, one), else_=other)


def _earlier(one: Any, other: Any) -> Any:
    return case((one < other, one), else_=other)


def _count(condition: Any) -> Any:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


_PLACE = (bookings.c.vehicle_id, bookings.c.station_id, bookings.c.organisation_id)
_ENDED = _earlier(bookings.c.end_ms, func.coalesce(bookings.c.ended_ms, bookings.c.end_ms))
_INSIDE = _earlier(_ENDED, _UNTIL) - _later(bookings.c.start_ms, _FROM)
_STARTS = and_(bookings.c.start_ms >= _FROM, bookings.c.start_ms < _UNTIL)
_HELD = bookings.c.state.not_in([literal_column("'cancelled'"), literal_column("'no_show'")])
_BOOKINGS = (
    select(
        *_PLACE,
        _count(and_(_STARTS, bookings.c.state != "cancelled")),
        _count(and_(_STARTS, bookings.c.state == "cancelled")),
        _count(and_(_STARTS, bookings.c.state == "no_show")),
        func.coalesce(func.sum(case((and_(_HELD, _INSIDE > 0), _INSIDE), else_=0)), 0),
    )
    .where(bookings.c.purpose.is_(None), bookings.c.start_ms < _UNTIL, bookings.c.end_ms > _FROM)
    .group_by(*_PLACE)
)
_DRIVERS = (
    select(bookings.c.organisation_id, func.count(distinct(bookings.c.member_id)))
    .where(
        bookings.c.purpose.is_(None),
        bookings.c.organisation_id.is_not(None),
        bookings.c.start_ms < _UNTIL,
        bookings.c.end_ms > _FROM,
        bookings.c.state != "cancelled",
    )
    .group_by(bookings.c.organisation_id)
)


def _rentals() -> Any:
    back_ms = func.coalesce(rentals.c.returned_ms, _NOW)
    inside = (
        select(
            *_PLACE,
            rentals.c.id,
            _later(rentals.c.taken_ms, _FROM).label("from_ms"),
            _earlier(back_ms, _UNTIL).label("until_ms"),
            (and_(rentals.c.returned_ms >= _FROM, rentals.c.returned_ms < _UNTIL)).label("ends"),
            (rentals.c.odometer_end_m - rentals.c.odometer_start_m).label("distance_m"),
        )
        .join(bookings, bookings.c.id == rentals.c.booking_id)
        .where(
            bookings.c.purpose.is_(None),
            rentals.c.taken_ms < _UNTIL,
            back_ms >= _FROM,
        )
        .subquery()
    )
    before = func.max(inside.c.until_ms).over(
        partition_by=inside.c.vehicle_id, order_by=(inside.c.from_ms, inside.c.id), rows=(None, -1)
    )
    counted = select(inside, func.coalesce(before, inside.c.from_ms).label("before_ms")).subquery()
    out_ms = counted.c.until_ms - _later(counted.c.from_ms, counted.c.before_ms)
    place = (counted.c.vehicle_id, counted.c.station_id, counted.c.organisation_id)
    known = and_(counted.c.ends, counted.c.distance_m >= 0)
    unknown = and_(counted.c.ends, func.coalesce(counted.c.distance_m, -1) < 0)
    return select(
        *place,
        func.coalesce(func.sum(case((out_ms > 0, out_ms), else_=0)), 0),
        _count(counted.c.ends),
        func.coalesce(func.sum(case((known, counted.c.distance_m), else_=0)), 0),
        _count(unknown),
    ).group_by(*place)


_RENTALS = _rentals()
_REFUSALS = (
    select(
        bookings.c.vehicle_id,
        func.coalesce(bookings.c.station_id, cabinets.c.station_id),
        bookings.c.organisation_id,
        refusals.c.reason,
        func.count(),
    )
    .select_from(
        refusals.join(cabinets, cabinets.c.id == refusals.c.cabinet_id).outerjoin(
            bookings, and_(bookings.c.grant_id == refusals.c.grant_id, bookings.c.purpose.is_(None))
        )
    )
    .where(refusals.c.at_ms >= _FROM, refusals.c.at_ms < _UNTIL)
    .group_by(
        bookings.c.vehicle_id,
        func.coalesce(bookings.c.station_id, cabinets.c.station_id),
        bookings.c.organisation_id,
        refusals.c.reason,
    )
)
_UNMET = (
    select(
        unmet_demand.c.station_id, unmet_demand.c.category, unmet_demand.c.reason, func.sum(unmet_demand.c.count)
    )
    .where(unmet_demand.c.hour_ms >= _FROM, unmet_demand.c.hour_ms < _UNTIL)
    .group_by(unmet_demand.c.station_id, unmet_demand.c.category, unmet_demand.c.reason)
)
_VEHICLES = select(vehicles.c.id, vehicles.c.category, vehicles.c.home_station_id, vehicles.c.life_cycle)


def utilisation(connection: Connection, period: Window, now_ms: int) -> Utilisation:
    """Add up. Each vehicle that is not retired has a line at its home station, whether it was used or not."""
    which = {"from_ms": period.start_ms, "until_ms": period.end_ms, "now_ms": now_ms}
    found: dict[Line, Use] = defaultdict(Use)
    category_of: dict[str, str] = {}
    for vehicle_id, category, station_id, life_cycle in connection.execute(_VEHICLES):
        category_of[vehicle_id] = category
        if life_cycle != "retired":
            found[Line(vehicle_id, station_id, None, category)].vehicles = 1

    def line(vehicle_id: str | None, station_id: str | None, organisation_id: str | None) -> Use:
        return found[Line(vehicle_id, station_id, organisation_id, category_of.get(vehicle_id or ""))]

    for *place, made, cancelled, no_shows, booked_ms in connection.execute(_BOOKINGS, which):
        use = line(*place)
        use.bookings, use.cancelled, use.no_shows, use.booked_ms = made, cancelled, no_shows, int(booked_ms)
    for *place, driven_ms, ended, distance_m, unknown in connection.execute(_RENTALS, which):
        use = line(*place)
        use.driven_ms, use.rentals, use.distance_m = int(driven_ms), ended, int(distance_m)
        use.distance_unknown = unknown
    for *place, reason, times in connection.execute(_REFUSALS, which):
        line(*place).refusals[reason] += times
    for station_id, category, reason, times in connection.execute(_UNMET, which):
        found[Line(None, station_id or None, None, category or None)].unmet[reason] += int(times)
    drivers = {row[0]: row[1] for row in connection.execute(_DRIVERS, which)}
    return Utilisation(found, drivers)


def folded(found: Utilisation, kind: str) -> dict[str, Use]:
    """The figures by one kind of line: `vehicle_id`, `category`, `station_id` or `organisation_id`."""
    lines: dict[str, Use] = defaultdict(Use)
    for where, use in found.by_line.items():
        name = getattr(where, kind)
        if name is not None:
            _add(lines[name], use)
    return dict(sorted(lines.items()))


def _add(total: Use, more: Use) -> None:
    for name in (
        "vehicles",
        "bookings",
        "cancelled",
        "no_shows",
        "booked_ms",
        "driven_ms",
        "rentals",
        "distance_m",
        "distance_unknown",
    ):
        setattr(total, name, getattr(total, name) + getattr(more, name))
    total.refusals.update(more.refusals)
    total.unmet.update(more.unmet)
