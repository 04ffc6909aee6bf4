"""Facts: the ledger as the cabinets wrote it, of all cabinets as a feed that has no end."""

import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field
from sqlalchemy import Connection

from dispatcher.api.context import Context
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import INTEGER_BITS, LIMIT_DEFAULT, Answer, Body
from dispatcher.core.windows import to_utc
from dispatcher.store.fact_feed import feed_page, known_ledger, settled_position
from dispatcher.store.ledger import UNREADABLE_KIND, LedgerFact
from dispatcher.store.paging import LIMIT_MAX, Page, PageRequest

router = resource("facts", read=Scope.FACTS_READ)

Limit = Annotated[int, Field(ge=1, le=LIMIT_MAX)]


class FactOut(Answer):
    position: int
    """In the ledger of this dispatcher."""
    cabinet_id: str
    epoch: str
    seq: int
    """Counts up without a gap within the epoch."""
    at: datetime
    """When it happened, by the cabinet's clock."""
    received_at: datetime
    kind: str
    """`unreadable`: nobody could read it."""
    fact: dict[str, Any] | None
    """What it says; null: it could not be read, or its limit is over."""
    text: str | None
    """The text as the cabinet journalled it, which `hash` is made of; null as above."""
    hash: str
    """SHA-256 over the hash before and the text, hexadecimal."""
    repeats: int | None
    """The position of the fact that it tells again; it was not applied a second time."""


class FactFeed(Answer):
    items: list[FactOut]
    ledger: str | None
    """Names the ledger. Another one than before: it was restored, and positions begin anew. null: it has none."""
    next: int
    """`after` of the following request, also where nothing new came: the feed has no end."""


class FactFeedQuery(Body):
    after: Annotated[int, Field(ge=0, lt=2**INTEGER_BITS)] = 0
    """Only facts behind this position; 0: from the beginning."""
    limit: Limit = LIMIT_DEFAULT
    """Most items in the answer."""


@router.get("", responses=answers(422))
async def read_feed(context: Context, query: Annotated[FactFeedQuery, Query()]) -> FactFeed:
    """Facts of all cabinets, in the order of the ledger. Who goes on from `next` misses none."""
    settled = await context.database.read(settled_position)
    request = PageRequest(query.limit, (query.after,))

    def read(connection: Connection) -> tuple[Page[LedgerFact], str | None]:
        return feed_page(connection, settled, request), known_ledger(connection)

    page, ledger = await context.database.read(read)
    assert page.next is not None, "the feed goes on"
    return FactFeed(items=[fact_out(fact) for fact in page.items], ledger=ledger, next=int(page.next[0]))


def fact_out(fact: LedgerFact) -> FactOut:
    readable = fact.kind != UNREADABLE_KIND and bool(fact.text)
    return FactOut(
        position=fact.position,
        cabinet_id=fact.cabinet_id,
        epoch=fact.epoch,
        seq=fact.seq,
        at=to_utc(fact.at_ms),
        received_at=to_utc(fact.received_ms),
        kind=fact.kind,
        fact=json.loads(fact.text) if readable else None,
        text=fact.text if readable else None,  # what nobody could read may hold anything
        hash=fact.hash,
        repeats=fact.repeats,
    )
