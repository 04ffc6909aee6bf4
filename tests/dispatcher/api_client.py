"""The API as its callers meet it: through HTTP requests, over a real SQLite database in memory."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from dispatcher.api.app import Application, Endpoints
from dispatcher.api.context import ApiContext
from dispatcher.api.rate_limits import Limits, Rate
from dispatcher.api.scopes import Scope
from dispatcher.api.tokens import Token, Tokens, digest
from dispatcher.core.rules import FleetRules
from dispatcher.open_data.settings import OpenDataSettings
from dispatcher.open_data.shelf import Shelf
from dispatcher.pages.site import Site, create_site, make_site, the_site
from dispatcher.store.database import Database
from runtime.clocks import LineClock
from runtime.health import Check, Monitored
from tests.dispatcher.fake_link import HandClock
from tests.dispatcher.network import ELEVEN_MS, HOUR_MS, NOW_MS, TestClock, at, network_database

TOKEN = "a token of the booking front end"
OTHER_TOKEN = "a token of the operators' page"
EXPIRED_TOKEN = "a token that was valid until now"
EVERYBODY = (
    Token("front-end", digest(TOKEN), frozenset(Scope), None),
    Token("operators", digest(OTHER_TOKEN), frozenset(Scope), None),
    Token("expired", digest(EXPIRED_TOKEN), frozenset(Scope), NOW_MS),
)


NO_LIMITS = Limits(Rate(1, 1_000_000), Rate(1, 1_000_000))
"""The line clock of most tests stands still."""


def token_of(scope: Scope) -> str:
    """A token that may do this and nothing else."""
    return f"a token for {scope}"


NARROW = tuple(
    Token(f"only-{number}", digest(token_of(scope)), frozenset({scope}), None) for number, scope in enumerate(Scope)
)


@dataclass
class Api:
    app: FastAPI
    site: Site
    application: Application
    """Of the site: what the gate stands before."""
    http: httpx.AsyncClient
    database: Database
    clock: TestClock
    context: ApiContext
    checks: list[Check] = field(default_factory=list)
    wakes: list[int] = field(default_factory=list)
    """When the publisher was woken."""

    async def get(self, path: str, status: int = 200, **query: Any) -> Any:
        return self._answer(await self.http.get(f"/api/v1{path}", params=query), status)

    async def post(self, path: str, body: Any = None, status: int = 201) -> Any:
        return self._answer(await self.http.post(f"/api/v1{path}", json=body), status)

    async def patch(self, path: str, body: Any, status: int = 200) -> Any:
        return self._answer(await self.http.patch(f"/api/v1{path}", json=body), status)

    async def book(self, status: int = 201, **fields: Any) -> Any:
        """A booking from 11:00 to 13:00 of the first city car by Alix, unless told otherwise.

        Nothing was ever heard of the cabinets, and she does not mind.
        """
        window = {"start": at(ELEVEN_MS), "end": at(ELEVEN_MS + 2 * HOUR_MS)}
        body = {"member_id": "m-alix", "accept_unreachable": True, **window, **fields}
        if "category" not in body:
            body.setdefault("vehicle_id", "v-city-1")
        return await self.post("/bookings", body, status)

    def _answer(self, response: httpx.Response, status: int) -> Any:
        assert response.status_code == status, response.text
        body = response.json()
        if status >= 400:
            assert response.headers["content-type"] == "application/problem+json"
            assert body["status"] == status
            assert body["type"] == f"urn:carshare:problem:{body['reason']}"
        return body


@asynccontextmanager
async def running_api(
    rules: FleetRules | None = None,
    token: str = TOKEN,
    limits: Limits = NO_LIMITS,
    line_clock: LineClock | None = None,
    plant: Callable[[FastAPI], object] | None = None,
    open_data: OpenDataSettings | None = None,
) -> AsyncIterator[Api]:
    """`plant`: adds routes to an application of its own. `open_data`: it publishes that."""
    with network_database() as database:
        clock, wakes, checks = TestClock(), list[int](), list[Check]()
        line_clock, rules = line_clock or HandClock(), rules or FleetRules()
        context = ApiContext(
            database=database,
            clock=clock,
            line_clock=line_clock,
            random_bytes=Random("api").randbytes,
            rules=rules,
            digest_secret=b"m" * 32,
            wake=lambda: wakes.append(clock.now_ms()),
            open_data=None if open_data is None else Shelf(database, rules, open_data, (clock, line_clock)),
        )
        tokens = Tokens([*EVERYBODY, *NARROW])
        monitored = Monitored(CollectorRegistry(), ready=lambda: checks)
        endpoints = the_site()
        if plant is not None:
            app = make_site()
            plant(app)
            endpoints = Endpoints.of(app)
        site = create_site(context, tokens=lambda: tokens, monitored=monitored, limits=limits, endpoints=endpoints)
        transport = httpx.ASGITransport(site, raise_app_exceptions=False)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers) as http:
            yield Api(endpoints.app, site, site.application, http, database, clock, context, checks, wakes)
