"""A mosquitto of the demo's own, on loopback, with the limits that let nothing be dropped."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from runtime.config import ConfigError
from simulator.demo.programs import mosquitto_path

STOP_S = 5  # it takes 10 ms here
START_S = 10  # it takes 10 ms here; a loaded machine may take long


class OwnMosquitto:
    """The broker as a process, whose port stays the same over restarts."""

    def __init__(self, directory: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = int(probe.getsockname()[1])
        self._config = directory / "mosquitto.conf"
        self._log = directory / "mosquitto.log"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\n"
            "allow_anonymous true\n"
            "max_inflight_messages 1000\n"
            "max_queued_messages 100000\n"  # the default drops acknowledged messages silently beyond 1000
            "set_tcp_nodelay true\n"
        )
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Raises ConfigError if it does not come up."""
        with self._log.open("ab") as stream:
            self._process = await asyncio.create_subprocess_exec(
                mosquitto_path(), "-c", str(self._config), stdin=asyncio.subprocess.DEVNULL, stdout=stream,
                stderr=stream, start_new_session=True,
            )  # fmt: skip
        if not await _listens(self._process, self.port):
            words = await asyncio.to_thread(self._log.read_text, errors="replace")
            raise ConfigError(f"--broker mosquitto: it does not answer; it says:\n{words}")

    async def kill_and_start(self) -> None:
        """It forgets everything, also what it retained."""
        assert self._process is not None, "it was started"
        self._process.kill()
        await self._process.wait()
        await self.start()

    async def stop(self) -> None:
        if self._process is not None:
            while self._process.returncode is None:
                self._process.terminate()  # one that has just begun to listen forgets the first word
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), STOP_S)


@asynccontextmanager
async def own_mosquitto(directory: Path) -> AsyncIterator[OwnMosquitto]:
    """Runs the broker while the block runs. Raises ConfigError if it does not come up."""
    broker = OwnMosquitto(directory)
    try:
        await broker.start()
        yield broker
    finally:
        await broker.stop()


async def _listens(process: asyncio.subprocess.Process, port: int) -> bool:
    """Wait until the broker takes connections; False where it ended, or took too long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(START_S):
            while process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                    continue
                writer.close()
                return True
    return False
