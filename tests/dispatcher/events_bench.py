"""What is in the outbox, for tests of what writes it and of what sends it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select

from dispatcher.core.events import EVENTS, HandoverData
from dispatcher.core.windows import to_utc
from dispatcher.events.envelope import EventNames
from dispatcher.events.post import HttpPost
from dispatcher.events.sender import LANES, EventSender
from dispatcher.store.database import Database
from dispatcher.store.deliveries import outlook
from dispatcher.store.delivery_desk import Delivery, deliveries_page
from dispatcher.store.ids import new_id
from dispatcher.store.outbox import Event, emit
from dispatcher.store.paging import PageRequest
from dispatcher.store.schema import outbox
from dispatcher.store.webhook_secrets import secret_text
from dispatcher.store.webhooks import Webhook, insert_webhook, webhook_by_id
from runtime.steps import LoopSteps
from tests.dispatcher.fake_link import HandClock
from tests.dispatcher.receiver import Receiver, believe
from tests.dispatcher.small_fleet import counted_bytes, new_database
from tests.runtime.waiting import eventually

NAMES = EventNames("urn:carshare:test", "org.carshare")


class Told(NamedTuple):
    kind: str
    subject: str
    at_ms: int
    data: dict[str, Any]
    personal: dict[str, Any] | None


def told(database: Database) -> list[Told]:
    """Every event in the outbox, oldest first; what it says fits its schema."""
    rows = database.read_now(lambda c: c.execute(select(outbox).order_by(outbox.c.sequence)).all())
    found = []
    for row in rows:
        data, personal = json.loads(row.data), json.loads(row.personal) if row.personal else None
        EVENTS[row.kind].data.model_validate_json(json.dumps({**data, **(personal or {})}))
        found.append(Told(row.kind, row.subject, row.at_ms, data, personal))
    return found


def kinds(database: Database) -> list[str]:
    return [event.kind for event in told(database)]


def key_taken(key_id: str, at_ms: int, kind: str = "key.taken") -> Event:
    """An event, of a key as its subject."""
    data = HandoverData(
        position=1,
        at=to_utc(at_ms),
        cabinet_id="cab-a",
        slot=1,
        key_id=key_id,
        vehicle_id=None,
        booking_id=None,
        identity="read",
        wrong_slot=False,
    )
    return Event(kind, f"keys/{key_id}", at_ms, data)


class Sending:
    """A database with subscriptions, and senders that run; time passes when told."""

    def __init__(self, database: Database, clock: HandClock) -> None:
        self.database = database
        self.clock = clock
        self.random_bytes = counted_bytes()
        self.posts: list[HttpPost] = []
        self._tasks: dict[EventSender, asyncio.Task[None]] = {}

    def start(self) -> EventSender:
        """A dispatcher's sender begins to run."""
        steps = LoopSteps(self.clock)
        post = HttpPost(self.clock, allow_private=True, connections=LANES)
        sender = EventSender(self.database, post, NAMES, (self.clock, self.clock), self.random_bytes, steps)
        self.posts.append(post)
        self._tasks[sender] = asyncio.create_task(steps.run())
        return sender

    async def kill(self, sender: EventSender) -> None:
        """Whatever it was doing."""
        task = self._tasks.pop(sender)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        for sender in list(self._tasks):
            await self.kill(sender)
        for post in self.posts:
            await post.close()

    def subscribe(self, receiver: Receiver, **changes: Any) -> Webhook:
        """A subscription to all events, whose secret the receiver knows."""
        return self.subscribe_url(receiver.url, receiver, **changes)

    def subscribe_url(self, url: str, receiver: Receiver | None = None, **changes: Any) -> Webhook:
        now_ms = self.clock.now_ms()
        webhook = Webhook(new_id(self.random_bytes), url, None, False, "active", None, "tests", now_ms, now_ms)
        webhook, secret = replace(webhook, **changes), b"secret of " + webhook.id.encode()
        if receiver is not None:
            receiver.secret = secret_text(secret)
        assert self.database.write_now(lambda c: insert_webhook(c, webhook, secret))
        return webhook

    def say(self, key_id: str = "key-1", kind: str = "key.taken") -> None:
        event = key_taken(key_id, self.clock.now_ms(), kind)
        self.database.write_now(lambda connection: emit(connection, event))

    def read(self, webhook: Webhook) -> Webhook:
        found = self.database.read_now(lambda c: webhook_by_id(c, webhook.id))
        assert found is not None
        return found

    def deliveries(self, webhook: Webhook, state: str | None = None) -> list[Delivery]:
        """The newest first."""
        page = self.database.read_now(lambda c: deliveries_page(c, webhook.id, state, PageRequest(200)))
        return list(page.items)

    def states(self, webhook: Webhook) -> list[str]:
        """The oldest first."""
        return [delivery.state for delivery in reversed(self.deliveries(webhook))]

    async def settle(self, *senders: EventSender) -> None:
        """Nothing is due any more, and nobody sends."""
        for sender in senders:
            sender.wake()

        def settled() -> bool:
            view = self.database.read_now(lambda c: outlook(c, self.clock.now_ms()))
            return not view.is_due and all(len(sender._idle) == LANES for sender in senders)

        await eventually(settled)


@asynccontextmanager
async def sending(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sending]:
    clock = HandClock()
    believe(clock, monkeypatch)
    bench = Sending(new_database(), clock)
    try:
        yield bench
    finally:
        await bench.close()
