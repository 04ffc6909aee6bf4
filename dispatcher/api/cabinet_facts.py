"""One cabinet's facts, by epoch and number, with the hashes that chain them."""

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import Field
from sqlalchemy import Connection

from dispatcher.api.context import Context
from dispatcher.api.facts import FactOut, Limit, fact_out
from dispatcher.api.problems import ApiReason, FieldFault, Refusal, not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import LIMIT_DEFAULT, Answer, Body, Id
from dispatcher.core.windows import to_utc
from dispatcher.store.fact_feed import Epoch, epochs_of, facts_after
from dispatcher.store.ledger import LedgerFact
from dispatcher.store.registry import cabinet_fields

router = resource("cabinets", read=Scope.FACTS_READ)


class EpochOut(Answer):
    id: str
    number: int
    """Highest for the one that was heard last."""
    created_at: datetime
    seq: int
    """The ledger has its facts up to this one."""


class CabinetFacts(Answer):
    items: list[FactOut]
    next: str | None
    """`after` of the following request; null: nothing is known behind what was asked."""
    epochs: list[EpochOut]
    """All epochs of the cabinet."""


class CabinetFactsQuery(Body):
    after: Annotated[str, Field(pattern=r"^[0-9a-f]{32},[0-9]{1,18}$")] | None = None
    """Epoch and number, such as `0f...,17`: only what follows, later epochs included. Absent: from the first."""
    limit: Limit = LIMIT_DEFAULT
    """Most items in the answer."""


@router.get("/{cabinet_id}/facts", responses=answers(404, 422))
async def read_cabinet_facts(
    context: Context, cabinet_id: Id, query: Annotated[CabinetFactsQuery, Query()]
) -> CabinetFacts:
    """A cabinet's facts by epoch and number, the epochs in the order in which they were heard."""
    after = None
    if query.after is not None:
        epoch, _, seq = query.after.partition(",")
        after = (epoch, int(seq))

    def read(connection: Connection) -> tuple[tuple[LedgerFact, ...] | None, tuple[Epoch, ...]]:
        if cabinet_fields(connection, cabinet_id) is None:
            raise not_found("cabinet", cabinet_id)
        return facts_after(connection, cabinet_id, after, query.limit), epochs_of(connection, cabinet_id)

    found, epochs = await context.database.read(read)
    if found is None:
        fault = FieldFault(field="after", value=query.after, expected="an epoch of this cabinet, and a number")
        raise Refusal(ApiReason.INVALID_REQUEST, "the cabinet never spoke of that epoch", [fault])
    last = f"{found[-1].epoch},{found[-1].seq}" if found else query.after
    return CabinetFacts(
        items=[fact_out(fact) for fact in found],
        next=last,
        epochs=[
            EpochOut(id=epoch.id, number=epoch.number, created_at=to_utc(epoch.created_ms), seq=epoch.seq)
            for epoch in epochs
        ],
    )
