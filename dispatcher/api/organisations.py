"""Organisations: on whose account members drive."""

from functools import partial
from typing import Annotated

from fastapi import Query
from sqlalchemy import Connection

from dispatcher.api.context import ApiContext, Context
from dispatcher.api.problems import not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Id, Listing, PageQuery, next_cursor, page_request
from dispatcher.store.accounts import Organisation, organisation_by_id, organisations_page

router = resource("organisations", read=Scope.MEMBERS_READ)


class OrganisationOut(Answer):
    TOLD = frozenset({"drivers"})

    id: str
    name: str
    drivers: int
    """Members who may drive on its account, whatever their standing."""


class OrganisationList(Listing):
    items: list[OrganisationOut]


@router.get("", responses=answers(422))
async def list_organisations(context: Context, query: Annotated[PageQuery, Query()]) -> OrganisationList:
    """Organisations, in the order of their ids."""
    page = await context.database.read(partial(organisations_page, request=page_request(query, str)))
    return OrganisationList(items=[_out(item) for item in page.items], next=next_cursor(page))


@router.get("/{organisation_id}", responses=answers(404, 422))
async def read_organisation(context: Context, organisation_id: Id) -> OrganisationOut:
    return await context.database.read(lambda connection: show_organisation(connection, context, organisation_id))


def show_organisation(connection: Connection, _context: ApiContext, organisation_id: str) -> OrganisationOut:
    """Raises `Refusal` where there is none."""
    found = organisation_by_id(connection, organisation_id)
    if found is None:
        raise not_found("organisation", organisation_id)
    return _out(found)


def _out(item: Organisation) -> OrganisationOut:
    return OrganisationOut(id=item.id, name=item.name, drivers=item.drivers)
