"""The client against servers that do what a dispatcher never does."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from dispatcher.client.http import Api, ApiAway, ApiRefused, path
from runtime.http import ServerCertificate, serve_asgi
from tests.dispatcher.api_client import TOKEN, running_api
from tests.runtime.certificates import Authority

BACKENDS = ("sqlite",)  # what is tested is on this side of the API
LOOPBACK = "127.0.0.1"
MORE_THAN_A_PIPE_HOLDS = 2_000_000  # 64 KiB on most systems, 1 MiB on some


@dataclass(frozen=True)
class Asking(Api):
    """Waits for nothing."""

    pause: Callable[[float], object] = bool
    sent: list[tuple[str | None, str | None]] = field(default_factory=list)
    """Of each write its `Idempotency-Key` and its `If-Match`."""


@contextmanager
def server(
    status: int | None, body: bytes = b"", location: str = "", before: Callable[[], object] = bool
) -> Iterator[tuple[Asking, list[str]]]:
    """Answers everything so, after `before`; None: hangs up. With the paths that were asked for."""
    asked: list[str] = []
    sent: list[tuple[str | None, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if self.headers["idempotency-key"] is not None:
                sent.append((self.headers["idempotency-key"], self.headers["if-match"]))
            before()
            if status is None:
                self.connection.close()
                return
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            if location:
                self.send_header("location", location)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PATCH = do_GET  # noqa: N815  # the library's names

        def handle(self) -> None:
            with suppress(ConnectionError):  # who asked has gone
                super().handle()

        def log_message(self, *_arguments: object) -> None:
            """Not into the test's output."""

    with HTTPServer(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield Asking(f"http://127.0.0.1:{serving.server_port}", "a token", sent=sent), asked
        serving.shutdown()
        thread.join()


def test_a_token_is_not_sent_to_where_somebody_else_points() -> None:
    with server(200, b"{}") as (other, of_other), server(302, location=f"{other.url}/x") as (api, _):
        with pytest.raises(ApiRefused, match="status 302"):
            api.get("/stations")
        assert of_other == []


def test_what_stays_on_this_machine_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(200, b"{}") as (proxy, of_proxy), server(200, b'{"items": []}') as (api, asked):
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        assert api.get("/stations") == {"items": []}
    assert (of_proxy, asked) == ([], ["/api/v1/stations"])


def test_a_write_whose_answer_was_lost_is_asked_again_under_its_key_and_then_told_to_be_unknown() -> None:
    with server(None) as (api, asked):
        with pytest.raises(ApiAway, match=f"not known: the same command with --again {api.key} does it once"):
            api.post("/bookings", start="now")
        assert asked == ["/api/v1/bookings"] * 3
        assert api.sent == [(api.key, None)] * 3
        with pytest.raises(ApiAway) as lost:
            api.get("/bookings")
        with pytest.raises(ApiAway):
            api.search("/members/search", name="alix")
    assert "not known" not in str(lost.value)
    assert len(asked) == 5, "what only reads is for the person to ask again"


def test_what_is_being_done_already_is_waited_for() -> None:
    problem = b'{"reason": "request_in_progress", "detail": "expected its answer first"}'
    with server(409, problem) as (api, asked), pytest.raises(ApiAway, match="request_in_progress"):
        api.post("/bookings")
    assert len(asked) == 3
    with server(409, b'{"reason": "off_grid", "detail": "no"}') as (api, asked), pytest.raises(ApiRefused):
        api.post("/bookings")
    assert len(asked) == 1


def test_a_tag_goes_with_a_change_and_two_commands_have_two_keys() -> None:
    with server(200, b"{}") as (api, _):
        replace(api, tag="v3").patch("/bookings/b", end="later")
        replace(api, key="mine").post("/bookings")
        assert api.sent == [(api.key, '"v3"'), ("mine", None)]
    assert Api(api.url, "t").key != Api(api.url, "t").key


def test_who_cannot_answer_now_is_to_be_asked_again() -> None:
    problem = b'{"reason": "storage_unavailable", "detail": "try again later"}'
    with server(503, problem) as (api, _), pytest.raises(ApiAway, match="storage_unavailable: try again later"):
        api.get("/stations")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"detail": 1}', b"\xff"])
def test_an_error_that_is_no_problem_is_none_of_a_dispatcher(body: bytes) -> None:
    with server(404, body) as (api, _), pytest.raises(ApiRefused, match="is this the API of a dispatcher"):
        api.get("/stations")


def test_an_answer_that_is_not_json_is_none() -> None:
    with server(200, b"hello") as (api, _), pytest.raises(ApiAway, match="no answer that can be read"):
        api.get("/stations")


def test_what_is_not_given_is_not_sent_and_a_slash_is_no_step() -> None:
    with server(200, b"{}") as (api, asked):
        api.get(path("bookings", "../members/é"), state=["booked", "active"], from_=None)
    assert asked == ["/api/v1/bookings/..%2Fmembers%2F%C3%A9?state=booked&state=active"]


async def test_a_certificate_is_believed_where_its_authority_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path, "ours")
    certificate = ServerCertificate(*authority.issue("api"))
    async with (
        running_api() as api,
        serve_asgi(api.application, LOOPBACK, 0, field="p", certificate=certificate) as serving,
    ):
        ours = Api(serving.url, TOKEN)
        assert serving.url.startswith("https://")
        with pytest.raises(ApiAway, match="certificate verify failed"):
            await asyncio.to_thread(ours.get, "/stations")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
        assert len((await asyncio.to_thread(ours.get, "/stations"))["items"]) == 2


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text("a token")
    return file


@contextmanager
def reachable_by_ctrl_c() -> Iterator[None]:
    """Programs that are started in the background of a script ignore it, and so do all that they start."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_it_in_one_line(token_file: Path) -> None:
    asked, over = threading.Event(), threading.Event()

    def hold() -> None:
        asked.set()
        over.wait(30)  # no answer while it ends

    with server(200, b"{}", before=hold) as (api, _):
        command = (sys.executable, "-m", "dispatcher", "station", "list", "--api", api.url)
        with reachable_by_ctrl_c():
            process = subprocess.Popen(
                (*command, "--token-file", str(token_file)), stderr=subprocess.PIPE, text=True
            )
        assert asked.wait(30)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        over.set()
    assert (process.returncode, said) == (130, "dispatcher: interrupted\n")


def test_a_reader_that_has_seen_enough_is_no_error(token_file: Path) -> None:
    with server(200, b'{"items": [], "next": "' + b"x" * MORE_THAN_A_PIPE_HOLDS + b'"}') as (api, _):
        command = (sys.executable, "-m", "dispatcher", "station", "list", "--json")
        where = ("--api", api.url, "--token-file", str(token_file))
        buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        with subprocess.Popen(
            [*command, *where], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=buffered
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline() == "{\n"
            process.stdout.close()
            assert (process.stderr.read(), process.wait(20)) == ("", 141)
