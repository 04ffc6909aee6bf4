"""What the metrics show of each cabinet: what it said last, and what our picture has there."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from dispatcher.core.incidents import IncidentKind
from dispatcher.store.cabinet_views import in_service
from dispatcher.store.columns import literally_in
from dispatcher.store.schema import (
    cabinet_links,
    cabinets,
    cursors,
    desired_states,
    incidents,
    key_states,
    slot_states,
)

SLOT_STATES = ("shut_with_key", "open_with_key", "open_empty", "shut_empty", "unknown")
"""As the box calls them; `unknown` where it could not see the slot, or never spoke of it."""
OVERDUE = (IncidentKind.KEY_OVERDUE, IncidentKind.SERVICE_ORDER_OVERDUE)
FORCED = (
    IncidentKind.CABINET_OVERRIDE,
    IncidentKind.CABINET_TAMPERED,
    IncidentKind.READER_REPLACED,
    IncidentKind.READER_TAMPERED,
    IncidentKind.SLOT_OPENED_WITHOUT_DECISION,
)


@dataclass(frozen=True, slots=True)
class CabinetFigures:
    """Of one cabinet in service."""

    cabinet_id: str
    station_id: str
    """Its main one."""
    online: bool
    heard_ms: int | None
    """None: it never said anything."""
    clock_trusted: bool
    facts_missing: int
    """That its last report says it noted, and the ledger lacks."""
    desired_since_ms: int | None
    """When the state was made that it is to hold and does not; None: it holds it."""
    desired_refused: bool
    grants_left_out: int
    slots: Mapping[str, int] = field(default_factory=dict)
    """By state."""
    keys_out: int = 0
    keys_overdue: int = 0
    forced: int = 0


_CABINETS = in_service(
    cabinets.c.id,
    cabinets.c.station_id,
    cabinets.c.slots,
    func.coalesce(cabinet_links.c.online, False).label("online"),
    cabinet_links.c.heard_ms,
    func.coalesce(cabinet_links.c.clock_trusted, False).label("clock_trusted"),
    func.coalesce(cabinet_links.c.reported_seq, 0).label("noted"),
    func.coalesce(cursors.c.seq, 0).label("known"),
    func.coalesce(cabinet_links.c.desired_version_held, 0).label("held"),
    func.coalesce(desired_states.c.version, 0).label("version"),
    desired_states.c.refused,
    func.coalesce(desired_states.c.grants_left_out, 0).label("grants_left_out"),
)
_SLOTS = select(
    slot_states.c.cabinet_id, slot_states.c.key_present, slot_states.c.door_open, func.count()
).group_by(slot_states.c.cabinet_id, slot_states.c.key_present, slot_states.c.door_open)
_KEYS_OUT = (
    select(key_states.c.cabinet_id, func.count())
    .where(literally_in(key_states.c.state, ("taken",)))
    .group_by(key_states.c.cabinet_id)
)
_OPEN = (
    select(incidents.c.cabinet_id, incidents.c.kind, func.count())
    .where(incidents.c.closed_ms.is_(None), literally_in(incidents.c.kind, (*OVERDUE, *FORCED)))
    .group_by(incidents.c.cabinet_id, incidents.c.kind)
)


def cabinet_figures(connection: Connection) -> tuple[CabinetFigures, ...]:
    """Every cabinet in service, in the order of their ids."""
    slots = _slots(connection)
    keys_out = {row[0]: row[1] for row in connection.execute(_KEYS_OUT)}
    known = {(row[0], row[1]): row[2] for row in connection.execute(_OPEN)}
    return tuple(
        CabinetFigures(
            cabinet_id=row.id,
            station_id=row.station_id,
            online=row.online,
            heard_ms=row.heard_ms,
            clock_trusted=row.clock_trusted,
            facts_missing=max(row.noted - row.known, 0),
            desired_since_ms=row.version if row.version > row.held else None,  # versions are unix milliseconds
            desired_refused=row.refused is not None,
            grants_left_out=row.grants_left_out,
            slots=_with_unknown(slots.get(row.id, {}), row.slots),
            keys_out=keys_out.get(row.id, 0),
            keys_overdue=sum(known.get((row.id, kind), 0) for kind in OVERDUE),
            forced=sum(known.get((row.id, kind), 0) for kind in FORCED),
        )
        for row in connection.execute(_CABINETS)
    )


def _slots(connection: Connection) -> dict[str, dict[str, int]]:
    """By cabinet and state, as far as they were seen."""
    found: dict[str, dict[str, int]] = {}
    for cabinet_id, key_present, door_open, count in connection.execute(_SLOTS):
        if key_present is not None:
            state = f"{'open' if door_open else 'shut'}_{'with_key' if key_present else 'empty'}"
            of_cabinet = found.setdefault(cabinet_id, {})
            of_cabinet[state] = of_cabinet.get(state, 0) + count
    return found


def _with_unknown(seen: Mapping[str, int], slots: int) -> dict[str, int]:
    return {state: seen.get(state, 0) for state in SLOT_STATES} | {"unknown": max(slots - sum(seen.values()), 0)}
