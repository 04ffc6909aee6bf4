"""A cabinet is stolen: cut off at once, and what it knew of people and opened is worth nothing any more.

Its keys cannot be rotated under the same name: what a box digests badges with follows from its id. So the cabinet
is retired for good, and what replaces it gets a name, and with it keys, of its own.
"""

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, union, update

from dispatcher.core.blocks import BlockKind
from dispatcher.core.rules import BookingReason, Refused
from dispatcher.core.windows import DAY_MS
from dispatcher.store.audit import AuditAction, record
from dispatcher.store.block_desk import BlockDesk, WantedBlock
from dispatcher.store.changes import Author, keep_change
from dispatcher.store.columns import literally_in
from dispatcher.store.ids import RandomBytes
from dispatcher.store.keys import set_key, settle_key
from dispatcher.store.schema import (
    LIVE_BOOKING_STATES,
    badge_pins,
    badges,
    booking_drivers,
    bookings,
    cabinets,
    key_states,
    keys,
    pool_members,
    thefts,
)

REMEMBERED_MS = 31 * DAY_MS  # a box keeps its journal for 30 days after it was acknowledged


@dataclass(frozen=True, slots=True)
class Theft:
    """What a stolen cabinet took along."""

    cabinet_id: str
    at_ms: int
    author: str
    case_no: str
    reason: str
    members: tuple[tuple[str, tuple[str, ...]], ...]
    """Whom to inform: people that its box knew, each with the ids of their badges, whose PINs are gone."""
    bookings: tuple[str, ...]
    """Of those, still to come: to be given other vehicles."""
    vehicles: tuple[str, ...]
    """Whose keys hung there: blocked until they have other locks or keys."""


class _Hung(NamedTuple):
    key_id: str
    vehicle_id: str
    slot: int


_CABINET = select(cabinets.c.life_cycle).where(cabinets.c.id == bindparam("cabinet")).with_for_update()
_RETIRED = (
    update(cabinets).where(cabinets.c.id == bindparam("cabinet")).values(life_cycle="retired", public_key=None)
)
_THEFT = select(thefts).where(thefts.c.cabinet_id == bindparam("cabinet"))
_HUNG = (
    select(keys.c.id, keys.c.vehicle_id, key_states.c.slot)
    .join(key_states, key_states.c.key_id == keys.c.id)
    .where(key_states.c.cabinet_id == bindparam("cabinet"), key_states.c.state == "in_slot")
    .order_by(keys.c.id)
)
_LOST = (
    select(keys.c.vehicle_id)
    .join(key_states, key_states.c.key_id == keys.c.id)
    .where(key_states.c.cabinet_id == bindparam("cabinet"), key_states.c.state == "missing")
    .distinct()
    .order_by(keys.c.vehicle_id)
)
_KNEW = (bookings.c.cabinet_id == bindparam("cabinet")) & (
    or_(bookings.c.end_ms > bindparam("since_ms"), literally_in(bookings.c.state, LIVE_BOOKING_STATES))
)
_PEOPLE = union(
    select(bookings.c.member_id).where(_KNEW),
    select(booking_drivers.c.member_id).join(bookings, bookings.c.id == booking_drivers.c.booking_id).where(_KNEW),
    select(pool_members.c.member_id).join(bookings, bookings.c.pool_id == pool_members.c.pool_id).where(_KNEW),
)
_BADGES = select(badges.c.member_id, badges.c.id).where(
    badges.c.member_id.in_(bindparam("people", expanding=True)), badges.c.state == "active"
)
_TO_COME = (
    select(bookings.c.id)
    .where(bookings.c.cabinet_id == bindparam("cabinet"), bookings.c.state == "booked")
    .order_by(bookings.c.start_ms, bookings.c.id)
)


@dataclass(frozen=True, slots=True)
class TheftDesk:
    """One caller's desk, at one instant, inside one transaction."""

    connection: Connection
    by: Author
    random_bytes: RandomBytes

    def declare(self, cabinet_id: str, case_no: str) -> Theft | Refused | None:
        """Cut a cabinet off; None: there is no such cabinet."""
        here = {"cabinet": cabinet_id}
        life_cycle = self.connection.execute(_CABINET, here).scalar_one_or_none()
        if life_cycle is None:
            return None
        if life_cycle == "retired":
            expected = "a cabinet that is in use"
            return Refused(BookingReason.CABINET_RETIRED, "life_cycle", life_cycle, expected)
        hung = [_Hung(*row) for row in self.connection.execute(_HUNG, here)]
        reason = self.by.reason or ""
        row = {"cabinet_id": cabinet_id, "at_ms": self.by.at_ms, "author": self.by.name, "case_no": case_no}
        self.connection.execute(insert(thefts).values(**row, reason=reason))
        self.connection.execute(_RETIRED, here)
        after = {"life_cycle": "retired"}
        keep_change(self.connection, self.by, "cabinets", cabinet_id, {"life_cycle": life_cycle}, after)
        record(
            self.connection,
            self.by.at_ms,
            self.by.name,
            AuditAction.CABINET_STOLEN,
            cabinet_id,
            reason=reason,
            case=case_no,
        )
        for key in hung:
            self._lose(key, cabinet_id)
        theft = theft_of(self.connection, cabinet_id)
        assert theft is not None, "it was written above"
        lost = [badge_id for _, badge_ids in theft.members for badge_id in badge_ids]
        if lost:
            self.connection.execute(delete(badge_pins).where(badge_pins.c.badge_id.in_(lost)))
        return theft

    def _lose(self, key: _Hung, cabinet_id: str) -> None:
        """A key went with the cabinet: nobody is given its vehicle before somebody has looked after it."""
        place = {"cabinet_id": cabinet_id, "slot": key.slot, "identity": "unknown", "since_ms": self.by.at_ms}
        nobody = {"grant_id": None, "command_id": None, "badge_ref": None}
        set_key(self.connection, key.key_id, state="missing", **place, **nobody)
        settle_key(self.connection, key.key_id, self.by.at_ms)
        note = f"its key was in cabinet {cabinet_id}, which was stolen"
        wanted = WantedBlock(key.vehicle_id, BlockKind.ADMIN, self.by.at_ms, None, note)
        BlockDesk(self.connection, self.by, self.random_bytes).create(wanted)


def theft_of(connection: Connection, cabinet_id: str) -> Theft | None:
    """A theft, with what is to be done about it; None: the cabinet was not declared stolen."""
    row = connection.execute(_THEFT, {"cabinet": cabinet_id}).one_or_none()
    if row is None:
        return None
    here = {"cabinet": cabinet_id}
    people = connection.execute(_PEOPLE, {**here, "since_ms": row.at_ms - REMEMBERED_MS}).scalars().all()
    badges_of: dict[str, list[str]] = {member_id: [] for member_id in sorted(people)}
    for member_id, badge_id in connection.execute(_BADGES, {"people": list(badges_of)}):
        badges_of[member_id].append(badge_id)
    return Theft(
        cabinet_id=cabinet_id,
        at_ms=row.at_ms,
        author=row.author,
        case_no=row.case_no,
        reason=row.reason,
        members=tuple((member_id, tuple(sorted(found))) for member_id, found in badges_of.items()),
        bookings=tuple(connection.execute(_TO_COME, here).scalars()),
        vehicles=tuple(connection.execute(_LOST, here).scalars()),
    )
