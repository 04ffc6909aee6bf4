"""Each cabinet in service as the reconciler sees it: what was heard of it, and how full it is."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, case, func, literal_column, select

from dispatcher.core.hearing import Hearing
from dispatcher.core.incidents import IncidentKind
from dispatcher.core.patience import Thing
from dispatcher.core.picture import CabinetView
from dispatcher.store.incidents import OpenIncident
from dispatcher.store.schema import cabinet_links, cabinets, cursors, desired_states, key_states, keys, slot_states
from dispatcher.store.scope import Scope


class _Heard(NamedTuple):
    """What the database says of a cabinet in service; None: nothing was heard."""

    id: str
    slots: int
    online: bool | None
    presence_ms: int | None
    clock_trusted: bool | None
    held: int | None
    """Version of the desired state that it holds."""
    told: int | None
    """Version of ours."""
    told_seq: int | None
    """The last fact that its newest report includes."""
    known_seq: int | None
    """The last fact of that epoch in the ledger."""

    @property
    def untrusted(self) -> Thing:
        return (IncidentKind.CABINET_CLOCK_NOT_TRUSTED, self.id, 0)

    @property
    def unlike(self) -> Thing:
        """Of the version that it holds: a box that takes one after the other is never late for long."""
        return (IncidentKind.DESIRED_NOT_TAKEN, self.id, self.held or 0)

    @property
    def stuck(self) -> Thing:
        """Of the last fact that is here: a box with a long journal to tell makes steps."""
        return (IncidentKind.FACTS_MISSING, self.id, self.known_seq or 0)

    @property
    def lacks_facts(self) -> bool:
        return (self.told_seq or 0) > (self.known_seq or 0)


def in_service(*columns: ColumnElement[Any]) -> Select[Any]:
    """Every cabinet in service, by id: beside its link, its desired state and how far the ledger has its epoch."""
    of_its_epoch = and_(cursors.c.cabinet_id == cabinets.c.id, cursors.c.epoch == cabinet_links.c.reported_epoch)
    return (
        select(*columns)
        .select_from(cabinets)
        .outerjoin(cabinet_links, cabinet_links.c.cabinet_id == cabinets.c.id)
        .outerjoin(desired_states, desired_states.c.cabinet_id == cabinets.c.id)
        .outerjoin(cursors, of_its_epoch)
        .where(cabinets.c.life_cycle == "in_service")
        .order_by(cabinets.c.id)
    )


_HEARD = in_service(
    cabinets.c.id,
    cabinets.c.slots,
    cabinet_links.c.online,
    cabinet_links.c.presence_ms,
    cabinet_links.c.clock_trusted,
    cabinet_links.c.desired_version_held,
    desired_states.c.version,
    cabinet_links.c.reported_seq,
    cursors.c.seq,
)
_HANGING = select(
    slot_states.c.cabinet_id,
    func.count(slot_states.c.key_present),
    func.count(case((slot_states.c.key_present, 1))),
).group_by(slot_states.c.cabinet_id)
_HANGING_IN = _HANGING.where(slot_states.c.cabinet_id.in_(bindparam("cabinets", expanding=True)))
_DUE_BACK = (
    select(keys.c.home_cabinet_id, func.count())
    .join(key_states, key_states.c.key_id == keys.c.id)
    .where(key_states.c.state == "taken", key_states.c.state != literal_column("'in_slot'"))  # as in its index
    .group_by(keys.c.home_cabinet_id)
)


def cabinet_views(
    connection: Connection, hearing: Hearing, known: Iterable[OpenIncident], now_ms: int, scope: Scope
) -> tuple[CabinetView, ...]:
    """Every cabinet in service; `known`: the incidents that are open.

    Of a scope: how full they are is told of those that were touched, or are called full.
    """
    known = tuple(known)
    rows = [_Heard(*row) for row in connection.execute(_HEARD)]
    lasting_s = hearing.patience.lasting_s(_suspicions(rows, hearing), hearing.line_s)
    full = _Fullness(
        _hanging(connection, known, scope),
        {row[0]: row[1] for row in connection.execute(_DUE_BACK)},
    )
    open_kinds: dict[str, set[IncidentKind]] = defaultdict(set)
    for incident in known:
        open_kinds[incident.subject].add(IncidentKind(incident.kind))
    return tuple(_view(row, hearing, lasting_s, full, frozenset(open_kinds[row.id]), now_ms) for row in rows)


def _hanging(connection: Connection, known: Iterable[OpenIncident], scope: Scope) -> dict[str, tuple[int, int]]:
    if scope.cabinets is None:
        rows = connection.execute(_HANGING)
    else:
        named = {each.subject for each in known if each.kind == IncidentKind.CABINET_NEARLY_FULL}
        rows = connection.execute(_HANGING_IN, {"cabinets": sorted(scope.cabinets | named)})
    return {cabinet: (told, hanging) for cabinet, told, hanging in rows}


class _Fullness(NamedTuple):
    """Of the cabinets of which anything is known."""

    told: Mapping[str, tuple[int, int]]
    """Slots of which it is known whether a key hangs there, and keys."""
    due_back: Mapping[str, int]


def _suspicions(rows: Iterable[_Heard], hearing: Hearing) -> list[Thing]:
    """What is tolerable for a while, of the cabinets that we hear."""
    if not hearing.listening:
        return []
    heard = [row for row in rows if row.online and row.id in hearing.quiet_s]
    clocks = [row.untrusted for row in heard if row.clock_trusted is False]
    unlike = [row.unlike for row in heard if row.held is not None and row.held != row.told]
    return clocks + unlike + [row.stuck for row in heard if row.lacks_facts]


def _view(
    row: _Heard,
    hearing: Hearing,
    lasting_s: Mapping[Thing, float],
    full: _Fullness,
    open_already: frozenset[IncidentKind],
    now_ms: int,
) -> CabinetView:
    offline_since_ms = max(row.presence_ms or 0, hearing.listening_since_ms)
    slots_known, hanging = full.told.get(row.id, (0, 0))
    return CabinetView(
        cabinet_id=row.id,
        online=None if row.presence_ms is None else bool(row.online),
        heard=row.id in hearing.quiet_s,
        offline_s=(now_ms - offline_since_ms) / 1000,
        quiet_s=hearing.quiet_s.get(row.id, hearing.listening_s),
        open_already=open_already,
        untrusted_s=lasting_s.get(row.untrusted, 0.0) if row.clock_trusted is False else None,
        told_version=row.told or 0,
        held_version=row.held,
        unlike_s=lasting_s.get(row.unlike, 0.0),
        told_seq=row.told_seq or 0,
        known_seq=row.known_seq or 0,
        stuck_s=lasting_s.get(row.stuck, 0.0),
        slots=row.slots,
        slots_known=slots_known,
        hanging=hanging,
        due_back=full.due_back.get(row.id, 0),
    )
