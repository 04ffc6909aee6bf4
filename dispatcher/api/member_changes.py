"""Members: added, changed, suspended, given badges. No number of a badge is ever answered."""

from dispatcher.api.badges import OwnedBadgeOut, show_badge
from dispatcher.api.members import MemberDetailOut, show_member
from dispatcher.api.network_writes import ChangeBody, Kind, Name, Why, at_people_desk, different
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Body, Id
from dispatcher.api.writing import Change, Write
from dispatcher.core.rules import Role, Standing
from dispatcher.importing.rows import Credential

router = resource("members", write=Scope.MEMBERS_WRITE)
MEMBER = Kind("member", "members", show_member)
BADGE = Kind("badge", "badges", show_badge)


class NewMember(Body):
    name: Name
    """Of a person, or of a firm that is a third party."""
    organisation_id: Id | None = None
    role: Role = "member"
    standing: Standing = "active"
    reason: Why | None = None


class MemberChange(ChangeBody):
    name: Name | None = None
    organisation_id: Id | None = None
    """null: of none any more."""
    role: Role | None = None
    standing: Standing | None = None
    """Not active: booked rights come off the boxes; a key that is out can always come back."""


class NewBadge(Body):
    credential: Credential
    """Type and number, such as `calypso:00000000075BCD15`. Never answered back."""
    reason: Why | None = None


@router.post("", status_code=201, responses=answers(400, 409, 413, 422))
async def create_member(writer: Write, wanted: NewMember) -> MemberDetailOut:
    columns = wanted.model_dump(exclude={"reason"})
    return await at_people_desk(writer, wanted.reason, lambda desk: desk.add_member(columns), MEMBER)


@router.patch("/{member_id}", responses=answers(400, 404, 409, 412, 413, 422))
async def change_member(writer: Change, member_id: Id, change: MemberChange) -> MemberDetailOut:
    """Change a member's name, organisation, role or standing."""
    sent = different(change, frozenset({"name", "role", "standing"}))
    of = ("member", member_id)
    return await at_people_desk(writer, change.reason, lambda desk: desk.change_member(member_id, sent), MEMBER, of)


@router.post("/{member_id}/badges", status_code=201, responses=answers(400, 404, 409, 413, 422))
async def add_badge(writer: Write, member_id: Id, wanted: NewBadge) -> OwnedBadgeOut:
    """Give a member a badge. It opens what is booked as soon as the boxes are told."""
    of = ("member", member_id)
    return await at_people_desk(
        writer, wanted.reason, lambda desk: desk.add_badge(member_id, wanted.credential), BADGE, of
    )
