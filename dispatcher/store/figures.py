"""What the metrics show of the database: counted now and then, never at scrape time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, distinct, func, select

from dispatcher.store.cabinet_figures import CabinetFigures, cabinet_figures
from dispatcher.store.schema import badge_spread, bookings, cabinets, incidents


@dataclass(frozen=True, slots=True)
class Unacknowledged:
    """Open incidents of one severity that nobody has acknowledged."""

    count: int
    oldest_ms: int
    """When the oldest of them was opened."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts as of one instant."""

    open_incidents: Mapping[str, int] = field(default_factory=dict)
    """By kind."""
    unacknowledged: Mapping[str, Unacknowledged] = field(default_factory=dict)
    """By severity; one without any is absent."""
    bookings: Mapping[str, int] = field(default_factory=dict)
    """By state."""
    cabinets: tuple[CabinetFigures, ...] = ()
    """In service."""
    revocations_pending: int = 0
    """Revoked badges that some box in service is still to be told of."""
    revoked_since_ms: int | None = None
    """When the oldest of them was revoked."""

    @property
    def outdated(self) -> tuple[int, ...]:
        """When each desired state was made that its cabinet does not hold yet."""
        return tuple(one.desired_since_ms for one in self.cabinets if one.desired_since_ms is not None)


_OPEN = incidents.c.closed_ms.is_(None)
_OPEN_BY_KIND = select(incidents.c.kind, func.count()).where(_OPEN).group_by(incidents.c.kind)
_UNACKNOWLEDGED = (
    select(incidents.c.severity, func.count(), func.min(incidents.c.opened_ms))
    .where(_OPEN, incidents.c.acknowledged_ms.is_(None))
    .group_by(incidents.c.severity)
)
_BOOKINGS_BY_STATE = select(bookings.c.state, func.count()).group_by(bookings.c.state)
_PENDING = (
    select(func.count(distinct(badge_spread.c.badge_id)), func.min(badge_spread.c.since_ms))
    .join(cabinets, cabinets.c.id == badge_spread.c.cabinet_id)
    .where(badge_spread.c.held_ms.is_(None), cabinets.c.life_cycle == "in_service")
)


def figures(connection: Connection) -> Figures:
    """Count."""
    pending, revoked_since_ms = connection.execute(_PENDING).one()
    return Figures(
        open_incidents=_counts(connection, _OPEN_BY_KIND),
        unacknowledged={row[0]: Unacknowledged(row[1], row[2]) for row in connection.execute(_UNACKNOWLEDGED)},
        bookings=_counts(connection, _BOOKINGS_BY_STATE),
        cabinets=cabinet_figures(connection),
        revocations_pending=pending,
        revoked_since_ms=revoked_since_ms,
    )


def _counts(connection: Connection, statement: Select[Any]) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(statement)}
