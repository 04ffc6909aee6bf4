"""Who asks: a program by its bearer token, a person by the session that their token was exchanged for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple

from dispatcher.api.problems import ApiReason, Refusal
from dispatcher.api.sessions import Session, Sessions
from dispatcher.api.tokens import Token, Tokens
from runtime.clocks import Clock

SCHEME = "bearer"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER = b"x-csrf-token"
COOKIE, SECURE_COOKIE = "carshare-session", "__Host-carshare-session"
"""Over TLS the browser itself holds the second one to this host, all paths, and TLS."""

Headers = Mapping[bytes, bytes]


class Caller(NamedTuple):
    token: Token
    session: Session | None
    """None: the token itself came with the request."""


class SignedIn(NamedTuple):
    """A session that has begun."""

    cookie: str
    max_age_s: int


@dataclass(frozen=True, slots=True)
class Callers:
    """All that may ask, as the gate knows them and the sign-in page lets them in."""

    tokens: Callable[[], Tokens]
    sessions: Sessions
    clock: Clock

    def find(self, method: str, scheme: str, headers: Headers) -> Caller | Refusal:
        """Who sent a request with these headers. A bearer token goes before a session."""
        authorization = headers.get(b"authorization")
        cookie = None if authorization is not None else _cookie(headers, scheme)
        if cookie is None:
            token = self._bearer(authorization)
            return token if isinstance(token, Refusal) else Caller(token, None)
        session = self.sessions.read(cookie, self.clock.now_ms())
        if session is None:
            return _unknown()
        token = self._valid(self.tokens().of_digest(session.token_digest))
        if isinstance(token, Refusal):
            return token
        refusal = _forged(method, scheme, headers, session)
        return refusal if refusal is not None else Caller(token, session)

    def sign_in(self, text: str) -> SignedIn | Refusal:
        """A session for the owner of a token."""
        token = self._valid(self.tokens().find(text.strip()))
        if isinstance(token, Refusal):
            return token
        now_ms = self.clock.now_ms()
        length_ms = self.sessions.length_ms
        if token.expires_ms is not None:
            length_ms = min(length_ms, token.expires_ms - now_ms)
        return SignedIn(self.sessions.seal(token.digest, now_ms), round(length_ms / 1000 / self.clock.speed))

    def _bearer(self, authorization: bytes | None) -> Token | Refusal:
        scheme, _, text = (authorization or b"").decode("latin-1").partition(" ")
        if scheme.lower() != SCHEME or not text.strip():
            challenge = {"www-authenticate": "Bearer"}
            detail = "expected a header `Authorization: Bearer TOKEN`"
            return Refusal(ApiReason.MISSING_TOKEN, detail, headers=challenge)
        return self._valid(self.tokens().find(text.strip()))

    def _valid(self, token: Token | None) -> Token | Refusal:
        if token is None:
            return _unknown()
        if token.expired(self.clock.now_ms()):
            detail = f"token {token.name!r} expired at {token.expiry}: expected one that is valid now"
            return Refusal(ApiReason.EXPIRED_TOKEN, detail, headers=_INVALID)
        return token


_INVALID = {"www-authenticate": 'Bearer error="invalid_token"'}


def _unknown() -> Refusal:
    return Refusal(ApiReason.UNKNOWN_TOKEN, "expected a token that is registered", headers=_INVALID)


def session_cookie(scheme: str) -> str:
    """What the cookie is called."""
    return SECURE_COOKIE if scheme == "https" else COOKIE


def is_same_origin(scheme: str, headers: Headers) -> bool:
    """Whether a browser says that a page of ours sent the request (Fetch Metadata; else RFC 6454)."""
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site == b"same-origin"
    return headers.get(b"origin") == scheme.encode() + b"://" + headers.get(b"host", b"")


def foreign() -> Refusal:
    detail = "expected a request of one of our own pages (Sec-Fetch-Site: same-origin, or our Origin)"
    return Refusal(ApiReason.FOREIGN_ORIGIN, detail)


def _forged(method: str, scheme: str, headers: Headers, session: Session) -> Refusal | None:
    """A browser sends the cookie with whatever makes it ask: a change must show that our page did."""
    if method in SAFE_METHODS:
        return None
    if not is_same_origin(scheme, headers):
        return foreign()
    if headers.get(CSRF_HEADER, b"").decode("latin-1") != session.csrf:
        detail = "expected a header `X-CSRF-Token` with the secret of this session: load the page again"
        return Refusal(ApiReason.WRONG_CSRF_TOKEN, detail)
    return None


def _cookie(headers: Headers, scheme: str) -> str | None:
    jar = SimpleCookie()
    try:
        jar.load(headers.get(b"cookie", b"").decode("latin-1"))
    except CookieError:
        return None
    morsel = jar.get(session_cookie(scheme))
    return None if morsel is None else morsel.value
