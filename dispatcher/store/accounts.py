"""Reads who the network is made for: organisations with cost centres and pools, municipalities with stations."""

from dataclasses import dataclass

from sqlalchemy import Connection, Select, func, select

from dispatcher.store.paging import Page, PageRequest, cut, in_order
from dispatcher.store.schema import (
    cost_centres,
    members,
    municipalities,
    organisations,
    pool_members,
    pools,
    stations,
)


@dataclass(frozen=True, slots=True)
class Organisation:
    id: str
    name: str
    drivers: int
    """Members who may drive on its account, whatever their standing."""


@dataclass(frozen=True, slots=True)
class CostCentre:
    id: str
    organisation_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Pool:
    id: str
    organisation_id: str
    name: str
    drivers: int
    """Who is in it, whatever their standing."""


@dataclass(frozen=True, slots=True)
class Municipality:
    id: str
    name: str
    stations: int
    """Without those that are retired."""


_DRIVERS = (
    select(func.count()).where(members.c.organisation_id == organisations.c.id).correlate(organisations)
).scalar_subquery()
_ORGANISATIONS = select(organisations.c.id, organisations.c.name, _DRIVERS.label("drivers"))
_COST_CENTRES = select(cost_centres.c.id, cost_centres.c.organisation_id, cost_centres.c.name)
_IN_POOL = (
    select(func.count())
    .where(pool_members.c.pool_id == pools.c.id, pool_members.c.state == "active")
    .correlate(pools)
).scalar_subquery()
_POOLS = select(pools.c.id, pools.c.organisation_id, pools.c.name, _IN_POOL.label("drivers"))
_STATIONS = (
    select(func.count())
    .where(stations.c.municipality_id == municipalities.c.id, stations.c.life_cycle != "retired")
    .correlate(municipalities)
).scalar_subquery()
_MUNICIPALITIES = select(municipalities.c.id, municipalities.c.name, _STATIONS.label("stations"))


def organisations_page(connection: Connection, request: PageRequest) -> Page[Organisation]:
    """Organisations in the order of their ids."""
    rows = connection.execute(in_order(_ORGANISATIONS, [organisations.c.id], request)).all()
    return cut([Organisation(*row) for row in rows], request, lambda item: (item.id,))


def organisation_by_id(connection: Connection, organisation_id: str) -> Organisation | None:
    row = connection.execute(_ORGANISATIONS.where(organisations.c.id == organisation_id)).one_or_none()
    return None if row is None else Organisation(*row)


def cost_centres_page(
    connection: Connection, organisation_id: str | None, request: PageRequest
) -> Page[CostCentre]:
    """Of one organisation, or of all, in the order of their ids."""
    statement: Select[tuple[str, str, str]] = _COST_CENTRES
    if organisation_id is not None:
        statement = statement.where(cost_centres.c.organisation_id == organisation_id)
    rows = connection.execute(in_order(statement, [cost_centres.c.id], request)).all()
    return cut([CostCentre(*row) for row in rows], request, lambda item: (item.id,))


def cost_centre_by_id(connection: Connection, cost_centre_id: str) -> CostCentre | None:
    row = connection.execute(_COST_CENTRES.where(cost_centres.c.id == cost_centre_id)).one_or_none()
    return None if row is None else CostCentre(*row)


def pools_page(connection: Connection, organisation_id: str | None, request: PageRequest) -> Page[Pool]:
    """Of one organisation, or of all, in the order of their ids."""
    statement: Select[tuple[str, str, str, int]] = _POOLS
    if organisation_id is not None:
        statement = statement.where(pools.c.organisation_id == organisation_id)
    rows = connection.execute(in_order(statement, [pools.c.id], request)).all()
    return cut([Pool(*row) for row in rows], request, lambda item: (item.id,))


def pool_by_id(connection: Connection, pool_id: str) -> Pool | None:
    row = connection.execute(_POOLS.where(pools.c.id == pool_id)).one_or_none()
    return None if row is None else Pool(*row)


def drivers_page(connection: Connection, pool_id: str, request: PageRequest) -> Page[str]:
    """The ids of the members who are in a pool, in their order."""
    statement = select(pool_members.c.member_id).where(
        pool_members.c.pool_id == pool_id, pool_members.c.state == "active"
    )
    found = connection.execute(in_order(statement, [pool_members.c.member_id], request)).scalars().all()
    return cut(found, request, lambda member_id: (member_id,))


def municipalities_page(connection: Connection, request: PageRequest) -> Page[Municipality]:
    """Municipalities in the order of their ids."""
    rows = connection.execute(in_order(_MUNICIPALITIES, [municipalities.c.id], request)).all()
    return cut([Municipality(*row) for row in rows], request, lambda item: (item.id,))


def municipality_by_id(connection: Connection, municipality_id: str) -> Municipality | None:
    row = connection.execute(_MUNICIPALITIES.where(municipalities.c.id == municipality_id)).one_or_none()
    return None if row is None else Municipality(*row)
