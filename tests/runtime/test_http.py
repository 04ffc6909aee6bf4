import asyncio
import signal
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from runtime.config import ConfigError
from runtime.http import ServerCertificate, StartFailed, serve_asgi
from runtime.listening import ListenFailed, PortInUse, bind
from tests.runtime.certificates import Authority

LOOPBACK = "127.0.0.1"


async def hello(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


APP = Starlette(routes=[Route("/", hello)])


async def test_an_application_is_served_on_a_port_of_the_system_s_choice() -> None:
    async with serve_asgi(APP, LOOPBACK, 0, field="api.port") as serving:
        assert serving.port > 0
        assert serving.url == f"http://127.0.0.1:{serving.port}"
        async with httpx.AsyncClient() as client:
            assert (await client.get(serving.url)).text == "hello"


async def test_the_port_is_free_again_afterwards() -> None:
    async with serve_asgi(APP, LOOPBACK, 0, field="api.port") as first:
        pass
    async with serve_asgi(APP, LOOPBACK, first.port, field="api.port") as second:
        assert second.port == first.port


async def test_a_port_in_use_is_a_sentence_that_names_the_field() -> None:
    with socket.create_server((LOOPBACK, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse) as refused:
            async with serve_asgi(APP, LOOPBACK, port, field="api.port"):
                raise AssertionError("not reached")
    assert isinstance(refused.value, ConfigError)
    assert str(refused.value) == (
        f"api.port: port {port} on 127.0.0.1 is in use: stop the other process or choose another port"
    )


async def test_an_address_that_is_not_ours_is_a_sentence() -> None:
    with pytest.raises(ListenFailed, match=r"api\.port: cannot listen on 192\.0\.2\.1 port 0: .*assign"):
        async with serve_asgi(APP, "192.0.2.1", 0, field="api.port"):
            raise AssertionError("not reached")


async def test_signal_handlers_stay_ours() -> None:
    def handlers() -> list[object]:
        return [signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)]

    before = handlers()
    async with serve_asgi(APP, LOOPBACK, 0, field="api.port"):
        assert handlers() == before


async def test_an_exception_in_the_block_stops_the_server_and_comes_out() -> None:
    with pytest.raises(ZeroDivisionError):
        async with serve_asgi(APP, LOOPBACK, 0, field="api.port") as serving:
            raise ZeroDivisionError
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(serving.url)


async def test_the_lifespan_of_an_application_frames_its_service() -> None:
    events: list[str] = []

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        events.append("started")
        yield
        events.append("stopped")

    app = Starlette(routes=[Route("/", hello)], lifespan=lifespan)
    async with serve_asgi(app, LOOPBACK, 0, field="api.port", lifespan=True):
        events.append("serving")
    assert events == ["started", "serving", "stopped"]


async def test_a_lifespan_that_fails_is_an_exception_and_not_the_end_of_the_program() -> None:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await no_database()
        yield

    async def no_database() -> None:
        raise ValueError("no database")

    with pytest.raises(StartFailed):
        async with serve_asgi(Starlette(lifespan=lifespan), LOOPBACK, 0, field="api.port", lifespan=True):
            raise AssertionError("not reached")


async def test_a_stream_that_never_ends_does_not_hold_up_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    async def endless(_request: Request) -> StreamingResponse:
        async def events() -> AsyncIterator[bytes]:
            yield b"first"
            await asyncio.Event().wait()

        return StreamingResponse(events())

    monkeypatch.setattr("runtime.http.SHUTDOWN_S", 0.05)
    app = Starlette(routes=[Route("/", endless)])
    async with httpx.AsyncClient() as client, asyncio.timeout(5):
        async with serve_asgi(app, LOOPBACK, 0, field="api.port") as serving:
            request = client.build_request("GET", serving.url)
            response = await client.send(request, stream=True)
            assert await anext(response.aiter_bytes()) == b"first"
        await response.aclose()


async def test_tls_is_served_with_a_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ours")
    certificate = ServerCertificate(*authority.issue("api"))
    async with serve_asgi(APP, LOOPBACK, 0, field="api.port", certificate=certificate) as serving:
        assert serving.url.startswith("https://")
        trusting = ssl.create_default_context(cafile=authority.ca_file)
        async with httpx.AsyncClient(verify=trusting) as client:
            assert (await client.get(serving.url)).text == "hello"


async def test_a_certificate_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("nothing")
    certificate = ServerCertificate(tmp_path / "no.pem", tmp_path / "no.pem")
    with pytest.raises(ListenFailed, match=r"api\.port: the certificate or its key cannot be used"):
        async with serve_asgi(APP, LOOPBACK, 0, field="api.port", certificate=certificate):
            raise AssertionError("not reached")


async def test_what_it_accepts_sends_at_once() -> None:
    with bind("127.0.0.1", 0, "http.port") as listening:
        listening.setblocking(False)
        with socket.create_connection(listening.getsockname()):
            accepted, _ = await asyncio.get_running_loop().sock_accept(listening)
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
