"""Pools: lists of an organisation's drivers. A booking that names one opens to all who are in it."""

from functools import partial
from typing import Annotated

from fastapi import Query
from sqlalchemy import Connection

from dispatcher.api.context import ApiContext, Context
from dispatcher.api.problems import not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Id, Listing, PageQuery, next_cursor, page_request
from dispatcher.store.accounts import Pool, drivers_page, pool_by_id, pools_page

router = resource("pools", read=Scope.MEMBERS_READ)


class PoolOut(Answer):
    TOLD = frozenset[str]()

    id: str
    organisation_id: str
    name: str
    drivers: int
    """Members who are in it, whatever their standing."""


class PoolList(Listing):
    items: list[PoolOut]


class PoolMemberOut(Answer):
    member_id: str


class PoolMemberList(Listing):
    items: list[PoolMemberOut]


class PoolQuery(PageQuery):
    organisation: Id | None = None


@router.get("", responses=answers(422))
async def list_pools(context: Context, query: Annotated[PoolQuery, Query()]) -> PoolList:
    """Pools, in the order of their ids."""
    request = page_request(query, str)
    page = await context.database.read(partial(pools_page, organisation_id=query.organisation, request=request))
    return PoolList(items=[_out(item) for item in page.items], next=next_cursor(page))


@router.get("/{pool_id}", responses=answers(404, 422))
async def read_pool(context: Context, pool_id: Id) -> PoolOut:
    return await context.database.read(lambda connection: show_pool(connection, context, pool_id))


@router.get("/{pool_id}/members", responses=answers(404, 422))
async def list_pool_members(context: Context, pool_id: Id, query: Annotated[PageQuery, Query()]) -> PoolMemberList:
    """Who is in a pool, in the order of their ids."""
    request = page_request(query, str)

    def read(connection: Connection) -> PoolMemberList:
        show_pool(connection, context, pool_id)
        page = drivers_page(connection, pool_id, request)
        items = [PoolMemberOut(member_id=member_id) for member_id in page.items]
        return PoolMemberList(items=items, next=next_cursor(page))

    return await context.database.read(read)


def show_pool(connection: Connection, _context: ApiContext, pool_id: str) -> PoolOut:
    """Raises `Refusal` where there is none."""
    found = pool_by_id(connection, pool_id)
    if found is None:
        raise not_found("pool", pool_id)
    return _out(found)


def _out(item: Pool) -> PoolOut:
    return PoolOut(id=item.id, organisation_id=item.organisation_id, name=item.name, drivers=item.drivers)
