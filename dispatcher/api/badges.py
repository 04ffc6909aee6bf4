"""Badges: found by what a reader reads or by their reference, by POST; the number itself is never answered."""

from functools import partial
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection

from dispatcher.api.context import ApiContext, Context
from dispatcher.api.members import BadgeOut
from dispatcher.api.problems import ApiReason, FieldFault, Refusal, not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope, needs
from dispatcher.api.values import Answer, Body, Id, instant_of
from dispatcher.store.members import OwnedBadge, badge_by, badge_by_id

router = resource("badges", read=Scope.MEMBERS_READ, write=Scope.MEMBERS_WRITE)


class BadgeSearch(Body):
    """Give one of the two."""

    credential: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}:[0-9A-F]{2,32}$")] | None = None
    """Type and number, such as `calypso:00000000075BCD15`."""
    ref: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    """What facts and journals call it."""


class OwnedBadgeOut(BadgeOut):
    TOLD = frozenset[str]()

    member_id: str


class BadgeMatches(Answer):
    items: list[OwnedBadgeOut]
    """One, or none."""


@router.post("/search", dependencies=[needs(Scope.MEMBERS_READ)], responses=answers(400, 413, 422))
async def search_badges(context: Context, query: BadgeSearch) -> BadgeMatches:
    """The badge with this credential, or with this reference: whose it is, and whether it opens anything."""
    if (query.credential is None) is (query.ref is None):
        fault = FieldFault(field="credential", expected="either a credential or a ref")
        raise Refusal(ApiReason.INVALID_REQUEST, "which badge is looked for is not clear", [fault])
    found = await context.database.read(partial(badge_by, credential=query.credential, ref=query.ref))
    return BadgeMatches(items=[] if found is None else [_out(found)])


@router.get("/{badge_id}", responses=answers(404, 422))
async def read_badge(context: Context, badge_id: Id) -> OwnedBadgeOut:
    return await context.database.read(lambda connection: show_badge(connection, context, badge_id))


def show_badge(connection: Connection, _context: ApiContext, badge_id: str) -> OwnedBadgeOut:
    """Raises `Refusal` where there is none."""
    found = badge_by_id(connection, badge_id)
    if found is None:
        raise not_found("badge", badge_id)
    return _out(found)


def _out(owned: OwnedBadge) -> OwnedBadgeOut:
    badge = owned.badge
    return OwnedBadgeOut(
        id=badge.id,
        ref=badge.ref,
        kind=badge.kind,
        state=badge.state,
        revoked_at=instant_of(badge.revoked_ms),
        member_id=owned.member_id,
    )
