"""A mosquitto of the demo's own, on loopback, with the limits that let nothing be dropped."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from runtime.config import ConfigError
from simulator.demo.programs import mosquitto_path

START_S = 10  # it takes 10 ms here; a loaded machine may take long


@asynccontextmanager
async def own_mosquitto(directory: Path) -> AsyncIterator[int]:
    """Runs the broker while the block runs, and gives its port. Raises ConfigError if it does not come up."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    config = directory / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\n"
        "allow_anonymous true\n"
        "max_inflight_messages 1000\n"
        "max_queued_messages 100000\n"  # the default drops acknowledged messages silently beyond 1000
        "set_tcp_nodelay true\n"
    )
    log = directory / "mosquitto.log"
    with log.open("wb") as stream:
        process = await asyncio.create_subprocess_exec(
            mosquitto_path(), "-c", str(config), stdin=asyncio.subprocess.DEVNULL, stdout=stream, stderr=stream,
            start_new_session=True,
        )  # fmt: skip
    try:
        if not await _listens(process, port):
            words = await asyncio.to_thread(log.read_text, errors="replace")
            raise ConfigError(f"--broker mosquitto: it does not answer; it says:\n{words}")
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


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
