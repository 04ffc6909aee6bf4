"""Asks the API, and says what it refuses in one sentence.

ApiFailed
    ApiRefused  it said no: asked again, it says no again
    ApiAway     nobody answered, or not now: ask again later
"""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from dispatcher.client.refusals import sentence
from runtime.config import ConfigError

TIMEOUT_S = 30  # a report over a year takes some seconds, a release up to ten
ANSWER_BYTES_MAX = 16 << 20  # 200 bookings with twenty drivers each are a fiftieth of it
ROWS_MAX = 200  # a page of the API
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class ApiFailed(Exception):
    """The text says why, for a person."""


class ApiRefused(ApiFailed):
    """The API said no."""


class ApiAway(ApiFailed):
    """Nobody answered, or whoever did cannot now."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The API has none, and a token is not sent to wherever somebody else points."""

    def redirect_request(self, *_request: Any) -> None:
        return None


def _opener() -> urllib.request.OpenerDirector:
    """Proxies of the environment see `https://` alone, which they cannot read: what stays on this machine stays."""
    proxies = {name: url for name, url in urllib.request.getproxies().items() if name != "http"}
    return urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler(proxies))


@dataclass(frozen=True, slots=True)
class Api:
    """The API at `url`, such as `http://127.0.0.1:8080`, for whoever has the token. All calls raise `ApiFailed`."""

    url: str
    token: str

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

    def csv(self, path: str, **query: Any) -> str:
        """As `get`, a table for spreadsheets."""
        text: str = self._ask("GET", _with(path, {**query, "format": "csv"}), None, bytes.decode)
        return text

    def post(self, path: str, **body: Any) -> Any:
        """Have something done; what is None is left out."""
        return self._ask("POST", path, body)

    def patch(self, path: str, **body: Any) -> Any:
        """Have something changed; what is None stays."""
        return self._ask("PATCH", path, body)

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None, read: Callable[[bytes], Any] = json.loads
    ) -> Any:
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        given = None
        if body is not None:
            given = json.dumps({name: value for name, value in body.items() if value is not None}).encode()
        request = urllib.request.Request(  # noqa: S310  # the scheme was looked at above
            f"{self.url.rstrip('/')}/api/v1{path}", given, headers, method=method
        )
        try:
            with _opener().open(request, timeout=TIMEOUT_S) as answer:
                return read(answer.read(ANSWER_BYTES_MAX))
        except urllib.error.HTTPError as error:
            with error:
                raise _failure(error) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise ApiAway(f"{self.url}: no answer that can be read: {_why(error)}{_doubt(method, error)}") from None


def _with(path: str, query: Mapping[str, Any]) -> str:
    given = {name.rstrip("_"): value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def path(*parts: str) -> str:
    """A path from what a person typed: a slash in it is no step of the path."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _failure(error: urllib.error.HTTPError) -> ApiFailed:
    text = sentence(error.code, error.read(ANSWER_BYTES_MAX))
    later = error.code >= HTTPStatus.INTERNAL_SERVER_ERROR or error.code == HTTPStatus.TOO_MANY_REQUESTS
    return ApiAway(text) if later else ApiRefused(text)


def _why(error: Exception) -> Any:
    return getattr(error, "reason", error)


def _doubt(method: str, error: Exception) -> str:
    """Who was not connected has done nothing; else nobody knows."""
    if method == "GET" or isinstance(_why(error), ConnectionRefusedError):
        return ""
    return "; whether it was done is not known: look before you try again"
