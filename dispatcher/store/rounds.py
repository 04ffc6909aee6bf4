"""What a publisher's round has to do, in one read: mostly nothing."""

from dataclasses import dataclass

from sqlalchemy import Connection, and_, bindparam, or_, select

from dispatcher.store.desired import Told
from dispatcher.store.schema import cabinet_links, cabinets, desired_states


@dataclass(frozen=True, slots=True)
class ToDo:
    compute: bool
    """Whether a desired state is missing, dirty or stale."""
    unlike: tuple[Told, ...]
    """Those whose cabinet does not say that it holds them."""
    gone: tuple[str, ...] = ()
    """Cabinets that were told something and are retired: what a broker keeps for them is to be forgotten."""


_USED = cabinets.c.life_cycle != "retired"
_UNKNOWN = desired_states.c.cabinet_id.is_(None)
_DUE = and_(_USED, or_(_UNKNOWN, desired_states.c.dirty, desired_states.c.computed_ms < bindparam("stale_ms")))
_TOLD = desired_states.c.version > 0
_GONE = and_(~_USED, _TOLD)
_UNLIKE = and_(
    _USED,
    _TOLD,
    or_(
        cabinet_links.c.desired_version_held.is_(None),
        cabinet_links.c.desired_version_held != desired_states.c.version,
    ),
)
_TO_DO = (  # made once: this runs after every commit and every tick
    select(
        cabinets.c.id,
        desired_states.c.version,
        cabinet_links.c.desired_version_held,
        cabinet_links.c.online,
        _DUE,
        _UNLIKE,
        _GONE,
    )
    .outerjoin(desired_states, desired_states.c.cabinet_id == cabinets.c.id)
    .outerjoin(cabinet_links, cabinet_links.c.cabinet_id == cabinets.c.id)
    .where(or_(_DUE, _UNLIKE, _GONE))
    .order_by(cabinets.c.id)
)


def to_do(connection: Connection, stale_ms: int) -> ToDo:
    """`stale_ms`: what was computed before this is computed again."""
    rows = connection.execute(_TO_DO, {"stale_ms": stale_ms}).all()
    return ToDo(
        compute=any(due for *_, due, _unlike, _gone in rows),
        unlike=tuple(
            Told(cabinet_id, version, held or 0, bool(online))
            for cabinet_id, version, held, online, _due, unlike, _gone in rows
            if unlike
        ),
        gone=tuple(cabinet_id for cabinet_id, *_, gone in rows if gone),
    )
