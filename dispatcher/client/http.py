"""Asks the API, and says what it refuses in one sentence."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

TIMEOUT_S = 30  # a report over a year takes some seconds
ROWS_MAX = 200  # a page of the API


class ApiRefused(Exception):
    """The API said no, or did not answer; the text says why."""


@dataclass(frozen=True, slots=True)
class Api:
    """The API at `url`, such as `http://127.0.0.1:8080`, for whoever has the token."""

    url: str
    token: str

    def get(self, path: str, **query: Any) -> Any:
        """Ask; what is None is left out. Raises `ApiRefused`."""
        given = {name.rstrip("_"): value for name, value in query.items() if value is not None}
        return self._ask("GET", f"{path}?{urlencode(given, doseq=True)}" if given else path, None)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Have something done; what is None is left out. Raises `ApiRefused`."""
        return self._ask("POST", path, body or {})

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        if urlsplit(self.url).scheme not in {"http", "https"}:
            raise ApiRefused(f"--api = {self.url!r}: expected http://... or https://...")
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        given = None
        if body is not None:
            given = json.dumps({name: value for name, value in body.items() if value is not None}).encode()
        request = urllib.request.Request(  # noqa: S310  # the scheme was looked at above
            f"{self.url.rstrip('/')}/api/v1{path}", given, headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310  # as above
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise ApiRefused(_sentence(error)) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise ApiRefused(f"{self.url}: no answer that can be read: {reason}") from None


def _sentence(error: urllib.error.HTTPError) -> str:
    """Problem+json as a sentence: each field with its value and what was expected, or else the detail."""
    try:
        problem = json.load(error)
        faults = [
            f"{fault['field']} = {fault.get('value', '(not shown)')}: expected {fault['expected']}"
            for fault in problem.get("errors", ())
        ]
        return f"{problem['reason']}: {'; '.join(faults) or problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"status {error.code} without a reason: is this the API of a dispatcher?"
