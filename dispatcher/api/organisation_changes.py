"""Organisations: added and renamed."""

from dispatcher.api.network_writes import ChangeBody, Kind, Name, Why, at_people_desk, different
from dispatcher.api.organisations import OrganisationOut, show_organisation
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Body, Id
from dispatcher.api.writing import Change, Write

router = resource("organisations", write=Scope.MEMBERS_WRITE)
ORGANISATION = Kind("organisation", "organisations", show_organisation)


class NewOrganisation(Body):
    name: Name
    reason: Why | None = None


class OrganisationChange(ChangeBody):
    name: Name | None = None


@router.post("", status_code=201, responses=answers(400, 413, 422))
async def create_organisation(writer: Write, wanted: NewOrganisation) -> OrganisationOut:
    return await at_people_desk(
        writer, wanted.reason, lambda desk: desk.add_organisation(wanted.name), ORGANISATION
    )


@router.patch("/{organisation_id}", responses=answers(400, 404, 412, 413, 422))
async def change_organisation(writer: Change, organisation_id: Id, change: OrganisationChange) -> OrganisationOut:
    sent = different(change, frozenset({"name"}))
    of = ("organisation", organisation_id)
    return await at_people_desk(
        writer, change.reason, lambda desk: desk.change_organisation(organisation_id, sent), ORGANISATION, of
    )
