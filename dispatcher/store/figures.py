"""What the metrics show of the database: counted now and then, never at scrape time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, func, select

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


def figures(connection: Connection, now_ms: int) -> Figures:
    """Count."""
    by_kind = select(incidents.c.kind, func.count()).where(incidents.c.closed_ms.is_(None))
    by_state = select(bookings.c.state, func.count())
    in_service = cabinets.c.life_cycle == "in_service"
    online = (
        select(func.count())
        .select_from(cabinet_links.join(cabinets, cabinets.c.id == cabinet_links.c.cabinet_id))
        .where(cabinet_links.c.online, in_service)
    )
    held = func.coalesce(cabinet_links.c.desired_version_held, 0)
    outdated = (
        select(func.count(), func.min(desired_states.c.version))
        .outerjoin_from(desired_states, cabinet_links, cabinet_links.c.cabinet_id == desired_states.c.cabinet_id)
        .where(desired_states.c.version > held)
    )
    count, oldest_ms = connection.execute(outdated).one()
    left_out = select(func.coalesce(func.sum(desired_states.c.grants_left_out), 0))
    refused = select(func.count()).select_from(desired_states).where(desired_states.c.refused.is_not(None))
    return Figures(
        open_incidents=_counts(connection, by_kind.group_by(incidents.c.kind)),
        bookings=_counts(connection, by_state.group_by(bookings.c.state)),
        cabinets=connection.execute(select(func.count()).select_from(cabinets).where(in_service)).scalar_one(),
        cabinets_online=connection.execute(online).scalar_one(),
        desired_outdated=count,
        desired_lag_s=max(now_ms - oldest_ms, 0) / 1000 if count else 0.0,  # versions are unix milliseconds
        desired_refused=connection.execute(refused).scalar_one(),
        grants_left_out=int(connection.execute(left_out).scalar_one()),
    )


def _counts(connection: Connection, statement: Select[Any]) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(statement)}
