"""Reads who the network is made for: organisations with how many drive for them, municipalities with stations."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from dispatcher.store.paging import Page, PageRequest, cut, in_order
from dispatcher.store.schema import members, municipalities, organisations, stations


@dataclass(frozen=True, slots=True)
class Organisation:
    id: str
    name: str
    drivers: int
    """Members who may drive on its account, whatever their standing."""


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


def municipalities_page(connection: Connection, request: PageRequest) -> Page[Municipality]:
    """Municipalities in the order of their ids."""
    rows = connection.execute(in_order(_MUNICIPALITIES, [municipalities.c.id], request)).all()
    return cut([Municipality(*row) for row in rows], request, lambda item: (item.id,))


def municipality_by_id(connection: Connection, municipality_id: str) -> Municipality | None:
    row = connection.execute(_MUNICIPALITIES.where(municipalities.c.id == municipality_id)).one_or_none()
    return None if row is None else Municipality(*row)
