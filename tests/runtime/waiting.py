"""Waiting for a condition with a deadline: no test sleeps for a fixed time."""

import asyncio
from collections.abc import Callable

POLL_S = 0.002


async def eventually(condition: Callable[[], object], *, within_s: float = 5.0) -> None:
    """Returns as soon as the condition holds; fails the test when it does not hold in time."""
    try:
        async with asyncio.timeout(within_s):
            while not condition():  # noqa: ASYNC110  # what is waited for lies in another process or library
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise AssertionError(f"not so within {within_s} s") from None
