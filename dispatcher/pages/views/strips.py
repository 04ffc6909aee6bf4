"""Open incidents as strips: what is wrong, where, since when, and whose bookings it hits."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, case, func, or_, select

from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import IncidentKind, Severity
from dispatcher.core.silence import storm_members
from dispatcher.core.windows import DAY_MS
from dispatcher.pages.views.places import Named, Place, places_of, vehicles_named
from dispatcher.store.columns import literally_in
from dispatcher.store.incidents import Incident
from dispatcher.store.paging import Page, PageRequest, cut, newest_first
from dispatcher.store.schema import LIVE_BOOKING_STATES, bookings, incidents

STRIPS_MAX = 60  # what is more than two screens is read as a list, not at a glance
SOON_MS = DAY_MS  # whom the night shift and the one after it may have to call
SHOWN_MAX = 2  # bookings by name of their time; the others are a number
SEVERITIES: tuple[Severity, ...] = ("urgent", "warning", "info")
_RANK = case({name: rank for rank, name in enumerate(SEVERITIES)}, value=incidents.c.severity)

_OPEN = (
    select(incidents)
    .where(incidents.c.closed_ms.is_(None))
    .order_by(_RANK, incidents.c.id.desc())
    .limit(STRIPS_MAX)
)
_OPEN_OF = _OPEN.where(
    or_(
        incidents.c.cabinet_id.in_(bindparam("cabinets", expanding=True)),
        incidents.c.vehicle_id == bindparam("vehicle"),
    )
)
_COUNTS = (
    select(incidents.c.severity, func.count()).where(incidents.c.closed_ms.is_(None)).group_by(incidents.c.severity)
)
_CLOSED = select(incidents).where(incidents.c.closed_ms.is_not(None))
_ONE = select(incidents).where(incidents.c.ref == bindparam("ref"))
_OWN = select(bookings.c.id, bookings.c.start_ms, bookings.c.end_ms, bookings.c.vehicle_id, bookings.c.state).where(
    bookings.c.id.in_(bindparam("ids", expanding=True))
)
_SOON = (
    select(bookings.c.id, bookings.c.start_ms, bookings.c.end_ms, bookings.c.vehicle_id, bookings.c.cabinet_id)
    .where(
        literally_in(bookings.c.state, LIVE_BOOKING_STATES),  # as in the index, which is not used otherwise
        bookings.c.state == BookingState.BOOKED,
        bookings.c.purpose.is_(None),
        bookings.c.end_ms > bindparam("now_ms"),
        bookings.c.start_ms < bindparam("until_ms"),
        or_(
            bookings.c.vehicle_id.in_(bindparam("vehicles", expanding=True)),
            bookings.c.cabinet_id.in_(bindparam("cabinets", expanding=True)),
        ),
    )
    .order_by(bookings.c.start_ms, bookings.c.id)
)


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A member's booking that has not begun."""

    id: str
    start_ms: int
    end_ms: int
    vehicle: str
    """Its name."""


@dataclass(frozen=True, slots=True)
class OwnBooking:
    """The booking that an incident is about."""

    id: str
    start_ms: int
    end_ms: int
    state: str


@dataclass(frozen=True, slots=True)
class Strip:
    incident: Incident
    place: Place | None
    """None: it is about no cabinet."""
    slot: int | None
    vehicle: Named | None
    storm: tuple[Place, ...] = ()
    """The cabinets of a storm."""
    own: OwnBooking | None = None
    soon: tuple[Upcoming, ...] = ()
    """Whom it may hit within `SOON_MS`, the soonest first: at most `SHOWN_MAX`."""
    soon_count: int = 0
    knows_bookings: bool = True
    """False: the reader may see no bookings."""

    @property
    def kind(self) -> IncidentKind:
        return IncidentKind(self.incident.kind)

    @property
    def severity(self) -> Severity:
        return next(each for each in SEVERITIES if each == self.incident.severity)

    @property
    def soon_more(self) -> int:
        return self.soon_count - len(self.soon)


