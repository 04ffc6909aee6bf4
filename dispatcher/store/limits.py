"""Which rows are past their limit, and what becomes of them: one definition for job, metric and manual."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Table,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)

from contract.reasons import Reason
from dispatcher.store.columns import literally_in
from dispatcher.store.forgetting import FORGOTTEN, forget_bookings
from dispatcher.store.ids import RandomBytes
from dispatcher.store.schema import (
    LIVE_BOOKING_STATES,
    audit,
    badge_pins,
    badge_sightings,
    badge_spread,
    badges,
    blocks,
    booking_drivers,
    booking_history,
    bookings,
    changes,
    commands,
    custody,
    facts,
    handovers,
    held_badges,
    held_names,
    incident_history,
    incidents,
    key_states,
    members,
    outbox,
    pool_members,
    refusals,
    rentals,
    shift_notes,
    stored_answers,
    vehicle_positions,
    webhook_deliveries,
)

AT_ONCE = 200
"""Rows in one transaction: a booking takes some 100 us to write anew, so facts wait for 20 ms at most."""
COUNTED_MAX = 10_000
"""More are not counted: that the number is not 0 is what matters."""

Keys = Sequence[Any]
Enforce = Callable[[Connection, Keys, RandomBytes, int], None]
"""What becomes of rows with these primary keys."""

_CUTOFF: ColumnElement[int] = bindparam("cutoff_ms", type_=BigInteger)
_KEYS: Any = bindparam("keys", expanding=True)


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of one table."""

    name: str
    """Label of the metric."""
    table: Table
    setting: str | None
    """Field of `Retention`; None: the row names its own instant, or the one before decided."""
    past: ColumnElement[bool]
    """Whether a row is past its limit, given `cutoff_ms`."""
    enforce: Enforce
    holds: str
    """What the rows say of a person, for the manual."""
    then: str
    """What happens, for the manual."""

    @property
    def key(self) -> Column[Any]:
        return _key(self.table)


def _key(table: Table) -> Column[Any]:
    (column,) = table.primary_key
    return column


def _forget(table: Table, **values: Any) -> Enforce:
    statement = update(table).where(_key(table).in_(_KEYS)).values(**values)

    def enforce(connection: Connection, keys: Keys, _random: RandomBytes, _now_ms: int) -> None:
        connection.execute(statement, {"keys": list(keys)})

    return enforce


def _remove(table: Table, *before: tuple[Table, Column[Any]]) -> Enforce:
    """Delete rows; first those of other tables that hang on them."""
    statements = [delete(other).where(column.in_(_KEYS)) for other, column in before]
    statements.append(delete(table).where(_key(table).in_(_KEYS)))

    def enforce(connection: Connection, keys: Keys, _random: RandomBytes, _now_ms: int) -> None:
        for statement in statements:
            connection.execute(statement, {"keys": list(keys)})

    return enforce


_LIVE = literally_in(bookings.c.state, LIVE_BOOKING_STATES)
_rental_here = exists(  # a handover belongs to its rental, and is known as long as that is
    select(rentals.c.id).where(
        rentals.c.key_id == handovers.c.key_id,
        rentals.c.badge_ref.is_not(None),
        rentals.c.taken_ms <= handovers.c.at_ms,
        or_(rentals.c.returned_ms.is_(None), rentals.c.returned_ms >= handovers.c.at_ms),
    )
)
_rental_of_booking = exists(
    select(rentals.c.id).where(
        rentals.c.booking_id == bookings.c.id,
        or_(rentals.c.returned_ms.is_(None), rentals.c.returned_ms >= _CUTOFF),
    )
)
_booking_lasts, _order_lasts = (
    exists(select(bookings.c.id).where(bookings.c.id == column, or_(_LIVE, bookings.c.ended_ms >= _CUTOFF)))
    for column in (booking_history.c.booking_id, custody.c.booking_id)
)
_rental_of_badge = exists(select(rentals.c.id).where(rentals.c.badge_ref == badges.c.ref))
_booking_of_member = exists(select(bookings.c.id).where(bookings.c.member_id == members.c.id))
_driver_of_booking = exists(select(booking_drivers.c.booking_id).where(booking_drivers.c.member_id == members.c.id))
_held_name = exists(select(held_names.c.member_id).where(held_names.c.member_id == members.c.id))
_held_badge = exists(select(held_badges.c.ref).where(held_badges.c.member_id == members.c.id))
_NOBODYS = literally_in(refusals.c.reason, (Reason.UNKNOWN_BADGE, Reason.UNREADABLE_BADGE))

