"""The open data as a stranger meets it over HTTP."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from dispatcher.api.rate_limits import Limits
from dispatcher.store.schema import cabinet_links
from tests.dispatcher.api_client import NO_LIMITS, Api, running_api
from tests.dispatcher.fake_link import HandClock
from tests.dispatcher.network import set_link
from tests.dispatcher.open_data_bench import PLAN, alert, open_data

EVERY_FILE = {
    "gbfs_versions",
    "system_information",
    "system_regions",
    "station_information",
    "station_status",
    "vehicle_types",
    "vehicle_status",
    "system_pricing_plans",
    "system_alerts",
}
STATUS = "/gbfs/v3/station_status.json"


@asynccontextmanager
async def stranger(limits: Limits = NO_LIMITS, line_clock: HandClock | None = None) -> AsyncIterator[Api]:
    """Without a token, to a dispatcher that publishes."""
    settings = open_data(pricing_plans=[PLAN], alerts=[alert()])
    async with running_api(token="", limits=limits, line_clock=line_clock, open_data=settings) as api:
        set_link(api.database, "gare-1")
        set_link(api.database, "mairie-1")
        yield api


async def test_every_file_that_is_named_is_answered_to_a_stranger_as_json_of_its_version() -> None:
    async with stranger() as api:
        for folder, version in (("v3", "3.0"), ("v3.1-RC3", "3.1-RC3")):
            found = (await api.http.get(f"/gbfs/{folder}/gbfs.json")).json()["data"]["feeds"]
            more = {"vehicle_availability"} if version != "3.0" else set()
            assert {feed["name"] for feed in found} == EVERY_FILE | more
            for feed in found:
                answer = await api.http.get("/gbfs/" + feed["url"].partition("/gbfs/")[2])
                assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
                assert answer.json()["version"] == version
        assert (await api.http.get("/gbfs/gbfs.json")).content == (await api.http.get("/gbfs/v3/gbfs.json")).content


async def test_a_station_that_is_not_public_is_in_no_file() -> None:
    async with stranger() as api:
        for name in EVERY_FILE:
            text = (await api.http.get(f"/gbfs/v3.1-RC3/{name}.json")).text
            assert "mairie" not in text.lower()
        assert '"gare"' in (await api.http.get(STATUS)).text


async def test_who_has_the_file_already_is_told_so_and_a_change_is_told() -> None:
    clock = HandClock()
    async with stranger(line_clock=clock) as api:
        first = await api.http.get(STATUS)
        known = {"if-none-match": first.headers["etag"]}
        again = await api.http.get(STATUS, headers=known)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert again.headers["cache-control"] == first.headers["cache-control"]
        gone = update(cabinet_links).where(cabinet_links.c.cabinet_id == "gare-1").values(online=False)
        api.database.write_now(lambda connection: connection.execute(gone))
        clock.pass_s(5)
        changed = await api.http.get(STATUS, headers=known)
        assert changed.status_code == 200
        assert changed.json()["data"]["stations"][0]["is_renting"] is False


async def test_a_cache_may_keep_each_file_as_long_as_it_lasts_and_no_header_says_otherwise() -> None:
    async with stranger() as api:
        kept = {
            name: (await api.http.get(f"/gbfs/v3/{name}.json")).headers.get_list("cache-control")
            for name in ("station_status", "station_information", "system_information")
        }
        assert kept == {
            "station_status": ["public, no-cache"],
            "station_information": ["public, max-age=60"],
            "system_information": ["public, max-age=3600"],
        }


async def test_a_page_of_any_site_may_read_and_ask_with_a_tag() -> None:
    async with stranger() as api:
        assert (await api.http.get(STATUS)).headers["access-control-allow-origin"] == "*"
        assert (await api.http.get("/gbfs/v3/none.json")).headers["access-control-allow-origin"] == "*"
        asked = {"origin": "https://maps.example.org", "access-control-request-headers": "if-none-match"}
        before = await api.http.options(STATUS, headers=asked)
        assert before.status_code == 204
        assert before.headers["access-control-allow-headers"] == "if-none-match"
        policy = "cross-origin-resource-policy"
        assert (await api.http.get(STATUS)).headers.get_list(policy) == ["cross-origin"]
        assert (await api.http.get("/api/v1/stations")).headers.get_list(policy) == ["same-origin"]


async def test_head_is_answered_as_get_without_the_body() -> None:
    async with stranger() as api:
        whole, head = await api.http.get(STATUS), await api.http.head(STATUS)
        assert head.status_code == 200
        assert head.content == b""
        for name in ("etag", "content-length", "content-type", "cache-control"):
            assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize(
    "path",
    ["/gbfs/v2/gbfs.json", "/gbfs/v3/geofencing_zones.json", "/gbfs/v3/manifest.json", "/gbfs/v3/..%2fgbfs.json"],
)
async def test_what_is_not_published_is_not_there(path: str) -> None:
    async with stranger() as api:
        answer = await api.http.get(path)
        assert answer.status_code in {401, 404}, "a path with a slash in it is none of ours"
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_dispatcher_without_open_data_publishes_nothing() -> None:
    async with running_api(token="") as api:
        answer = await api.http.get("/gbfs/gbfs.json")
        assert (answer.status_code, answer.json()["reason"]) == (404, "not_found")
        assert "[open_data]" in answer.json()["detail"]


async def test_nothing_is_written_through_it_and_nobody_else_is_let_in_by_it() -> None:
    async with stranger() as api:
        for method in ("POST", "PUT", "DELETE"):
            assert (await api.http.request(method, STATUS)).status_code in {401, 405}
        assert (await api.http.get("/gbfs")).status_code == 401
        assert (await api.http.get("/api/v1/stations")).status_code == 401


async def test_an_aggregator_reads_every_file_of_both_versions_at_once_and_who_runs_wild_is_told_to_wait() -> None:
    async with stranger(Limits(), HandClock()) as api:
        for _ in range(3):  # three of them behind one proxy
            for folder in ("v3", "v3.1-RC3"):
                for name in EVERY_FILE:
                    assert (await api.http.get(f"/gbfs/{folder}/{name}.json")).status_code == 200
        answers = [await api.http.get(STATUS) for _ in range(Limits().readers.burst)]
        assert answers[-1].status_code == 429
        assert answers[-1].headers["retry-after"] == "1"


async def test_who_guesses_tokens_costs_the_readers_nothing() -> None:
    async with stranger(Limits(), HandClock()) as api:
        wrong = {"authorization": "Bearer wrong"}
        tried = [(await api.http.get("/api/v1/stations", headers=wrong)).status_code for _ in range(30)]
        assert set(tried) == {401, 429}
        assert (await api.http.get(STATUS)).status_code == 200


async def test_a_database_that_does_not_answer_is_no_missing_file(monkeypatch: pytest.MonkeyPatch) -> None:
    async def locked(_work: object) -> None:
        raise OperationalError("select secret", {}, Exception("database is locked"))

    async with stranger() as api:
        monkeypatch.setattr(api.database, "read", locked)
        answer = await api.http.get(STATUS)
        assert (answer.status_code, answer.headers.get_list("cache-control")) == (503, ["no-store"])


async def test_requests_are_counted_by_template_and_never_by_what_was_asked_for() -> None:
    async with stranger() as api:
        await api.http.get(STATUS)
        await api.http.get("/gbfs/v3/somebody.json")
        assert api.context.counters.requests["GET", "/gbfs/{folder}/{name}.json", 200] == 1
        assert "somebody" not in json.dumps([list(key) for key in api.context.counters.requests])
