"""Webhooks: who is told of changes, with which secret, and what became of each delivery."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated, TypeVar

from fastapi import Query
from sqlalchemy import Connection

from dispatcher.api.context import Context
from dispatcher.api.problems import ApiReason, FieldFault, Refusal, not_found
from dispatcher.api.resources import answers, resource
from dispatcher.api.scopes import Scope
from dispatcher.api.values import Id, PageQuery, next_cursor, page_request
from dispatcher.api.webhook_models import (
    DeliveryList,
    DeliveryQuery,
    NewWebhook,
    ReplayBegin,
    ReplayOut,
    Rotation,
    TestOut,
    WebhookList,
    WebhookOut,
    WebhookPatch,
    WebhookSecretOut,
    delivery_out,
    webhook_fields,
    with_secret,
)
from dispatcher.api.writing import Change, Write, Writer
from dispatcher.core.windows import to_ms
from dispatcher.store.delivery_desk import deliveries_page, from_sequence, queue_test, replay, since
from dispatcher.store.ids import new_id
from dispatcher.store.outbox import sequence_of
from dispatcher.store.webhook_secrets import SECRET_BYTES
from dispatcher.store.webhooks import (
    WEBHOOKS_MAX,
    Webhook,
    change_webhook,
    delete_webhook,
    insert_webhook,
    rotate_secret,
    webhook_by_id,
    webhooks_page,
)

router = resource("webhooks", read=Scope.WEBHOOKS, write=Scope.WEBHOOKS)

T = TypeVar("T")


@router.post("", status_code=201, responses=answers(400, 409, 413, 422))
async def create_webhook(writer: Write, wanted: NewWebhook) -> WebhookSecretOut:
    """Be told of what changes from now on. The answer holds the secret that deliveries are verified with."""
    _check_personal(writer, wanted=wanted.personal)
    random_bytes = writer.context.random_bytes

    def work(connection: Connection) -> WebhookSecretOut:
        now_ms = writer.context.clock.now_ms()
        webhook = Webhook(
            id=new_id(random_bytes),
            url=wanted.url,
            kinds=wanted.kinds,
            personal=wanted.personal,
            state="active",
            why_disabled=None,
            author=writer.caller,
            created_ms=now_ms,
            changed_ms=now_ms,
        )
        secret = random_bytes(SECRET_BYTES)
        if not insert_webhook(connection, webhook, secret):
            detail = f"there are {WEBHOOKS_MAX} webhooks: expected fewer; delete one that nobody needs"
            raise Refusal(ApiReason.TOO_MANY_WEBHOOKS, detail)
        return with_secret(webhook, secret)

    return await writer(work, location=lambda made: f"/api/v1/webhooks/{made.id}")


@router.get("", responses=answers(422))
async def list_webhooks(context: Context, query: Annotated[PageQuery, Query()]) -> WebhookList:
    """All webhooks, in the order of their ids."""
    page = await context.database.read(partial(webhooks_page, request=page_request(query, str)))
    items = [WebhookOut(**webhook_fields(webhook)) for webhook in page.items]
    return WebhookList(items=items, next=next_cursor(page))


@router.get("/{webhook_id}", responses=answers(404, 422))
async def read_webhook(context: Context, webhook_id: Id) -> WebhookOut:
    """One webhook, and how it does."""
    found = await context.database.read(partial(webhook_by_id, webhook_id=webhook_id))
    if found is None:
        raise not_found("webhook", webhook_id)
    return WebhookOut(**webhook_fields(found))


@router.patch("/{webhook_id}", responses=answers(400, 404, 412, 413, 422))
async def change_one(writer: Change, webhook_id: Id, wanted: WebhookPatch) -> WebhookOut:
    """Send elsewhere, tell of other kinds, pause, or begin again. Its secrets stay."""
    _check_personal(writer, wanted=wanted.personal)
    given = wanted.model_dump(exclude_unset=True)
    different = {name: value for name, value in given.items() if value is not None or name == "kinds"}
    if not different:
        fault = FieldFault(field="body", expected="at least one of url, kinds, personal, state")
        raise Refusal(ApiReason.INVALID_REQUEST, "nothing is to be changed", [fault])

    def work(connection: Connection, webhook: Webhook) -> WebhookOut:
        _check_personal(writer, wanted=webhook.personal and "url" in different)
        after = replace(webhook, **different, changed_ms=_later(writer, webhook))
        return WebhookOut(**webhook_fields(change_webhook(connection, webhook, after)))

    return await _write_one(writer, webhook_id, work)


@router.delete("/{webhook_id}", responses=answers(404, 412, 422))
async def delete_one(writer: Change, webhook_id: Id) -> WebhookOut:
    """Tell it nothing more. What waited for it and its dead letters go too; the answer is how it was."""

    def work(connection: Connection, webhook: Webhook) -> WebhookOut:
        delete_webhook(connection, webhook.id)
        return WebhookOut(**webhook_fields(webhook))

    return await _write_one(writer, webhook_id, work)


@router.post("/{webhook_id}/rotate-secret", responses=answers(400, 404, 412, 413, 422))
async def rotate(writer: Change, webhook_id: Id, wanted: Rotation) -> WebhookSecretOut:
    """Get a new secret, told this once. For a while deliveries are signed by it and by the one before."""
    secret = writer.context.random_bytes(SECRET_BYTES)

    def work(connection: Connection, webhook: Webhook) -> WebhookSecretOut:
        at_ms = _later(writer, webhook)
        after = replace(webhook, changed_ms=at_ms)
        return with_secret(rotate_secret(connection, after, secret, at_ms + wanted.keep_previous_s * 1000), secret)

    return await _write_one(writer, webhook_id, work)


@router.post("/{webhook_id}/test", status_code=202, responses=answers(404, 409, 422))
async def test_webhook(writer: Write, webhook_id: Id) -> TestOut:
    """Send it an event that tells of nothing, whatever kinds it asked for."""

    def work(connection: Connection, webhook: Webhook) -> TestOut:
        _check_enabled(webhook)
        return TestOut(event_id=queue_test(connection, webhook.id, writer.context.clock.now_ms()))

    return await _write_one(writer, webhook_id, work)


@router.post("/{webhook_id}/replay", status_code=202, responses=answers(400, 404, 409, 413, 422))
async def replay_events(writer: Write, webhook_id: Id, wanted: ReplayBegin) -> ReplayOut:
    """Send it events again that are kept, dead letters included, under the same ids."""

    def work(connection: Connection, webhook: Webhook) -> ReplayOut:
        _check_enabled(webhook)
        if wanted.since is not None:
            begins = since(to_ms(wanted.since))
        else:
            begins = from_sequence(_sequence(connection, str(wanted.from_event)))
        now_ms = writer.context.clock.now_ms()
        return ReplayOut(queued=replay(connection, webhook, begins, now_ms, only_dead=wanted.only_dead))

    return await _write_one(writer, webhook_id, work)


@router.get("/{webhook_id}/deliveries", responses=answers(404, 422))
async def list_deliveries(
    context: Context, webhook_id: Id, query: Annotated[DeliveryQuery, Query()]
) -> DeliveryList:
    """What became of each event, the newest first. Without ids of members, addresses and answers' texts."""
    request = page_request(query, int)

    def read(connection: Connection) -> DeliveryList | None:
        if webhook_by_id(connection, webhook_id) is None:
            return None
        page = deliveries_page(connection, webhook_id, query.state, request)
        return DeliveryList(items=[delivery_out(found) for found in page.items], next=next_cursor(page))

    found = await context.database.read(read)
    if found is None:
        raise not_found("webhook", webhook_id)
    return found


