"""How far a revoked badge is revoked: which boxes hold a wanted state from after it, and how long that took."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, exists, insert, or_, select, update

from dispatcher.store.schema import badge_spread, badges, cabinet_links, cabinets, desired_states


@dataclass(frozen=True, slots=True)
class Spread:
    """Of one revoked badge."""

    revoked_ms: int
    boxes: int
    """In service when it was revoked, and still."""
    held: int
    """That have it."""
    missing: tuple["Missing", ...]
    """The others, whoever was heard longest ago first."""
    took_ms: int | None
    """From the revocation until the last box had it; None: one has not."""


@dataclass(frozen=True, slots=True)
class Missing:
    cabinet_id: str
    heard_ms: int | None
    """None: it never said anything."""


_IN_SERVICE = (
    select(cabinets.c.id, desired_states.c.version, desired_states.c.dirty)
    .outerjoin(desired_states, desired_states.c.cabinet_id == cabinets.c.id)
    .where(cabinets.c.life_cycle == "in_service")
    .order_by(cabinets.c.id)
)
_NEW = insert(badge_spread)
_FORGET = delete(badge_spread).where(badge_spread.c.badge_id == bindparam("badge"))
_COMPUTED = (
    update(badge_spread)
    .where(
        badge_spread.c.cabinet_id == bindparam("cabinet"),
        badge_spread.c.held_ms.is_(None),
        badge_spread.c.version.is_(None),
    )
    .values(version=bindparam("computed_version"))
)
_HOLDS_IT = exists(
    select(cabinet_links.c.cabinet_id).where(
        cabinet_links.c.cabinet_id == badge_spread.c.cabinet_id,
        cabinet_links.c.desired_version_held >= badge_spread.c.version,
    )
)
_ARRIVED = (
    update(badge_spread)
    .where(badge_spread.c.held_ms.is_(None), badge_spread.c.version.is_not(None), _HOLDS_IT)
    .values(held_ms=bindparam("now_ms"))
    .returning(badge_spread.c.badge_id)
)
_OF_BADGE = (
    select(
        badge_spread.c.cabinet_id,
        badge_spread.c.held_ms,
        cabinet_links.c.heard_ms,
        (cabinet_links.c.desired_version_held >= badge_spread.c.version).label("holds_it"),
    )
    .join(cabinets, cabinets.c.id == badge_spread.c.cabinet_id)
    .outerjoin(cabinet_links, cabinet_links.c.cabinet_id == badge_spread.c.cabinet_id)
    .where(
        badge_spread.c.badge_id == bindparam("badge"),
        or_(cabinets.c.life_cycle == "in_service", badge_spread.c.held_ms.is_not(None)),
    )
    .order_by(badge_spread.c.cabinet_id)
)
_REVOKED = select(badges.c.revoked_ms).where(badges.c.id == bindparam("badge"), badges.c.state == "revoked")


def begin_spread(connection: Connection, badge_id: str, affected: Collection[str], now_ms: int) -> None:
    """Count from now on. Boxes outside `affected` were told nothing of the badge by what we told them last."""
    connection.execute(_FORGET, {"badge": badge_id})
    rows = [
        {
            "badge_id": badge_id,
            "cabinet_id": row.id,
            "since_ms": now_ms,
            "version": None if row.id in affected or row.dirty or not row.version else row.version,
            "held_ms": None,
        }
        for row in connection.execute(_IN_SERVICE)
    ]
    if rows:
        connection.execute(_NEW, rows)
    settle_spread(connection, now_ms)


def spread_computed(connection: Connection, cabinet_id: str, version: int) -> None:
    """A cabinet's wanted state was computed, as `version`: what waited for that waits for its box now."""
    connection.execute(_COMPUTED, {"cabinet": cabinet_id, "computed_version": version})


def settle_spread(connection: Connection, now_ms: int) -> tuple[int, ...]:
    """Keep since when each box has what it was to be told. Run it again at any time.

    Returns for each badge that the last box has now how long that took, in milliseconds.
    """
    moved = set(connection.execute(_ARRIVED, {"now_ms": now_ms}).scalars())
    found = [spread_of(connection, badge_id) for badge_id in sorted(moved)]
    return tuple(spread.took_ms for spread in found if spread is not None and spread.took_ms is not None)


def spread_of(connection: Connection, badge_id: str) -> Spread | None:
    """None: the badge is not revoked, or there is none."""
    revoked_ms = connection.execute(_REVOKED, {"badge": badge_id}).scalar_one_or_none()
    if revoked_ms is None:
        return None
    rows = connection.execute(_OF_BADGE, {"badge": badge_id}).all()
    missing = [Missing(row.cabinet_id, row.heard_ms) for row in rows if row.held_ms is None and not row.holds_it]
    arrived = [row.held_ms for row in rows if row.held_ms is not None]
    return Spread(
        revoked_ms=revoked_ms,
        boxes=len(rows),
        held=len(rows) - len(missing),
        missing=tuple(sorted(missing, key=lambda it: (it.heard_ms or 0, it.cabinet_id))),
        took_ms=max(arrived) - revoked_ms if arrived and len(arrived) == len(rows) else None,
    )
