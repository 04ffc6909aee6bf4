"""Serves an ASGI application from our own event loop: the dispatcher's API.

uvicorn does the work, without its signal handlers (the entry point has its own) and without its logging
set-up. The socket is bound here first, so that a port in use is a sentence and not a traceback.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from runtime.listening import AsgiApp, ListenFailed, Serving, bind

SHUTDOWN_S = 3  # an event stream never ends by itself; systemd's stop timeout is far above this


class StartFailed(RuntimeError):
    """The application's own start-up (its lifespan) failed; uvicorn has logged why."""


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """Files of PEM: the certificate with its chain, and its key."""

    certificate_file: Path
    key_file: Path


@contextlib.asynccontextmanager
async def serve_asgi(
    app: AsgiApp,
    host: str,
    port: int,
    *,
    field: str,
    certificate: ServerCertificate | None = None,
    lifespan: bool = False,
) -> AsyncIterator[Serving]:
    """Serves `app` while the block runs; requests under way then have `SHUTDOWN_S` to end.

    `field` is the listener's place in the configuration, for the text of `ListenFailed`. `lifespan`: the
    application wants ASGI's start-up and shut-down events (FastAPI does).
    """
    listening = bind(host, port, field)
    config = uvicorn.Config(
        app,
        interface="asgi3",
        http="h11",
        ws="none",
        loop="none",
        lifespan="on" if lifespan else "off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
        ssl_certfile=certificate.certificate_file if certificate else None,
        ssl_keyfile=certificate.key_file if certificate else None,
    )
    server = _Server(config)
    with listening:
        _load(config, field)
        task = asyncio.create_task(server.serve(sockets=[listening]), name=f"http {field}")
        try:
            await server.wait_until_started(task)
            yield Serving(host, listening.getsockname()[1], certificate is not None)
        finally:
            server.should_exit = True
            await task


def _load(config: uvicorn.Config, field: str) -> None:
    """Reads the certificate, which uvicorn would do with a traceback."""
    try:
        config.load()
    except OSError as error:  # ssl.SSLError is one
        raise ListenFailed(f"{field}: the certificate or its key cannot be used: {error}") from None


class _Server(uvicorn.Server):
    """uvicorn's server, made a guest in our loop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._settled = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are the entry point's

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except SystemExit:  # how uvicorn says that the lifespan failed; it would end our whole program
            raise StartFailed("the application's start-up failed") from None
        finally:
            self._settled.set()

    async def wait_until_started(self, task: asyncio.Task[None]) -> None:
        task.add_done_callback(lambda _: self._settled.set())
        await self._settled.wait()
        if not self.started:
            await task
