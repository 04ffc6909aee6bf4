"""A whole dispatcher at work, on a database in memory and a link in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from contract.messages import Acknowledged, AgentMessage, Desired
from contract.topics import FACTS, PRESENCE, REPLIES, REPORTED, TIME, Author
from dispatcher.dispatcher import Dispatcher, Setup, Surroundings, open_dispatcher
from dispatcher.events.post import Post
from dispatcher.store.database import Database
from runtime.link import LinkOwner
from runtime.steps import LoopSteps
from tests.contract.keys import verify_key
from tests.dispatcher.fake_link import (
    DISPATCHER,
    NAMESPACE,
    FakeLink,
    HandClock,
    box_signer,
    dispatcher_signer,
)
from tests.dispatcher.small_fleet import DISPATCHER_SEED, RULES, counted_bytes, new_database
from tests.runtime.waiting import eventually

RULE_OF_KIND = {"presence": PRESENCE, "reported": REPORTED, "facts": FACTS, "time_request": TIME, "reply": REPLIES}


@dataclass
class Running:
    dispatcher: Dispatcher
    link: FakeLink
    clock: HandClock
    database: Database

    async def tell(self, message: AgentMessage, cabinet: str | None = None) -> None:
        """A box publishes a message, on its own topics unless told otherwise."""
        topic = RULE_OF_KIND[message.kind].topic(NAMESPACE, cabinet or message.cabinet)
        await self.link.deliver(topic, box_signer(message.cabinet).sign(message))

    def acknowledged(self) -> list[int]:
        """The watermarks that were published, in order."""
        return [message.seq for message in self.link.heard(Acknowledged) if isinstance(message, Acknowledged)]

    def desired(self) -> list[tuple[str, int]]:
        """Cabinet and version of the desired states that were published, in order."""
        found = [message for message in self.link.heard(Desired) if isinstance(message, Desired)]
        return [(message.cabinet, message.version) for message in found]

    async def told_everybody(self, times: int = 1) -> None:
        """Every cabinet of the small fleet has been sent its desired state this often."""
        await eventually(lambda: len(self.desired()) >= 2 * times)


async def made(database: Database, clock: HandClock | None = None, post: Post | None = None) -> Running:
    """A dispatcher that does not run yet."""
    clock = clock or HandClock()
    links: list[FakeLink] = []

    def make_link(owner: LinkOwner) -> FakeLink:
        links.append(FakeLink(owner))
        return links[0]

    setup = Setup(
        namespace=NAMESPACE,
        signer=dispatcher_signer(),
        own_key=verify_key(Author.DISPATCHER, DISPATCHER, DISPATCHER_SEED).key,
        digest_secret=b"m" * 32,
        rules=RULES,
    )
    around = Surroundings(clock, clock, counted_bytes(), database, LoopSteps(clock), make_link, post)
    dispatcher = await open_dispatcher(setup, around)
    return Running(dispatcher, links[0], clock, database)


@asynccontextmanager
async def running(database: Database | None = None, post: Post | None = None) -> AsyncIterator[Running]:
    """A dispatcher that runs and is connected. Its timed work waits for real seconds: call `tick` instead."""
    bench = await made(database or new_database(), post=post)
    task = asyncio.create_task(bench.dispatcher.run())
    await eventually(lambda: bench.dispatcher.keyring.find("agent/cab-a") is not None)
    await bench.link.connect()
    try:
        yield bench
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
