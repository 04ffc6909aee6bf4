"""The operators' pages and the API as one application behind one gate."""

from collections.abc import Callable
from functools import cache

from fastapi import FastAPI

from dispatcher.api.app import Application, Endpoints, create_app, make_endpoints
from dispatcher.api.context import ApiContext
from dispatcher.api.rate_limits import Limits
from dispatcher.api.tokens import Tokens
from dispatcher.pages import board, signing_in
from dispatcher.pages.refusals import told
from runtime.health import Monitored

PARTS = (signing_in, board)


def make_site() -> FastAPI:
    """The API's resources and the pages; nothing of it knows a database or a clock."""
    app = make_endpoints()
    for part in PARTS:
        app.include_router(part.router)
    return app


@cache
def the_site() -> Endpoints:
    """That of this process."""
    return Endpoints.of(make_site())


def create_site(
    context: ApiContext,
    *,
    tokens: Callable[[], Tokens],
    monitored: Monitored,
    limits: Limits | None = None,
    endpoints: Endpoints | None = None,
) -> Application:
    """`dispatcher.api.app.create_app` with the pages."""
    return create_app(
        context,
        tokens=tokens,
        monitored=monitored,
        limits=limits,
        endpoints=endpoints or the_site(),
        told=told,
    )
