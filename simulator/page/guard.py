"""Who may ask: a browser on this machine, from this page alone.

The page moves locks, if only of a simulated world. A foreign page in the same browser reaches loopback too: under
a name of its own that it points here (DNS rebinding: another `Host`), or by sending from its own origin (CSRF:
another `Origin`, `Sec-Fetch-Site`). Neither gets an answer, and no answer may be framed or read elsewhere.
"""

from typing import Final

from runtime.listening import AsgiApp, Message, Receive, Scope, Send

NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
OURS: Final = frozenset({"same-origin", "none"})  # `none`: typed in, or a bookmark
SAFE: Final = frozenset({"GET", "HEAD"})
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)
BODY_TYPE: Final = "application/json"  # no form can send it


class Guard:
    """Asks before the application does."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", "serve_asgi speaks HTTP alone, without lifespan here"
        fault = refusal(scope)
        if fault is not None:
            await _refuse(send, fault)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        await self._app(scope, receive, guarded)


def refusal(scope: Scope) -> str | None:
    """Why a request is not answered; None: it is."""
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    port = scope["server"][1]
    hosts = {f"{name}:{port}" for name in NAMES}
    host = headers.get(b"host", "")
    if host not in hosts:
        return f"host: expected one of {', '.join(sorted(hosts))}"
    site = headers.get(b"sec-fetch-site")
    if site is not None and site not in OURS:
        return "sec-fetch-site: expected same-origin: this page answers no other"
    origin = headers.get(b"origin")
    is_safe = scope["method"] in SAFE
    if (origin is not None or not is_safe) and origin != f"http://{host}":
        return f"origin: expected http://{host}: this page takes no orders from another"
    if not is_safe and headers.get(b"content-type", "").partition(";")[0].strip() != BODY_TYPE:
        return f"content-type: expected {BODY_TYPE}"
    return None


async def _refuse(send: Send, fault: str) -> None:
    text = f"{fault}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": [*headers, *HEADERS]})
    await send({"type": "http.response.body", "body": text})
