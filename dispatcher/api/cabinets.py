"""Cabinets: how old what is known of each is, and whether it holds what it was told."""

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
from dispatcher.core.windows import to_utc
from dispatcher.store.cabinets import CabinetState, ToldState, cabinet_by_id, cabinets_page

router = resource("cabinets", read=Scope.NETWORK_READ)


class SlotCountsOut(Answer):
    """Slots by what their contacts say. Which key hangs in which slot is for the station alone."""

    present: int
    empty: int
    unknown: int
    """Nothing was heard of them yet, or their lock board does not answer."""


class DesiredOut(Answer):
    """The wanted state: what was told, and what the box says that it holds."""

    told_version: int
    held_version: int | None
    """null: it never reported."""
    is_held: bool
    computed_at: datetime
    grants_left_out: int
    """Rights that did not fit; the nearest come first."""
    refused: str | None
    """Why none can be made; null: all is well."""


class CabinetDetailOut(Answer):
    TOLD = frozenset(
        {
            "link",
            "heard_at",
            "heard_age_s",
            "reported_at",
            "reported_age_s",
            "agent_version",
            "clock_trusted",
            "journal_depth",
            "desired",
            "slot_counts",
        }
    )

    id: str
    station_id: str
    """Its main station."""
    also_serves: list[str]
    """Other stations whose keys may hang in it."""
    slots: int
    life_cycle: str
    provisioned: bool
    """The public key of its box is known."""
    public_key: str | None
    """Of its box: whose word is believed for the cabinet."""
    link: Literal["online", "unreachable"]
    heard_at: datetime | None
    heard_age_s: int | None
    """Seconds since it said anything; null: it never did."""
    reported_at: datetime | None
    """When it described its whole state last, by its own clock."""
    reported_age_s: int | None
    agent_version: str | None
    clock_trusted: bool | None
    """null: it has not said so yet."""
    journal_depth: int | None
    """Facts that its box held unacknowledged at its last report."""
    desired: DesiredOut | None
    """null: nothing was computed for it yet."""
    slot_counts: SlotCountsOut


class CabinetList(Listing):
    items: list[CabinetDetailOut]


class CabinetQuery(PageQuery):
    station: Id | None = None
    """Only cabinets that serve this station."""


@router.get("", responses=answers(422))
async def list_cabinets(context: Context, query: Annotated[CabinetQuery, Query()]) -> CabinetList:
    """Cabinets, in the order of their ids."""
    request = page_request(query, str)
    page = await context.database.read(partial(cabinets_page, station_id=query.station, request=request))
    return CabinetList(items=[_out(cabinet, context) for cabinet in page.items], next=next_cursor(page))


@router.get("/{cabinet_id}", responses=answers(404, 422))
async def read_cabinet(context: Context, cabinet_id: Id) -> CabinetDetailOut:
    return await context.database.read(lambda connection: show_cabinet(connection, context, cabinet_id))


def show_cabinet(connection: Connection, context: ApiContext, cabinet_id: str) -> CabinetDetailOut:
    """Raises `Refusal` where there is none."""
    found = cabinet_by_id(connection, cabinet_id)
    if found is None:
        raise not_found("cabinet", cabinet_id)
    return _out(found, context)


def _out(cabinet: CabinetState, context: ApiContext) -> CabinetDetailOut:
    now_ms = context.clock.now_ms()
    counts = cabinet.counts
    return CabinetDetailOut(
        id=cabinet.id,
        station_id=cabinet.station_id,
        also_serves=list(cabinet.also_serves),
        slots=cabinet.slots,
        life_cycle=cabinet.life_cycle,
        provisioned=cabinet.public_key is not None,
        public_key=cabinet.public_key,
        link="online" if cabinet.reachable else "unreachable",
        heard_at=instant_of(cabinet.heard_ms),
        heard_age_s=_age_s(cabinet.heard_ms, now_ms),
        reported_at=instant_of(cabinet.reported_ms),
        reported_age_s=_age_s(cabinet.reported_ms, now_ms),
        agent_version=cabinet.agent_version,
        clock_trusted=cabinet.clock_trusted,
        journal_depth=cabinet.journal_depth,
        desired=None if cabinet.desired is None else _desired_out(cabinet.desired),
        slot_counts=SlotCountsOut(present=counts.present, empty=counts.empty, unknown=counts.unknown),
    )


def _desired_out(desired: ToldState) -> DesiredOut:
    return DesiredOut(
        told_version=desired.told_version,
        held_version=desired.held_version,
        is_held=desired.held_version == desired.told_version,
        computed_at=to_utc(desired.computed_ms),
        grants_left_out=desired.grants_left_out,
        refused=desired.refused,
    )


def _age_s(at_ms: int | None, now_ms: int) -> int | None:
    return None if at_ms is None else max(now_ms - at_ms, 0) // 1000
