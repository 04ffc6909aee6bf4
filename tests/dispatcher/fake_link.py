"""A broker in memory as one program sees it, and the clocks of a test."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from contract.envelope import Signer, verify
from contract.messages import Message
from contract.topics import Author, parse_topic
from runtime.link import (
    Incoming,
    LinkDown,
    LinkEnd,
    LinkError,
    LinkOwner,
    LinkState,
    LinkStatistics,
    LinkStatus,
    Publication,
)
from tests.contract.keys import signer, verify_key
from tests.dispatcher.small_fleet import BOX_SEED, CABINET, DISPATCHER_SEED, NOW_MS, OTHER_BOX_SEED

NAMESPACE = "test"
DISPATCHER = "main"


class HandClock:
    """Wall clock and line clock of a test: they move when told."""

    speed = 1.0

    def __init__(self) -> None:
        self.ms = NOW_MS
        self.us = 0

    def now_ms(self) -> int:
        return self.ms

    def now_us(self) -> int:
        return self.us

    def synchronised(self) -> bool:
        return True

    def line_delay_s(self, at_ms: int) -> float:
        return max(at_ms - self.ms, 0) / 1000

    async def sleep_until_ms(self, at_ms: int) -> None:
        raise AssertionError("nothing here sleeps on the wall clock")

    def pass_s(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)
        self.us += int(seconds * 1_000_000)


class FakeLink:
    """`runtime.link.Link` without a network. `fails` makes every publication raise."""

    def __init__(self, owner: LinkOwner) -> None:
        self.statistics = LinkStatistics()
        self.owner = owner
        self.connected = False
        self.connection_count = 0
        self.published: list[Publication] = []
        self.fails: LinkError | None = None
        self._stopped = asyncio.Event()

    @property
    def status(self) -> LinkStatus:
        state = LinkState.CONNECTED if self.connected else LinkState.WAITING
        return LinkStatus(state, "connected" if self.connected else "no broker")

    async def run(self) -> None:
        await self._stopped.wait()

    async def publish(self, publication: Publication) -> None:
        await asyncio.sleep(0)  # as a broker's answer does, let others run
        if not self.connected:
            raise LinkDown("no broker")
        if self.fails is not None:
            raise self.fails
        self.published.append(publication)

    async def stop(self, last: Publication | None = None) -> None:
        if last is not None and self.connected:
            self.published.append(last)
        self._stopped.set()

    # --- what a test makes happen

    async def connect(self) -> None:
        self.connection_count += 1
        self.connected = True
        await self.owner.on_connected(self.connection_count)

    def disconnect(self) -> None:
        self.connected = False
        self.owner.on_disconnected(LinkEnd.LOST)

    async def deliver(self, topic: str, payload: bytes, *, retained: bool = False) -> None:
        waiting = self.owner.on_message(Incoming(topic, payload, 1, retained))
        if waiting is not None:
            await waiting

    def heard(self, kind: type[Message]) -> list[Message]:
        """The messages of a kind that were published, verified as a box verifies them."""
        return [message for message in map(read, self.published) if isinstance(message, kind)]

    @contextmanager
    def expecting(self, kind: type[Message]) -> Iterator[Callable[[], list[Message]]]:
        """What of a kind is published from here on."""
        before = len(self.heard(kind))
        yield lambda: self.heard(kind)[before:]


def box_signer(cabinet: str = CABINET) -> Signer:
    return signer(Author.AGENT, cabinet, BOX_SEED if cabinet == CABINET else OTHER_BOX_SEED)


def dispatcher_signer() -> Signer:
    return signer(Author.DISPATCHER, DISPATCHER, DISPATCHER_SEED)


def read(publication: Publication) -> Message:
    """A publication of the dispatcher as a box reads it."""
    topic = parse_topic(publication.topic, NAMESPACE)
    assert topic is not None
    key = verify_key(Author.DISPATCHER, DISPATCHER, DISPATCHER_SEED)
    return verify(publication.payload, topic, {f"dispatcher/{DISPATCHER}": key}.get)
