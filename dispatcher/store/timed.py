"""What time alone decides: holds that elapsed, no-shows, the reconciler, offers. Run it again at any time."""

from collections.abc import Iterable
from typing import NamedTuple

import structlog
from sqlalchemy import Connection

from dispatcher.core.booking_states import BookingState
from dispatcher.core.hearing import Hearing
from dispatcher.core.incidents import IncidentKind
from dispatcher.core.picture import BookingView, Picture
from dispatcher.core.reconcile import reconcile
from dispatcher.core.rules import FleetRules
from dispatcher.core.silence import storm_members
from dispatcher.core.windows import DAY_MS
from dispatcher.store.blocks import begin_blocks, booking_hits
from dispatcher.store.cabinet_views import cabinet_views
from dispatcher.store.deadlines import PastDeadline, decide, past_deadlines
from dispatcher.store.doubts import bookings_whose_key_hangs, needs_soon, open_doors, quiet_trackers
from dispatcher.store.incidents import OpenIncident, close_aged, open_by_state, open_incidents, settle_among
from dispatcher.store.keys import keys_in_doubt
from dispatcher.store.links import complete_until_ms
from dispatcher.store.reports import apply_reports
from dispatcher.store.scope import EVERYTHING, Scope
from dispatcher.store.spread import settle_spread
from dispatcher.store.swaps import settle_offers

OVERDUE = frozenset({IncidentKind.KEY_OVERDUE, IncidentKind.SERVICE_ORDER_OVERDUE})


log = structlog.get_logger()


class Awaited(NamedTuple):
    """Cabinets whose report is wanted."""

    by_decisions: frozenset[str]
    offline: frozenset[str]
    """As far as they told, which once they did: the word that they are back may be lost."""
    differences: int = 0
    """Incidents that a pass over what was touched had left wrong."""
    spread_ms: tuple[int, ...] = ()
    """Of each badge whose revocation has come to its last box: how long that took."""


def run_timed(
    connection: Connection,
    rules: FleetRules,
    hearing: Hearing,
    now_ms: int,
    scope: Scope = EVERYTHING,
) -> Awaited:
    """All timed work, in one transaction; whose word is waited for."""
    apply_reports(connection, rules, now_ms)
    past = past_deadlines(connection, rules, now_ms)
    undecided = decide(connection, rules, past, now_ms)
    begin_blocks(connection, now_ms)
    spread_ms = settle_spread(connection, now_ms)
    awaited = _reconcile(connection, rules, hearing, past, now_ms, scope)
    if scope.is_checked:
        before = open_by_state(connection)
        _reconcile(connection, rules, hearing, past, now_ms, EVERYTHING)
        wrong = before ^ open_by_state(connection)
        for kind, subject in sorted(wrong):  # a mistake of ours, or a row that another program wrote
            log.warning("reconciler_differs", incident=kind, subject=subject, was_open=(kind, subject) in before)
        awaited = awaited._replace(differences=len(wrong))
    settle_offers(connection, rules, now_ms)
    return awaited._replace(by_decisions=undecided | awaited.by_decisions, spread_ms=spread_ms)


def _reconcile(
    connection: Connection,
    rules: FleetRules,
    hearing: Hearing,
    past: Iterable[PastDeadline],
    now_ms: int,
    scope: Scope,
) -> Awaited:
    """Make the open incidents what the picture shows; whose word one of them waits for."""
    known = open_incidents(connection)
    overdue, waiting = _overdue(connection, rules, past, known)
    picture = Picture(
        keys=keys_in_doubt(connection, scope, known),
        bookings=overdue,
        cabinets=cabinet_views(connection, hearing, known, now_ms, scope),
        hanging=bookings_whose_key_hangs(connection),
        doors=open_doors(connection, hearing, known, now_ms),
        needs=needs_soon(connection, rules, now_ms),
        trackers=quiet_trackers(connection, rules, hearing, known, now_ms),
        storm=_storm(known),
        listening=hearing.listening,
        hits=booking_hits(connection, now_ms, now_ms + rules.grant_horizon_days * DAY_MS),
    )
    settle_among(connection, reconcile(picture, rules, now_ms), known, now_ms)
    close_aged(connection, known, now_ms)
    return Awaited(
        waiting, frozenset(cabinet.cabinet_id for cabinet in picture.cabinets if cabinet.online is False)
    )


def _storm(known: Iterable[OpenIncident]) -> frozenset[str]:
    """The cabinets of the storm that is open."""
    storms = [incident for incident in known if incident.kind == IncidentKind.CABINETS_SILENT_STORM]
    return frozenset().union(*(storm_members(incident.seen) for incident in storms))


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
