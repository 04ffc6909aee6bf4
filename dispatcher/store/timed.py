"""What time alone decides: holds that elapsed, no-shows, and the reconciler. Run it again at any time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, BindParameter, ColumnElement, Connection, Select, and_, bindparam, select

from dispatcher.core.booking_states import BookingEvent, BookingState
from dispatcher.core.incidents import IncidentKind
from dispatcher.core.reconcile import BookingView, CabinetView, Picture, reconcile
from dispatcher.core.rules import FleetRules
from dispatcher.store.booking_events import Happening, apply_event
from dispatcher.store.bookings import booking_by_id
from dispatcher.store.incidents import KINDS_BY_STATE, open_subjects, settle
from dispatcher.store.isolation import isolated
from dispatcher.store.keys import keys_away
from dispatcher.store.links import complete_until_ms
from dispatcher.store.reports import apply_reports
from dispatcher.store.schema import bookings, cabinet_links, cabinets
from dispatcher.store.service import being_used, let_down

AUTHOR = "dispatcher"
MARGIN_MS = 5_000
"""Facts must cover this much more than the deadline: by so much a box's clock may be set back unnoticed."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """What this program heard since it listens, on the line clock; nothing of record."""

    listening: bool
    listening_since_ms: int
    """By the wall clock: who was deaf before cannot say how long a cabinet has been offline."""
    listening_s: float
    quiet_s: Mapping[str, float]
    """By cabinet, since its last word; a cabinet that said nothing is absent."""


def run_timed(connection: Connection, rules: FleetRules, hearing: Hearing, now_ms: int) -> frozenset[str]:
    """All timed work, in one transaction; the cabinets whose word a decision waits for."""
    apply_reports(connection, rules, now_ms)
    waiting = (
        end_holds(connection, rules, now_ms)
        | declare_no_shows(connection, rules, now_ms)
        | cancel_unserved(connection, rules, now_ms)
    )
    return waiting | reconcile_all(connection, rules, hearing, now_ms)


def end_holds(connection: Connection, rules: FleetRules, now_ms: int) -> frozenset[str]:
    """Complete bookings whose retake hold is over, once it is certain that the key was not taken again."""
    return _decide(connection, rules, now_ms, _HOLDS_OVER, BookingEvent.HOLD_ELAPSED)


def declare_no_shows(connection: Connection, rules: FleetRules, now_ms: int) -> frozenset[str]:
    """Declare no-shows, once the cabinet's facts prove them: never while it is silent, or where it failed."""
    return _decide(connection, rules, now_ms, _NOT_TAKEN, BookingEvent.NO_SHOW_DECLARED)


def cancel_unserved(connection: Connection, rules: FleetRules, now_ms: int) -> frozenset[str]:
    """Cancel at their end the bookings whose member was let down: no no-show, and no key was taken."""
    return _decide(connection, rules, now_ms, _UNSERVED, BookingEvent.CANCELLED, why="let_down")


def _due(condition: ColumnElement[bool], deadline: ColumnElement[int]) -> Select[Any]:
    """Every booking that fits and whose deadline has passed, but those whose slot stands open under their grant:
    it was released in time, the key may be in somebody's hand. Made once: to build it costs more than to ask.
    """
    now_ms: BindParameter[int] = bindparam("now_ms", type_=BigInteger)
    return (
        select(bookings.c.id, bookings.c.cabinet_id, deadline.label("deadline_ms"))
        .where(condition, deadline + MARGIN_MS <= now_ms, ~being_used(bookings.c.grant_id))
        .order_by(deadline, bookings.c.id)
    )


_HOLDS_OVER = _due(bookings.c.state == BookingState.RETURNED, bookings.c.hold_until_ms)
_NOT_TAKEN = _due(and_(bookings.c.state == BookingState.BOOKED, ~let_down()), bookings.c.take_by_ms)
_UNSERVED = _due(and_(bookings.c.state == BookingState.BOOKED, let_down()), bookings.c.end_ms)


