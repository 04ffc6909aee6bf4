"""What time alone decides: holds that elapsed, no-shows, and the reconciler. Run it again at any time."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection, select

from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import IncidentKind
from dispatcher.core.patience import Patience, Thing
from dispatcher.core.reconcile import BookingView, CabinetView, Picture, reconcile
from dispatcher.core.rules import FleetRules
from dispatcher.core.windows import DAY_MS
from dispatcher.store.blocks import begin_blocks, booking_hits
from dispatcher.store.deadlines import PastDeadline, decide, past_deadlines
from dispatcher.store.incidents import OpenIncident, close_aged, open_incidents, settle_among
from dispatcher.store.keys import keys_in_doubt
from dispatcher.store.links import complete_until_ms
from dispatcher.store.reports import apply_reports
from dispatcher.store.schema import cabinet_links, cabinets, desired_states

OVERDUE = frozenset({IncidentKind.KEY_OVERDUE, IncidentKind.SERVICE_ORDER_OVERDUE})


@dataclass(frozen=True, slots=True)
class Hearing:
    """What this program heard since it listens, on the line clock; nothing of record."""

    listening: bool
    listening_since_ms: int
    """By the wall clock: who was deaf before cannot say how long a cabinet has been offline."""
    listening_s: float
    quiet_s: Mapping[str, float]
    """By cabinet, since its last word; a cabinet that said nothing is absent."""
    line_s: float = 0.0
    """What the line clock reads."""
    patience: Patience = field(default_factory=Patience)
    """Kept from one call to the next."""


class Awaited(NamedTuple):
    """Cabinets whose report is wanted."""

    by_decisions: frozenset[str]
    offline: frozenset[str]
    """As far as they told, which once they did: the word that they are back may be lost."""


def run_timed(connection: Connection, rules: FleetRules, hearing: Hearing, now_ms: int) -> Awaited:
    """All timed work, in one transaction; whose word is waited for."""
    apply_reports(connection, rules, now_ms)
    past = past_deadlines(connection, rules, now_ms)
    undecided = decide(connection, rules, past, now_ms)
    awaited = _reconcile(connection, rules, hearing, past, now_ms)
    return awaited._replace(by_decisions=undecided | awaited.by_decisions)


def _reconcile(
    connection: Connection, rules: FleetRules, hearing: Hearing, past: Iterable[PastDeadline], now_ms: int
) -> Awaited:
    """Make the open incidents what the picture shows; whose word one of them waits for."""
    known = open_incidents(connection)
    overdue, waiting = _overdue(connection, rules, past, known)
    begin_blocks(connection, now_ms)
    picture = Picture(
        keys=keys_in_doubt(connection),
        bookings=overdue,
        cabinets=_cabinets(connection, hearing, known, now_ms),
        listening=hearing.listening,
        hits=booking_hits(connection, now_ms, now_ms + rules.grant_horizon_days * DAY_MS),
    )
    settle_among(connection, reconcile(picture, rules, now_ms), known, now_ms)
    close_aged(connection, known, now_ms)
    return Awaited(
        waiting, frozenset(cabinet.cabinet_id for cabinet in picture.cabinets if cabinet.online is False)
    )


def _overdue(
    connection: Connection, rules: FleetRules, past: Iterable[PastDeadline], known: Iterable[OpenIncident]
) -> tuple[tuple[BookingView, ...], frozenset[str]]:
    """The bookings whose key is out past end and grace, and the cabinets that may not have told a return yet.

    What was sure once stays so until the key is back: a newer report that proves nothing yet takes nothing away.
    """
    already = {incident.subject for incident in known if incident.kind in OVERDUE}
    sure, waiting = [], set()
    for found in sorted(past, key=lambda found: found.id):
        if found.state != BookingState.ACTIVE:
            continue
        late_ms = found.end_ms + rules.grace_s * 1000
        if found.id in already or complete_until_ms(connection, found.cabinet_id) > late_ms:
            state = BookingState.ACTIVE
            sure.append(
                BookingView(
                    found.id, found.cabinet_id, found.vehicle_id, found.key_id, state, found.end_ms, found.is_order
                )
            )
        else:
            waiting.add(found.cabinet_id)
    return tuple(sure), frozenset(waiting)


class _Heard(NamedTuple):
    """What the database says of a cabinet in service; None: nothing was heard."""

    id: str
    online: bool | None
    presence_ms: int | None
    clock_trusted: bool | None
    held: int | None
    """Version of the desired state that it holds."""
    told: int | None
    """Version of ours."""

    @property
    def untrusted(self) -> Thing:
        return (IncidentKind.CABINET_CLOCK_NOT_TRUSTED, self.id, 0)

    @property
    def unlike(self) -> Thing:
        """Of the version that it holds: a box that takes one after the other is never late for long."""
        return (IncidentKind.DESIRED_NOT_TAKEN, self.id, self.held or 0)


_HEARD = (
    select(
        cabinets.c.id,
        cabinet_links.c.online,
        cabinet_links.c.presence_ms,
        cabinet_links.c.clock_trusted,
        cabinet_links.c.desired_version_held,
        desired_states.c.version,
    )
    .outerjoin(cabinet_links, cabinet_links.c.cabinet_id == cabinets.c.id)
    .outerjoin(desired_states, desired_states.c.cabinet_id == cabinets.c.id)
    .where(cabinets.c.life_cycle == "in_service")
    .order_by(cabinets.c.id)
)


def _cabinets(
    connection: Connection, hearing: Hearing, known: Iterable[OpenIncident], now_ms: int
) -> tuple[CabinetView, ...]:
    rows = [_Heard(*row) for row in connection.execute(_HEARD)]
    lasting_s = hearing.patience.lasting_s(_suspicions(rows, hearing), hearing.line_s)
    open_kinds: dict[str, set[IncidentKind]] = defaultdict(set)
    for incident in known:
        open_kinds[incident.subject].add(IncidentKind(incident.kind))
    return tuple(_cabinet(row, hearing, lasting_s, frozenset(open_kinds[row.id]), now_ms) for row in rows)


def _suspicions(rows: Iterable[_Heard], hearing: Hearing) -> list[Thing]:
    """What is tolerable for a while, of the cabinets that we hear."""
    if not hearing.listening:
        return []
    heard = [row for row in rows if row.online and row.id in hearing.quiet_s]
    clocks = [row.untrusted for row in heard if row.clock_trusted is False]
    return clocks + [row.unlike for row in heard if row.held is not None and row.held != row.told]


def _cabinet(
    row: _Heard,
    hearing: Hearing,
    lasting_s: Mapping[Thing, float],
    open_already: frozenset[IncidentKind],
    now_ms: int,
) -> CabinetView:
    offline_since_ms = max(row.presence_ms or 0, hearing.listening_since_ms)
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
    )
