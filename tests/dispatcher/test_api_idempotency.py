"""`Idempotency-Key`: whoever asks again is told the same, and nothing is done twice."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry
from sqlalchemy import func, select

import dispatcher.api
from dispatcher.api.app import create_app
from dispatcher.api.tokens import Tokens
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.store.database import Database
from dispatcher.store.incidents import open_incident
from dispatcher.store.migrate import migrate_engine
from dispatcher.store.schema import bookings, commands, stored_answers
from dispatcher.store.stored_answers import KEPT_MS
from runtime.executor import ThreadExecutor
from runtime.health import Monitored
from tests.dispatcher.api_client import EVERYBODY, OTHER_TOKEN, TOKEN, Api, running_api
from tests.dispatcher.network import ELEVEN_MS, HOUR_MS, NETWORK, at, import_document
from tests.dispatcher.small_fleet import ORIGIN

BOOK: dict[str, Any] = {
    "member_id": "m-alix",
    "vehicle_id": "v-city-1",
    "start": at(ELEVEN_MS),
    "end": at(ELEVEN_MS + 2 * HOUR_MS),
    "accept_unreachable": True,
}
QUESTIONS = ("/search", "/who-held", "/export")
"""Asked by POST, since a path would tell too much. The last two are recorded each time that somebody asks."""
ANY_CITY_CAR = {**BOOK, "vehicle_id": None, "category": "city", "station_id": "gare"}


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        yield api


async def ask(api: Api, path: str, body: Any, key: str | None = "k1", method: str = "POST") -> httpx.Response:
    headers = {} if key is None else {"idempotency-key": key}
    return await api.http.request(method, f"/api/v1{path}", json=body, headers=headers)


def count(database: Database, table: Any = bookings) -> int:
    return database.read_now(
        lambda connection: connection.execute(select(func.count()).select_from(table)).scalar_one()
    )


async def test_a_booking_that_is_asked_for_again_is_the_same_one_byte_for_byte(api: Api) -> None:
    first = await ask(api, "/bookings", ANY_CITY_CAR)
    again = await ask(api, "/bookings", ANY_CITY_CAR)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    kept = ("location", "content-type", "cache-control", "etag")
    assert [again.headers[name] for name in kept] == [first.headers[name] for name in kept]
    assert count(api.database) == 1
    assert len(api.wakes) == 1
    assert api.context.counters.replays == 1


async def test_without_a_key_each_request_is_one_of_its_own(api: Api) -> None:
    for _ in range(2):
        assert (await ask(api, "/bookings", ANY_CITY_CAR, key=None)).status_code == 201
    assert (count(api.database), count(api.database, stored_answers)) == (2, 0)


async def test_another_request_under_the_key_is_refused(api: Api) -> None:
    made = (await ask(api, "/bookings", BOOK)).json()
    for path, body, method in (
        ("/bookings", {**BOOK, "member_id": "m-brahim"}, "POST"),
        (f"/bookings/{made['id']}/cancel", None, "POST"),
        (f"/bookings/{made['id']}", {"end": at(ELEVEN_MS + HOUR_MS)}, "PATCH"),
    ):
        response = await ask(api, path, body, method=method)
        assert (response.status_code, response.json()["reason"]) == (422, "idempotency_key_reused")
    assert (await api.get(f"/bookings/{made['id']}")) == made


async def test_a_change_and_a_cancellation_are_done_once(api: Api) -> None:
    made = await api.book()
    path = f"/bookings/{made['id']}"
    change = {"end": at(ELEVEN_MS + 3 * HOUR_MS)}
    changed = [await ask(api, path, change, "change", "PATCH") for _ in range(2)]
    cancelled = [await ask(api, f"{path}/cancel", None, "cancel") for _ in range(2)]
    assert [response.status_code for response in (*changed, *cancelled)] == [200] * 4
    assert changed[0].content == changed[1].content
    assert cancelled[0].content == cancelled[1].content
    assert (await api.get(path))["version"] == 3


async def test_what_was_refused_leaves_the_key_unused(api: Api) -> None:
    blocking = await api.book()
    refused = await ask(api, "/bookings", BOOK)
    assert (refused.status_code, refused.json()["reason"]) == (409, "vehicle_not_free")
    await api.post(f"/bookings/{blocking['id']}/cancel", status=200)
    assert (await ask(api, "/bookings", BOOK)).status_code == 201
    missing = await ask(api, "/bookings/none/cancel", None, "k2")
    assert (missing.status_code, count(api.database, stored_answers)) == (404, 1)


async def test_two_callers_do_not_share_a_key(api: Api) -> None:
    first = await ask(api, "/bookings", ANY_CITY_CAR)
    headers = {"idempotency-key": "k1", "authorization": f"Bearer {OTHER_TOKEN}"}
    other = await api.http.post("/api/v1/bookings", json=ANY_CITY_CAR, headers=headers)
    assert (other.status_code, "idempotency-replayed" in other.headers) == (201, False)
    assert other.json()["id"] != first.json()["id"]


async def test_an_answer_is_told_again_for_a_day(api: Api) -> None:
    first = await ask(api, f"/incidents/{await _incident(api)}/comments", {"text": "seen"})
    api.clock.at_ms += KEPT_MS - 1
    again = await ask(api, f"/incidents/{first.json()['id']}/comments", {"text": "seen"})
    assert again.content == first.content
    api.clock.at_ms += 1
    fresh = await ask(api, f"/incidents/{first.json()['id']}/comments", {"text": "seen"})
    assert len(fresh.json()["history"]) == len(first.json()["history"]) + 1


async def _incident(api: Api) -> str:
    silent = Discrepancy(IncidentKind.CABINET_SILENT, "gare-1", "a word", "none", cabinet_id="gare-1")
    api.database.write_now(lambda connection: open_incident(connection, silent, api.clock.now_ms()))
    (found,) = (await api.get("/incidents"))["items"]
    return str(found["id"])


async def test_a_command_is_given_once_and_a_release_code_told_again(api: Api) -> None:
    wanted = {"slot": 2, "reason": "badge broken"}
    given = [await ask(api, "/cabinets/gare-1/commands", wanted, "command") for _ in range(2)]
    told = [await ask(api, "/cabinets/gare-1/release-codes", wanted, "code") for _ in range(2)]
    assert given[0].content == given[1].content
    assert told[0].json()["code"] == told[1].json()["code"]
    assert count(api.database, commands) == 2
    rows = api.database.read_now(lambda connection: connection.execute(select(stored_answers)).all())
    assert told[0].json()["code"] not in str(rows)


async def test_what_somebody_wrote_past_this_program_is_not_told(api: Api) -> None:
    await ask(api, "/bookings", BOOK)
    api.database.write_now(lambda connection: connection.execute(stored_answers.update().values(sealed="bm8=")))
    response = await ask(api, "/bookings", BOOK)
    assert (response.status_code, response.json()["reason"]) == (409, "row_without_origin")


@pytest.mark.parametrize("key", ["k", "~" * 255, "a key with spaces", '"8e03978e-40d5-43dd-bc93-6894a57f9324"'])
async def test_a_key_is_up_to_255_printable_characters(api: Api, key: str) -> None:
    assert (await ask(api, "/bookings", BOOK, key)).status_code == 201


@pytest.mark.parametrize("key", ["", "~" * 256, "a\tb", "\u00e9"])
async def test_no_other_key_is_taken(api: Api, key: str) -> None:
    headers = {b"idempotency-key": key.encode("latin-1")}
    response = await api.http.post("/api/v1/bookings", json=BOOK, headers=headers)
    assert (response.status_code, response.json()["reason"]) == (422, "invalid_request")
    assert [error["field"] for error in response.json()["errors"]] == ["Idempotency-Key"]


async def test_a_request_that_is_still_being_answered_is_not_answered_twice(api: Api) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    write = api.database.write

    async def slow(work: Any) -> Any:
        begun.set()
        await go_on.wait()
        return await write(work)

    object.__setattr__(api.database, "write", slow)
    first = asyncio.create_task(ask(api, "/bookings", BOOK))
    await begun.wait()
    second = await ask(api, "/bookings", BOOK)
    assert (second.status_code, second.json()["reason"]) == (409, "request_in_progress")
    assert second.headers["retry-after"] == "1"
    go_on.set()
    assert (await first).status_code == 201
    assert (await ask(api, "/bookings", BOOK)).headers["idempotency-replayed"] == "true"
    assert count(api.database) == 1


async def test_two_programs_on_one_database_make_one_booking_of_one_key(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/d.sqlite"
    executors = [ThreadExecutor(f"writer-{number}") for number in range(2)]
    databases = [Database(url, executor, origin=ORIGIN) for executor in executors]
    migrate_engine(databases[0].engine)
    import_document(databases[0], NETWORK)
    async with running_api() as api:
        answers = await asyncio.gather(
            *(_book_by_one_key(api, database, f"k{key}") for key in range(5) for database in databases)
        )
    for key in range(5):
        one, other = answers[2 * key : 2 * key + 2]
        assert one.content == other.content
        assert (one.status_code, other.status_code) == (201, 201)
        assert {"idempotency-replayed" in answer.headers for answer in (one, other)} == {True, False}
    assert count(databases[0]) == 5
    for executor, database in zip(executors, databases, strict=True):
        await executor.close()
        database.close()


async def _book_by_one_key(api: Api, database: Database, key: str) -> httpx.Response:
    context = replace(api.context, database=database, running=set())
    app = create_app(context, tokens=lambda: Tokens(EVERYBODY), monitored=Monitored(CollectorRegistry()))
    start_ms = ELEVEN_MS + int(key[1:]) * 3 * HOUR_MS
    body = {**ANY_CITY_CAR, "start": at(start_ms), "end": at(start_ms + HOUR_MS)}
    headers = {"authorization": f"Bearer {TOKEN}", "idempotency-key": key}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as http:
        return await http.post("/api/v1/bookings", json=body, headers=headers)


# --- every endpoint that writes


async def test_every_route_that_writes_takes_a_key_and_no_other_does(api: Api) -> None:
    for path, methods in api.app.openapi()["paths"].items():
        for method, operation in methods.items():
            taken = {parameter["name"] for parameter in operation.get("parameters", ())}
            is_reading = method == "get" or path.endswith(QUESTIONS)
            assert ("Idempotency-Key" in taken) is not is_reading, (method, path)


def test_no_endpoint_writes_past_the_writer() -> None:
    folder = Path(str(dispatcher.api.__path__[0]))
    writers = {path.name for path in folder.glob("*.py") if re.search(r"database\.write\b", path.read_text())}
    recorded = {"who_held.py", "personal_data.py", "availability.py"}  # a question that leaves a record of itself
    assert writers == {"writing.py", *recorded}
