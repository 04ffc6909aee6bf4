"""Who looks at pages is told at once that something changed, whoever wrote it: this program, another, another host.

While anybody listens, a cheap mark of the database is read four times a second; what is new since the last one
becomes topics. A topic says that something is different, never what: the page asks for itself again.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from dispatcher.pages.views.mark import Mark, changed, mark
from dispatcher.store.database import Database

EVERY_S = 0.25  # with the page's own question, half a second from a fact to the eye
BEAT_S = 5.0  # a page that hears nothing for two of these says that it is not live
LISTENERS_MAX = 200  # open screens of a control room, and what their browsers forgot to close
TOPICS_MAX = 500  # that wait for one slow listener: of more cabinets than these it is told that everything changed
EVERYTHING: Final = "everything"

log = structlog.get_logger()


class Listener:
    """One open stream: the topics that it was not told of yet."""

    def __init__(self) -> None:
        self._topics: set[str] = set()
        self._woken = asyncio.Event()
        self.is_over = False

    def tell(self, topics: Iterable[str]) -> None:
        self._topics.update(topics)
        if len(self._topics) > TOPICS_MAX:
            self._topics = {EVERYTHING}
        self._woken.set()

    def end(self) -> None:
        self.is_over = True
        self._woken.set()

    async def topics(self) -> AsyncIterator[list[str]]:
        """What changed, again and again; an empty list where nothing did for `BEAT_S`. Ends with the hub."""
        while not self.is_over:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), BEAT_S)
            self._woken.clear()
            topics, self._topics = sorted(self._topics), set()
            if not self.is_over:
                yield topics


class Hub:
    """The listeners, and the look at the database that lasts as long as there are any."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: set[Listener] = set()
        self._looking: asyncio.Task[None] | None = None
        self._is_closed = False
        self._marked = asyncio.Event()
        """What changes from now on is noticed."""

    @property
    def is_full(self) -> bool:
        """Nobody else is told at present."""
        return self._is_closed or len(self._listeners) >= LISTENERS_MAX

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    @contextmanager
    def listening(self) -> Iterator[Listener]:
        """One more listener while the block runs."""
        assert not self.is_full, "asked before"
        listener = Listener()
        self._listeners.add(listener)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(), name="changes for pages")
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                self._rest()

    async def watching(self) -> None:
        """Wait until nothing that changes is missed any more."""
        await self._marked.wait()

    def close(self) -> None:
        """End every stream: a program that stops waits for none of them."""
        self._is_closed = True
        self._end_all()
        self._rest()
        self._marked.set()  # whoever waits to begin finds that it is over

    def _end_all(self) -> None:
        self._marked.clear()
        for listener in tuple(self._listeners):
            listener.end()

    def _rest(self) -> None:
        self._marked.clear()
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def _look(self) -> None:
        """A database that does not answer ends the streams: their pages then say that they are not live."""
        before: Mark | None = None
        while True:
            try:
                before, topics = await self._database.read(partial(_since, before=before))
            except OperationalError as error:
                log.warning("page_mark_not_read", reason=str(error.orig))
                before = None
                self._end_all()
            else:
                self._marked.set()
                if topics:
                    for listener in tuple(self._listeners):
                        listener.tell(topics)
            await asyncio.sleep(EVERY_S)


def _since(connection: Connection, before: Mark | None) -> tuple[Mark, frozenset[str]]:
    now = mark(connection)
    return now, frozenset() if before is None else changed(connection, before, now)
