"""Organisations: added and renamed."""

from fastapi import Response

from dispatcher.api.context import Caller, Context
from dispatcher.api.network_writes import Change, Name, Why, at_people_desk, different
from dispatcher.api.organisations import OrganisationOut, read_organisation
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Body, Id

router = resource("organisations", write=Scope.MEMBERS_WRITE)


class NewOrganisation(Body):
    name: Name
    reason: Why | None = None


class OrganisationChange(Change):
    name: Name | None = None


@router.post("", status_code=201, responses=answers(400, 413, 422))
async def create_organisation(
    context: Context, caller: Caller, wanted: NewOrganisation, response: Response
) -> OrganisationOut:
    made = await at_people_desk(context, caller, wanted.reason, lambda desk: desk.add_organisation(wanted.name))
    response.headers["location"] = f"/api/v1/organisations/{made['id']}"
    return await read_organisation(context, str(made["id"]))


@router.patch("/{organisation_id}", responses=answers(400, 404, 413, 422))
async def change_organisation(
    context: Context, caller: Caller, organisation_id: Id, change: OrganisationChange
) -> OrganisationOut:
    sent = different(change, frozenset({"name"}))
    what = ("organisation", organisation_id)
    await at_people_desk(
        context, caller, change.reason, lambda desk: desk.change_organisation(organisation_id, sent), what
    )
    return await read_organisation(context, organisation_id)
