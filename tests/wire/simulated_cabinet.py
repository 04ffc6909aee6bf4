"""`simulator cabinet` as a process of its own, driven through its pipes."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

START_S = 20.0  # an interpreter on a loaded machine; it takes a second
ANSWER_S = 25.0  # the slowest command waits 10 s for a slot to open


class SimulatedCabinet:
    """Its words are read as they come: answers one for each command, events whenever something happens."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.ports: dict[str, dict[str, Any]] = {}
        self.readers: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self._answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._ready = asyncio.Event()
        self._news = asyncio.Event()
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            said = json.loads(line)
            match said["kind"]:
                case "port":
                    self.ports[said["line"]] = said
                case "reader":
                    self.readers[said["reader"]] = said
                case "ready":
                    self._ready.set()
                case "event":
                    self.events.append(said)
                    self._news.set()
                case "done" | "error":
                    self._answers.put_nowait(said)

    async def ready(self) -> None:
        await asyncio.wait_for(self._ready.wait(), START_S)

    async def do(self, command: str) -> dict[str, Any]:
        """One command, and the answer to it."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n".encode())
        return await asyncio.wait_for(self._answers.get(), ANSWER_S)

    async def done(self, command: str) -> dict[str, Any]:
        """One command that must be possible."""
        answer = await self.do(command)
        assert answer["kind"] == "done", answer
        return answer

    async def seen(self, within_s: float = 10.0, **what: object) -> dict[str, Any]:
        """The first event since the last look that has these values."""
        async with asyncio.timeout(within_s):
            while True:
                for at, event in enumerate(self.events):
                    if what.items() <= event.items():
                        del self.events[: at + 1]
                        return event
                self._news.clear()
                await self._news.wait()

    async def ended(self) -> int:
        async with asyncio.timeout(ANSWER_S):
            status = await self.process.wait()
            await self._listening
        return status

    async def ends_with(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return await self.ended()


@asynccontextmanager
async def simulated_cabinet(folder: Path, *options: str) -> AsyncIterator[SimulatedCabinet]:
    """Runs one with its ports in `folder`; it is killed at the end where it still runs."""
    command = [sys.executable, "-m", "simulator", "cabinet", "--json", "--directory", str(folder), *options]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    cabinet = SimulatedCabinet(process)
    try:
        await cabinet.ready()
        yield cabinet
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await cabinet._listening
        assert process.stdin is not None
        process.stdin.close()
