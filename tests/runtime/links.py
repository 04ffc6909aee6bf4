"""A link with an owner that writes down what it is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, NoReturn

import structlog

from runtime.clocks import SystemLineClock
from runtime.link import Incoming, LinkEnd, LinkOwner, Publication, Subscription
from runtime.mqtt_link import LinkLimits, MqttLink
from runtime.mqtt_settings import MqttSettings
from tests.runtime.waiting import eventually

QUICK = LinkLimits(
    connect_s=2, answer_s=2, publish_s=5, goodbye_s=1, backoff_first_s=0.02, backoff_longest_s=0.2, stable_s=1
)


class Peer:
    """An owner and its link. Set the attributes that a test wants different before entering `running`."""

    def __init__(self, port: int, client_id: str = "peer", *filters: str, **settings: Any) -> None:
        self.messages: list[Incoming] = []
        self.connected: list[int] = []
        self.disconnected: list[LinkEnd] = []
        self.logged: list[tuple[str, dict[str, Any]]] = []
        self.states: list[Publication] = []  # published again on each connection
        self.handler: Callable[[Incoming], Awaitable[object] | None] = self.messages.append
        self.on_connected: Callable[[int], Awaitable[object]] = self._publish_states
        self.will: Callable[[int], Publication | None] = lambda _count: None
        self.subscriptions = tuple(Subscription(each) for each in filters)
        self.limits = QUICK
        self.settings = MqttSettings(port=port, **settings)
        self.client_id = client_id
        self.link: MqttLink
        self.task: asyncio.Task[None]

    @property
    def payloads(self) -> list[bytes]:
        return [message.payload for message in self.messages]

    def make(self) -> MqttLink:
        owner = LinkOwner(
            subscriptions=self.subscriptions,
            on_message=self._on_message,
            on_connected=self._on_connected,
            on_disconnected=self.disconnected.append,
            will=self.will,
        )
        self.link = MqttLink(
            self.settings,
            self.client_id,
            owner,
            line_clock=SystemLineClock(),
            random=Random(1),
            log=structlog.wrap_logger(None, processors=[self._note]),
            limits=self.limits,
        )
        return self.link

    def start(self) -> "asyncio.Task[None]":
        self.task = asyncio.create_task(self.make().run())
        return self.task

    async def cancel(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Peer"]:
        """Runs the link, waits for the first connection, and stops it by cancelling."""
        self.start()
        try:
            await self.wait_connected()
            yield self
        finally:
            await self.cancel()

    async def wait_connected(self, times: int = 1) -> None:
        await eventually(lambda: len(self.connected) >= times)

    async def _on_message(self, message: Incoming) -> None:
        waiting = self.handler(message)
        if waiting is not None:
            await waiting

    def _note(self, _logger: object, _method: str, event: structlog.typing.EventDict) -> NoReturn:
        self.logged.append((event.pop("event"), dict(event)))
        raise structlog.DropEvent

    async def _on_connected(self, count: int) -> None:
        await self.on_connected(count)
        self.connected.append(count)

    async def _publish_states(self, _count: int) -> None:
        for state in self.states:
            await self.link.publish(state)
