"""Handovers: keys taken and returned, as the cabinets saw them."""

from datetime import datetime
from functools import partial
from typing import Annotated, Literal

from fastapi import Query
from pydantic import Field

from dispatcher.api.context import Context
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Answer, Id, Listing, PageQuery, next_cursor, page_request
from dispatcher.core.windows import to_ms, to_utc
from dispatcher.instants import Instant
from dispatcher.store.uses import Handover, UseFilter, handovers_page

router = resource("handovers", read=Scope.FACTS_READ)


class UseQuery(PageQuery):
    cabinet: Id | None = None
    vehicle: Id | None = None
    booking: Id | None = None
    from_: Annotated[Instant | None, Field(alias="from")] = None
    until: Instant | None = None

    def wanted(self) -> UseFilter:
        return UseFilter(
            cabinet_id=self.cabinet,
            vehicle_id=self.vehicle,
            booking_id=self.booking,
            from_ms=None if self.from_ is None else to_ms(self.from_),
            until_ms=None if self.until is None else to_ms(self.until),
        )


class HandoverOut(Answer):
    position: int
    """Of its fact in the ledger."""
    kind: Literal["taken", "returned"]
    at: datetime
    """By the cabinet's clock."""
    cabinet_id: str
    vehicle_id: str | None
    """null: no tag was read, and nothing else said which key it was."""
    key_id: str | None
    booking_id: str | None
    """Under whose right the key went; null: an operator's command, or none."""
    command_id: str | None
    identity: str
    """`read` from the key's tag, `presumed`, or `unknown`."""
    wrong_slot: bool
    """A return into another slot than the one that was lit, or than the key's own."""


class HandoverList(Listing):
    items: list[HandoverOut]


@router.get("", responses=answers(422))
async def list_handovers(context: Context, query: Annotated[UseQuery, Query()]) -> HandoverList:
    """Handovers that fit every field given, in the order in which they happened, from `from` to before `until`."""
    request = page_request(query, int, int)
    page = await context.database.read(partial(handovers_page, wanted=query.wanted(), request=request))
    return HandoverList(items=[_out(item) for item in page.items], next=next_cursor(page))


def _out(item: Handover) -> HandoverOut:
    return HandoverOut.model_validate(
        {
            "position": item.position,
            "kind": item.kind,
            "at": to_utc(item.at_ms),
            "cabinet_id": item.cabinet_id,
            "vehicle_id": item.vehicle_id,
            "key_id": item.key_id,
            "booking_id": item.booking_id,
            "command_id": item.command_id,
            "identity": item.identity,
            "wrong_slot": item.wrong_slot,
        }
    )
