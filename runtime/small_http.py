"""Serves an ASGI application with h11 alone: metrics and health of a box, in a third of a megabyte.

uvicorn costs an agent 3 MiB of the 60 that it may use (decision 0007). What is left out is what such pages do
not need: request bodies, streaming, upgrades, TLS. Whatever a client does, it holds at most one of a bounded
number of connections, for a bounded time.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import unquote

import h11
import structlog

from runtime.listening import AsgiApp, Message, Scope, Serving, bind

REQUEST_BYTES_MAX = 8 * 1024  # a scraper's request line and headers are under 1 KiB
CONNECTIONS_MAX = 32  # a few scrapers, a person with curl, and as many again that hang
IDLE_S = 75.0  # Prometheus scrapes each minute or so over one connection
ANSWER_S = 10.0  # Prometheus' own scrape timeout: nobody waits longer
READ_BYTES = 4096

log = structlog.get_logger()


@contextlib.asynccontextmanager
async def serve_small(app: AsgiApp, host: str, port: int, *, field: str) -> AsyncIterator[Serving]:
    """Serves `app` while the block runs. Raises `ListenFailed`; `field` is the listener's place in the file."""
    listening = bind(host, port, field)
    conversations: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(conversations) >= CONNECTIONS_MAX:
            writer.close()
            return
        task = asyncio.create_task(_converse(app, reader, writer))
        conversations.add(task)
        task.add_done_callback(conversations.discard)

    with listening:
        server = await asyncio.start_server(accept, sock=listening, limit=READ_BYTES)
        try:
            yield Serving(host, listening.getsockname()[1], tls=False)
        finally:
            server.close()
            for task in tuple(conversations):
                task.cancel()
            await asyncio.gather(*conversations, return_exceptions=True)


async def _converse(app: AsgiApp, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One client: request after request until it goes, falls silent, or says what is no HTTP."""
    protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=REQUEST_BYTES_MAX)
    try:
        while True:
            async with asyncio.timeout(IDLE_S):
                request = await _next_request(protocol, reader)
            if request is None:
                return
            async with asyncio.timeout(ANSWER_S):
                answer = await _answer(app, request)
                _write(protocol, writer, answer, head_only=request.method == b"HEAD")
                await writer.drain()
            if protocol.our_state is not h11.DONE or protocol.their_state is not h11.DONE:
                return
            protocol.start_next_cycle()
    except h11.RemoteProtocolError as error:
        _write_refusal(protocol, writer, error.error_status_hint)
    except (TimeoutError, OSError):
        pass  # the client is gone, or as good as gone
    finally:
        writer.close()


async def _answer(app: AsgiApp, request: h11.Request) -> "_Answer":
    answer = _Answer()
    try:
        await app(_scope(request), _no_body, answer.take)
    except Exception as error:  # a bug in one page must not take the agent with it: it is told and logged
        log.exception("page_failed", path=_scope(request)["path"], error=type(error).__name__)
        return _Answer(500, [(b"content-type", b"text/plain")], b"internal error\n")
    return answer


async def _next_request(protocol: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    """The next request, its body read and dropped; None where the client is gone."""
    request: h11.Request | None = None
    while True:
        event = protocol.next_event()
        if event is h11.NEED_DATA:
            protocol.receive_data(await reader.read(READ_BYTES))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.EndOfMessage):
            return request
        elif not isinstance(event, h11.Data):
            return None


def _scope(request: h11.Request) -> Scope:
    path, _, query = bytes(request.target).partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": bytes(request.http_version).decode(),
        "method": bytes(request.method).decode(),
        "scheme": "http",
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": query,
        "headers": list(request.headers),
    }


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


@dataclass(slots=True)
class _Answer:
    """What the application said, whole: such pages are a few kilobytes."""

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
        else:
            self.body += message.get("body", b"")


def _write(protocol: h11.Connection, writer: asyncio.StreamWriter, answer: _Answer, *, head_only: bool) -> None:
    headers = [(name, value) for name, value in answer.headers if name.lower() != b"content-length"]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    writer.write(protocol.send(h11.Response(status_code=answer.status, headers=headers)) or b"")
    if not head_only:
        writer.write(protocol.send(h11.Data(data=answer.body)) or b"")
    writer.write(protocol.send(h11.EndOfMessage()) or b"")


def _write_refusal(protocol: h11.Connection, writer: asyncio.StreamWriter, status: int) -> None:
    if protocol.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
        refusal = _Answer(status, [(b"connection", b"close")], b"")
        _write(protocol, writer, refusal, head_only=False)
