"""All vehicles' trackers, at the broker that everybody uses."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random

import structlog

from runtime.clocks import LineClock
from runtime.link import LinkError, LinkOwner, Publication
from runtime.mqtt_link import MqttLink
from runtime.mqtt_settings import MqttSettings
from simulator.demo.premises import NAMESPACE
from simulator.world.traffic import Publish


@asynccontextmanager
async def trackers(mqtt: MqttSettings, line_clock: LineClock) -> AsyncIterator[Publish]:
    """All vehicles' trackers behind one connection; a message without network is lost, as in a car park."""

    async def connected(_count: int) -> None:
        pass

    link = MqttLink(
        mqtt,
        f"{NAMESPACE}-trackers-{secrets.token_hex(4)}",
        LinkOwner(subscriptions=(), on_message=lambda _incoming: None, on_connected=connected),
        line_clock=line_clock,
        random=Random(secrets.token_bytes(16)),
        log=structlog.get_logger(),
    )
    running = asyncio.create_task(link.run(), name="trackers")
    try:
        yield _Publish(link)
    finally:
        await link.stop()
        await running


class _Publish:
    def __init__(self, link: MqttLink) -> None:
        self._link = link

    async def __call__(self, topic: str, payload: bytes) -> None:
        with suppress(LinkError):
            await self._link.publish(Publication(topic, payload, qos=0))
