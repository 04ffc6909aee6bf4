"""How a page is declared: not in the API's document, and a refusal is a page, too."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from dispatcher.api.problems import Refusal
from dispatcher.pages.refusals import refused_page


class PageRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def with_words(request: Request) -> Response:
            try:
                return await handler(request)
            except Refusal as refusal:
                request.state.context.counters.refusals[refusal.problem.reason] += 1
                return refused_page(request, refusal)

        return with_words


def pages() -> APIRouter:
    """A router of pages. Each route declares its scope, `dependencies=[needs(Scope.X)]`, or is `open_to_all()`."""
    return APIRouter(route_class=PageRoute, include_in_schema=False, redirect_slashes=False)
