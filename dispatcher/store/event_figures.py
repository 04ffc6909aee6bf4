"""What the metrics show of events: counted now and then, never at scrape time."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, literal_column, select

from dispatcher.store.schema import WEBHOOK_STATES, webhook_deliveries, webhooks


@dataclass(frozen=True, slots=True)
class EventFigures:
    """As of one instant."""

    lag_s: float = 0.0
    """Since when the oldest event waits that an active subscription has not got."""
    waiting: int = 0
    dead: int = 0
    webhooks: Mapping[str, int] = field(default_factory=dict)
    """By state."""


COUNTED_MAX = 10_000  # more are not counted: that they are many is what matters
_IS_WAITING = webhook_deliveries.c.state == literal_column("'waiting'")
_OLDEST_MS = (
    select(func.min(webhook_deliveries.c.queued_ms))
    .join_from(webhook_deliveries, webhooks, webhook_deliveries.c.webhook_id == webhooks.c.id)
    .where(_IS_WAITING, webhooks.c.state == "active")
)
_WAITING_COUNT, _DEAD_COUNT = (
    select(func.count()).select_from(
        select(webhook_deliveries.c.sequence).where(which).limit(COUNTED_MAX).subquery()
    )
    for which in (_IS_WAITING, webhook_deliveries.c.state == literal_column("'dead'"))
)
_BY_STATE = select(webhooks.c.state, func.count()).group_by(webhooks.c.state)


def event_figures(connection: Connection, now_ms: int) -> EventFigures:
    """Count. Where nobody subscribed, there is nothing to count."""
    by_state = {row[0]: row[1] for row in connection.execute(_BY_STATE)}
    if not by_state:
        return EventFigures()
    oldest_ms = connection.execute(_OLDEST_MS).scalar_one()
    return EventFigures(
        lag_s=0.0 if oldest_ms is None else max(now_ms - oldest_ms, 0) / 1000,
        waiting=connection.execute(_WAITING_COUNT).scalar_one(),
        dead=connection.execute(_DEAD_COUNT).scalar_one(),
        webhooks={state: by_state.get(state, 0) for state in WEBHOOK_STATES},
    )
