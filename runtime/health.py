"""Metrics and health over HTTP, for Prometheus, systemd's timers and people with curl.

    /metrics    the registry, in the exposition format that the scraper asks for
    /healthz    200 while every check holds, else 503: is this program doing its work?
    /readyz     the same of the checks for readiness: may it be given work?
    /...        pages of its own, as JSON, for its own tools

In the demo many station agents share one port: `mount("/cabinets/42", ...)` adds `/cabinets/42/metrics`.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from prometheus_client import CollectorRegistry, make_asgi_app

from runtime.addresses import require_loopback_or_secured
from runtime.listening import AsgiApp, Receive, Scope, Send, Serving
from runtime.small_http import serve_small

METHODS = ("GET", "HEAD")


class NoSuchPage(Exception):
    """A page of a program's own was asked for something that is not there: its words are for a person."""


Page = Callable[[Mapping[str, str]], Mapping[str, Any]]
"""From the query's parameters to a JSON object. Raises NoSuchPage."""


class Check(NamedTuple):
    """One thing that should hold. `detail` is for the operator, in a few words, and holds nothing secret."""

    name: str
    ok: bool
    detail: str = ""


Checks = Callable[[], Iterable[Check]]


def _no_checks() -> Iterable[Check]:
    """Who answers at all is well."""
    return ()


@dataclass(frozen=True, slots=True)
class Monitored:
    """One program, as its monitoring sees it."""

    registry: CollectorRegistry
    health: Checks = _no_checks
    ready: Checks = _no_checks
    pages: Mapping[str, Page] = field(default_factory=dict)
    metrics_app: AsgiApp = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "metrics_app", make_asgi_app(self.registry))


class HealthApp:
    """The ASGI application: the paths of each thing monitored."""

    def __init__(self, root: Monitored) -> None:
        self._mounted: dict[str, Monitored] = {"": root}

    def mount(self, prefix: str, monitored: Monitored) -> None:
        """Adds the three paths below `prefix`, which starts with a slash and does not end with one."""
        assert prefix.startswith("/"), prefix
        assert not prefix.endswith("/"), prefix
        assert prefix not in self._mounted, prefix
        self._mounted[prefix] = monitored

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        prefix, _, page = scope["path"].rpartition("/")
        monitored = self._mounted.get(prefix)
        if monitored is None or page not in {"metrics", "healthz", "readyz", *monitored.pages}:
            await _answer(send, 404, {"error": "not_found"})
        elif scope["method"] not in METHODS:
            await _answer(send, 405, {"error": "method_not_allowed"}, allow=", ".join(METHODS))
        elif page == "metrics":
            await monitored.metrics_app(scope, receive, send)
        elif page in monitored.pages:
            await _answer_page(send, monitored.pages[page], scope["query_string"])
        else:
            checks = list(monitored.health() if page == "healthz" else monitored.ready())
            ok = all(check.ok for check in checks)
            rows = [check._asdict() for check in checks]
            await _answer(send, 200 if ok else 503, {"status": "ok" if ok else "failing", "checks": rows})


@asynccontextmanager
async def serve_health(app: HealthApp, host: str, port: int, *, field: str) -> AsyncIterator[Serving]:
    """Serves `app` on loopback while the block runs. Raises `Unsecured` for an address that others reach."""
    require_loopback_or_secured(host, field=field, secured=False, lacking="a proxy with TLS in front")
    async with serve_small(app, host, port, field=field) as serving:
        yield serving


async def _answer_page(send: Send, page: Page, query: bytes) -> None:
    try:
        body = page(dict(parse_qsl(query.decode("latin-1"))))
    except NoSuchPage as error:
        await _answer(send, 404, {"error": "not_found", "detail": str(error)})
    else:
        await _answer(send, 200, body)


async def _answer(send: Send, status: int, body: Mapping[str, Any], allow: str = "") -> None:
    text = json.dumps(body, ensure_ascii=False).encode() + b"\n"
    headers = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
        (b"content-length", str(len(text)).encode()),
    ]
    if allow:
        headers.append((b"allow", allow.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
