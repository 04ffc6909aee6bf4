"""Where blocking calls (SQLite, signatures, files) run: a thread in production, in line in virtual time.

Whoever needs one is given an `Executor` and never starts a thread of its own.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

T = TypeVar("T")


class Executor(Protocol):
    """Runs functions one after the other, in the order of the calls to `run`."""

    async def run(self, function: Callable[[], T]) -> T:
        """The result of `function`, or its exception.

        What was accepted is done: a cancelled caller stops waiting, the function still runs.
        """
        ...

    async def close(self) -> None:
        """Waits for what was accepted. Afterwards `run` raises `ExecutorClosed`. May be called again."""
        ...


class ExecutorClosed(RuntimeError):
    """Work was given to an executor after `close`: a mistake in the order of shutting down."""


class ThreadExecutor:
    """One worker thread, first in first out: what needs one thread for life (a database connection) has it.

    The queue has no bound of its own: each entry has a caller that waits, so the callers are the bound.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._closed = False

    async def run(self, function: Callable[[], T]) -> T:
        if self._closed:
            raise ExecutorClosed(f"the executor {self._name!r} is closed")
        work = asyncio.wrap_future(self._pool.submit(function))
        return await asyncio.shield(work)  # an unshielded cancel would take waiting work out of the queue

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            last = asyncio.wrap_future(self._pool.submit(_nothing))
            self._pool.shutdown(wait=False)
            await asyncio.shield(last)


class InlineExecutor:
    """Calls at once, on the event loop: for virtual time, where threads have no place, and for tests."""

    def __init__(self) -> None:
        self._closed = False

    async def run(self, function: Callable[[], T]) -> T:
        if self._closed:
            raise ExecutorClosed("the inline executor is closed")
        return function()

    async def close(self) -> None:
        self._closed = True


def _nothing() -> None:
    """The last entry in the queue: when it is done, all before it is."""
