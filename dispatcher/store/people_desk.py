"""Adds and changes members, organisations, badges and PINs; cabinets where that touches a right are told.

No credential and no PIN is answered, logged or kept in a history.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, or_, select

from dispatcher.core.life_cycles import NetworkReason, NetworkRefused
from dispatcher.store.changes import Author, keep_change
from dispatcher.store.columns import literally_in
from dispatcher.store.desired import mark_dirty
from dispatcher.store.ids import RandomBytes, new_id
from dispatcher.store.network_rows import Row, add_row, change_row, check_ours, row_of
from dispatcher.store.origin import origin_of, with_origin
from dispatcher.store.pools import pools_of
from dispatcher.store.schema import (
    LIVE_BOOKING_STATES,
    badge_pins,
    badges,
    booking_drivers,
    bookings,
    members,
    organisations,
    pool_members,
)
from dispatcher.store.spread import begin_spread
from dispatcher.store.standing import tell_standing

_MAY_TAKE = (
    select(bookings.c.cabinet_id)
    .where(
        literally_in(bookings.c.state, LIVE_BOOKING_STATES),
        or_(
            bookings.c.member_id == bindparam("member"),
            bookings.c.id.in_(
                select(booking_drivers.c.booking_id).where(booking_drivers.c.member_id == bindparam("member"))
            ),
            bookings.c.pool_id.in_(
                select(pool_members.c.pool_id).where(pool_members.c.member_id == bindparam("member"))
            ),
        ),
    )
    .distinct()
    .order_by(bookings.c.cabinet_id)
)
_WITH_CREDENTIAL = select(badges.c.id).where(badges.c.credential == bindparam("credential"))


@dataclass(frozen=True, slots=True)
class PeopleDesk:
    """One caller's desk, at one instant, inside one transaction. A refusal has to undo that transaction."""

    connection: Connection
    by: Author
    random_bytes: RandomBytes
    pin_digits: int
    """As the fleet's rule says."""

    def add_organisation(self, name: str) -> Row:
        return add_row(self.connection, self.by, organisations, {"id": new_id(self.random_bytes), "name": name})

    def change_organisation(self, organisation_id: str, different: Mapping[str, Any]) -> Row | None:
        before = row_of(self.connection, organisations, organisation_id)
        if before is None:
            return None
        return change_row(self.connection, self.by, organisations, before, different)

    def add_member(self, columns: Mapping[str, Any]) -> Row | NetworkRefused:
        refused = self._organisation(columns)
        if refused is not None:
            return refused
        row = {"id": new_id(self.random_bytes), "erased_ms": None, **columns}
        return add_row(self.connection, self.by, members, row)

    def change_member(self, member_id: str, different: Mapping[str, Any]) -> Row | NetworkRefused | None:
        """A standing that is not active takes booked rights off the boxes; a key that is out stays out."""
        before = row_of(self.connection, members, member_id)
        if before is None:
            return None
        refused = _known(before) or check_ours(self.connection, members, before) or self._organisation(different)
        refused = refused or self._in_pool(before, different)
        if refused is not None:
            return refused
        after = change_row(self.connection, self.by, members, before, different)
        if after["standing"] != before["standing"]:
            tell_standing(self.connection, [member_id], self.by.at_ms, self.by.name)
            self._mark(member_id)
        return after

    def add_badge(self, member_id: str, credential: str) -> Row | NetworkRefused | None:
        member = row_of(self.connection, members, member_id)
        if member is None:
            return None
        refused = _known(member)
        if refused is not None:
            return refused
        if self.connection.execute(_WITH_CREDENTIAL, {"credential": credential}).first() is not None:
            expected = "a credential of no other badge"
            return NetworkRefused(NetworkReason.CREDENTIAL_IN_USE, "credential", "(not shown)", expected)
        row = {
            "id": new_id(self.random_bytes),
            "ref": new_id(self.random_bytes),
            "member_id": member_id,
            "credential": credential,
            "state": "active",
            "revoked_ms": None,
        }
        written = add_row(self.connection, self.by, badges, row)
        self._mark(member_id)
        return written

    def revoke(self, badge_id: str) -> Row | NetworkRefused | None:
        """For good: its number stays taken, and an import alone makes it active again.

        How far that has spread is counted from now on.
        """
        before = row_of(self.connection, badges, badge_id)
        if before is None:
            return None
        refused = _active(before) or check_ours(self.connection, badges, before)
        if refused is not None:
            return refused
        different = {"state": "revoked", "revoked_ms": self.by.at_ms}
        after = change_row(self.connection, self.by, badges, before, different)
        affected = self._mark(str(before["member_id"]))
        begin_spread(self.connection, badge_id, affected, self.by.at_ms)
        return after

    def set_pin(self, badge_id: str, pin: str | None) -> Row | NetworkRefused | None:
        """None: the badge has no PIN any more, and opens only where none is asked for."""
        badge = row_of(self.connection, badges, badge_id)
        if badge is None:
            return None
        refused = _active(badge) or check_ours(self.connection, badges, badge)
        if refused is None and pin is not None and len(pin) != self.pin_digits:
            expected = f"{self.pin_digits} digits, as the fleet's rule pin_digits says"
            refused = NetworkRefused(NetworkReason.PIN_LENGTH, "pin", "(hidden)", expected)
        if refused is not None:
            return refused
        had = select(badge_pins.c.badge_id).where(badge_pins.c.badge_id == badge_id)
        before = self.connection.execute(had).first() is not None
        self.connection.execute(delete(badge_pins).where(badge_pins.c.badge_id == badge_id))
        if pin is not None:
            sealed = origin_of(self.connection).pins.seal(badge_id, pin)
            row = with_origin(self.connection, badge_pins, {"badge_id": badge_id, "sealed": sealed})
            self.connection.execute(insert(badge_pins).values(row))
        after = {"has_pin": pin is not None, "set_ms": self.by.at_ms}
        keep_change(self.connection, self.by, "badge_pins", badge_id, {"has_pin": before}, after)
        self._mark(str(badge["member_id"]))
        return badge

    def _organisation(self, columns: Mapping[str, Any]) -> NetworkRefused | None:
        organisation_id = columns.get("organisation_id")
        if organisation_id is None or row_of(self.connection, organisations, organisation_id) is not None:
            return None
        reason, expected = NetworkReason.NO_SUCH_ORGANISATION, "the id of an organisation, or null"
        return NetworkRefused(reason, "organisation_id", organisation_id, expected)

    def _in_pool(self, before: Row, different: Mapping[str, Any]) -> NetworkRefused | None:
        """A pool is one organisation's: who goes to another would open what is booked for those they left."""
        organisation_id = different.get("organisation_id", before["organisation_id"])
        pool_ids = pools_of(self.connection, before["id"])
        if organisation_id == before["organisation_id"] or not pool_ids:
            return None
        expected = f"{before['organisation_id']} as long as the member is in its pool {pool_ids[0]}"
        return NetworkRefused(NetworkReason.IN_POOL, "organisation_id", str(organisation_id), expected)

    def _mark(self, member_id: str) -> list[str]:
        """Where the member has a right, or is about to lose one."""
        cabinets = list(cabinets_of(self.connection, member_id))
        for cabinet_id in cabinets:
            mark_dirty(self.connection, cabinet_id)
        return cabinets


def cabinets_of(connection: Connection, member_id: str) -> Iterable[str]:
    """The cabinets where a member is to take a key, or has taken one."""
    return connection.execute(_MAY_TAKE, {"member": member_id}).scalars().all()


def _known(member: Mapping[str, Any]) -> NetworkRefused | None:
    if member["erased_ms"] is None:
        return None
    return NetworkRefused(NetworkReason.MEMBER_ERASED, "id", member["id"], "a member who is not erased")


def _active(badge: Mapping[str, Any]) -> NetworkRefused | None:
    if badge["state"] == "active":
        return None
    return NetworkRefused(NetworkReason.BADGE_REVOKED, "id", badge["id"], "a badge that is not revoked")
