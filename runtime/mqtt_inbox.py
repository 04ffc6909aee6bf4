"""What came from the broker and is not handled yet: bounded, and nothing in it is lost by a slow handler."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from runtime.link import Incoming, LinkStatistics

RECEIVE_MAX = 100  # QoS 1 messages that the broker may leave with us; 100 of the largest are 100 MiB
INBOX_MAX = 1000  # with the QoS 0 ones, which no window holds back; a tracker's message is below 1 KiB


class Received(NamedTuple):
    """A message, and what tells the broker that it may send another one."""

    incoming: Incoming
    acknowledge: Callable[[], object]


class Inbox:
    """The queue between the connection, which must never wait, and the owner's handler, which may.

    A QoS 1 message is acknowledged when the handler is done with it. That is flow control, not custody: the
    broker sends at most `RECEIVE_MAX` ahead, so that our memory is bounded. It makes nothing durable, and
    nothing relies on it: sessions start clean, facts wait for `acknowledged`, commands for their reply.
    """

    def __init__(self, statistics: LinkStatistics) -> None:
        self._queue: asyncio.Queue[Received] = asyncio.Queue()
        self._statistics = statistics

    def __len__(self) -> int:
        return self._queue.qsize()

    def offer(self, received: Received) -> bool:
        """Takes the message, or drops it when the inbox is full: a full one means False.

        For QoS 0 the loss is what QoS 0 allows. A QoS 1 message does not fit only if the broker ignored the
        window, or if the handler stood still over several connections: the connection must then end, so that
        the message, never acknowledged, is not silently missing.
        """
        if self._queue.qsize() >= INBOX_MAX:
            self.drop()
            return False
        self._statistics.received += 1
        self._queue.put_nowait(received)
        return True

    def drop(self) -> None:
        """Counts a message that is not even offered, because it is not valid."""
        self._statistics.dropped += 1

    async def deliver(self, on_message: Callable[[Incoming], Awaitable[None] | None]) -> None:
        """Hands over one message after the other, until cancelled or until the handler raises."""
        while True:
            received = await self._queue.get()
            waiting = on_message(received.incoming)
            if waiting is not None:
                await waiting
            received.acknowledge()
            await asyncio.sleep(0)  # a full inbox must not keep the loop from the lock and the reader
