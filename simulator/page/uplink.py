"""A box's way to the broker, which can be cut: a port of its own on loopback, and what comes there is passed on.

async with uplink(host, port) as way:       # the box connects to way.port
    way.cut()                               # connections end, new ones are hung up on
    way.mend()
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

LOOPBACK: Final = "127.0.0.1"
PIECE_BYTES: Final = 64 * 1024  # the usual size of a socket's buffer


class Uplink:
    """Passes bytes on, both ways, while it is whole."""

    def __init__(self, host: str, port: int) -> None:
        self.is_cut = False
        self.port = 0
        """Where the box connects to, on loopback."""
        self._host, self._broker_port = host, port
        self._passing: set[asyncio.Task[None]] = set()

    @property
    def is_connected(self) -> bool:
        return bool(self._passing)

    def cut(self) -> None:
        self.is_cut = True
        for task in self._passing:
            task.cancel()

    def mend(self) -> None:
        self.is_cut = False

    async def end(self) -> None:
        """As `cut`, and wait until all connections are closed."""
        self.cut()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the box."""
        task = asyncio.current_task()
        assert task is not None, "asyncio serves each connection in a task"
        if not self.is_cut:
            self._passing.add(task)
            with suppress(OSError, asyncio.CancelledError):  # whoever cuts, or ends, wants just this to end
                await self._pass_on(reader, writer)
        writer.close()
        self._passing.discard(task)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_broker, to_broker = await asyncio.open_connection(self._host, self._broker_port)
        ways = {asyncio.create_task(_pump(reader, to_broker)), asyncio.create_task(_pump(from_broker, writer))}
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            to_broker.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(PIECE_BYTES):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def uplink(host: str, port: int) -> AsyncIterator[Uplink]:
    """A way to the broker at `host` and `port`, while the block runs."""
    way = Uplink(host, port)
    server = await asyncio.start_server(way.serve, LOOPBACK, 0)
    way.port = server.sockets[0].getsockname()[1]
    try:
        yield way
    finally:
        server.close()
        await way.end()
