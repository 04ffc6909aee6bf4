"""Deliveries as people see and handle them: what became of each, tests, replays. Ids of members are in none."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, exists, insert, literal, select, update

from dispatcher.core.events import WEBHOOK_TEST, TestData
from dispatcher.store.origin import origin_of
from dispatcher.store.outbox import Event, emit_now, event_id
from dispatcher.store.paging import Page, PageRequest, cut, newest_first
from dispatcher.store.schema import outbox, webhook_deliveries
from dispatcher.store.webhooks import Webhook


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one event, without the ids of members in it."""

    sequence: int
    event_id: str
    kind: str
    subject: str
    at_ms: int
    data: dict[str, Any]
    state: str
    attempts: int
    next_ms: int
    done_ms: int | None
    log: tuple[Mapping[str, Any], ...]


def deliveries_page(
    connection: Connection, webhook_id: str, state: str | None, request: PageRequest
) -> Page[Delivery]:
    """What was to be delivered to a subscription, the newest first."""
    statement = (
        select(outbox, *(webhook_deliveries.c[name] for name in ("state", "attempts", "next_ms", "done_ms", "log")))
        .join_from(webhook_deliveries, outbox, outbox.c.sequence == webhook_deliveries.c.sequence)
        .where(webhook_deliveries.c.webhook_id == webhook_id)
    )
    if state is not None:
        statement = statement.where(webhook_deliveries.c.state == state)
    rows = connection.execute(newest_first(statement, webhook_deliveries.c.sequence, request)).mappings().all()
    origin = origin_of(connection)
    found = [
        Delivery(
            sequence=row["sequence"],
            event_id=event_id(origin, row),
            kind=row["kind"],
            subject=row["subject"],
            at_ms=row["at_ms"],
            data=json.loads(row["data"]),
            state=row["state"],
            attempts=row["attempts"],
            next_ms=row["next_ms"],
            done_ms=row["done_ms"],
            log=tuple(json.loads(row["log"])),
        )
        for row in rows
    ]
    return cut(found, request, lambda delivery: (delivery.sequence,))


def queue_test(connection: Connection, webhook_id: str, now_ms: int) -> str:
    """An event of no change for one subscription; its id."""
    data = TestData(webhook_id=webhook_id)
    sequence = emit_now(connection, Event(WEBHOOK_TEST, f"webhooks/{webhook_id}", now_ms, data))
    row = connection.execute(select(outbox).where(outbox.c.sequence == sequence)).mappings().one()
    delivery = {"webhook_id": webhook_id, "sequence": sequence, "subject": row["subject"], **_queued(now_ms)}
    connection.execute(insert(webhook_deliveries).values(**delivery))
    return event_id(origin_of(connection), row)


def replay(
    connection: Connection, webhook: Webhook, begins: ColumnElement[bool], now_ms: int, *, only_dead: bool
) -> int:
    """Queue events again that are kept, from where `begins` (`from_sequence`, `since`) says; how many.

    Those that wait already stay as they are. `only_dead`: the dead letters among them, and no other.
    """
    kinds = outbox.c.kind != WEBHOOK_TEST if webhook.kinds is None else outbox.c.kind.in_(webhook.kinds)
    wanted = select(outbox.c.sequence).where(begins, kinds)
    states = ("dead",) if only_dead else ("dead", "delivered")
    again = (
        update(webhook_deliveries)
        .where(
            webhook_deliveries.c.webhook_id == webhook.id,
            webhook_deliveries.c.state.in_(states),
            webhook_deliveries.c.sequence.in_(wanted),
        )
        .values(**{**_queued(now_ms), "done_ms": None, "log": webhook_deliveries.c.log})
    )
    count = connection.execute(again).rowcount
    if not only_dead:
        missing = _insert_missing(webhook.id, wanted, now_ms).execution_options(preserve_rowcount=True)
        count += connection.execute(missing).rowcount
    return count


def from_sequence(sequence: int) -> ColumnElement[bool]:
    return outbox.c.sequence >= sequence


def since(at_ms: int) -> ColumnElement[bool]:
    return outbox.c.at_ms >= at_ms


def _insert_missing(webhook_id: str, wanted: Select[Any], now_ms: int) -> Any:
    known = exists(
        select(webhook_deliveries.c.sequence).where(
            webhook_deliveries.c.webhook_id == webhook_id, webhook_deliveries.c.sequence == outbox.c.sequence
        )
    )
    queued = _queued(now_ms)
    rows = select(
        literal(webhook_id),
        outbox.c.sequence,
        outbox.c.subject,
        *(literal(value, BigInteger() if isinstance(value, int) else None) for value in queued.values()),
    ).where(outbox.c.sequence.in_(wanted), ~known)
    return insert(webhook_deliveries).from_select(["webhook_id", "sequence", "subject", *queued], rows)


def _queued(now_ms: int) -> Mapping[str, Any]:
    return {"state": "waiting", "attempts": 0, "queued_ms": now_ms, "next_ms": now_ms, "log": "[]"}
