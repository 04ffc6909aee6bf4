"""Cost centres of organisations: what a booking on an organisation's account may name."""

from functools import partial
from typing import Annotated

from fastapi import Query
from sqlalchemy import Connection

from dispatcher.api.context import ApiContext, Context
from dispatcher.api.network_writes import ChangeBody, Kind, Name, Why, at_account_desk, different
from dispatcher.api.problems import not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Body, Id, Listing, PageQuery, next_cursor, page_request
from dispatcher.api.writing import Change, Write
from dispatcher.store.accounts import CostCentre, cost_centre_by_id, cost_centres_page

router = resource("cost-centres", read=Scope.MEMBERS_READ, write=Scope.MEMBERS_WRITE)


class CostCentreOut(Answer):
    TOLD = frozenset[str]()

    id: str
    organisation_id: str
    name: str


class CostCentreList(Listing):
    items: list[CostCentreOut]


class CostCentreQuery(PageQuery):
    organisation: Id | None = None


class NewCostCentre(Body):
    organisation_id: Id
    name: Name
    reason: Why | None = None


class CostCentreChange(ChangeBody):
    name: Name | None = None


def show_cost_centre(connection: Connection, _context: ApiContext, cost_centre_id: str) -> CostCentreOut:
    """Raises `Refusal` where there is none."""
    found = cost_centre_by_id(connection, cost_centre_id)
    if found is None:
        raise not_found("cost centre", cost_centre_id)
    return _out(found)


def _out(item: CostCentre) -> CostCentreOut:
    return CostCentreOut(id=item.id, organisation_id=item.organisation_id, name=item.name)


COST_CENTRE = Kind("cost centre", "cost-centres", show_cost_centre)


@router.get("", responses=answers(422))
async def list_cost_centres(context: Context, query: Annotated[CostCentreQuery, Query()]) -> CostCentreList:
    """Cost centres, in the order of their ids."""
    request = page_request(query, str)
    page = await context.database.read(
        partial(cost_centres_page, organisation_id=query.organisation, request=request)
    )
    return CostCentreList(items=[_out(item) for item in page.items], next=next_cursor(page))


@router.get("/{cost_centre_id}", responses=answers(404, 422))
async def read_cost_centre(context: Context, cost_centre_id: Id) -> CostCentreOut:
    return await context.database.read(lambda connection: show_cost_centre(connection, context, cost_centre_id))


@router.post("", status_code=201, responses=answers(400, 413, 422))
async def create_cost_centre(writer: Write, wanted: NewCostCentre) -> CostCentreOut:
    columns = wanted.model_dump(exclude={"reason"})
    return await at_account_desk(writer, wanted.reason, lambda desk: desk.add_cost_centre(columns), COST_CENTRE)


@router.patch("/{cost_centre_id}", responses=answers(400, 404, 412, 413, 422))
async def change_cost_centre(writer: Change, cost_centre_id: Id, change: CostCentreChange) -> CostCentreOut:
    sent = different(change, frozenset({"name"}))
    of = ("cost centre", cost_centre_id)
    return await at_account_desk(
        writer, change.reason, lambda desk: desk.change_cost_centre(cost_centre_id, sent), COST_CENTRE, of
    )
