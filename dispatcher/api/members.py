"""Members: searched by POST, so that no name stands in a path, a query or a log; badges without their UID."""

from datetime import datetime
from functools import partial
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection

from dispatcher.api.context import ApiContext, Context
from dispatcher.api.problems import not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope, needs
from dispatcher.api.values import Answer, Id, Listing, PageQuery, instant_of, next_cursor, page_request
from dispatcher.core.rules import Role, Standing
from dispatcher.store.members import Badge, Member, MemberSearch, badges_of, member_by_id, members_page

router = resource("members", read=Scope.MEMBERS_READ, write=Scope.MEMBERS_WRITE)


class MemberOut(Answer):
    id: str
    name: str
    organisation_id: str | None
    standing: Standing
    role: Role
    """Staff and third parties are given service orders; a third party books nothing."""


class BadgeOut(Answer):
    id: str
    ref: str
    """Random: what facts and journals call this badge."""
    kind: str
    """What is read from it, such as `calypso`. The number itself is not told."""
    state: str
    revoked_at: datetime | None


class MemberDetailOut(MemberOut):
    TOLD = frozenset[str]()

    badges: list[BadgeOut]


class MemberList(Listing):
    items: list[MemberOut]


class MemberQuery(PageQuery):
    name: Annotated[str, Field(min_length=2, max_length=100)] | None = None
    """Part of the name, in any case."""
    organisation_id: Id | None = None
    standing: Standing | None = None


@router.post("/search", dependencies=[needs(Scope.MEMBERS_READ)], responses=answers(400, 413, 422))
async def search_members(context: Context, query: MemberQuery) -> MemberList:
    """Members that fit every field given, in the order of their ids."""
    wanted = MemberSearch(query.name, query.organisation_id, query.standing)
    request = page_request(query, str)
    page = await context.database.read(partial(members_page, search=wanted, request=request))
    return MemberList(items=[MemberOut(**_fields(member)) for member in page.items], next=next_cursor(page))


@router.get("/{member_id}", responses=answers(404, 422))
async def read_member(context: Context, member_id: Id) -> MemberDetailOut:
    return await context.database.read(lambda connection: show_member(connection, context, member_id))


def show_member(connection: Connection, _context: ApiContext, member_id: str) -> MemberDetailOut:
    """Raises `Refusal` where there is none."""
    member = member_by_id(connection, member_id)
    if member is None:
        raise not_found("member", member_id)
    badges = [_badge_out(badge) for badge in badges_of(connection, member_id)]
    return MemberDetailOut(**_fields(member), badges=badges)


def _fields(member: Member) -> dict[str, str | None]:
    return {
        "id": member.id,
        "name": member.name,
        "organisation_id": member.organisation_id,
        "standing": member.standing,
        "role": member.role,
    }


def _badge_out(badge: Badge) -> BadgeOut:
    return BadgeOut(
        id=badge.id, ref=badge.ref, kind=badge.kind, state=badge.state, revoked_at=instant_of(badge.revoked_ms)
    )
