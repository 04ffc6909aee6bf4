"""Municipalities that the network serves."""

from functools import partial
from typing import Annotated

from fastapi import Query
from sqlalchemy import Connection

from dispatcher.api.context import ApiContext, Context
from dispatcher.api.problems import not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Id, Listing, PageQuery, next_cursor, page_request
from dispatcher.store.accounts import Municipality, municipalities_page, municipality_by_id

router = resource("municipalities", read=Scope.NETWORK_READ)


class MunicipalityDetailOut(Answer):
    TOLD = frozenset({"stations"})

    id: str
    name: str
    stations: int
    """Retired ones left out."""


class MunicipalityList(Listing):
    items: list[MunicipalityDetailOut]


@router.get("", responses=answers(422))
async def list_municipalities(context: Context, query: Annotated[PageQuery, Query()]) -> MunicipalityList:
    """Municipalities, in the order of their ids."""
    page = await context.database.read(partial(municipalities_page, request=page_request(query, str)))
    return MunicipalityList(items=[_out(item) for item in page.items], next=next_cursor(page))


@router.get("/{municipality_id}", responses=answers(404, 422))
async def read_municipality(context: Context, municipality_id: Id) -> MunicipalityDetailOut:
    return await context.database.read(lambda connection: show_municipality(connection, context, municipality_id))


def show_municipality(connection: Connection, _context: ApiContext, municipality_id: str) -> MunicipalityDetailOut:
    """Raises `Refusal` where there is none."""
    found = municipality_by_id(connection, municipality_id)
    if found is None:
        raise not_found("municipality", municipality_id)
    return _out(found)


def _out(item: Municipality) -> MunicipalityDetailOut:
    return MunicipalityDetailOut(id=item.id, name=item.name, stations=item.stations)
