"""A listening socket, and the shape of the application behind it. A port in use is a sentence, not a traceback."""

import errno
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from runtime.config import ConfigError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

BACKLOG = 128  # connections waiting to be accepted: Linux's own long-time default


class ListenFailed(ConfigError):
    """The address cannot be listened on. The text names host, port and the field of the configuration."""


class PortInUse(ListenFailed):
    """Another process, often an earlier start of this one, listens there."""


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


def bind(host: str, port: int, field: str) -> socket.socket:
    """A listening socket. Raises `ListenFailed`.

    What it accepts sends at once (TCP_NODELAY, which Linux hands on): asyncio sets that only where a socket names
    its protocol, and a body that waits for the acknowledgement of its headers comes 40 ms late.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host.strip("[]"), port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            text = f"{field}: port {port} on {host} is in use: stop the other process or choose another port"
            raise PortInUse(text) from None
        raise ListenFailed(f"{field}: cannot listen on {host} port {port}: {error.strerror or error}") from None
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
