"""Erases a member: what is left says that somebody drove, and for a while, to the law alone, who.

Gone at once: the member's row with the name, badges with what is read from them, PINs, where badges were shown,
whose they were at refusals, the member's id in events, histories and the audit record. Bookings stay for the
figures, with one random id in the member's place. Where a key was out within `who_held_days`, the name and the
references of the badges that took it are held until that is over, for `dispatcher.store.who_held` alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Table,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import IncidentKind
from dispatcher.store.columns import literally_in
from dispatcher.store.desired import mark_serving_dirty
from dispatcher.store.erasure_list import Erasure
from dispatcher.store.forgetting import replace_member, stand_in
from dispatcher.store.incidents import close_incident, open_subjects
from dispatcher.store.outbox import forget_member
from dispatcher.store.schema import (
    LIVE_BOOKING_STATES,
    audit,
    badge_pins,
    badge_sightings,
    badge_spread,
    badges,
    booking_drivers,
    booking_history,
    bookings,
    changes,
    custody,
    handovers,
    held_badges,
    held_names,
    incidents,
    key_states,
    members,
    pool_members,
    refusals,
    rentals,
)

_MEMBER = (
    select(members).where(members.c.id == bindparam("member"), members.c.erased_ms.is_(None)).with_for_update()
)
_BADGES = select(badges.c.id, badges.c.ref).where(badges.c.member_id == bindparam("member")).order_by(badges.c.id)
_MOVED = select(held_badges.c.ref).where(held_badges.c.member_id == bindparam("member")).order_by(held_badges.c.ref)
_THEIRS = (
    select(bookings.c.id, bookings.c.state)
    .where(
        or_(
            bookings.c.member_id == bindparam("member"),
            bookings.c.id.in_(
                select(booking_drivers.c.booking_id).where(booking_drivers.c.member_id == bindparam("member"))
            ),
            bookings.c.id.in_(select(custody.c.booking_id).where(custody.c.to_member_id == bindparam("member"))),
        )
    )
    .order_by(bookings.c.id)
)
_REFS: Any = bindparam("refs", expanding=True)
_OUT = select(rentals.c.id).where(rentals.c.badge_ref.in_(_REFS), rentals.c.returned_ms.is_(None)).limit(1)
_OUT_NOW = (
    select(key_states.c.key_id)
    .where(key_states.c.badge_ref.in_(_REFS), key_states.c.state.in_(("taken", "elsewhere")))
    .limit(1)
)
_LAST_RENTAL = (
    select(rentals.c.badge_ref, func.max(rentals.c.returned_ms))
    .where(rentals.c.badge_ref.in_(_REFS))
    .group_by(rentals.c.badge_ref)
)
_LAST_CUSTODY = select(func.max(bookings.c.ended_ms)).where(
    bookings.c.id.in_(select(custody.c.booking_id).where(custody.c.to_member_id == bindparam("member")))
)


@dataclass(frozen=True, slots=True)
class StillHolds:
    """Why a member cannot be erased now."""

    key_out: bool
    """Otherwise a booking holds, as owner or as driver."""
    subject: str
    """The key's rental or the booking."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What became of a member."""

    place_id: str
    """What stands in the member's place in bookings."""
    bookings: int
    held_until_ms: int | None
    """Until then the law asks for the name; None: nothing is held."""


def is_member(connection: Connection, member_id: str) -> bool:
    """Whether there is such a member, who is not erased."""
    return connection.execute(_MEMBER, {"member": member_id}).first() is not None


def still_holds(connection: Connection, member_id: str) -> StillHolds | None:
    """Why not now; None: nothing is in the way."""
    refs = {"refs": _refs(connection, member_id)}
    for statement in (_OUT, _OUT_NOW):
        found = connection.execute(statement, refs).scalar_one_or_none()
        if found is not None:
            return StillHolds(key_out=True, subject=str(found))
    for row in connection.execute(_THEIRS, {"member": member_id}):
        if row.state in LIVE_BOOKING_STATES:
            return StillHolds(key_out=row.state == BookingState.ACTIVE, subject=row.id)
    return None


def erase(connection: Connection, erasure: Erasure, who_held_ms: int, now_ms: int) -> Erased:
    """Erase a member who is there and whom nothing holds. The rewritten rows keep a good code.

    Args:
        connection: of a database that has the origin key.
        erasure: whom, and what is to stand in the member's place: at a restore the same as before.
        who_held_ms: for how long after a rental's end its driver has to be named.
        now_ms: what is past that by now is not held.
    """
    member_id, place_id = erasure.member_id, erasure.place_id
    name = connection.execute(_MEMBER, {"member": member_id}).one().name
    refs = _refs(connection, member_id)
    last_ms = _last_ms(connection, member_id, refs, now_ms)
    theirs = [row.id for row in connection.execute(_THEIRS, {"member": member_id})]
    stand_in(connection, place_id, erasure.at_ms)
    replace_member(connection, theirs, member_id, place_id)
    _rewrite_words(connection, member_id, place_id, theirs)
    connection.execute(delete(held_badges).where(held_badges.c.member_id == member_id))
    held_until_ms = _hold(connection, place_id, name, last_ms, now_ms - who_held_ms, who_held_ms)
    _forget_badges(connection, member_id, place_id, refs, now_ms)
    connection.execute(delete(pool_members).where(pool_members.c.member_id == member_id))
    connection.execute(delete(members).where(members.c.id == member_id))
    forget_member(connection, member_id)
    mark_serving_dirty(connection)
    return Erased(place_id, len(theirs), held_until_ms)


