"""Signing in and out, language and theme: all that a stranger may ask, with the files that pages load."""

from typing import Annotated
from urllib.parse import parse_qs

from fastapi import Depends, Request, Response
from starlette.responses import RedirectResponse

from dispatcher.api.callers import Callers, session_cookie
from dispatcher.api.context import Context
from dispatcher.api.gate import CALLERS
from dispatcher.api.problems import ApiReason, Refusal
from dispatcher.api.scopes import open_to_all
from dispatcher.pages.answers import plain_page
from dispatcher.pages.looks import LANGUAGE_COOKIE, THEME_COOKIE, Looking, Theme
from dispatcher.pages.refusals import BACK_COOKIE, SIGN_IN, cookie_flags, way_back
from dispatcher.pages.routing import pages
from dispatcher.pages.static_files import PREFIX, static_files
from dispatcher.pages.words.catalogue import Language

TOKEN_CHARACTERS_MAX = 200  # ours have 43
PREFERENCE_S = 365 * 86_400  # a year: a language is not asked for every night
FOR_EVER = "public, max-age=31536000, immutable"  # a year, by name: another content has another address

router = pages()


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form; the gate has bounded its length."""
    text = (await request.body()).decode("utf-8", "replace")
    return {name: values[-1] for name, values in parse_qs(text).items()}


Form = Annotated[dict[str, str], Depends(_form)]


@router.get(SIGN_IN, dependencies=[open_to_all()])
async def sign_in_page(look: Looking) -> Response:
    return plain_page(look, 200, "sign_in.html", reason=None)


@router.post(SIGN_IN, dependencies=[open_to_all()])
async def sign_in(request: Request, look: Looking, context: Context, form: Form) -> Response:
    """Exchange a token for a session, and go on to the page that was asked for."""
    callers = request.scope[CALLERS]
    assert isinstance(callers, Callers)
    signed_in = callers.sign_in(form.get("token", "")[:TOKEN_CHARACTERS_MAX])
    if isinstance(signed_in, Refusal):
        reason = signed_in.problem.reason
        context.counters.refusals[reason] += 1
        return plain_page(look, signed_in.problem.status, "sign_in.html", reason=reason)
    response = RedirectResponse(way_back(request.cookies.get(BACK_COOKIE)), 303)
    flags = cookie_flags(request)
    name = session_cookie(request.url.scheme)
    response.set_cookie(name, signed_in.cookie, max_age=signed_in.max_age_s, **flags)
    response.delete_cookie(BACK_COOKIE, **flags)
    return response


@router.post("/sign-out", dependencies=[open_to_all()])
async def sign_out(request: Request) -> Response:
    """The browser forgets its session."""
    response = RedirectResponse(SIGN_IN, 303)
    response.delete_cookie(session_cookie(request.url.scheme), **cookie_flags(request))
    return response


@router.post("/preferences", dependencies=[open_to_all()])
async def set_preferences(request: Request, form: Form) -> Response:
    """Language and theme, kept by the browser."""
    response = RedirectResponse(way_back(form.get("back")), 303)
    for cookie, field, values in (
        (LANGUAGE_COOKIE, "language", set(Language)),
        (THEME_COOKIE, "theme", set(Theme)),
    ):
        if form.get(field) in values:
            response.set_cookie(cookie, form[field], max_age=PREFERENCE_S, **cookie_flags(request))
    return response


@router.get(PREFIX + "/{digest}/{name}", dependencies=[open_to_all()])
async def static_file(digest: str, name: str) -> Response:
    """A file that pages load; of another version than ours there is none here any more."""
    bundle = static_files()
    found = bundle.files.get(name)
    if found is None or digest != bundle.digest:
        raise Refusal(ApiReason.NOT_FOUND, "expected a file that a page names")
    return Response(found.body, headers={"cache-control": FOR_EVER}, media_type=found.media_type)
