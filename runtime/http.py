"""Serves an ASGI application from our own event loop: the health endpoint, the dispatcher's API.

uvicorn does the work, without its signal handlers (the entry point has its own) and without its logging
set-up. The socket is bound here first, so that a port in use is a sentence and not a traceback.
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from runtime.config import ConfigError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

BACKLOG = 128  # connections waiting to be accepted: Linux's own long-time default
SHUTDOWN_S = 3  # an event stream never ends by itself; systemd's stop timeout is far above this


class ListenFailed(ConfigError):
    """The address cannot be listened on. The text names host, port and the field of the configuration."""


class PortInUse(ListenFailed):
    """Another process, often an earlier start of this one, listens there."""


class StartFailed(RuntimeError):
    """The application's own start-up (its lifespan) failed; uvicorn has logged why."""


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """Files of PEM: the certificate with its chain, and its key."""

    certificate_file: Path
    key_file: Path


@dataclass(frozen=True, slots=True)
class Serving:
    """Where the application answers. `port` is the real one where 0 was asked for."""

    host: str
    port: int
    tls: bool

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


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


def bind(host: str, port: int, field: str) -> socket.socket:
    """A listening socket. Raises `ListenFailed`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            text = f"{field}: port {port} on {host} is in use: stop the other process or choose another port"
            raise PortInUse(text) from None
        raise ListenFailed(f"{field}: cannot listen on {host} port {port}: {error.strerror or error}") from None


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
