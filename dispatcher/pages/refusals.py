"""How a person's browser is told that it may not have a page: it is led to the sign-in, or reads why."""

import re
from typing import Any

from fastapi import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dispatcher.api.context import ApiContext
from dispatcher.api.problems import ApiReason, Refusal
from dispatcher.pages.answers import plain_page
from dispatcher.pages.looks import look_of
from runtime.listening import Scope

SIGN_IN = "/sign-in"
BACK_COOKIE = "carshare-back"
BACK_S = 600  # to find one's token and come back to the page that was asked for
BACK_CHARACTERS_MAX = 300
LOCAL_PATH = re.compile(r"/[A-Za-z0-9_-][A-Za-z0-9/_-]*|/")
"""Of this host: neither `//elsewhere` nor anything that a browser reads as another one's address."""
TO_SIGN_IN = frozenset({ApiReason.MISSING_TOKEN, ApiReason.UNKNOWN_TOKEN, ApiReason.EXPIRED_TOKEN})

_COME_AGAIN = '<!doctype html><html lang="en"><title>…</title><meta http-equiv="refresh" content="0"></html>'


def told(scope: Scope, refusal: Refusal) -> Response | None:
    """The answer to a browser that wants a page; None: who asks is a program, or a script of a page."""
    if scope["method"] != "GET" or scope["path"].startswith(("/api/", "/static/")):
        return None
    request = Request(scope)
    if "text/html" not in request.headers.get("accept", ""):
        return None
    if refusal.problem.reason not in TO_SIGN_IN:
        return refused_page(request, refusal)
    if request.headers.get("sec-fetch-site") == "cross-site":
        # a link of another site: the browser keeps the session to itself until a page of ours asks again
        return HTMLResponse(_COME_AGAIN)
    return _to_sign_in(request)


def refused_page(request: Request, refusal: Refusal) -> Response:
    """What is refused, in the reader's words."""
    context = request.scope["state"]["context"]
    assert isinstance(context, ApiContext)
    problem = refusal.problem
    look = look_of(request, context.clock.now_ms())
    response = plain_page(look, problem.status, "refused.html", problem=problem)
    response.headers.update(refusal.headers)
    return response


def way_back(path: str | None) -> str:
    """Where to go after signing in: a page of ours, whatever the cookie says."""
    if path is None or len(path) > BACK_CHARACTERS_MAX or not LOCAL_PATH.fullmatch(path):
        return "/"
    return path


def _to_sign_in(request: Request) -> RedirectResponse:
    response = RedirectResponse(SIGN_IN, 303)
    response.set_cookie(BACK_COOKIE, way_back(request.url.path), max_age=BACK_S, **cookie_flags(request))
    return response


def cookie_flags(request: Request) -> dict[str, Any]:
    """Of every cookie: no script reads it, no other site makes the browser send it."""
    return {"httponly": True, "samesite": "strict", "secure": request.url.scheme == "https", "path": "/"}
