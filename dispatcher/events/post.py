"""One HTTP request to a receiver: to the address that was checked, no redirect, no long answer, no long wait."""

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

import httpcore

from dispatcher.core.deliveries import Attempt, Outcome, outcome_of, retry_after_s
from dispatcher.core.receivers import is_public
from runtime.clocks import Clock

SEND_S = 15.0  # Standard Webhooks advises 15 to 30 s; a receiver that works longer should answer first
CONNECT_S = 5.0  # a third of it: a host that is there answers in a round trip or two
ANSWER_BYTES_MAX = 16 * 1024  # nothing of it is used: so much is read to keep the connection, then it is closed
IDLE_S = 20.0  # an address is looked up again after this
AGENT = "carshare-dispatcher"


class AddressRefused(Exception):
    """The receiver's name stands for an address that is none of the public Internet."""


class Post(Protocol):
    """Sends one event."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        """How it went; whatever goes wrong on the way is an outcome, not an exception."""
        ...


class HttpPost:
    """`Post` over httpcore: HTTP/1.1 without cookies, proxies or redirects.

    Args:
        clock: what a `Retry-After` with a date is compared with.
        allow_private: also to addresses of private networks, and of this machine.
        connections: at once.
        ca_file: PEM file of the authorities that sign receivers' certificates; None: those of the system.
    """

    def __init__(self, clock: Clock, *, allow_private: bool, connections: int, ca_file: Path | None = None) -> None:
        self._clock = clock
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context(cafile=ca_file),
            max_connections=connections,
            keepalive_expiry=IDLE_S,
            network_backend=_Guarded(allow_private=allow_private),
        )

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        try:
            async with asyncio.timeout(SEND_S):
                return await self._post(url, headers, body)
        except AddressRefused:
            return Attempt(Outcome.ADDRESS_REFUSED)
        except (TimeoutError, httpcore.TimeoutException):
            return Attempt(Outcome.TIMED_OUT)
        except (httpcore.NetworkError, OSError):
            return Attempt(Outcome.UNREACHABLE)
        except httpcore.ProtocolError:
            return Attempt(Outcome.GARBLED)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        request = {**headers, "user-agent": AGENT, "accept": "*/*"}
        timeouts = {"timeout": {"connect": CONNECT_S, "read": SEND_S, "write": SEND_S, "pool": SEND_S}}
        said = [(name.encode(), value.encode()) for name, value in request.items()]
        async with self._pool.stream("POST", url, headers=said, content=body, extensions=timeouts) as answer:
            asked = next((value for name, value in answer.headers if name.lower() == b"retry-after"), b"")
            taken = 0
            async for part in answer.aiter_stream():
                taken += len(part)
                if taken > ANSWER_BYTES_MAX:
                    break  # what is left unread closes the connection
        wait_s = retry_after_s(asked.decode("latin-1"), self._clock.now_ms()) if asked else None
        return Attempt(outcome_of(answer.status), answer.status, wait_s)

    async def close(self) -> None:
        await self._pool.aclose()


class _Guarded(httpcore.AnyIOBackend):
    """Looks a name up itself and connects to what it found: what was checked is what is connected to.

    A name that stands for several addresses is refused if one of them is: it would be somebody's trick.
    """

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's own interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        async with asyncio.timeout(timeout):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, proto=6)  # TCP
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not self._allow_private and not all(is_public(address) for address in addresses):
            raise AddressRefused
        last: Exception = httpcore.ConnectError("no address")
        for address in addresses:
            try:
                return await super().connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last
