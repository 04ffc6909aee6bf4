"""Asks the API, and says what it refuses in one sentence.

ApiFailed
    ApiRefused  it said no: asked again, it says no again
    ApiAway     nobody answered, or not now: ask again later
"""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from dispatcher.client.refusals import sentence
from runtime.config import ConfigError

TIMEOUT_S = 30  # a report over a year takes some seconds, a release up to ten
AGAIN_AFTER_S = (1, 4)  # a connection that broke; a dispatcher that is started anew, or whose standby takes over
KEY_BYTES = 10  # of an `Idempotency-Key`: no two of anybody's are the same, and 20 characters can still be copied
IN_PROGRESS = "request_in_progress"
ANSWER_BYTES_MAX = 16 << 20  # 200 bookings with twenty drivers each are a fiftieth of it
ROWS_MAX = 200  # a page of the API
Answer = http.client.HTTPResponse
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class ApiFailed(Exception):
    """The text says why, for a person."""


class ApiRefused(ApiFailed):
    """The API said no."""


class ApiAway(ApiFailed):
    """Nobody answered, or whoever did cannot now."""


class _LostAnswer(ApiAway):
    """It may have been done, or is being done; asked again under its key, the answer is the same."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The API has none, and a token is not sent to wherever somebody else points."""

    def redirect_request(self, *_request: Any) -> None:
        return None


def _opener() -> urllib.request.OpenerDirector:
    """Proxies of the environment see `https://` alone, which they cannot read: what stays on this machine stays."""
    proxies = {name: url for name, url in urllib.request.getproxies().items() if name != "http"}
    return urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler(proxies))


def _json(answer: Answer) -> Any:
    return json.loads(answer.read(ANSWER_BYTES_MAX))


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing of the API, as it is now."""

    fields: dict[str, Any]
    tag: str | None
    """For `--tag` of what changes it: its version, or a digest of what can be changed."""


@dataclass(frozen=True, slots=True)
class Api:
    """The API at `url`, such as `http://127.0.0.1:8080`, for whoever has the token. All calls raise `ApiFailed`."""

    url: str
    token: str
    tag: str | None = None
    """What is changed is changed as it was under this tag, or not at all; None: whatever it is by now."""
    key: str = field(default_factory=lambda: os.urandom(KEY_BYTES).hex())
    """Of what is to be done: under one key it is done once, however often it is sent."""
    pause: Callable[[float], object] = time.sleep  # noqa: TID251  # a command at a terminal does nothing else

    def __post_init__(self) -> None:
        """Raises `ConfigError`: a token does not cross a network in the clear."""
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError(f"--api = {self.url!r}: expected http://... or https://...")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ConfigError(f"--api = {self.url!r}: expected https://: the token would go there in the clear")

    def get(self, path: str, **query: Any) -> Any:
        """Ask; what is None is left out."""
        return self._ask("GET", _with(path, query), None)

    def thing(self, path: str) -> Thing:
        """One thing, with the tag that changes name."""

        def read(answer: Answer) -> Thing:
            tag = answer.headers.get("etag", "").strip('"').partition("-")[0]
            return Thing(json.loads(answer.read(ANSWER_BYTES_MAX)), tag or None)

        found: Thing = self._ask("GET", path, None, read)
        return found

    def csv(self, path: str, **query: Any) -> str:
        """As `get`, a table for spreadsheets."""

        def read(answer: Answer) -> str:
            return answer.read(ANSWER_BYTES_MAX).decode()

        text: str = self._ask("GET", _with(path, {**query, "format": "csv"}), None, read)
        return text

    def search(self, path: str, **body: Any) -> Any:
        """Ask by POST, so that what is looked for stands in no log; what is None is left out."""
        return self._ask("POST", path, body)

    def post(self, path: str, **body: Any) -> Any:
        """Have something done, once; what is None is left out."""
        return self._done("POST", path, body)

    def patch(self, path: str, **body: Any) -> Any:
        """Have something changed; what is None stays."""
        return self._done("PATCH", path, body)

    def _done(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """Where the answer is lost it is asked for again: under its key nothing is done twice."""
        for wait_s in AGAIN_AFTER_S:
            try:
                return self._ask(method, path, body, writes=True)
            except _LostAnswer:
                self.pause(wait_s)
        return self._ask(method, path, body, writes=True)

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        read: Callable[[Answer], Any] = _json,
        *,
        writes: bool = False,
    ) -> Any:
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        if writes:
            headers |= {"idempotency-key": self.key}
            headers |= {"if-match": f'"{self.tag}"'} if self.tag is not None else {}
        given = None
        if body is not None:
            given = json.dumps({name: value for name, value in body.items() if value is not None}).encode()
        request = urllib.request.Request(  # noqa: S310  # the scheme was looked at above
            f"{self.url.rstrip('/')}/api/v1{path}", given, headers, method=method
        )
        try:
            with _opener().open(request, timeout=TIMEOUT_S) as answer:
                return read(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise self._failure(error, writes=writes) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            told = f"{self.url}: no answer that can be read: {_why(error)}"
            if writes and not isinstance(_why(error), ConnectionRefusedError):  # who was not connected did nothing
                raise _LostAnswer(f"{told}; whether it was done is not known: {self._again}") from None
            raise ApiAway(told) from None

    def _failure(self, error: urllib.error.HTTPError, *, writes: bool) -> ApiFailed:
        body = error.read(ANSWER_BYTES_MAX)
        told = sentence(error.code, body)
        if error.code == HTTPStatus.CONFLICT and told.startswith(f"{IN_PROGRESS}:"):
            return _LostAnswer(f"{told}; {self._again}")
        if error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return ApiAway(f"{told}; {self._again}" if writes else told)
        return ApiAway(told) if error.code == HTTPStatus.TOO_MANY_REQUESTS else ApiRefused(told)

    @property
    def _again(self) -> str:
        return f"the same command with --again {self.key} does it once"


def _with(path: str, query: Mapping[str, Any]) -> str:
    given = {name.rstrip("_"): value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def path(*parts: str) -> str:
    """A path from what a person typed: a slash in it is no step of the path."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _why(error: Exception) -> Any:
    return getattr(error, "reason", error)
