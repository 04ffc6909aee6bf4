"""A receiver as somebody else writes one: HTTP, verified with `standardwebhooks`, read with `cloudevents`.

It runs in threads of its own and knows nothing of the dispatcher's code.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks import Webhook, WebhookVerificationError

from tests.dispatcher.fake_link import HandClock


class Answer(NamedTuple):
    status: int = 204
    headers: Mapping[str, str] = {}
    body: bytes = b""
    until: threading.Event | None = None
    """It is answered only then."""


OK = Answer()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_args: Any) -> None:
        """A sender that went away is what some tests are about."""


class Receiver:
    """Takes deliveries; answers as it was told, one answer for each, then the last one for ever."""

    def __init__(self, secret: str = "") -> None:
        self.secret = secret
        self.answers = [OK]
        self.taken: list[BaseCloudEvent] = []
        """Verified, and answered with a 2xx, oldest first; one that came twice is here twice."""
        self.seen: list[str] = []
        """The id of every delivery that could be verified, whatever was answered."""
        self.refused = 0
        """Deliveries that could not be verified."""
        self.headers: dict[str, str] = {}
        """Of the last delivery."""
        self.port = 0
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    @property
    def ids(self) -> list[str]:
        return [str(event.get_id()) for event in self.taken]

    @property
    def subjects(self) -> list[str]:
        return [str(event.get_subject()) for event in self.taken]

    def up(self) -> None:
        """Listen, on the same port as before."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                answer = receiver.receive({name.lower(): value for name, value in self.headers.items()}, body)
                if answer.until is not None:
                    answer.until.wait(20)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_args: Any) -> None:
                """Nothing: the test says what is wrong."""

        self._server = _Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def down(self) -> None:
        """Stop listening."""
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()

    def receive(self, headers: dict[str, str], body: bytes) -> Answer:
        with self._lock:
            self.headers = headers
            try:
                Webhook(self.secret).verify(body, headers)
            except WebhookVerificationError:
                self.refused += 1
                return Answer(401)
            event = from_http_event(HTTPMessage(headers, body))
            self.seen.append(str(event.get_id()))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer.status < 300:
                self.taken.append(event)
            return answer


@contextmanager
def listening() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.up()
    try:
        yield receiver
    finally:
        receiver.down()


def believe(clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `standardwebhooks` read this clock: it refuses what was signed more than five minutes from now."""

    class HandTime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "HandTime":
            return cls.fromtimestamp(clock.now_ms() / 1000, tz or UTC)

    monkeypatch.setattr("standardwebhooks.webhooks.datetime", HandTime)
