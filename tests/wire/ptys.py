"""Raw pseudo-terminals for tests, and waiting for a condition with a deadline."""

import asyncio
import os
import tty
from collections.abc import Callable
from contextlib import suppress

WAIT_S = 10.0  # what a loaded machine may take; everything here is over in a tenth of it


class RawPty:
    """A raw pty whose client end is at `path`. One client end stays open, so the master never reads an error."""

    def __init__(self) -> None:
        self.master, self._client = os.openpty()
        tty.setraw(self._client)
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self._client)

    def read(self) -> bytes:
        with suppress(BlockingIOError):
            return os.read(self.master, 4096)
        return b""

    def write(self, data: bytes) -> None:
        os.write(self.master, data)

    def close(self) -> None:
        """The cable is pulled: whoever has the path open is hung up."""
        if self.master >= 0:
            os.close(self.master)
            os.close(self._client)
            self.master = -1


class Bridge:
    """A cable between two programs that can only open paths. Needs a running event loop."""

    def __init__(self) -> None:
        self.ends = (RawPty(), RawPty())
        self._loop = asyncio.get_running_loop()
        for source, target in (self.ends, self.ends[::-1]):
            self._loop.add_reader(source.master, self._carry, source, target)

    def _carry(self, source: RawPty, target: RawPty) -> None:
        target.write(source.read())

    def close(self) -> None:
        for end in self.ends:
            self._loop.remove_reader(end.master)
            end.close()


async def eventually(condition: Callable[[], object], within_s: float = WAIT_S) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  # conditions on other programs have no event
            await asyncio.sleep(0.002)
