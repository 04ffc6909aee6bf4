"""Who may ask, how every error looks, and what the document says."""

import inspect
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from sqlalchemy.exc import OperationalError

from dispatcher.api.app import PARTS
from dispatcher.api.gate import BODY_BYTES_MAX
from dispatcher.api.problems import PROBLEMS, ApiReason
from dispatcher.core.incidents import IncidentReason
from dispatcher.core.life_cycles import NetworkReason
from dispatcher.core.rules import BookingReason
from runtime.health import Check
from tests.dispatcher.api_client import TOKEN, Api, running_api

ROUTES = [route for part in PARTS for route in part.router.routes if isinstance(route, APIRoute)]


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        yield api


@pytest_asyncio.fixture
async def stranger() -> AsyncIterator[Api]:
    async with running_api(token="") as api:
        yield api


def _method(route: APIRoute) -> str:
    assert route.methods
    return min(route.methods)


def _path(route: APIRoute) -> str:
    return re.sub(r"\{\w+\}", "some-id", route.path)


def _calls(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)


# --- routes


def test_the_routes_looked_at_here_are_all_that_the_document_describes(api: Api) -> None:
    described = {
        (path, method.upper()) for path, methods in api.app.openapi()["paths"].items() for method in methods
    }
    assert described == {(route.path, _method(route)) for route in ROUTES}
    assert len(described) >= 33


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{_method(route)} {route.path}")
def test_endpoints_and_dependencies_never_need_a_thread(route: APIRoute) -> None:
    for call in _calls(route.dependant):
        checked = call if inspect.isroutine(call) else type(call).__call__
        assert inspect.iscoroutinefunction(checked), call


async def test_exception_handlers_never_need_a_thread(api: Api) -> None:
    assert all(inspect.iscoroutinefunction(handler) for handler in _own_handlers(api))


def _own_handlers(api: Api) -> list[object]:
    return [
        handler
        for handler in api.app.exception_handlers.values()
        if getattr(handler, "__module__", "").startswith("dispatcher")
    ]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{_method(route)} {route.path}")
async def test_every_route_refuses_without_a_token(stranger: Api, route: APIRoute) -> None:
    response = await stranger.http.request(_method(route), _path(route))
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["reason"] == "missing_token"


@pytest.mark.parametrize("path", ["/", "/docs", "/api/v1", "/api/v1/nothing", "/api/v1/openapi.json/", "/metrics/"])
async def test_a_path_that_does_not_exist_is_closed_too(stranger: Api, path: str) -> None:
    assert (await stranger.http.get(path)).status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/api/v1/openapi.json"])
async def test_health_metrics_and_the_document_are_open(stranger: Api, path: str) -> None:
    assert (await stranger.http.get(path)).status_code == 200


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Bearer wrong", "unknown_token"),
        (f"Bearer {TOKEN}x", "unknown_token"),
        ("Bearer caf\xe9 \xff", "unknown_token"),
        (f"Basic {TOKEN}", "missing_token"),
        (TOKEN, "missing_token"),
        ("Bearer ", "missing_token"),
        ("", "missing_token"),
    ],
)
async def test_a_wrong_token_is_refused_and_not_repeated(stranger: Api, header: str, reason: str) -> None:
    response = await stranger.http.get("/api/v1/stations", headers={b"authorization": header.encode("latin-1")})
    assert (response.status_code, response.json()["reason"]) == (401, reason)
    assert TOKEN not in response.text


async def test_a_body_is_not_read_before_the_token_is_known(stranger: Api) -> None:
    response = await stranger.http.post("/api/v1/bookings", content=b"{" * 100)
    assert response.json()["reason"] == "missing_token"


# --- errors


async def test_an_unknown_path_and_a_wrong_method_are_problems(api: Api) -> None:
    assert (await api.get("/nothing", 404))["reason"] == "not_found"
    response = await api.http.delete("/api/v1/bookings")
    assert (response.status_code, response.json()["reason"]) == (405, "method_not_allowed")
    assert response.headers["allow"]


