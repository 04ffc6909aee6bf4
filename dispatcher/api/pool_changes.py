"""Pools: made, renamed, and who is in them. Whoever is in one may take what is booked for it."""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from dispatcher.api.network_writes import ChangeBody, Kind, Name, Why, at_account_desk, different
from dispatcher.api.pools import PoolOut, show_pool
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Body, Id
from dispatcher.api.writing import Change, Write

router = resource("pools", write=Scope.MEMBERS_WRITE)
POOL = Kind("pool", "pools", show_pool)

MEMBERS_AT_ONCE_MAX = 100  # with ids of 64 characters 7 KB, of the 16 KiB that a body may have
MemberIds = Annotated[tuple[Id, ...], Field(max_length=MEMBERS_AT_ONCE_MAX)]


class NewPool(Body):
    organisation_id: Id
    """Its drivers drive for this one. It stays the same."""
    name: Name
    member_ids: MemberIds = ()
    reason: Why | None = None


class PoolChange(ChangeBody):
    name: Name | None = None
    add_member_ids: MemberIds | None = None
    """Drivers of its organisation. Who is in already stays in."""
    remove_member_ids: MemberIds | None = None
    """The boxes are told at once; a key that is out can always come back."""

    @field_validator("remove_member_ids")
    @classmethod
    def _not_both(cls, ids: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if set(ids or ()) & set(info.data.get("add_member_ids") or ()):
            raise ValueError("nobody who is added as well")
        return ids


@router.post("", status_code=201, responses=answers(400, 409, 413, 422))
async def create_pool(writer: Write, wanted: NewPool) -> PoolOut:
    columns = wanted.model_dump(include={"organisation_id", "name"})
    return await at_account_desk(
        writer, wanted.reason, lambda desk: desk.add_pool(columns, wanted.member_ids), POOL
    )


@router.patch("/{pool_id}", responses=answers(400, 404, 409, 412, 413, 422))
async def change_pool(writer: Change, pool_id: Id, change: PoolChange) -> PoolOut:
    """Rename a pool, let drivers in, and others out."""
    sent = different(change, frozenset(PoolChange.model_fields))
    add, remove = sent.pop("add_member_ids", ()), sent.pop("remove_member_ids", ())
    return await at_account_desk(
        writer, change.reason, lambda desk: desk.change_pool(pool_id, sent, add, remove), POOL, ("pool", pool_id)
    )
