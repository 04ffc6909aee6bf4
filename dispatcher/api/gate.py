"""What every request passes first: health for anybody, the rest with a known token and a bounded body.

The gate denies by default: a route that somebody adds is closed, also one that does not exist.
"""

from starlette.exceptions import HTTPException

from dispatcher.api.counters import OTHER, OTHER_METHOD, ApiCounters
from dispatcher.api.problems import ApiReason, Refusal
from dispatcher.api.tokens import Tokens
from runtime.listening import AsgiApp, Message, Receive, Scope, Send

OPENAPI_PATH = "/api/v1/openapi.json"
HEALTH_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
BODY_BYTES_MAX = 16 * 1024  # the largest sensible request, a booking with 20 drivers, is under 2 KiB
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
LENGTH_DIGITS_MAX = 18  # more is too large whatever it says, and Python reads no number of 5,000 digits
SCHEME = "bearer"
NOT_KEPT = (b"cache-control", b"no-store")  # answers hold people and bookings: no cache keeps them


class Gate:
    """ASGI middleware around the whole application."""

    def __init__(self, app: AsgiApp, *, tokens: Tokens, counters: ApiCounters, health: AsgiApp) -> None:
        self._app = app
        self._tokens = tokens
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
                message["headers"] = [*message.get("headers", ()), NOT_KEPT]
            await send(message)

        try:
            await self._guarded(scope, receive, sending)
        finally:
            template = getattr(scope.get("route"), "path", OTHER)
            method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
            self._counters.requests[method, template, status] += 1

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        refusal = None
        if scope["path"] != OPENAPI_PATH:
            caller = self._caller(headers.get(b"authorization"))
            if isinstance(caller, Refusal):
                refusal = caller
            else:
                scope.setdefault("state", {})["caller"] = caller
        if refusal is None and _declared_bytes(headers) > BODY_BYTES_MAX:
            refusal = Refusal(ApiReason.BODY_TOO_LARGE, f"expected at most {BODY_BYTES_MAX} bytes")
        if refusal is not None:
            self._counters.refusals[refusal.problem.reason] += 1
            await refusal.response()(scope, receive, send)
        else:
            await self._app(scope, _bounded(receive), send)

    def _caller(self, authorization: bytes | None) -> str | Refusal:
        scheme, _, token = (authorization or b"").decode("latin-1").partition(" ")
        if scheme.lower() != SCHEME or not token.strip():
            challenge = {"www-authenticate": "Bearer"}
            detail = "expected a header `Authorization: Bearer TOKEN`"
            return Refusal(ApiReason.MISSING_TOKEN, detail, headers=challenge)
        caller = self._tokens.caller(token.strip())
        if caller is None:
            challenge = {"www-authenticate": 'Bearer error="invalid_token"'}
            return Refusal(ApiReason.UNKNOWN_TOKEN, "expected a token that is registered", headers=challenge)
        return caller


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
