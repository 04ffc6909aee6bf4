"""On whose account: cost centres, and pools of drivers with who is in them."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from sqlalchemy import Connection, Table, bindparam, select

from dispatcher.core.rules import BookingReason, Refused
from dispatcher.store.schema import cost_centres, pool_members, pools
from dispatcher.store.unfounded import Sieve

_MEMBERS = (
    select(pool_members)
    .where(pool_members.c.pool_id.in_(bindparam("pools", expanding=True)), pool_members.c.state == "active")
    .order_by(pool_members.c.pool_id, pool_members.c.member_id)
)
_OF_MEMBER = (
    select(pool_members.c.pool_id)
    .where(pool_members.c.member_id == bindparam("member"), pool_members.c.state == "active")
    .order_by(pool_members.c.pool_id)
)
_ORGANISATION = {
    table: select(table.c.organisation_id).where(table.c.id == bindparam("this")) for table in (cost_centres, pools)
}


def check_account(
    connection: Connection, organisation_id: str | None, cost_centre_id: str | None, pool_id: str | None
) -> Refused | None:
    """Whether cost centre and pool, where named, are the organisation's."""
    return _check(connection, cost_centres, "cost_centre_id", cost_centre_id, organisation_id) or _check(
        connection, pools, "pool_id", pool_id, organisation_id
    )


def _check(
    connection: Connection, table: Table, field: str, named: str | None, organisation_id: str | None
) -> Refused | None:
    if named is None:
        return None
    found = connection.execute(_ORGANISATION[table], {"this": named}).scalar_one_or_none()
    what = field.removesuffix("_id").replace("_", " ")
    if found is None:
        unknown = BookingReason.UNKNOWN_POOL if table is pools else BookingReason.UNKNOWN_COST_CENTRE
        return Refused(unknown, field, named, f"the id of a {what}")
    if found != organisation_id:
        whose = f"a {what} of organisation {organisation_id}" if organisation_id else "none without an organisation"
        return Refused(BookingReason.NOT_OF_ORGANISATION, field, named, whose)
    return None


def pools_of(connection: Connection, member_id: str) -> tuple[str, ...]:
    """The pools that a member is in, whoever wrote so."""
    return tuple(connection.execute(_OF_MEMBER, {"member": member_id}).scalars())


def members_of_pools(
    connection: Connection, sieve: Sieve, pool_ids: Collection[str]
) -> Mapping[str, tuple[str, ...]]:
    """Who is in each pool, by the rows that this program wrote."""
    if not pool_ids:
        return {}
    found: dict[str, list[str]] = defaultdict(list)
    for row in connection.execute(_MEMBERS, {"pools": sorted(pool_ids)}).mappings():
        if sieve.passes(pool_members, row):
            found[row["pool_id"]].append(row["member_id"])
    return {pool_id: tuple(members) for pool_id, members in found.items()}
