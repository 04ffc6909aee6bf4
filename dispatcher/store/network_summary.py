"""Counts the network, for whoever wants to see at once how it is doing."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Executable, func, select

from dispatcher.store.columns import literally_in
from dispatcher.store.reachability import reachable_cabinets
from dispatcher.store.schema import (
    LIVE_BOOKING_STATES,
    bookings,
    cabinet_links,
    cabinets,
    desired_states,
    incidents,
    key_states,
    keys,
    members,
    municipalities,
    stations,
    vehicles,
)


@dataclass(frozen=True, slots=True)
class NetworkSummary:
    municipalities: int
    stations: int
    cabinets: int
    cabinets_online: int
    desired_outdated: int
    vehicles: Mapping[str, int]
    keys: Mapping[str, int]
    members: Mapping[str, int]
    bookings: Mapping[str, int]
    open_incidents: Mapping[str, int]


_MUNICIPALITIES = select(func.count()).select_from(municipalities)
_STATIONS = select(func.count()).where(stations.c.life_cycle == "in_service")
_CABINETS = (
    select(
        cabinets.c.id,
        func.coalesce(desired_states.c.version, 0).label("told"),
        func.coalesce(cabinet_links.c.desired_version_held, 0).label("held"),
    )
    .outerjoin(cabinet_links, cabinet_links.c.cabinet_id == cabinets.c.id)
    .outerjoin(desired_states, desired_states.c.cabinet_id == cabinets.c.id)
    .where(cabinets.c.life_cycle == "in_service")
)
_VEHICLES = select(vehicles.c.life_cycle, func.count()).group_by(vehicles.c.life_cycle)
_PLACE = func.coalesce(key_states.c.state, "unknown")
_KEYS = (
    select(_PLACE, func.count())
    .select_from(keys.outerjoin(key_states, key_states.c.key_id == keys.c.id))
    .where(keys.c.life_cycle == "in_service")
    .group_by(_PLACE)
)
_MEMBERS = select(members.c.standing, func.count()).group_by(members.c.standing)
_BOOKINGS = (
    select(bookings.c.state, func.count())
    .where(literally_in(bookings.c.state, LIVE_BOOKING_STATES))
    .group_by(bookings.c.state)
)
_INCIDENTS = (
    select(incidents.c.severity, func.count()).where(incidents.c.closed_ms.is_(None)).group_by(incidents.c.severity)
)


def network_summary(connection: Connection) -> NetworkSummary:
    """Count. A dozen milliseconds for 75,000 vehicles: nothing that the past makes longer is counted."""
    found = connection.execute(_CABINETS).all()
    reachable = reachable_cabinets(connection)
    return NetworkSummary(
        municipalities=connection.execute(_MUNICIPALITIES).scalar_one(),
        stations=connection.execute(_STATIONS).scalar_one(),
        cabinets=len(found),
        cabinets_online=sum(cabinet.id in reachable for cabinet in found),
        desired_outdated=sum(cabinet.told > cabinet.held for cabinet in found),
        vehicles=_counts(connection, _VEHICLES),
        keys=_counts(connection, _KEYS),
        members=_counts(connection, _MEMBERS),
        bookings=_counts(connection, _BOOKINGS),
        open_incidents=_counts(connection, _INCIDENTS),
    )


def _counts(connection: Connection, statement: Executable) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(statement)}