def _refs(connection: Connection, member_id: str) -> list[str]:
    """Of the badges that the member has, and of those that somebody else has by now."""
    this = {"member": member_id}
    return [row.ref for row in connection.execute(_BADGES, this)] + list(connection.execute(_MOVED, this).scalars())


def _last_ms(connection: Connection, member_id: str, refs: Sequence[str], now_ms: int) -> dict[str, int]:
    """By reference, the end of the last rental with it; by `` the end of the last order that was handed on.

    One that is still out, in a database that was put back, counts until now.
    """
    rentals_ended = connection.execute(_LAST_RENTAL, {"refs": list(refs)})
    last = {row[0]: now_ms if row[1] is None else row[1] for row in rentals_ended}
    handed_on_ms = connection.execute(_LAST_CUSTODY, {"member": member_id}).scalar_one_or_none()
    return last if handed_on_ms is None else {**last, "": handed_on_ms}


def _hold(
    connection: Connection, place_id: str, name: str, last_ms: dict[str, int], cutoff_ms: int, who_held_ms: int
) -> int | None:
    """Keep what the law asks for; until when."""
    asked = {ref: ended_ms for ref, ended_ms in last_ms.items() if ended_ms >= cutoff_ms}
    if not asked:
        return None
    until_ms = max(asked.values()) + who_held_ms
    connection.execute(insert(held_names), {"member_id": place_id, "name": name, "until_ms": until_ms})
    rows = [
        {"ref": ref, "member_id": place_id, "until_ms": ended_ms + who_held_ms}
        for ref, ended_ms in sorted(asked.items())
        if ref
    ]
    if rows:
        connection.execute(insert(held_badges), rows)
    return until_ms


def _rewrite_words(connection: Connection, member_id: str, place_id: str, booking_ids: Sequence[str]) -> None:
    """The member's id in custody, in the audit record, and in what histories tell."""
    connection.execute(update(audit).where(audit.c.subject == member_id).values(subject=place_id))
    for column in (custody.c.from_member_id, custody.c.to_member_id):
        connection.execute(update(custody).where(column == member_id).values({column.name: place_id}))
    of_member = (changes.c.what == members.name) & (changes.c.subject == member_id)
    connection.execute(delete(changes).where(of_member | _of_badges(changes, member_id)))
    for column in (changes.c.before, changes.c.after):
        _replace_id(connection, column, member_id, place_id)
    said = booking_history.c.detail
    named = said.contains(f'"{member_id}"', autoescape=True)
    connection.execute(
        update(booking_history)
        .where(booking_history.c.booking_id.in_(list(booking_ids)), named)
        .values(detail=func.replace(said, f'"{member_id}"', f'"{place_id}"'))
    )


def _of_badges(table: Table, member_id: str) -> ColumnElement[bool]:
    of_member = select(badges.c.id).where(badges.c.member_id == member_id)
    return (table.c.what == badges.name) & table.c.subject.in_(of_member)


def _replace_id(connection: Connection, column: Column[str], member_id: str, place_id: str) -> None:
    """In words that are JSON."""
    named = column.contains(f'"{member_id}"', autoescape=True)
    replaced = func.replace(column, f'"{member_id}"', f'"{place_id}"')
    connection.execute(update(column.table).where(named).values({column.name: replaced}))


def _forget_badges(connection: Connection, member_id: str, place_id: str, refs: Sequence[str], now_ms: int) -> None:
    """Badges and PINs go, and their references wherever no rental needs them until its limit."""
    kept = select(held_badges.c.ref).where(held_badges.c.ref.in_(list(refs)))
    for table in (rentals, handovers):
        gone = table.c.badge_ref.in_(list(refs)) & table.c.badge_ref.not_in(kept)
        connection.execute(update(table).where(gone).values(badge_ref=None))
    for table in (refusals, key_states):
        connection.execute(update(table).where(table.c.badge_ref.in_(list(refs))).values(badge_ref=None))
    connection.execute(delete(badge_sightings).where(badge_sightings.c.badge_ref.in_(list(refs))))
    kind = IncidentKind.BADGE_AT_TWO_STATIONS
    for subject in sorted(open_subjects(connection, kind) & set(refs)):
        close_incident(connection, kind, subject, now_ms)
    of_badges = literally_in(incidents.c.kind, (kind,)) & incidents.c.subject.in_(list(refs))
    connection.execute(update(incidents).where(of_badges).values(subject=place_id))
    theirs = select(badges.c.id).where(badges.c.member_id == member_id)
    for table in (badge_pins, badge_spread):
        connection.execute(delete(table).where(table.c.badge_id.in_(theirs)))
    connection.execute(delete(badges).where(badges.c.member_id == member_id))
