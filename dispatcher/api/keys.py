"""Keys: whose they are, where they live, where they are now."""

from datetime import datetime
from functools import partial
from typing import Annotated, Literal

from fastapi import Query
from sqlalchemy import Connection

from dispatcher.api.context import ApiContext, Context
from dispatcher.api.problems import not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Id, Listing, PageQuery, instant_of, next_cursor, page_request
from dispatcher.core.availability import KeyPlace
from dispatcher.store.key_list import Key, KeyFilter, key_by_id, keys_page

router = resource("keys", read=Scope.FLEET_READ)


class KeyDetailOut(Answer):
    TOLD = frozenset({"state", "cabinet_id", "identity", "since"})

    id: str
    vehicle_id: str
    life_cycle: str
    home_cabinet_id: str
    state: KeyPlace
    """`unknown`: no cabinet has said anything of it yet."""
    cabinet_id: str | None
    """Where it hangs, or was taken from."""
    identity: str | None
    """`read` from its tag, `presumed`, or `unknown`."""
    since: datetime | None
    tags: int
    """How many tags it has had; what is written on them is not told."""


class KeyList(Listing):
    items: list[KeyDetailOut]


class KeyQuery(PageQuery):
    vehicle: Id | None = None
    cabinet: Id | None = None
    """Only keys that hang there, or were taken from there."""
    state: Literal["in_slot", "taken", "missing", "elsewhere"] | None = None


@router.get("", responses=answers(422))
async def list_keys(context: Context, query: Annotated[KeyQuery, Query()]) -> KeyList:
    """Keys that fit every field given, in the order of their ids."""
    wanted = KeyFilter(query.vehicle, query.cabinet, query.state)
    request = page_request(query, str)
    page = await context.database.read(partial(keys_page, wanted=wanted, request=request))
    return KeyList(items=[_out(key) for key in page.items], next=next_cursor(page))


@router.get("/{key_id}", responses=answers(404, 422))
async def read_key(context: Context, key_id: Id) -> KeyDetailOut:
    return await context.database.read(lambda connection: show_key(connection, context, key_id))


def show_key(connection: Connection, _context: ApiContext, key_id: str) -> KeyDetailOut:
    """Raises `Refusal` where there is none."""
    found = key_by_id(connection, key_id)
    if found is None:
        raise not_found("key", key_id)
    return _out(found)


def _out(key: Key) -> KeyDetailOut:
    return KeyDetailOut.model_validate(
        {
            "id": key.id,
            "vehicle_id": key.vehicle_id,
            "life_cycle": key.life_cycle,
            "home_cabinet_id": key.home_cabinet_id,
            "state": key.state or "unknown",
            "cabinet_id": key.cabinet_id,
            "identity": key.identity,
            "since": instant_of(key.since_ms),
            "tags": key.tags,
        }
    )
