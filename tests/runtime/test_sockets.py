import asyncio
import errno
import socket
import ssl
from collections.abc import Iterator

import pytest

from runtime.sockets import ADDRESSES_MAX, TlsFailed, open_socket

LOOPBACK = "127.0.0.1"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((LOOPBACK, 0)) as made:
        yield made


class Addresses:
    """Stands in for the resolver, and writes down which addresses were tried."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
        self.tried: list[tuple[str, int]] = []
        self._addresses = addresses
        loop = asyncio.get_running_loop()
        self._connect = loop.sock_connect
        monkeypatch.setattr(loop, "getaddrinfo", self._resolve)
        monkeypatch.setattr(loop, "sock_connect", self._try)

    async def _resolve(self, *_: object, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in self._addresses]

    async def _try(self, sock: socket.socket, address: tuple[str, int]) -> None:
        self.tried.append(address)
        if address[0] == "192.0.2.1":
            await asyncio.Event().wait()
        await self._connect(sock, address)


async def test_the_socket_is_connected_and_does_not_block(listener: socket.socket) -> None:
    with await open_socket(LOOPBACK, listener.getsockname()[1], None, 5) as sock:
        assert sock.getpeername() == listener.getsockname()
        assert not sock.getblocking()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_an_address_that_does_not_answer_does_not_hide_the_next(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = Addresses(monkeypatch, ("192.0.2.1", 1), listener.getsockname())
    with await open_socket("broker", 1, None, 0.01):
        assert addresses.tried == [("192.0.2.1", 1), listener.getsockname()]


async def test_the_last_failure_is_told_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    Addresses(monkeypatch, ("192.0.2.1", 1))
    with pytest.raises(OSError, match=r"192\.0\.2\.1 does not answer within 0\.01 s"):
        await open_socket("broker", 1, None, 0.01)


async def test_no_more_than_a_few_addresses_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = Addresses(monkeypatch, *[("192.0.2.1", n) for n in range(9)])
    with pytest.raises(OSError, match="does not answer"):
        await open_socket("broker", 1, None, 0.001)
    assert len(addresses.tried) == ADDRESSES_MAX


async def test_a_refused_connection_says_so(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(OSError, match=r"127\.0\.0\.1: Connection refused"):
        await open_socket(LOOPBACK, port, None, 5)


async def test_a_name_that_does_not_exist_is_named() -> None:
    with pytest.raises(OSError, match=r"no-such-host\.invalid: ") as failed:
        await open_socket("no-such-host.invalid", 1, None, 5)
    assert failed.value.errno != errno.ECONNREFUSED


async def test_a_server_that_never_shakes_hands_is_given_up(listener: socket.socket) -> None:
    with pytest.raises(TlsFailed, match=r"does not finish the TLS handshake within 0\.05 s"):
        await open_socket(LOOPBACK, listener.getsockname()[1], ssl.create_default_context(), 0.05)


async def test_a_cancelled_handshake_closes_the_connection(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    opening = asyncio.create_task(open_socket(LOOPBACK, port, ssl.create_default_context(), 60))
    loop = asyncio.get_running_loop()
    listener.setblocking(False)
    accepted, _ = await loop.sock_accept(listener)
    with accepted:
        assert await loop.sock_recv(accepted, 1) == b"\x16", "the handshake has begun"
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
        while await loop.sock_recv(accepted, 4096):
            pass  # reaches the end only when the other side has closed
        assert opening.cancelled()
