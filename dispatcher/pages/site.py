"""The operators' pages and the API as one application behind one gate."""

from collections.abc import Callable
from functools import cache

from fastapi import FastAPI

from dispatcher.api.app import Application, Endpoints, create_app, make_endpoints
from dispatcher.api.context import ApiContext
from dispatcher.api.rate_limits import Limits
from dispatcher.api.tokens import Tokens
from dispatcher.pages import board, bookings, caller, incidents, live, signing_in, stations, vehicles
from dispatcher.pages.hub import Hub
from dispatcher.pages.live import HUB
from dispatcher.pages.refusals import told
from runtime.health import Monitored
from runtime.listening import Receive, Scope, Send

PARTS = (signing_in, board, incidents, stations, vehicles, bookings, caller, live)


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


class Site:
    """The application with those who look at it live. Whoever stops it closes it first: streams never end alone."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.hub = Hub(application.context.database)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[HUB] = self.hub
        await self.application(scope, receive, send)

    def close(self) -> None:
        self.hub.close()


def create_site(
    context: ApiContext,
    *,
    tokens: Callable[[], Tokens],
    monitored: Monitored,
    limits: Limits | None = None,
    endpoints: Endpoints | None = None,
) -> Site:
    """`dispatcher.api.app.create_app` with the pages."""
    endpoints = endpoints or the_site()
    return Site(
        create_app(context, tokens=tokens, monitored=monitored, limits=limits, endpoints=endpoints, told=told)
    )
