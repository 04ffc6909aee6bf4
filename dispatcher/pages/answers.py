"""Pages as HTTP answers: tagged, so that who looks again and finds the same is sent nothing."""

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response

from dispatcher.api.etags import body_tag, names
from dispatcher.pages.looks import Look
from dispatcher.pages.rendering import AS_OF, rendered
from dispatcher.pages.times import second_text

AS_OF_HEADER = "page-as-of"
"""When the page was true: what its script shows where the page itself is the same as before."""


def page(request: Request, look: Look, template: str, **values: Any) -> Response:
    """The page, or 304 where the reader has this very one."""
    return answer(request, look, rendered(template, look, values))


def answer(request: Request, look: Look, text: str) -> Response:
    """As `page`, of a text that is rendered already."""
    tag = body_tag(text.encode())
    as_of = second_text(look.now_ms)
    headers = {
        "etag": tag,
        AS_OF_HEADER: as_of,
        "content-language": look.language,
        "vary": "accept-language, cookie",
    }
    known = request.headers.get("if-none-match")
    if known is not None and names(known, tag):
        return Response(status_code=304, headers=headers)
    return HTMLResponse(text.replace(AS_OF, as_of), headers=headers)


def plain_page(look: Look, status: int, template: str, **values: Any) -> HTMLResponse:
    """A page that nobody looks at twice."""
    text = rendered(template, look, values).replace(AS_OF, second_text(look.now_ms))
    return HTMLResponse(text, status, {"content-language": look.language})
