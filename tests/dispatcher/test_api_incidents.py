"""Incidents through the API: found, read with their history, handled by whoever has a token."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from dispatcher.core.incidents import KINDS, Discrepancy, IncidentKind
from dispatcher.core.windows import MINUTE_MS, utc_text
from dispatcher.store.incidents import close_incident, open_incident
from tests.dispatcher.api_client import OTHER_TOKEN, Api, running_api
from tests.dispatcher.network import ELEVEN_MS, HOUR_MS, NOW_MS, at

LOST = Discrepancy(IncidentKind.DEVICE_LOST, "gare-1/reader", "it answers", "no answer", cabinet_id="gare-1")
LATE = Discrepancy(IncidentKind.KEY_OVERDUE, "b-1", "back by then", "the key is out", "gare-1", "v-city-1", "b-1")


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api(token=OTHER_TOKEN) as api:
        for number, discrepancy in enumerate((LOST, LATE)):
            _begin(api, discrepancy, NOW_MS + number)
        yield api


def _begin(api: Api, discrepancy: Discrepancy, at_ms: int) -> None:
    api.database.write_now(lambda connection: open_incident(connection, discrepancy, at_ms))


async def _kinds(api: Api, **query: Any) -> list[str]:
    return [item["kind"] for item in (await api.get("/incidents", **query))["items"]]


async def test_the_newest_is_first_and_each_field_of_a_query_narrows_the_list(api: Api) -> None:
    assert await _kinds(api) == ["key_overdue", "device_lost"]
    assert await _kinds(api, kind="device_lost") == ["device_lost"]
    assert await _kinds(api, severity="warning") == ["key_overdue"]
    assert await _kinds(api, cabinet="gare-1") == ["key_overdue", "device_lost"]
    assert await _kinds(api, vehicle="v-city-1") == ["key_overdue"]
    assert await _kinds(api, booking="b-1") == ["key_overdue"]
    assert await _kinds(api, booking="b-1", kind="device_lost") == []


async def test_a_list_is_of_open_or_of_closed_ones_where_asked(api: Api) -> None:
    api.database.write_now(lambda c: close_incident(c, LOST.kind, LOST.subject, NOW_MS + MINUTE_MS))
    assert await _kinds(api, open="true") == ["key_overdue"]
    assert await _kinds(api, open="false") == ["device_lost"]
    (closed,) = (await api.get("/incidents", open="false"))["items"]
    assert closed["closed_at"] == utc_text(NOW_MS + MINUTE_MS)


async def test_a_kind_that_does_not_exist_is_named(api: Api) -> None:
    problem = await api.get("/incidents", 422, kind="nonsense")
    assert problem["errors"][0]["field"] == "kind"


async def test_the_pages_follow_one_another(api: Api) -> None:
    first = await api.get("/incidents", limit=1)
    second = await api.get("/incidents", limit=1, cursor=first["next"])
    assert [page["items"][0]["kind"] for page in (first, second)] == ["key_overdue", "device_lost"]
    assert second["next"] is None


async def test_an_incident_says_what_it_is_about_and_what_can_be_done(api: Api) -> None:
    listed = (await api.get("/incidents", kind="key_overdue"))["items"][0]
    read = await api.get(f"/incidents/{listed['id']}")
    rule = KINDS[IncidentKind.KEY_OVERDUE]
    assert read.items() >= listed.items()
    assert (read["expected"], read["seen"], read["number"]) == ("back by then", "the key is out", 2)
    assert (read["by_itself"], read["advice"]) == (rule.by_itself, rule.advice)
    assert read["runbook"] == "runbooks/key_overdue.md"
    assert [entry["what"] for entry in read["history"]] == ["opened"]


async def test_it_is_acknowledged_assigned_and_commented_by_the_caller(api: Api) -> None:
    incident = (await api.get("/incidents", kind="device_lost"))["items"][0]
    path = f"/incidents/{incident['id']}"
    await api.post(f"{path}/acknowledge", status=200)
    await api.post(f"{path}/assign", {"assignee": "Dominique"}, 200)
    after = await api.post(f"{path}/comments", {"text": "cable was loose"})
    assert (after["acknowledged_by"], after["acknowledged_at"]) == ("operators", utc_text(NOW_MS))
    assert after["assigned_to"] == "Dominique"
    assert [(entry["what"], entry["author"], entry["detail"]) for entry in after["history"][1:]] == [
        ("acknowledged", "operators", {}),
        ("assigned", "operators", {"to": "Dominique"}),
        ("commented", "operators", {"text": "cable was loose"}),
    ]
    assert (await api.get("/incidents", kind="device_lost"))["items"][0]["assigned_to"] == "Dominique"
    assert after["closed_at"] is None  # seen is not mended


async def test_one_whose_end_no_sensor_tells_is_closed_with_a_reason_and_opened_again_by_a_new_fact(
    api: Api,
) -> None:
    counted = Discrepancy(IncidentKind.INVENTORY_DUE, "gare-1", "counted", "8 keys", cabinet_id="gare-1")
    _begin(api, counted, NOW_MS)
    incident = (await api.get("/incidents", kind="inventory_due"))["items"][0]
    path = f"/incidents/{incident['id']}"
    await api.post(f"{path}/close", {}, 422)
    closed = await api.post(f"{path}/close", {"reason": "All eight hang there."}, 200)
    assert (closed["closed_at"], closed["by_hand"]) == (utc_text(NOW_MS), True)
    last = closed["history"][-1]
    assert (last["what"], last["author"], last["detail"]) == (
        "closed",
        "operators",
        {"reason": "All eight hang there."},
    )
    assert (await api.post(f"{path}/close", {"reason": "twice"}, 409))["reason"] == "incident_closed"
    _begin(api, counted, NOW_MS + MINUTE_MS)
    (again,) = (await api.get("/incidents", kind="inventory_due", open="true"))["items"]
    assert (again["id"] != incident["id"], again["reopened"]) == (True, 1)


async def test_one_that_shows_is_closed_by_nobody(api: Api) -> None:
    for incident in (await api.get("/incidents"))["items"]:
        path = f"/incidents/{incident['id']}"
        assert (await api.post(f"{path}/close", {"reason": "no"}, 409))["reason"] == "incident_ends_by_itself"
        read = await api.get(path)
        assert (read["closed_at"], read["by_hand"], len(read["history"])) == (None, False, 1)


async def test_a_comment_without_a_word_and_one_without_an_end_are_refused(api: Api) -> None:
    incident = (await api.get("/incidents"))["items"][0]
    for text in ("", "x" * 2001):
        problem = await api.post(f"/incidents/{incident['id']}/comments", {"text": text}, 422)
        assert problem["errors"][0]["field"] == "text"


async def test_what_is_not_there_is_not_found(api: Api) -> None:
    await api.get("/incidents/nothing", 404)
    await api.post("/incidents/nothing/acknowledge", status=404)
    await api.post("/incidents/nothing/assign", {"assignee": None}, 404)
    await api.post("/incidents/nothing/comments", {"text": "x"}, 404)
    await api.post("/incidents/nothing/close", {"reason": "x"}, 404)


async def test_it_names_the_next_bookings_of_its_vehicle_while_it_is_open(api: Api) -> None:
    later = await api.book(start=at(ELEVEN_MS + 24 * HOUR_MS), end=at(ELEVEN_MS + 26 * HOUR_MS))
    sooner = await api.book()
    await api.book(vehicle_id="v-city-2")
    incident = (await api.get("/incidents", kind="key_overdue"))["items"][0]
    read = await api.get(f"/incidents/{incident['id']}")
    assert [booking["id"] for booking in read["next_bookings"]] == [sooner["id"], later["id"]]
    assert read["next_bookings"][0]["start"] == sooner["start"]
    api.database.write_now(lambda c: close_incident(c, LATE.kind, LATE.subject, NOW_MS + MINUTE_MS))
    assert (await api.get(f"/incidents/{incident['id']}"))["next_bookings"] == []