async def test_a_body_that_is_not_json_says_where_it_ends_to_be(api: Api) -> None:
    response = await api.http.post(
        "/api/v1/bookings", content=b'{"start": ', headers={"content-type": "application/json"}
    )
    body = response.json()
    assert (response.status_code, body["reason"]) == (400, "malformed_json")
    assert body["errors"][0]["field"] == "body"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 15_000])
async def test_a_body_that_no_parser_takes_is_refused(api: Api, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    response = await api.http.post("/api/v1/bookings", content=content, headers=headers)
    assert (response.status_code, response.json()["reason"]) == (400, "malformed_json")


async def test_a_body_of_another_type_is_told_what_to_send(api: Api) -> None:
    response = await api.http.post("/api/v1/bookings", content=b"a=b", headers={"content-type": "text/plain"})
    assert response.status_code == 422
    assert "application/json" in response.json()["errors"][0]["expected"]


async def test_a_body_over_the_limit_is_refused_by_its_header(api: Api) -> None:
    response = await api.http.post("/api/v1/bookings", content=b" " * (BODY_BYTES_MAX + 1))
    assert (response.status_code, response.json()["reason"]) == (413, "body_too_large")


async def test_a_body_over_the_limit_is_refused_though_its_header_says_nothing(api: Api) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 1024

    response = await api.http.post("/api/v1/bookings", content=pieces())
    assert (response.status_code, response.json()["reason"]) == (413, "body_too_large")


async def test_every_wrong_field_is_named_with_its_value_and_what_was_expected(api: Api) -> None:
    wrong = {"member_id": "m alix", "start": "tomorrow", "vehicle_id": 7, "colour": "blue"}
    problem = await api.post("/bookings", wrong, 422)
    assert problem["reason"] == "invalid_request"
    faults = {fault["field"]: fault for fault in problem["errors"]}
    assert set(faults) == {"member_id", "start", "end", "vehicle_id", "colour"}
    assert faults["member_id"]["value"] == '"m alix"'
    assert faults["start"]["expected"] == "an RFC 3339 time such as 2026-03-29T10:00:00+02:00"
    assert faults["end"]["expected"] == "a value"
    assert "value" not in faults["end"] or faults["end"]["value"] is None
    assert faults["vehicle_id"]["value"] == "7"


@pytest.mark.parametrize("name", ["pin", "badge_uid", "token", "password"])
async def test_a_secret_is_never_repeated_where_it_was_sent_by_mistake(api: Api, name: str) -> None:
    response = await api.http.post("/api/v1/bookings", json={name: "4711-secret"})
    assert response.status_code == 422
    assert name in {fault["field"] for fault in response.json()["errors"]}
    assert "4711" not in response.text


async def test_a_long_value_is_shortened(api: Api) -> None:
    problem = await api.post("/bookings", {"member_id": "m" * 5000}, 422)
    fault = next(fault for fault in problem["errors"] if fault["field"] == "member_id")
    assert len(fault["value"]) < 100


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "201"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"stations": "gare"}, "stations"),
        ({"cursor": "x" * 300}, "cursor"),
    ],
)
async def test_a_wrong_or_unknown_query_field_is_named(api: Api, query: dict[str, str], field: str) -> None:
    problem = await api.get("/vehicles", 422, **query)
    assert [fault["field"] for fault in problem["errors"]] == [field]


@pytest.mark.parametrize("cursor", ["", "nonsense", "e30", "WzFd", "WyJhIiwiYiJd", "W251bGxd", "WzFlOTld", "ä"])
async def test_a_cursor_that_no_list_gave_out_is_refused(api: Api, cursor: str) -> None:
    assert (await api.get("/vehicles", 422, cursor=cursor))["reason"] == "bad_cursor"


async def test_a_cursor_with_a_number_that_no_column_holds_is_refused(api: Api) -> None:
    cursor = urlsafe_b64encode(b'[100000000000000000000,"a"]').decode().rstrip("=")
    assert (await api.get("/bookings", 422, cursor=cursor))["reason"] == "bad_cursor"


