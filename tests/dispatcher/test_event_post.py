"""One request: whatever a receiver, a name or a network does is an outcome; no private address is reached."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from dispatcher.core.deliveries import Outcome
from dispatcher.events.post import ANSWER_BYTES_MAX, HttpPost
from tests.dispatcher.fake_link import HandClock
from tests.dispatcher.receiver import Receiver, listening
from tests.runtime.certificates import Authority


@asynccontextmanager
async def posting(*, allow_private: bool = True, ca_file: Path | None = None) -> AsyncIterator[HttpPost]:
    post = HttpPost(HandClock(), allow_private=allow_private, connections=2, ca_file=ca_file)
    try:
        yield post
    finally:
        await post.close()


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    """A port at which each connection is handled and closed; at the end nothing of them is left."""
    handled = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handled.append(asyncio.current_task())
        with suppress(ConnectionError):
            await handler(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*(task for task in handled if task is not None))


@asynccontextmanager
async def raw_server(answer: bytes) -> AsyncIterator[int]:
    """Answers whatever comes with these bytes, and hangs up."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with serving(handler) as port:
        yield port


async def outcome(url: str, *, allow_private: bool = True) -> Outcome:
    async with posting(allow_private=allow_private) as post:
        return (await post.post(url, {}, b"{}")).outcome


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254"])
async def test_a_private_address_is_not_even_connected_to(host: str) -> None:
    with listening() as receiver:
        url = f"http://{host}:{receiver.port}/hooks"
        assert await outcome(url, allow_private=False) is Outcome.ADDRESS_REFUSED
        assert (receiver.seen, receiver.refused) == ([], 0)


async def test_a_name_with_one_private_address_among_its_addresses_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def found(*_args: object, **_options: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(2, 1, 6, "", (address, 443)) for address in ("93.184.215.14", "10.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    assert await outcome("https://rebound.example.org/", allow_private=False) is Outcome.ADDRESS_REFUSED


async def test_what_was_looked_up_is_what_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that stands for another address the second time is asked only once."""
    asked = 0

    async def found(*_args: object, **_options: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        nonlocal asked
        asked += 1
        return [(2, 1, 6, "", ("127.0.0.1" if asked == 1 else "192.0.2.1", 0))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    with listening() as receiver:
        receiver.secret = "whsec_" + "A" * 32
        assert await outcome(f"http://hooks.test:{receiver.port}/") is Outcome.REFUSED  # unsigned, but there
        assert (asked, receiver.headers["host"]) == (1, f"hooks.test:{receiver.port}")


async def test_a_name_that_nobody_knows_is_unreachable() -> None:
    assert await outcome("https://nowhere.invalid/") is Outcome.UNREACHABLE


async def test_a_port_on_which_nobody_listens_is_unreachable() -> None:
    receiver = Receiver()
    receiver.up()
    receiver.down()
    assert await outcome(receiver.url) is Outcome.UNREACHABLE


@pytest.mark.parametrize("answer", [b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n", b""])
async def test_what_speaks_no_http_is_garbled(answer: bytes) -> None:
    async with raw_server(answer) as port:
        assert await outcome(f"http://127.0.0.1:{port}/") is Outcome.GARBLED


async def test_a_receiver_that_hangs_up_within_its_answer_is_garbled() -> None:
    async with raw_server(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nx") as port:
        assert await outcome(f"http://127.0.0.1:{port}/") is Outcome.GARBLED


async def test_of_a_long_answer_no_more_is_read_than_its_limit() -> None:
    sent = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent < 100_000_000:
            writer.write(b"x" * ANSWER_BYTES_MAX)
            sent += ANSWER_BYTES_MAX
            await writer.drain()

    async with serving(handler) as port:
        assert await outcome(f"http://127.0.0.1:{port}/") is Outcome.DELIVERED
    assert sent < 50_000_000, "what the kernel's buffers took, and no more"


async def test_a_wish_to_wait_is_heard() -> None:
    busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 77\r\ncontent-length: 0\r\n\r\n"
    async with raw_server(busy) as port, posting() as post:
        attempt = await post.post(f"http://127.0.0.1:{port}/", {}, b"{}")
    assert (attempt.outcome, attempt.status, attempt.retry_after_s) == (Outcome.BUSY, 503, 77)


async def test_who_never_answers_is_timed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.events.post.SEND_S", 0.05)

    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(silent) as port:
        assert await outcome(f"http://127.0.0.1:{port}/") is Outcome.TIMED_OUT


async def test_a_certificate_counts_by_who_signed_it_and_for_which_name(tmp_path: Path) -> None:
    known, unknown = Authority(tmp_path, "known"), Authority(tmp_path, "unknown")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*known.issue("receiver"))
    with tls_server(context, connections=3) as port:
        for authority, host, wanted in (
            (known, "127.0.0.1", Outcome.DELIVERED),
            (known, "localhost", Outcome.UNREACHABLE),
            (unknown, "127.0.0.1", Outcome.UNREACHABLE),
        ):
            async with posting(ca_file=authority.ca_file) as post:
                attempt = await post.post(f"https://{host}:{port}/", {}, b"{}")
                assert attempt.outcome is wanted


@contextmanager
def tls_server(context: ssl.SSLContext, connections: int) -> Iterator[int]:
    """Serves so many connections, one after the other; some end with their handshake."""

    def serve() -> None:
        for _ in range(connections):
            accepted, _address = server.accept()
            with accepted, suppress(OSError), context.wrap_socket(accepted, server_side=True) as tls:
                asked = b""
                while not asked.endswith(b"{}"):  # who closes before all is read resets the connection
                    asked += tls.recv(4096)
                tls.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)
