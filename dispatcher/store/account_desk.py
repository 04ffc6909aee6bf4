"""Adds and changes cost centres and pools, and says who is in a pool: boxes where that touches a right are told.

Who is in a pool is a right at every booking that names it: each row is written whole, with its origin, as the
caller says it, and nothing of it is taken over from what is stored.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, select

from dispatcher.core.life_cycles import NetworkReason, NetworkRefused
from dispatcher.importing.checks import POOL_MEMBERS_MAX
from dispatcher.store.changes import Author, keep_change
from dispatcher.store.columns import literally_in
from dispatcher.store.desired import mark_dirty
from dispatcher.store.ids import RandomBytes, new_id
from dispatcher.store.network_rows import Row, add_row, change_row, row_of
from dispatcher.store.origin import with_origin
from dispatcher.store.pools import pools_of
from dispatcher.store.schema import (
    LIVE_BOOKING_STATES,
    bookings,
    cost_centres,
    members,
    organisations,
    pool_members,
    pools,
)
from dispatcher.store.standing import tell_standing
from dispatcher.store.upsert import upsert

_NAMING = (
    select(bookings.c.cabinet_id)
    .where(literally_in(bookings.c.state, LIVE_BOOKING_STATES), bookings.c.pool_id == bindparam("pool"))
    .distinct()
    .order_by(bookings.c.cabinet_id)
)
_DRIVERS = select(func.count()).where(pool_members.c.pool_id == bindparam("pool"), pool_members.c.state == "active")


@dataclass(frozen=True, slots=True)
class AccountDesk:
    """One caller's desk, at one instant, inside one transaction. A refusal has to undo that transaction."""

    connection: Connection
    by: Author
    random_bytes: RandomBytes

    def add_cost_centre(self, columns: Mapping[str, Any]) -> Row | NetworkRefused:
        return self._add(cost_centres, columns)

    def change_cost_centre(self, cost_centre_id: str, different: Mapping[str, Any]) -> Row | None:
        """None: there is none."""
        return self._change(cost_centres, cost_centre_id, different)

    def add_pool(self, columns: Mapping[str, Any], member_ids: Collection[str]) -> Row | NetworkRefused:
        """A new pool with these drivers in it."""
        made = self._add(pools, columns)
        if isinstance(made, NetworkRefused):
            return made
        return self._set_drivers(made, frozenset(member_ids), frozenset(), "member_ids") or made

    def change_pool(
        self, pool_id: str, different: Mapping[str, Any], add: Collection[str], remove: Collection[str]
    ) -> Row | NetworkRefused | None:
        """Rename it, let drivers in, and others out. None: there is no such pool.

        Who is in already stays in, who is not there stays out: neither is a fault.
        """
        after = self._change(pools, pool_id, different)
        if after is None:
            return None
        return self._set_drivers(after, frozenset(add), frozenset(remove), "add_member_ids") or after

    def _add(self, table: Table, columns: Mapping[str, Any]) -> Row | NetworkRefused:
        organisation_id = columns["organisation_id"]
        if row_of(self.connection, organisations, organisation_id) is None:
            reason, expected = NetworkReason.NO_SUCH_ORGANISATION, "the id of an organisation"
            return NetworkRefused(reason, "organisation_id", organisation_id, expected)
        return add_row(self.connection, self.by, table, {"id": new_id(self.random_bytes), **columns})

    def _change(self, table: Table, row_id: str, different: Mapping[str, Any]) -> Row | None:
        before = row_of(self.connection, table, row_id)
        return before and change_row(self.connection, self.by, table, before, different)

    def _set_drivers(
        self, pool: Row, add: frozenset[str], remove: frozenset[str], field: str
    ) -> NetworkRefused | None:
        for member_id in sorted(add):
            refused = self._stranger(pool, member_id, field)
            if refused is not None:
                return refused
        this = {"pool": pool["id"]}
        before = self.connection.execute(_DRIVERS, this).scalar_one()
        touched = [member for member in sorted(add) if self._set(pool["id"], member, "active")]
        touched += [member for member in sorted(remove) if self._set(pool["id"], member, "removed")]
        after = self.connection.execute(_DRIVERS, this).scalar_one()
        if after > POOL_MEMBERS_MAX:
            expected = f"at most {POOL_MEMBERS_MAX} members in a pool"
            return NetworkRefused(NetworkReason.POOL_IS_FULL, field, str(after), expected)
        if touched:
            keep_change(self.connection, self.by, pools.name, pool["id"], {"drivers": before}, {"drivers": after})
            tell_standing(self.connection, touched, self.by.at_ms, self.by.name)
            for cabinet_id in self.connection.execute(_NAMING, this).scalars().all():
                mark_dirty(self.connection, cabinet_id)
        return None

    def _stranger(self, pool: Row, member_id: str, field: str) -> NetworkRefused | None:
        """A pool is one organisation's."""
        member = row_of(self.connection, members, member_id)
        if member is None or member["erased_ms"] is not None:
            return NetworkRefused(NetworkReason.NO_SUCH_MEMBER, field, member_id, "the id of a member")
        if member["organisation_id"] != pool["organisation_id"]:
            expected = f"a driver of organisation {pool['organisation_id']}"
            return NetworkRefused(NetworkReason.NOT_OF_ORGANISATION, field, member_id, expected)
        return None

    def _set(self, pool_id: str, member_id: str, state: str) -> bool:
        """Whether that is different, or was not as this program writes it."""
        row = with_origin(
            self.connection, pool_members, {"pool_id": pool_id, "member_id": member_id, "state": state}
        )
        this = select(pool_members).where(pool_members.c.pool_id == pool_id, pool_members.c.member_id == member_id)
        stored = self.connection.execute(this).mappings().one_or_none()
        if (stored is None and state == "removed") or (stored is not None and dict(stored) == row):
            return False
        before = pools_of(self.connection, member_id)
        upsert(self.connection, pool_members, row)
        after = pools_of(self.connection, member_id)
        if after != before:
            kept = ({"pools": list(before)}, {"pools": list(after)})
            keep_change(self.connection, self.by, members.name, member_id, *kept)
        return True