async def test_a_mistake_of_ours_is_a_problem_that_tells_nothing_of_it(api: Api) -> None:
    api.clock.now_ms = lambda: 1 // 0  # type: ignore[method-assign]  # any mistake will do
    problem = await api.get(
        "/availability", 500, **{"from": "2026-10-05T10:00:00Z", "until": "2026-10-05T11:00:00Z"}, station="gare"
    )
    assert problem["reason"] == "internal_error"
    assert "division" not in json.dumps(problem)


async def test_a_database_that_does_not_answer_is_said_to_be_so(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def locked(_work: object) -> None:
        raise OperationalError("select secret", {}, Exception("database is locked"))

    monkeypatch.setattr(api.database, "read", locked)
    response = await api.http.get("/api/v1/stations")
    assert (response.status_code, response.json()["reason"]) == (503, "storage_unavailable")
    assert response.headers["retry-after"]
    assert "secret" not in response.text


# --- what is counted and told


@pytest.mark.parametrize(("path", "status"), [("/members/m-alix", 200), ("/members/none", 404)])
async def test_no_cache_keeps_an_answer(api: Api, path: str, status: int) -> None:
    response = await api.http.get(f"/api/v1{path}")
    assert response.status_code == status
    assert response.headers.get_list("cache-control") == ["no-store"]


async def test_requests_are_counted_by_route_template_and_refusals_by_reason(api: Api) -> None:
    await api.get("/bookings/unknown-1", 404)
    await api.get("/bookings/unknown-2", 404)
    await api.http.get("/nothing-with-a-name-in-it")
    await api.http.get("/api/v1/stations", headers={"authorization": "Bearer wrong"})
    counters = api.context.counters
    assert counters.requests["GET", "/api/v1/bookings/{booking_id}", 404] == 2
    assert counters.requests["GET", "other", 404] == 1
    assert counters.requests["GET", "other", 401] == 1
    assert counters.refusals == {"not_found": 3, "unknown_token": 1}


async def test_readiness_is_what_the_checks_say(api: Api) -> None:
    api.checks.append(Check("database", ok=False, detail="locked"))
    assert (await api.http.get("/readyz")).status_code == 503
    assert (await api.http.get("/healthz")).status_code == 200


def test_every_reason_has_a_status_and_a_title() -> None:
    assert set(PROBLEMS) == {*ApiReason, *BookingReason, *NetworkReason, *IncidentReason}


def test_the_document_asks_for_a_token_everywhere(api: Api) -> None:
    document = api.app.openapi()
    for path in document["paths"].values():
        assert all(len(operation["security"]) == 1 for operation in path.values())
    assert "missing_token" in document["components"]["schemas"]["ApiReason"]["enum"]


async def test_no_answer_redirects(api: Api) -> None:
    response: httpx.Response = await api.http.get("/api/v1/stations/")
    assert response.status_code == 404


async def test_methods_that_somebody_invents_are_one_series() -> None:
    async with running_api() as api:
        for number in range(50):
            await api.http.request(f"X{number}", "/nothing")
        assert {method for method, _, _ in api.context.counters.requests} == {"OTHER"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"member_id":"\\ud800"}',
        b'{"member_id":"m-alix","vehicle_id":"v-city-1","start":"\\ud800","end":"2026-10-04T13:00:00Z"}',
        b'{"\\ud800":1}',
    ],
)
async def test_half_a_surrogate_pair_is_a_wrong_value_and_no_mistake_of_ours(body: bytes) -> None:
    async with running_api() as api:
        answer = await api.http.post("/api/v1/bookings", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 422
        assert answer.json()["errors"]


async def test_a_cursor_with_half_a_surrogate_pair_is_no_cursor() -> None:
    async with running_api() as api:
        cursor = urlsafe_b64encode(b'["\\ud800"]').decode()
        assert (await api.get("/stations", 422, cursor=cursor))["reason"] == "bad_cursor"


async def test_a_length_that_no_number_holds_is_too_large() -> None:
    async with running_api() as api:
        headers = {"content-type": "application/json", "content-length": "9" * 5000}
        answer = await api.http.post("/api/v1/bookings", content=b"{}", headers=headers)
        assert answer.status_code == 413
