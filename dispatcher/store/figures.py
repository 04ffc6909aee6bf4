"""What the metrics show of the database: counted now and then, never at scrape time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, case, func, select

from dispatcher.store.schema import bookings, cabinet_links, cabinets, desired_states, incidents


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts as of one instant."""

    open_incidents: Mapping[str, int] = field(default_factory=dict)
    """By kind."""
    bookings: Mapping[str, int] = field(default_factory=dict)
    """By state."""
    cabinets: int = 0
    cabinets_online: int = 0
    desired_outdated: int = 0
    """Cabinets that hold an older desired state than ours."""
    desired_lag_s: float = 0.0
    """Age of the oldest desired state that its cabinet does not hold yet."""
    desired_refused: int = 0
    """Cabinets whose desired state could not be made."""
    grants_left_out: int = 0


_OPEN_BY_KIND = (
    select(incidents.c.kind, func.count()).where(incidents.c.closed_ms.is_(None)).group_by(incidents.c.kind)
)
_BOOKINGS_BY_STATE = select(bookings.c.state, func.count()).group_by(bookings.c.state)
_IN_SERVICE = cabinets.c.life_cycle == "in_service"
_HELD = func.coalesce(cabinet_links.c.desired_version_held, 0)
_OUTDATED = (
    select(func.count(), func.min(desired_states.c.version))
    .outerjoin_from(desired_states, cabinet_links, cabinet_links.c.cabinet_id == desired_states.c.cabinet_id)
    .where(desired_states.c.version > _HELD)
)
_CABINETS = (
    select(func.count(), func.count(case((cabinet_links.c.online, 1))))
    .select_from(cabinets.outerjoin(cabinet_links, cabinets.c.id == cabinet_links.c.cabinet_id))
    .where(_IN_SERVICE)
)
_DESIRED = select(
    func.count(desired_states.c.refused), func.coalesce(func.sum(desired_states.c.grants_left_out), 0)
)


def figures(connection: Connection, now_ms: int) -> Figures:
    """Count."""
    outdated, oldest_ms = connection.execute(_OUTDATED).one()
    in_service, online = connection.execute(_CABINETS).one()
    refused, left_out = connection.execute(_DESIRED).one()
    return Figures(
        open_incidents=_counts(connection, _OPEN_BY_KIND),
        bookings=_counts(connection, _BOOKINGS_BY_STATE),
        cabinets=in_service,
        cabinets_online=online,
        desired_outdated=outdated,
        desired_lag_s=max(now_ms - oldest_ms, 0) / 1000 if outdated else 0.0,  # versions are unix milliseconds
        desired_refused=refused,
        grants_left_out=int(left_out),
    )


def _counts(connection: Connection, statement: Select[Any]) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(statement)}