async def _write_one(writer: Writer, webhook_id: str, work: Callable[[Connection, Webhook], T]) -> T:
    """Run `work` on a webhook in one transaction; the senders are woken."""

    def run(connection: Connection) -> T | None:
        webhook = writer.expected(webhook_by_id(connection, webhook_id, lock=True))
        return None if webhook is None else work(connection, webhook)

    outcome = await writer(run)
    if outcome is None:
        raise not_found("webhook", webhook_id)
    writer.context.wake()
    return outcome


def _later(writer: Writer, webhook: Webhook) -> int:
    """Now, and later than its last change: it is its version."""
    return max(writer.context.clock.now_ms(), webhook.changed_ms + 1)


def _sequence(connection: Connection, event_id: str) -> int:
    found = sequence_of(connection, event_id)
    if found is None:
        fault = FieldFault(field="from_event", value=event_id, expected="the id of an event that is kept")
        raise Refusal(ApiReason.INVALID_REQUEST, f"there is no event {event_id!r} any more", [fault])
    return found


def _check_personal(writer: Writer, *, wanted: bool | None) -> None:
    """Who sets up where ids of members go may see members."""
    if wanted and Scope.MEMBERS_READ not in writer.request.state.scopes:
        detail = f"events with ids of members need a token that also has {Scope.MEMBERS_READ}"
        raise Refusal(ApiReason.INSUFFICIENT_SCOPE, detail, scope=Scope.MEMBERS_READ)


def _check_enabled(webhook: Webhook) -> None:
    if webhook.state == "disabled":
        detail = f"webhook {webhook.id!r} is disabled ({webhook.why_disabled}): expected it active or paused"
        raise Refusal(ApiReason.WEBHOOK_DISABLED, detail)