@dataclass(frozen=True, slots=True)
class Strips:
    strips: tuple[Strip, ...]
    counts: Mapping[Severity, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def more(self) -> int:
        """Open ones beyond those that are shown."""
        return sum(self.counts.values()) - len(self.strips)


def open_strips(connection: Connection, now_ms: int, *, with_bookings: bool) -> Strips:
    """All that is open, the most urgent first, then the newest."""
    rows = [Incident(**row._asdict()) for row in connection.execute(_OPEN)]
    counted = {row[0]: row[1] for row in connection.execute(_COUNTS)}
    counts = {severity: counted.get(severity, 0) for severity in SEVERITIES}
    return Strips(_strips(connection, rows, now_ms, with_bookings=with_bookings), counts)


def strips_of(
    connection: Connection, now_ms: int, *, cabinets: Collection[str] = (), vehicle_id: str | None = None
) -> tuple[Strip, ...]:
    """What is open about these cabinets or this vehicle, the most urgent first."""
    which = {"cabinets": sorted(cabinets), "vehicle": vehicle_id}
    rows = [Incident(**row._asdict()) for row in connection.execute(_OPEN_OF, which)]
    return _strips(connection, rows, now_ms, with_bookings=True)


def closed_strips(connection: Connection, now_ms: int, request: PageRequest) -> Page[Strip]:
    """What was closed, the newest first."""
    rows = connection.execute(newest_first(_CLOSED, incidents.c.id, request))
    found = _strips(connection, [Incident(**row._asdict()) for row in rows], now_ms, with_bookings=False)
    return cut(found, request, lambda strip: (strip.incident.id,))


def strip_of(connection: Connection, ref: str, now_ms: int, *, with_bookings: bool) -> Strip | None:
    """One incident, open or closed; None: there is none of that name."""
    row = connection.execute(_ONE, {"ref": ref}).one_or_none()
    if row is None:
        return None
    return _strips(connection, [Incident(**row._asdict())], now_ms, with_bookings=with_bookings)[0]


class _Reach(NamedTuple):
    """Whose bookings an incident can hit: those of a vehicle, or else of cabinets."""

    vehicle_id: str | None
    cabinets: frozenset[str]


def _reach(incident: Incident) -> _Reach:
    if incident.kind == IncidentKind.CABINETS_SILENT_STORM:
        return _Reach(None, storm_members(incident.seen))
    if incident.vehicle_id is not None:
        return _Reach(incident.vehicle_id, frozenset())
    return _Reach(None, frozenset([incident.cabinet_id] if incident.cabinet_id is not None else []))


def _strips(connection: Connection, rows: list[Incident], now_ms: int, *, with_bookings: bool) -> tuple[Strip, ...]:
    reaches = [_reach(row) for row in rows]
    named = {each for reach in reaches for each in reach.cabinets}
    places = places_of(connection, named | {row.cabinet_id for row in rows if row.cabinet_id is not None})
    soon = _soon(connection, reaches, now_ms) if with_bookings else {}
    own = _own(connection, rows) if with_bookings else {}
    cars = {row.vehicle_id for row in rows if row.vehicle_id is not None}
    vehicles = vehicles_named(connection, cars | {each.vehicle for some in soon.values() for each in some})
    found = []
    for row, reach in zip(rows, reaches, strict=True):
        hit = (
            [] if row.closed_ms is not None else [each for each in soon.get(reach, ()) if each.id != row.booking_id]
        )
        found.append(
            Strip(
                incident=row,
                place=places.get(row.cabinet_id or ""),
                slot=_slot(row),
                vehicle=vehicles.get(row.vehicle_id or ""),
                storm=tuple(places[each] for each in sorted(reach.cabinets) if each in places)
                if row.kind == IncidentKind.CABINETS_SILENT_STORM
                else (),
                own=own.get(row.booking_id or ""),
                soon=tuple(_named(each, vehicles) for each in hit[:SHOWN_MAX]),
                soon_count=len(hit),
                knows_bookings=with_bookings,
            )
        )
    return tuple(found)


def _slot(incident: Incident) -> int | None:
    """Of subjects such as `CABINET/3`, as incidents about one slot have."""
    cabinet, _, part = incident.subject.rpartition("/")
    return int(part) if cabinet and cabinet == incident.cabinet_id and part.isdecimal() else None


def _named(booking: Upcoming, vehicles: Mapping[str, Named]) -> Upcoming:
    known = vehicles.get(booking.vehicle)
    name = booking.vehicle if known is None else known.name
    return Upcoming(booking.id, booking.start_ms, booking.end_ms, name)


def _own(connection: Connection, rows: Iterable[Incident]) -> dict[str, OwnBooking]:
    ids = sorted({row.booking_id for row in rows if row.booking_id is not None})
    if not ids:
        return {}
    found = connection.execute(_OWN, {"ids": ids})
    return {row.id: OwnBooking(row.id, row.start_ms, row.end_ms, row.state) for row in found}


def _soon(connection: Connection, reaches: Iterable[_Reach], now_ms: int) -> dict[_Reach, list[Upcoming]]:
    """By reach; the vehicles still by their ids."""
    cars = sorted({reach.vehicle_id for reach in reaches if reach.vehicle_id is not None})
    cabinets = sorted({each for reach in reaches for each in reach.cabinets})
    if not cars and not cabinets:
        return {}
    which = {"now_ms": now_ms, "until_ms": now_ms + SOON_MS, "vehicles": cars, "cabinets": cabinets}
    by_car: dict[str, list[Upcoming]] = defaultdict(list)
    by_cabinet: dict[str, list[Upcoming]] = defaultdict(list)
    for row in connection.execute(_SOON, which):
        booking = Upcoming(row.id, row.start_ms, row.end_ms, row.vehicle_id)
        by_car[row.vehicle_id].append(booking)
        by_cabinet[row.cabinet_id].append(booking)
    return {
        reach: by_car[reach.vehicle_id]
        if reach.vehicle_id is not None
        else sorted(
            (each for cabinet in reach.cabinets for each in by_cabinet[cabinet]), key=lambda each: each.start_ms
        )
        for reach in reaches
    }
