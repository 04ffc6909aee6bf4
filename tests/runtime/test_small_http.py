"""The small server, over real sockets: an independent client, raw bytes, and clients that behave badly."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime import small_http
from runtime.listening import Message, PortInUse, Receive, Scope, Send, Serving
from runtime.small_http import CONNECTIONS_MAX, REQUEST_BYTES_MAX, serve_small

LOOPBACK = "127.0.0.1"


async def page(scope: Scope, _receive: Receive, send: Send) -> None:
    if scope["path"] == "/broken":
        raise RuntimeError("a bug")
    text = f"{scope['method']} {scope['path']} {scope['query_string'].decode()}".encode()
    start: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}
    await send(start)
    await send({"type": "http.response.body", "body": text})


@asynccontextmanager
async def served() -> AsyncIterator[Serving]:
    async with serve_small(page, LOOPBACK, 0, field="http.port") as serving:
        yield serving


async def say(serving: Serving, data: bytes) -> bytes:
    """What the server answers to these bytes, until it closes."""
    reader, writer = await asyncio.open_connection(LOOPBACK, serving.port)
    writer.write(data)
    writer.write_eof()
    answer = b""
    async with asyncio.timeout(5):
        try:
            answer = await reader.read()
        except ConnectionError:
            answer = b"reset"
    writer.close()
    return answer


async def test_many_requests_go_over_one_connection() -> None:
    async with served() as serving, httpx.AsyncClient(base_url=serving.url, trust_env=False) as client:
        for number in range(3):
            answer = await client.get(f"/page%20one?n={number}")
            assert (answer.status_code, answer.text) == (200, f"GET /page one n={number}")
        assert (await client.head("/x")).text == ""
        assert (await client.post("/x", content=b"y" * 100_000)).text == "POST /x "


async def test_a_page_that_fails_is_a_500_and_the_next_one_works() -> None:
    async with served() as serving, httpx.AsyncClient(base_url=serving.url, trust_env=False) as client:
        assert (await client.get("/broken")).status_code == 500
        assert (await client.get("/fine")).status_code == 200


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: y\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused(data: bytes) -> None:
    async with served() as serving:
        assert (await say(serving, data)).startswith(b"HTTP/1.1 4")


async def test_endless_headers_are_refused() -> None:
    async with served() as serving:
        answer = await say(serving, b"GET / HTTP/1.1\r\nX: " + b"y" * (REQUEST_BYTES_MAX + 1))
        assert answer.startswith(b"HTTP/1.1 431")


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=60))
def test_whatever_comes_the_server_goes_on(data: bytes) -> None:
    async def run() -> None:
        async with served() as serving:
            await say(serving, data)
            assert b"200" in await say(serving, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

    asyncio.run(run())


async def test_one_client_too_many_is_closed_and_the_others_are_served() -> None:
    async with served() as serving:
        waiting = []
        for _ in range(CONNECTIONS_MAX):
            reader, writer = await asyncio.open_connection(LOOPBACK, serving.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200" in await reader.readline()
            waiting.append(writer)
        reader, writer = await asyncio.open_connection(LOOPBACK, serving.port)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
        for each in waiting:
            each.close()


async def test_a_silent_client_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_http, "IDLE_S", 0.05)
    async with served() as serving:
        reader, writer = await asyncio.open_connection(LOOPBACK, serving.port)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()


async def test_a_port_in_use_is_a_sentence() -> None:
    async with served() as serving:
        with pytest.raises(PortInUse, match=rf"http\.port: port {serving.port} on 127\.0\.0\.1 is in use"):
            async with serve_small(page, LOOPBACK, serving.port, field="http.port"):
                raise AssertionError("not reached")