LIMITS = (
    Limit(
        "rentals",
        rentals,
        "who_held_days",
        rentals.c.badge_ref.is_not(None) & (rentals.c.returned_ms < _CUTOFF),
        _forget(rentals, badge_ref=None),
        "the reference of the badge that took the key",
        "the reference goes; vehicle, times, distance and energy stay",
    ),
    Limit(
        "handovers",
        handovers,
        "who_held_days",
        handovers.c.badge_ref.is_not(None) & (handovers.c.at_ms < _CUTOFF) & ~_rental_here,
        _forget(handovers, badge_ref=None),
        "the reference of the badge that took or brought the key",
        "the reference goes, with that of its rental",
    ),
    Limit(
        "key_states",
        key_states,
        "who_held_days",
        or_(key_states.c.badge_ref.is_not(None), key_states.c.holder.is_not(None))
        & (key_states.c.state != "taken")
        & (key_states.c.since_ms < _CUTOFF),
        _forget(key_states, badge_ref=None, holder=None),
        "the reference of the badge that brought the key last; who has it while it is elsewhere",
        "both go; a key that is out keeps its reference",
    ),
    Limit(
        "bookings",
        bookings,
        "who_held_days",
        (bookings.c.member_id != literal_column(f"'{FORGOTTEN}'"))
        & bookings.c.ended_ms.is_not(None)
        & (bookings.c.ended_ms < _CUTOFF)
        & ~_LIVE
        & ~_rental_of_booking,
        forget_bookings,
        "member and drivers",
        "`forgotten` stands in the member's place, the drivers go, the grant gets another id; the rest stays",
    ),
    Limit(
        "booking_history",
        booking_history,
        "booking_history_days",
        (booking_history.c.at_ms < _CUTOFF) & ~_booking_lasts,
        _remove(booking_history),
        "what was done to a booking, and by which token or cabinet",
        "the row goes",
    ),
    Limit(
        "custody",
        custody,
        "who_held_days",
        (custody.c.at_ms < _CUTOFF) & ~_order_lasts,
        _remove(custody),
        "who declared to have handed a service order's key on to whom, by id or by name",
        "the row goes, with the people of its order",
    ),
    Limit(
        "facts",
        facts,
        "facts_days",
        (facts.c.text != literal_column("''")) & (facts.c.received_ms < _CUTOFF),
        _forget(facts, text=""),
        "references of badges, ids of grants",
        "the text goes; cabinet, number, kind, time and hash stay",
    ),
    Limit(
        "unknown_badges",
        refusals,
        "unknown_badges_days",
        _NOBODYS & (refusals.c.at_ms < _CUTOFF),
        _remove(refusals),
        "that somebody came with a badge that is not known; nothing of the badge",
        "the row goes",
    ),
    Limit(
        "refusals",
        refusals,
        "refusals_days",
        or_(refusals.c.badge_ref.is_not(None), refusals.c.grant_id.is_not(None)) & (refusals.c.at_ms < _CUTOFF),
        _forget(refusals, badge_ref=None, grant_id=None),
        "the reference of the badge that was refused, and the grant",
        "both go; cabinet, reason and time stay",
    ),
    Limit(
        "badge_sightings",
        badge_sightings,
        "sightings_days",
        badge_sightings.c.at_ms < _CUTOFF,
        _remove(badge_sightings),
        "at which station each badge was shown last",
        "the row goes",
    ),
    Limit(
        "vehicle_positions",
        vehicle_positions,
        "positions_days",
        vehicle_positions.c.at_ms < _CUTOFF,
        _remove(vehicle_positions),
        "where a vehicle was left outside its bay",
        "the row goes, at the next take at the latest",
    ),
    Limit(
        "incidents",
        incidents,
        "incidents_days",
        incidents.c.closed_ms < _CUTOFF,
        _remove(incidents, (incident_history, incident_history.c.incident_id)),
        "a booking's id or a badge's reference where it is about one; comments; who looks after it",
        "the row goes with its history",
    ),
    Limit(
        "shift_notes",
        shift_notes,
        "shift_notes_days",
        shift_notes.c.at_ms < _CUTOFF,
        _remove(shift_notes),
        "a note in words, which is to name no member, and the tokens that wrote it and did it",
        "the row goes, done or not",
    ),
    Limit(
        "commands",
        commands,
        "commands_days",
        commands.c.answered_ms < _CUTOFF,
        _remove(commands),
        "the token that gave it, and its reason in words",
        "the row goes",
    ),
    Limit(
        "audit",
        audit,
        "audit_days",
        audit.c.at_ms < _CUTOFF,
        _remove(audit),
        "the token that asked, what about, case and reason",
        "the row goes",
    ),
    Limit(
        "changes",
        changes,
        "audit_days",
        changes.c.at_ms < _CUTOFF,
        _remove(changes),
        "ids of members and badges, by which token they were changed, and why",
        "the row goes",
    ),
    Limit(
        "blocks",
        blocks,
        "incidents_days",
        blocks.c.note.is_not(None) & (blocks.c.ended_ms < _CUTOFF),
        _forget(blocks, note=None),
        "a note in words",
        "the note goes; when a vehicle was out of service stays",
    ),
    Limit(
        "outbox",
        outbox,
        "events_days",
        outbox.c.at_ms < _CUTOFF,
        _remove(outbox, (webhook_deliveries, webhook_deliveries.c.sequence)),
        "ids of members that an event names",
        "the row goes with its deliveries",
    ),
    Limit(
        "stored_answers",
        stored_answers,
        None,
        stored_answers.c.expires_ms <= _CUTOFF,
        _remove(stored_answers),
        "an answer of the API, sealed, for who asks again under its `Idempotency-Key`",
        "the row goes a day after it was written",
    ),
    Limit(
        "badges",
        badges,
        "who_held_days",
        (badges.c.state == "revoked") & (badges.c.revoked_ms < _CUTOFF) & ~_rental_of_badge,
        _remove(badges, (badge_pins, badge_pins.c.badge_id), (badge_spread, badge_spread.c.badge_id)),
        "whose it was, what is read from it, its PIN sealed",
        "the row goes once the badge is revoked and no rental names it any more",
    ),
    Limit(
        "held_badges",
        held_badges,
        None,
        held_badges.c.until_ms <= _CUTOFF,
        _remove(held_badges),
        "references of erased members' badges",
        "the row goes at its own `until_ms`: `who_held_days` after the member's last rental",
    ),
    Limit(
        "held_names",
        held_names,
        None,
        held_names.c.until_ms <= _CUTOFF,
        _remove(held_names),
        "names of erased members",
        "the row goes at its own `until_ms`, as above",
    ),
    Limit(
        "members",
        members,
        None,
        members.c.erased_ms.is_not(None)
        & (members.c.id != FORGOTTEN)
        & (members.c.erased_ms < _CUTOFF)
        & ~(_booking_of_member | _driver_of_booking | _held_name | _held_badge),
        _remove(members, (pool_members, pool_members.c.member_id)),
        "nothing: a random id in an erased member's place",
        "the row goes once nothing names it",
    ),
)
"""In the order in which they are enforced: what hangs on another comes after it."""


FIND = {limit.name: select(limit.key).where(limit.past).limit(AT_ONCE) for limit in LIMITS}
STILL = {limit.name: select(limit.key).where(limit.key.in_(_KEYS), limit.past) for limit in LIMITS}
COUNT = {
    limit.name: select(func.count()).select_from(select(limit.key).where(limit.past).limit(COUNTED_MAX).subquery())
    for limit in LIMITS
}
