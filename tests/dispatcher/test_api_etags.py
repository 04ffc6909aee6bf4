"""Tags: what changed since it was read is not changed past the reader, what did not is not sent again."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from starlette.responses import Response

from dispatcher.api.etags import matches, tagged
from dispatcher.store.incidents import open_incident
from tests.dispatcher.api_client import Api, running_api
from tests.dispatcher.network import ELEVEN_MS, HOUR_MS, NOW_MS, at, set_key, set_link
from tests.dispatcher.test_api_incidents import LATE

LATER = {"end": at(ELEVEN_MS + 3 * HOUR_MS)}


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        yield api


async def ask(api: Api, method: str, path: str, body: Any = None, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await api.http.request(method, f"/api/v1{path}", json=body, headers=named)


async def test_a_change_from_the_version_that_was_read_is_done(api: Api) -> None:
    path = f"/bookings/{(await api.book())['id']}"
    tag = (await ask(api, "GET", path)).headers["etag"]
    assert tag.startswith('"v1-')
    changed = await ask(api, "PATCH", path, LATER, if_match=tag)
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert changed.headers["etag"].startswith('"v2-')
    assert (await ask(api, "POST", f"{path}/cancel", if_match=changed.headers["etag"])).status_code == 200


@pytest.mark.parametrize("tag", ['"v1"', '"v1-0123456789abcdef"', 'W/"v1"', '"v3", "v1"', '"other"', "v2", '""'])
async def test_a_change_from_another_version_is_refused_and_changes_nothing(api: Api, tag: str) -> None:
    path = f"/bookings/{(await api.book())['id']}"
    before = await api.patch(path, LATER)
    for method, end, body in (("PATCH", "", {"end": at(ELEVEN_MS + HOUR_MS)}), ("POST", "/cancel", None)):
        refused = await ask(api, method, f"{path}{end}", body, if_match=tag)
        assert (refused.status_code, refused.json()["reason"]) == (412, "version_changed")
        assert refused.json()["detail"].endswith('expected "v2", its version now')
    after = await api.get(path)
    assert (after["version"], after["end"], after["state"]) == (2, before["end"], "booked")


@pytest.mark.parametrize("headers", [{}, {"if_match": "*"}])
async def test_who_names_no_version_changes_whatever_is_there(api: Api, headers: dict[str, str]) -> None:
    path = f"/bookings/{(await api.book())['id']}"
    await api.patch(path, LATER)
    assert (await ask(api, "POST", f"{path}/cancel", **headers)).status_code == 200


async def test_a_request_that_was_done_is_told_again_though_its_version_has_passed(api: Api) -> None:
    path = f"/bookings/{(await api.book())['id']}"
    asked = {"if_match": '"v1"', "idempotency_key": "k1"}
    first = await ask(api, "PATCH", path, LATER, **asked)
    again = await ask(api, "PATCH", path, LATER, **asked)
    assert again.status_code == 200
    assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])


async def test_what_the_caller_has_is_not_sent_again(api: Api) -> None:
    path = f"/bookings/{(await api.book())['id']}"
    first = await ask(api, "GET", path)
    again = await ask(api, "GET", path, if_none_match=first.headers["etag"])
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    await api.patch(path, LATER)
    assert (await ask(api, "GET", path, if_none_match=first.headers["etag"])).status_code == 200


async def test_an_answer_that_changed_without_a_new_version_is_sent(api: Api) -> None:
    path = f"/bookings/{(await api.book())['id']}"
    first = await ask(api, "GET", path)
    api.clock.at_ms = ELEVEN_MS + 3 * HOUR_MS
    api.database.write_now(lambda connection: connection.exec_driver_sql("UPDATE bookings SET state = 'active'"))
    late = await ask(api, "GET", path, if_none_match=first.headers["etag"])
    assert (late.status_code, late.json()["overdue"], late.json()["version"]) == (200, True, 1)


@pytest.mark.parametrize("path", ["/stations/gare", "/vehicles/v-city-1", "/members/m-alix", "/vehicles"])
async def test_every_answer_to_a_get_has_a_tag(api: Api, path: str) -> None:
    first = await ask(api, "GET", path)
    assert (await ask(api, "GET", path, if_none_match=f'"x", W/{first.headers["etag"]}')).status_code == 304
    assert (await ask(api, "GET", path, if_none_match="*")).status_code == 304
    assert (await ask(api, "GET", path, if_none_match='"x"')).status_code == 200


async def test_a_refusal_has_no_tag(api: Api) -> None:
    refused = await ask(api, "GET", "/bookings/none", if_none_match="*")
    assert (refused.status_code, "etag" in refused.headers) == (404, False)


@pytest.mark.parametrize(
    ("header", "does"),
    [('"v12"', True), ('"v12-ab"', True), ('"v1", "v12"', True), (" * ", True), ('"v1"', False), ("v12", False)],
)
def test_a_version_is_named_by_any_of_several_tags(header: str, *, does: bool) -> None:
    assert matches(header, 12) is does


def test_two_answers_have_two_tags_and_one_answer_has_one() -> None:
    tags = [tagged(Response(body), None).headers["etag"] for body in (b"a", b"b", b"a")]
    assert tags[0] == tags[2] != tags[1]


CHANGES = [
    ("/municipalities/lille", "PATCH", "", {"name": "Lille Métropole"}),
    ("/stations/mairie", "PATCH", "", {"public": True}),
    ("/cabinets/gare-1", "PATCH", "", {"also_serves": ["mairie"]}),
    ("/cabinets/gare-1", "PATCH", "", {"public_key": "BiSrbU2jhxElrCFN7Z169ofOkoB6xEzOfQ4fhKZTcWo"}),
    ("/cabinets/gare-1/slots/8", "PATCH", "", {"use": "spare"}),
    ("/pools/archivists", "PATCH", "", {"add_member_ids": ["m-colleague"]}),
    ("/cost-centres/archives", "PATCH", "", {"name": "Archives municipales"}),
    ("/incidents/{incident}", "POST", "/acknowledge", None),
    ("/incidents/{incident}", "POST", "/assign", {"assignee": "night-desk"}),
    ("/incidents/{incident}", "POST", "/comments", {"text": "Called."}),
    ("/vehicles/v-city-1", "PATCH", "", {"name": "Lilas 100"}),
    ("/keys/k-family", "PATCH", "", {"home_slot": 7}),
    ("/keys/k-family", "POST", "/tag", {"credential": "em4100:0100000077"}),
    ("/members/m-brahim", "PATCH", "", {"standing": "suspended"}),
    ("/badges/b-brahim", "POST", "/revoke", {"reason": "lost"}),
    ("/badges/b-brahim", "POST", "/pin", {"pin": "4711"}),
    ("/organisations/city-hall", "PATCH", "", {"name": "Mairie de Lille"}),
]


NOT_ANSWERED = {"credential", "pin", "home_slot"}
"""Of these nothing is told, and so nothing compared."""


async def open_one(api: Api) -> str:
    api.database.write_now(lambda c: open_incident(c, LATE, NOW_MS))
    return str((await api.get("/incidents"))["items"][0]["id"])


@pytest.mark.parametrize(("path", "method", "end", "body"), CHANGES, ids=lambda value: str(value)[:24])
async def test_a_thing_without_versions_is_changed_as_it_was_read(
    api: Api, path: str, method: str, end: str, body: Any
) -> None:
    path = path.format(incident=await open_one(api))
    tag = (await ask(api, "GET", path)).headers["etag"]
    stale = await ask(api, method, f"{path}{end}", body, if_match='"0123456789abcdef"')
    assert (stale.status_code, stale.json()["reason"]) == (412, "version_changed")
    assert (await ask(api, "GET", path)).headers["etag"] == tag, "nothing was changed"
    done = await ask(api, method, f"{path}{end}", body, if_match=tag)
    assert done.status_code in {200, 201}, done.text
    if not NOT_ANSWERED & (body or {}).keys():
        assert done.headers["etag"] != tag
    assert (await ask(api, "GET", path)).headers["etag"].partition("-")[0] == done.headers["etag"].partition("-")[0]


async def test_what_a_thing_tells_of_itself_is_no_change_of_it(api: Api) -> None:
    paths = {
        "/vehicles/v-city-1": {"name": "L"},
        "/cabinets/gare-1": {"also_serves": []},
        "/stations/gare": {"name": "G"},
    }
    tags = {path: (await ask(api, "GET", path)).headers["etag"] for path in paths}
    set_key(api.database, "k-city-1", "taken")
    set_link(api.database, "gare-1")
    api.clock.at_ms += HOUR_MS
    for path, body in paths.items():
        assert (await ask(api, "GET", path)).headers["etag"] != tags[path], "another answer"
        assert (await ask(api, "PATCH", path, body, if_match=tags[path])).status_code == 200


async def test_of_two_who_look_after_an_incident_the_later_one_reads_what_the_first_wrote(api: Api) -> None:
    path = f"/incidents/{await open_one(api)}"
    tag = (await ask(api, "GET", path)).headers["etag"]
    first = await ask(api, "POST", f"{path}/assign", {"assignee": "claire"}, if_match=tag)
    second = await ask(api, "POST", f"{path}/assign", {"assignee": "paul"}, if_match=tag)
    assert (first.status_code, second.status_code) == (200, 412)
    again = await ask(api, "POST", f"{path}/comments", {"text": "Called."}, if_match=first.headers["etag"])
    assert again.status_code == 201


async def test_of_two_who_read_the_same_the_later_one_is_told(api: Api) -> None:
    tag = (await ask(api, "GET", "/vehicles/v-city-1")).headers["etag"]
    first = await ask(api, "PATCH", "/vehicles/v-city-1", {"name": "Lilas 100"}, if_match=tag)
    second = await ask(api, "PATCH", "/vehicles/v-city-1", {"name": "Lilas 200"}, if_match=tag)
    assert (first.status_code, second.status_code) == (200, 412)
    assert (await api.get("/vehicles/v-city-1"))["name"] == "Lilas 100"


async def test_what_is_not_there_is_not_found_under_any_tag(api: Api) -> None:
    assert (await ask(api, "PATCH", "/vehicles/nothing", {"name": "x"}, if_match='"v1"')).status_code == 404
