"""Every route of the API, walked: who may not call it, and who may."""

import re
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from fastapi import APIRouter, FastAPI

from dispatcher.api.gate import OPENAPI_PATH
from dispatcher.api.resources import resource
from dispatcher.api.route_table import Route, RouteTable
from dispatcher.api.scopes import Scope, needs
from tests.dispatcher.api_client import EXPIRED_TOKEN, TOKEN, Api, running_api, token_of


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api(token="") as api:
        api.site.close()  # a stream of events would never end
        yield api


OPEN_TO_ALL = {
    "GET /sign-in",
    "POST /sign-in",
    "POST /sign-out",
    "POST /preferences",
    "GET /static/{digest}/{name}",
    "GET /gbfs/gbfs.json",
    "GET /gbfs/{folder}/{name}.json",
}
"""What asks for no token, beside the document: to sign in, each with its reason there, and the open data."""


def walked(app: FastAPI) -> list[Route]:
    """Every route of the API and of the pages that asks for a token."""
    routes = RouteTable(app.routes).routes
    return [route for route in routes if route.template != OPENAPI_PATH and not route.is_open]


def of_the_api(app: FastAPI) -> list[Route]:
    return [route for route in walked(app) if route.template.startswith("/api/")]


def path_of(route: Route) -> str:
    return re.sub(r"\{\w+\}", "some-id", route.template)


async def ask(api: Api, route: Route, token: str = "") -> tuple[int, str | None]:
    """Status and reason of a request without a body; what the route itself says of it has no meaning here."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    response = await api.http.request(min(route.methods), path_of(route), headers=headers)
    is_problem = response.headers.get("content-type") == "application/problem+json"
    return response.status_code, response.json()["reason"] if is_problem else None


def undeclared(app: FastAPI) -> set[str]:
    return {f"{min(route.methods)} {route.template}" for route in walked(app) if route.scope is None}


async def test_every_route_that_is_described_is_walked_and_declares_its_scope(api: Api) -> None:
    described = {
        (path, method.upper()) for path, methods in api.app.openapi()["paths"].items() for method in methods
    }
    assert described == {(route.template, method) for route in of_the_api(api.app) for method in route.methods}
    assert undeclared(api.app) == set()


async def test_what_is_open_to_all_is_this_list_and_no_route_of_the_api_is_on_it(api: Api) -> None:
    routes = RouteTable(api.app.routes).routes
    assert {f"{min(route.methods)} {route.template}" for route in routes if route.is_open} == OPEN_TO_ALL


async def test_no_route_answers_without_a_token(api: Api) -> None:
    for route in walked(api.app):
        assert await ask(api, route) == (401, "missing_token"), route


async def test_no_route_answers_a_token_that_has_expired(api: Api) -> None:
    for route in walked(api.app):
        assert await ask(api, route, EXPIRED_TOKEN) == (401, "expired_token"), route


async def test_no_route_answers_a_token_of_another_scope_and_each_answers_its_own(api: Api) -> None:
    for route in walked(api.app):
        assert route.scope is not None
        for scope in Scope:
            status, reason = await ask(api, route, token_of(scope))
            is_refused = (status, reason) == (403, "insufficient_scope")
            assert is_refused is (scope is not route.scope), (route, scope, status)


async def test_a_refusal_names_the_scope_that_is_lacking(api: Api) -> None:
    headers = {"authorization": f"Bearer {token_of(Scope.BOOKINGS_READ)}"}
    response = await api.http.post("/api/v1/bookings", headers=headers, json={})
    problem = response.json()
    assert (response.status_code, problem["reason"], problem["scope"]) == (
        403,
        "insufficient_scope",
        "bookings:write",
    )
    assert problem["detail"].endswith("has bookings:read; expected bookings:write")
    assert response.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="bookings:write"'


async def test_an_expired_token_is_told_when_it_ended(api: Api) -> None:
    headers = {"authorization": f"Bearer {EXPIRED_TOKEN}"}
    response = await api.http.get("/api/v1/stations", headers=headers)
    assert response.json()["detail"].startswith("token 'expired' expired at 2026-10-04T10:07:00Z")
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    api.clock.at_ms -= 1
    assert (await api.http.get("/api/v1/stations", headers=headers)).status_code == 200


# --- routes that somebody forgets to declare


async def _answer() -> str:
    return "open"


def _planted_in_the_application(app: FastAPI) -> None:
    app.get("/api/v1/planted")(_answer)


def _planted_by_a_router(app: FastAPI) -> None:
    router = APIRouter(prefix="/api/v1")
    router.get("/planted")(_answer)
    app.include_router(router)


def _planted_as_a_resource_without_scopes(app: FastAPI) -> None:
    router = resource("planted")
    router.get("")(_answer)
    app.include_router(router)


def _planted_with_two_scopes(app: FastAPI) -> None:
    router = resource("planted")
    router.get("", dependencies=[needs(Scope.ADMIN), needs(Scope.NETWORK_READ)])(_answer)
    app.include_router(router)


PLANTS = [
    _planted_in_the_application,
    _planted_by_a_router,
    _planted_as_a_resource_without_scopes,
    _planted_with_two_scopes,
]


@pytest.mark.parametrize("plant", PLANTS)
async def test_a_route_that_declares_no_scope_is_found_and_refuses_everybody(
    plant: Callable[[FastAPI], object],
) -> None:
    async with running_api(token=TOKEN, plant=plant) as api:  # which has every scope
        assert undeclared(api.app) == {"GET /api/v1/planted"}
        response = await api.http.get("/api/v1/planted")
    assert (response.status_code, response.json()["reason"]) == (403, "insufficient_scope")


async def test_a_route_that_is_added_while_the_application_runs_is_not_reached() -> None:
    async with running_api(token=TOKEN, plant=lambda _app: None) as api:
        assert (await api.http.get("/api/v1/stations")).status_code == 200
        _planted_by_a_router(api.app)
        assert (await api.http.get("/api/v1/planted")).status_code == 404


async def test_a_resource_declares_one_scope_for_reading_and_one_for_the_rest() -> None:
    router = resource("planted", read=Scope.NETWORK_READ, write=Scope.FLEET_WRITE)
    for method in ("get", "post", "put", "patch", "delete"):
        getattr(router, method)("")(_answer)
    router.post("/search", dependencies=[needs(Scope.AUDIT_READ)])(_answer)
    scopes = {
        f"{min(route.methods)} {route.template[15:]}": route.scope for route in RouteTable(router.routes).routes
    }
    assert scopes == {
        "GET ": Scope.NETWORK_READ,
        "POST ": Scope.FLEET_WRITE,
        "PUT ": Scope.FLEET_WRITE,
        "PATCH ": Scope.FLEET_WRITE,
        "DELETE ": Scope.FLEET_WRITE,
        "POST /search": Scope.AUDIT_READ,
    }


async def test_the_document_names_the_scope_of_each_operation_and_what_it_means(api: Api) -> None:
    document = api.app.openapi()
    for route in of_the_api(api.app):
        for method in route.methods:
            assert document["paths"][route.template][method.lower()]["security"] == [{"token": [route.scope]}]
    scheme = document["components"]["securitySchemes"]["token"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert all(f"`{scope}`" in scheme["description"] for scope in Scope)
