"""From start to SIGTERM: a program runs until it is told to stop, says goodbye, and ends within seconds."""

import asyncio
import signal
from typing import Protocol

import structlog

STOP_S = 5  # SIGTERM ends within this; systemd's own limit is far above

log = structlog.get_logger()


class Program(Protocol):
    """What can be run until it is told to stop."""

    async def run(self) -> None: ...

    async def stop(self) -> None:
        """Say goodbye; the caller cancels `run` afterwards."""


def told_to_stop() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


async def run_until(program: Program, stopping: asyncio.Event, name: str) -> None:
    """Run a program until `stopping` is set, then let it say goodbye. Raises what ended the program."""
    running = asyncio.create_task(program.run(), name=name)
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not running.done():
        try:
            async with asyncio.timeout(STOP_S):
                await program.stop()
        except TimeoutError:
            log.warning("farewell_not_sent", program=name)
        running.cancel()
    try:
        await running
    except asyncio.CancelledError:
        if not stopping.is_set():
            raise
