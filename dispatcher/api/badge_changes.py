"""Badges: revoked, with how far that has come; PINs set and taken away."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from dispatcher.api.badges import OwnedBadgeOut, show_badge
from dispatcher.api.context import Context
from dispatcher.api.network_writes import Kind, Why, at_people_desk
from dispatcher.api.problems import not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Body, Id, instant_of
from dispatcher.api.writing import Change
from dispatcher.core.windows import to_utc
from dispatcher.store.spread import Spread, spread_of

router = resource("badges", read=Scope.MEMBERS_READ, write=Scope.MEMBERS_WRITE)
BADGE = Kind("badge", "badges", show_badge)

MISSING_MAX = 50  # who looks at more asks why the network is down


class Revocation(Body):
    reason: Why
    """For the record. No names."""


class NewPin(Body):
    pin: Annotated[str, Field(pattern=r"^[0-9]{4,8}$")] | None
    """As many digits as the fleet's rule `pin_digits` says; null: the badge has none any more."""
    reason: Why | None = None


class MissingBoxOut(Answer):
    cabinet_id: str
    since: datetime | None
    """When it was heard last; null: never."""


class SpreadOut(Answer):
    """How far a revocation has come: `held` of `boxes` have it."""

    revoked_at: datetime
    boxes: int
    held: int
    oldest: MissingBoxOut | None
    """The box that was heard longest ago, of those that do not have it."""
    missing: list[MissingBoxOut]
    """The boxes that do not have it, at most 50, the one heard longest ago first."""
    took_s: int | None
    """Seconds until the last one had it; null: one has not."""


@router.post("/{badge_id}/revoke", responses=answers(400, 404, 409, 412, 413, 422))
async def revoke_badge(writer: Change, badge_id: Id, why: Revocation) -> OwnedBadgeOut:
    """Have a badge open nothing any more, anywhere. `GET /badges/{id}/spread` tells how far that has come."""
    return await at_people_desk(writer, why.reason, lambda desk: desk.revoke(badge_id), BADGE, ("badge", badge_id))


@router.post("/{badge_id}/pin", responses=answers(400, 404, 409, 412, 413, 422))
async def set_badge_pin(writer: Change, badge_id: Id, wanted: NewPin) -> OwnedBadgeOut:
    """Set a badge's PIN, or take it away."""
    of = ("badge", badge_id)
    return await at_people_desk(writer, wanted.reason, lambda desk: desk.set_pin(badge_id, wanted.pin), BADGE, of)


@router.get("/{badge_id}/spread", responses=answers(404, 422))
async def show_badge_spread(context: Context, badge_id: Id) -> SpreadOut:
    """How many boxes have been told that a badge is revoked, and which have not."""
    found = await context.database.read(lambda connection: spread_of(connection, badge_id))
    if found is None:
        raise not_found("revoked badge", badge_id)
    return _spread_out(found)


def _spread_out(spread: Spread) -> SpreadOut:
    missing = [
        MissingBoxOut(cabinet_id=box.cabinet_id, since=instant_of(box.heard_ms))
        for box in spread.missing[:MISSING_MAX]
    ]
    return SpreadOut(
        revoked_at=to_utc(spread.revoked_ms),
        boxes=spread.boxes,
        held=spread.held,
        oldest=missing[0] if missing else None,
        missing=missing,
        took_s=None if spread.took_ms is None else spread.took_ms // 1000,
    )