def _decide(
    connection: Connection, rules: FleetRules, now_ms: int, due: Select[Any], event: BookingEvent, **detail: str
) -> frozenset[str]:
    """Tell `event` to every booking that is due and whose deadline the cabinet's facts have passed.

    Returns the cabinets whose facts do not say yet.
    """
    waiting = set()
    for row in connection.execute(due, {"now_ms": now_ms}).all():
        if complete_until_ms(connection, row.cabinet_id) < row.deadline_ms + MARGIN_MS:
            waiting.add(row.cabinet_id)
            continue
        with isolated(connection, "timed_event_failed", booking=row.id, event_name=event):
            booking = booking_by_id(connection, row.id, lock=True)
            assert booking is not None, "bookings are never deleted"
            apply_event(connection, booking, Happening(event, row.deadline_ms, now_ms, AUTHOR, detail), rules)
    return frozenset(waiting)


def reconcile_all(connection: Connection, rules: FleetRules, hearing: Hearing, now_ms: int) -> frozenset[str]:
    """Make the open incidents what the picture shows; the cabinets whose word one of them waits for."""
    overdue, waiting = _overdue(connection, rules, now_ms)
    picture = Picture(
        keys=tuple(keys_away(connection)),
        bookings=overdue,
        cabinets=_cabinets(connection, hearing, now_ms),
        listening=hearing.listening,
    )
    settle(connection, reconcile(picture, rules, now_ms), KINDS_BY_STATE, now_ms)
    return waiting


def _overdue(
    connection: Connection, rules: FleetRules, now_ms: int
) -> tuple[tuple[BookingView, ...], frozenset[str]]:
    """The bookings whose key is out past end and grace, and the cabinets that may not have told a return yet.

    What was sure once stays so until the key is back: a newer report that proves nothing yet takes nothing away.
    """
    sure, waiting = [], set()
    already = open_subjects(connection, IncidentKind.KEY_OVERDUE)
    for booking in _keys_out_past_end(connection, now_ms - rules.grace_s * 1000):
        complete_ms = complete_until_ms(connection, booking.cabinet_id)
        if booking.booking_id in already or complete_ms > booking.end_ms + rules.grace_s * 1000:
            sure.append(booking)
        else:
            waiting.add(booking.cabinet_id)
    return tuple(sure), frozenset(waiting)


def _keys_out_past_end(connection: Connection, before_ms: int) -> tuple[BookingView, ...]:
    statement = (
        select(
            bookings.c.id,
            bookings.c.cabinet_id,
            bookings.c.vehicle_id,
            bookings.c.key_id,
            bookings.c.state,
            bookings.c.end_ms,
        )
        .where(bookings.c.state == BookingState.ACTIVE, bookings.c.end_ms < before_ms)
        .order_by(bookings.c.id)
    )
    return tuple(
        BookingView(row.id, row.cabinet_id, row.vehicle_id, row.key_id, BookingState(row.state), row.end_ms)
        for row in connection.execute(statement)
    )


def _cabinets(connection: Connection, hearing: Hearing, now_ms: int) -> tuple[CabinetView, ...]:
    silent = open_subjects(connection, IncidentKind.CABINET_SILENT)
    statement = (
        select(cabinets.c.id, cabinet_links.c.online, cabinet_links.c.presence_ms)
        .outerjoin(cabinet_links, cabinet_links.c.cabinet_id == cabinets.c.id)
        .where(cabinets.c.life_cycle == "in_service")
        .order_by(cabinets.c.id)
    )
    views = []
    for row in connection.execute(statement):
        offline_since_ms = max(row.presence_ms or 0, hearing.listening_since_ms)
        views.append(
            CabinetView(
                cabinet_id=row.id,
                online=None if row.presence_ms is None else bool(row.online),
                heard=row.id in hearing.quiet_s,
                offline_s=(now_ms - offline_since_ms) / 1000,
                quiet_s=hearing.quiet_s.get(row.id, hearing.listening_s),
                silent_already=row.id in silent,
            )
        )
    return tuple(views)
