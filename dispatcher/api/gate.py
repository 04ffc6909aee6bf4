"""What every request passes first: health for anybody, the rest with a token, its scope, and a bounded body.

This is the one place that decides who may do what, for the API and for the operators' pages alike. It denies by
default: a route that declares no scope is closed to everybody, unless it says that it is open to all, and what is
not in the table of routes is not reached.
"""

from collections.abc import Callable, Iterable

from starlette.exceptions import HTTPException
from starlette.responses import Response

from dispatcher.api.callers import SAFE_METHODS, Caller, Callers, foreign, is_same_origin
from dispatcher.api.counters import OTHER, OTHER_METHOD, ApiCounters
from dispatcher.api.problems import ApiReason, Refusal
from dispatcher.api.rate_limits import Limits, RateLimiter
from dispatcher.api.route_table import Route, RouteTable
from dispatcher.api.tokens import Token
from runtime.clocks import LineClock
from runtime.listening import AsgiApp, Message, Receive, Scope, Send

OPENAPI_PATH = "/api/v1/openapi.json"
HEALTH_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
BODY_BYTES_MAX = 16 * 1024  # the largest sensible request, a booking with 20 drivers, is under 2 KiB
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
LENGTH_DIGITS_MAX = 18  # more is too large whatever it says, and Python reads no number of 5,000 digits
ROUTE = "dispatcher.route"  # of a request: the template of its route, where there is one
CALLERS = "dispatcher.callers"  # of a request: who may ask at all
NOT_KEPT = (b"cache-control", b"no-store")  # answers hold people and bookings: no cache keeps them
GUARDED = (
    (
        b"content-security-policy",  # of the pages; whatever else is shown in a browser may do nothing at all
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
            b" form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
    ),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
)
"""Headers of every answer that does not say otherwise."""

Told = Callable[[Scope, Refusal], Response | None]
"""How a person's browser is told of a refusal; None: as a program is."""


def as_a_program(_scope: Scope, _refusal: Refusal) -> Response | None:
    """Problem+json for everybody."""
    return None


class Gate:
    """ASGI middleware around the whole application."""

    def __init__(
        self,
        app: AsgiApp,
        *,
        routes: RouteTable,
        callers: Callers,
        rates: tuple[Limits, LineClock],
        counters: ApiCounters,
        health: AsgiApp,
        told: Told = as_a_program,
    ) -> None:
        self._app = app
        self._routes = routes
        self._callers = callers
        self._told = told
        limits, self._line_clock = rates
        self._limiter = RateLimiter(limits)
        self._counters = counters
        self._health = health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] in HEALTH_PATHS:
            await self._health(scope, receive, send)
        else:
            await self._counted(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 500  # what the server answers where the application raises

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _guarded_headers(message.get("headers", ()))
            await send(message)

        try:
            await self._guarded(scope, receive, sending)
        finally:
            template = scope.get(ROUTE, OTHER)
            method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
            self._counters.requests[method, template, status] += 1

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._stranger(scope, None) if scope["path"] == OPENAPI_PATH else self._refusal(scope)
        if refusal is None and _declared_bytes(dict(scope["headers"])) > BODY_BYTES_MAX:
            refusal = Refusal(ApiReason.BODY_TOO_LARGE, f"expected at most {BODY_BYTES_MAX} bytes")
        if refusal is not None:
            self._counters.refusals[refusal.problem.reason] += 1
            response = self._told(scope, refusal) or refusal.response()
            await response(scope, receive, send)
        else:
            await self._app(scope, _bounded(receive), send)

    def _refusal(self, scope: Scope) -> Refusal | None:
        """Who asks comes first: a stranger is not told which paths there are, but for those open to all."""
        headers, route = dict(scope["headers"]), self._routes.find(scope["method"], scope["path"])
        scope[CALLERS] = self._callers
        caller = self._callers.find(scope["method"], scope["scheme"], headers)
        if isinstance(route, Route) and route.is_open:
            return self._open(scope, headers, route, caller)
        if isinstance(caller, Refusal):
            return self._stranger(scope, caller)
        token = caller.token
        scope.setdefault("state", {}).update(caller=token.name, scopes=token.scopes, session=caller.session)
        wait_s = self._limiter.caller(token.name, self._line_clock.now_us())
        if wait_s:
            return _too_many(wait_s)
        if isinstance(route, Refusal):
            return route
        scope[ROUTE] = route.template
        return _forbidden(route, token)

    def _open(
        self, scope: Scope, headers: dict[bytes, bytes], route: Route, caller: Caller | Refusal
    ) -> Refusal | None:
        """Who asks does not matter, but how often a stranger does, and whose page sent what changes something."""
        scope[ROUTE] = route.template
        if scope["method"] not in SAFE_METHODS and not is_same_origin(scope["scheme"], headers):
            return self._stranger(scope, foreign())
        if not isinstance(caller, Refusal):
            return None
        return self._reader(scope) if scope["method"] in SAFE_METHODS else self._stranger(scope, None)

    def _reader(self, scope: Scope) -> Refusal | None:
        """Nothing, as long as this address does not read too often what is open to all."""
        wait_s = self._limiter.reader(_address(scope), self._line_clock.now_us())
        return _too_many(wait_s) if wait_s else None

    def _stranger(self, scope: Scope, refusal: Refusal | None) -> Refusal | None:
        """`refusal`, as long as this address does not ask too often without a token."""
        wait_s = self._limiter.stranger(_address(scope), self._line_clock.now_us())
        return _too_many(wait_s) if wait_s else refusal


def _address(scope: Scope) -> str:
    address, _ = scope.get("client") or ("", 0)
    return str(address)


def _too_many(wait_s: int) -> Refusal:
    detail = f"expected fewer requests; the next is answered in {wait_s} s"
    return Refusal(ApiReason.TOO_MANY_REQUESTS, detail, headers={"retry-after": str(wait_s)})


def _forbidden(route: Route, token: Token) -> Refusal | None:
    """The decision: the token has the one scope that the route declares."""
    if route.scope is None:
        return Refusal(ApiReason.INSUFFICIENT_SCOPE, "this route declares no scope, and is open to nobody")
    if route.scope in token.scopes:
        return None
    challenge = {"www-authenticate": f'Bearer error="insufficient_scope", scope="{route.scope}"'}
    detail = f"token {token.name!r} has {', '.join(sorted(token.scopes))}; expected {route.scope}"
    return Refusal(ApiReason.INSUFFICIENT_SCOPE, detail, headers=challenge, scope=route.scope)


def _guarded_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """What an answer says itself goes first: files that never change may be kept, open data be read by any site."""
    given = list(headers)
    said = {name for name, _ in given}
    return [*given, *(header for header in (NOT_KEPT, *GUARDED) if header[0] not in said)]


def _declared_bytes(headers: dict[bytes, bytes]) -> int:
    """The length that the header declares; 0 where it says nothing, then the body itself is counted."""
    text = headers.get(b"content-length", b"0")
    if not text.isdigit():
        return 0
    return int(text) if len(text) <= LENGTH_DIGITS_MAX else BODY_BYTES_MAX + 1


def _bounded(receive: Receive) -> Receive:
    """`receive` that ends a body which turns out larger than its header said."""
    taken = 0

    async def receiving() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > BODY_BYTES_MAX:
            raise HTTPException(413)
        return message

    return receiving
