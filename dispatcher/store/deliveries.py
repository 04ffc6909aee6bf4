"""What is to be sent to whom: claimed by one sender at a time, again and again until it is taken or given up.

A sender claims a subscription with a row lock, for a while (`lease_ms`) that it names: several dispatchers share
the work, and what one that was killed had claimed is free again when its time is over.
"""

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    RowMapping,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    select,
    update,
)

from dispatcher.core.deliveries import GIVE_UP_MS, Attempt, Outcome, after_failure
from dispatcher.store.origin import origin_of
from dispatcher.store.outbox import event_id
from dispatcher.store.schema import outbox, webhook_deliveries, webhooks
from dispatcher.store.webhooks import GONE, UNREADABLE, Webhook, as_webhook, disable, secrets_of

TURN_MAX = 20  # events read at once: of 2 KB each
LOG_MAX = 20  # attempts kept of one event: more than its schedule has


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event to send."""

    sequence: int
    id: str
    kind: str
    subject: str
    at_ms: int
    data: dict[str, Any]
    """With the ids of members where the subscription may have them."""
    attempts: int
    """That were made before."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one sender may send now, and nobody else."""

    webhook: Webhook
    claim: str
    secrets: tuple[bytes, ...]
    events: tuple[Waiting, ...]
    """In the order of their numbers: one that fails ends the turn, so that none of its subject overtakes it."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """Whether there is something to send, and when there will be."""

    is_due: bool
    next_ms: int | None
    """None: nothing waits."""


_EARLIER = webhook_deliveries.alias("earlier")
_IS_WAITING = webhook_deliveries.c.state == literal_column("'waiting'")  # written out, as in the indexes
_BEFORE_IT = (
    _EARLIER.c.webhook_id == webhook_deliveries.c.webhook_id,
    _EARLIER.c.subject == webhook_deliveries.c.subject,
    _EARLIER.c.sequence < webhook_deliveries.c.sequence,
    _EARLIER.c.state == literal_column("'waiting'"),
)
_IS_OLDEST = ~exists(select(_EARLIER.c.sequence).where(*_BEFORE_IT))
_NOW_MS: ColumnElement[int] = bindparam("now_ms", type_=BigInteger)
_IS_DUE = _IS_WAITING & (webhook_deliveries.c.next_ms <= _NOW_MS) & _IS_OLDEST
_FREE_MS = case(
    (webhooks.c.rests_until_ms > webhooks.c.claimed_until_ms, webhooks.c.rests_until_ms),
    else_=webhooks.c.claimed_until_ms,
)
_OF_WEBHOOK = webhook_deliveries.c.webhook_id == webhooks.c.id
_SOMETHING = exists(select(webhook_deliveries.c.sequence).where(_OF_WEBHOOK, _IS_WAITING))
_FIRST_MS = (
    select(func.min(webhook_deliveries.c.next_ms))
    .where(_OF_WEBHOOK, _IS_WAITING, _IS_OLDEST)
    .scalar_subquery()
    .correlate(webhooks)
)
_OUTLOOK = select(case((_FREE_MS > _NOW_MS, _FREE_MS), else_=_FIRST_MS)).where(
    webhooks.c.state == "active", _SOMETHING
)
_CANDIDATE = (
    select(webhooks)
    .where(
        webhooks.c.state == "active",
        _FREE_MS <= _NOW_MS,
        exists(select(webhook_deliveries.c.sequence).where(_OF_WEBHOOK, _IS_DUE)),
    )
    .order_by(webhooks.c.served_ms, webhooks.c.id)
    .limit(1)
    # SQLite has one writer and leaves it out. Not the strongest lock: a new delivery refers to the row meanwhile.
    .with_for_update(key_share=True, skip_locked=True)
)
_WEBHOOK = update(webhooks).where(webhooks.c.id == bindparam("this"))
_NOTHING_BEFORE = ~exists(  # what comes before in its subject is sent before it, in the same turn
    select(_EARLIER.c.sequence).where(*_BEFORE_IT, _EARLIER.c.next_ms > _NOW_MS)
)
_EVENTS = (
    select(outbox, webhook_deliveries.c.attempts)
    .join_from(webhook_deliveries, outbox, outbox.c.sequence == webhook_deliveries.c.sequence)
    .where(
        webhook_deliveries.c.webhook_id == bindparam("this"),
        _IS_WAITING,
        webhook_deliveries.c.next_ms <= _NOW_MS,
        _NOTHING_BEFORE,
    )
    .order_by(webhook_deliveries.c.sequence)
    .limit(TURN_MAX)
)


def outlook(connection: Connection, now_ms: int) -> Outlook:
    """One read, mostly of nothing."""
    moments = connection.execute(_OUTLOOK, {"now_ms": now_ms}).scalars().all()
    return Outlook(any(moment <= now_ms for moment in moments), min(moments, default=None))


def claim_turn(connection: Connection, claim: str, now_ms: int, lease_ms: int) -> Turn | None:
    """Claim the subscription that was served longest ago of those for which something is due; None: there is none.

    One whose row is not as this program wrote it is disabled instead.
    """
    row = connection.execute(_CANDIDATE, {"now_ms": now_ms}).mappings().one_or_none()
    if row is None:
        return None
    webhook = as_webhook(row)
    secrets = secrets_of(connection, webhook, now_ms)
    if not secrets:
        disable(connection, webhook.id, UNREADABLE)
        return None
    claimed = {"claim": claim, "claimed_until_ms": now_ms + lease_ms, "served_ms": now_ms}
    connection.execute(_WEBHOOK, {"this": webhook.id, **claimed})
    rows = connection.execute(_EVENTS, {"this": webhook.id, "now_ms": now_ms}).mappings().all()
    events = tuple(_waiting(connection, event, with_personal=webhook.personal) for event in rows)
    return Turn(webhook, claim, secrets, events)


def _waiting(connection: Connection, event: RowMapping, *, with_personal: bool) -> Waiting:
    data = json.loads(event["data"])
    if with_personal and event["personal"] is not None:
        data |= json.loads(event["personal"])
    return Waiting(
        sequence=event["sequence"],
        id=event_id(origin_of(connection), event),
        kind=event["kind"],
        subject=event["subject"],
        at_ms=event["at_ms"],
        data=data,
        attempts=event["attempts"],
    )


def end_turn(connection: Connection, turn: Turn) -> None:
    """Let others serve it."""
    connection.execute(_OURS, {"this": turn.webhook.id, "ours": turn.claim, "claimed_until_ms": 0, "claim": None})


_OURS = _WEBHOOK.where(webhooks.c.claim == bindparam("ours"))
_DELIVERY = (
    webhook_deliveries.c.webhook_id == bindparam("this"),
    webhook_deliveries.c.sequence == bindparam("seq"),
)
_READ = select(webhook_deliveries, webhooks.c.failures, webhooks.c.state.label("webhook_state"), webhooks.c.claim)
_ONE = _READ.join_from(webhook_deliveries, webhooks, _OF_WEBHOOK).where(*_DELIVERY).with_for_update(key_share=True)
_WRITE = update(webhook_deliveries).where(*_DELIVERY)


def keep_attempt(
    connection: Connection, turn: Turn, event: Waiting, attempt: Attempt, now_ms: int, chance: float
) -> bool:
    """Write down what became of an attempt; whether the turn may go on.

    Args:
        connection: of this attempt's own transaction.
        turn: whose subscription it was sent to.
        event: what was sent.
        attempt: how it went.
        now_ms: when it ended.
        chance: from 0 to 1, drawn for the time of the next one.
    """
    which = {"this": turn.webhook.id, "seq": event.sequence}
    row = connection.execute(_ONE, which).mappings().one_or_none()
    if row is None:
        return False  # the subscription was deleted, or the event is past its limit
    log = [*json.loads(row["log"]), _entry(attempt, now_ms)][-LOG_MAX:]
    values: dict[str, Any] = {"attempts": row["attempts"] + 1, "log": json.dumps(log, separators=(",", ":"))}
    if attempt.outcome is Outcome.DELIVERED:
        connection.execute(_WRITE, {**which, **values, "state": "delivered", "done_ms": now_ms})
        if row["failures"]:
            connection.execute(_WEBHOOK, {"this": turn.webhook.id, "failures": 0, "rests_until_ms": 0})
        return bool(row["webhook_state"] == "active" and row["claim"] == turn.claim)
    if row["state"] == "waiting":  # another sender, which took over, may have delivered it meanwhile
        failures = row["failures"] + 1
        following = after_failure(attempt, values["attempts"], failures, now_ms, chance)
        rests = {"failures": failures, "rests_until_ms": following.rest_until_ms}
        connection.execute(_WEBHOOK, {"this": turn.webhook.id, **rests})
        is_over = following.again_ms is None or row["queued_ms"] + GIVE_UP_MS <= now_ms
        if is_over or attempt.outcome is Outcome.GONE:
            values |= {"state": "dead", "done_ms": now_ms}
        else:
            values["next_ms"] = following.again_ms
        connection.execute(_WRITE, {**which, **values})
    if attempt.outcome is Outcome.GONE:
        disable(connection, turn.webhook.id, GONE)
    return False


def _entry(attempt: Attempt, now_ms: int) -> dict[str, Any]:
    return {"at_ms": now_ms, "outcome": attempt.outcome, "status": attempt.status, "took_ms": attempt.took_ms}


_GIVE_UP = (
    update(webhook_deliveries)
    .where(
        _IS_WAITING,
        webhook_deliveries.c.queued_ms <= bindparam("before_ms"),
        webhook_deliveries.c.webhook_id.in_(select(webhooks.c.id).where(webhooks.c.state == "active")),
    )
    .values(state="dead", done_ms=_NOW_MS)
)


def give_up(connection: Connection, now_ms: int) -> int:
    """Make dead letters of what waited too long behind a receiver that is gone; how many."""
    return connection.execute(_GIVE_UP, {"before_ms": now_ms - GIVE_UP_MS, "now_ms": now_ms}).rowcount
