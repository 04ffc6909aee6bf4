"""Subscriptions: who is told of what, and where. Their secrets are read only where something is signed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, delete, func, insert, select, update

from dispatcher.store.origin import origin_of
from dispatcher.store.paging import Page, PageRequest, cut, in_order
from dispatcher.store.schema import webhook_deliveries, webhooks
from dispatcher.store.webhook_secrets import SealedFor

WEBHOOKS_MAX = 50  # each has its share of the senders' time, and a line in lists that people read
GONE, UNREADABLE = "gone", "secret_unreadable"


@dataclass(frozen=True, slots=True)
class Webhook:
    id: str
    url: str
    kinds: tuple[str, ...] | None
    """Only events of these kinds; None: all."""
    personal: bool
    """Events come with ids of members."""
    state: str
    """`active`, `paused` (events wait) or `disabled` (none is queued)."""
    why_disabled: str | None
    """`gone`: the receiver answered 410. `secret_unreadable`: the row is not as this program wrote it."""
    author: str
    """The name of a token."""
    created_ms: int
    changed_ms: int
    before_until_ms: int | None = None
    """Until then events are signed with the secret before the newest one as well."""
    failures: int = 0
    """Attempts in a row that failed."""
    rests_until_ms: int = 0
    """Nothing is sent before, since the last attempts failed."""

    @property
    def version(self) -> int:
        """Goes up with each change that a caller makes."""
        return self.changed_ms

    @property
    def target(self) -> SealedFor:
        return SealedFor(self.id, self.url, self.personal)


_COLUMNS = tuple(webhooks.c[name] for name in Webhook.__dataclass_fields__)
_BY_ID = select(*_COLUMNS).where(webhooks.c.id == bindparam("this"))
_LOCKED = _BY_ID.with_for_update(key_share=True)
_SEALED = select(webhooks.c.sealed, webhooks.c.sealed_before).where(webhooks.c.id == bindparam("this"))
_THIS = update(webhooks).where(webhooks.c.id == bindparam("this"))
_COUNT = select(func.count()).select_from(webhooks)


def insert_webhook(connection: Connection, webhook: Webhook, secret: bytes) -> bool:
    """Write a new subscription; False where there are `WEBHOOKS_MAX` already."""
    if connection.execute(_COUNT).scalar_one() >= WEBHOOKS_MAX:
        return False
    sealed = origin_of(connection).webhooks.seal(webhook.target, secret)
    idle = {"sealed": sealed, "claimed_until_ms": 0, "served_ms": 0}
    connection.execute(insert(webhooks).values(**_row(webhook), **idle))
    return True


def webhooks_page(connection: Connection, request: PageRequest) -> Page[Webhook]:
    rows = connection.execute(in_order(select(*_COLUMNS), [webhooks.c.id], request)).mappings().all()
    return cut([as_webhook(row) for row in rows], request, lambda webhook: (webhook.id,))


def webhook_by_id(connection: Connection, webhook_id: str, *, lock: bool = False) -> Webhook | None:
    """One subscription. `lock`: nobody else changes it before the end of this transaction."""
    row = connection.execute(_LOCKED if lock else _BY_ID, {"this": webhook_id}).mappings().one_or_none()
    return None if row is None else as_webhook(row)


def change_webhook(connection: Connection, before: Webhook, after: Webhook) -> Webhook:
    """Write a changed subscription, and return it; `before` was read with its lock in this transaction.

    What waited while it was paused or disabled is due at once, and its time begins anew.
    """
    if after.state == "active" and before.state != "active":
        after = replace(after, why_disabled=None, failures=0, rests_until_ms=0)
        connection.execute(_DUE_AGAIN, {"webhook": after.id, "now_ms": after.changed_ms})
    values: dict[str, Any] = _row(after)
    if before.target != after.target:
        values |= _sealed_anew(connection, before, after)
    connection.execute(_THIS, {"this": after.id, **values})
    return after


def rotate_secret(connection: Connection, webhook: Webhook, secret: bytes, keep_until_ms: int) -> Webhook:
    """Give it a new secret; the present one is good beside it until `keep_until_ms`."""
    (sealed, _before) = connection.execute(_SEALED, {"this": webhook.id}).one()
    after = replace(webhook, before_until_ms=keep_until_ms)
    values = {
        **_row(after),
        "sealed": origin_of(connection).webhooks.seal(webhook.target, secret),
        "sealed_before": sealed,
    }
    connection.execute(_THIS, {"this": webhook.id, **values})
    return after


def delete_webhook(connection: Connection, webhook_id: str) -> None:
    """Remove a subscription and what was to be delivered to it."""
    connection.execute(_DELETE_DELIVERIES, {"this": webhook_id})
    connection.execute(_DELETE, {"this": webhook_id})


def disable(connection: Connection, webhook_id: str, why: str) -> None:
    """Send nothing more to it, and queue nothing for it."""
    connection.execute(_THIS, {"this": webhook_id, "state": "disabled", "why_disabled": why})


_DUE_AGAIN = (
    update(webhook_deliveries)
    .where(webhook_deliveries.c.webhook_id == bindparam("webhook"), webhook_deliveries.c.state == "waiting")
    .values(queued_ms=bindparam("now_ms"), next_ms=bindparam("now_ms"))
)
_DELETE_DELIVERIES = delete(webhook_deliveries).where(webhook_deliveries.c.webhook_id == bindparam("this"))
_DELETE = delete(webhooks).where(webhooks.c.id == bindparam("this"))


def secrets_of(connection: Connection, webhook: Webhook, now_ms: int) -> tuple[bytes, ...]:
    """What events are signed with now, the newest first; empty where the row is not as this program wrote it."""
    row = connection.execute(_SEALED, {"this": webhook.id}).one()
    seal = origin_of(connection).webhooks
    newest = seal.open(webhook.target, row.sealed)
    if newest is None:
        return ()
    if row.sealed_before is None or (webhook.before_until_ms or 0) <= now_ms:
        return (newest,)
    before = seal.open(webhook.target, row.sealed_before)
    return (newest,) if before is None else (newest, before)


def _sealed_anew(connection: Connection, before: Webhook, after: Webhook) -> dict[str, str | None]:
    """The same secrets for another target; what does not open for the old one opens for none."""
    row = connection.execute(_SEALED, {"this": before.id}).mappings().one()
    seal = origin_of(connection).webhooks
    values: dict[str, str | None] = {}
    for name, sealed in row.items():
        secret = None if sealed is None else seal.open(before.target, sealed)
        values[name] = sealed if secret is None else seal.seal(after.target, secret)
    return values


def as_webhook(row: RowMapping | Mapping[str, Any]) -> Webhook:
    values = {name: row[name] for name in Webhook.__dataclass_fields__}
    kinds = values["kinds"]
    return Webhook(**{**values, "kinds": None if kinds is None else tuple(kinds.strip("|").split("|"))})


def _row(webhook: Webhook) -> dict[str, Any]:
    values = {name: getattr(webhook, name) for name in Webhook.__dataclass_fields__}
    return {**values, "kinds": None if webhook.kinds is None else f"|{'|'.join(webhook.kinds)}|"}
