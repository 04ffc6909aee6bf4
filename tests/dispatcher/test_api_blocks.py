"""Blocks through the API: laid, listed, changed, ended, each refusal with its reason."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from dispatcher.core.windows import MINUTE_MS
from tests.dispatcher.api_client import Api, running_api
from tests.dispatcher.network import ELEVEN_MS, HOUR_MS, NOW_MS, at, import_document


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        yield api


async def lay(api: Api, status: int = 201, **fields: Any) -> Any:
    return await api.post("/blocks", {"vehicle_id": "v-city-1", "kind": "cleaning", **fields}, status)


async def test_a_block_names_the_bookings_that_it_is_laid_over(api: Api) -> None:
    booking = await api.book()
    block = await lay(api, expected_end=at(ELEVEN_MS + HOUR_MS), note="dog hair")
    assert block == {
        "id": block["id"],
        "vehicle_id": "v-city-1",
        "kind": "cleaning",
        "note": "dog hair",
        "start": at(NOW_MS),
        "expected_end": at(ELEVEN_MS + HOUR_MS),
        "ended_at": None,
        "author": "api/front-end",
        "created_at": at(NOW_MS),
        "changed_at": at(NOW_MS),
        "version": 1,
        "bookings": [
            {
                "booking_id": booking["id"],
                "state": "booked",
                "start": at(ELEVEN_MS),
                "end": at(ELEVEN_MS + 2 * HOUR_MS),
            }
        ],
    }
    assert await api.get(f"/blocks/{block['id']}") == block
    assert (await api.get(f"/bookings/{booking['id']}"))["grant"] == "blocked"


async def test_members_see_when_a_blocked_vehicle_is_free_again(api: Api) -> None:
    await lay(api, vehicle_id="v-family", expected_end=at(ELEVEN_MS + HOUR_MS))
    window: dict[str, Any] = {"from": at(ELEVEN_MS), "until": at(ELEVEN_MS + HOUR_MS), "station": "gare"}
    answer = await api.get("/availability", **window, category="family")
    assert (answer["reason"], answer["next_free"]["start"]) == ("vehicle_blocked", at(ELEVEN_MS + HOUR_MS))
    problem = await api.book(409, vehicle_id="v-family")
    assert problem["reason"] == "vehicle_blocked"


async def test_how_long_a_booking_can_last_ends_at_the_next_block(api: Api) -> None:
    await lay(api, start=at(ELEVEN_MS + 3 * HOUR_MS))
    window: dict[str, Any] = {"from": at(ELEVEN_MS), "until": at(ELEVEN_MS + HOUR_MS), "station": "gare"}
    answer = await api.get("/availability", **window, category="city")
    latest = {vehicle["vehicle_id"]: vehicle["latest_end"] for vehicle in answer["free"]}
    assert latest["v-city-1"] == at(ELEVEN_MS + 3 * HOUR_MS)
    assert latest["v-city-2"] > latest["v-city-1"]


async def test_a_block_is_changed_and_ended_once(api: Api) -> None:
    block = await lay(api, expected_end=at(ELEVEN_MS))
    path = f"/blocks/{block['id']}"
    changed = await api.patch(path, {"expected_end": None, "kind": "damage", "reason": "it is worse"})
    assert (changed["expected_end"], changed["kind"], changed["version"]) == (None, "damage", 2)
    assert (await api.patch(path, {"start": at(ELEVEN_MS)}, 409))["reason"] == "block_begun"
    api.clock.at_ms += MINUTE_MS
    ended = await api.post(f"{path}/end", {}, 200)
    assert ended["ended_at"] == at(NOW_MS + MINUTE_MS)
    for method, body in (("patch", {"kind": "damage"}), ("end", {})):
        answer = await (api.patch(path, body, 409) if method == "patch" else api.post(f"{path}/end", body, 409))
        assert answer["reason"] == "block_ended"
    await api.book()


async def test_a_block_that_is_yet_to_begin_can_be_moved(api: Api) -> None:
    block = await lay(api, start=at(ELEVEN_MS))
    moved = await api.patch(f"/blocks/{block['id']}", {"start": at(ELEVEN_MS + HOUR_MS)})
    assert moved["start"] == at(ELEVEN_MS + HOUR_MS)


async def test_blocks_are_listed_by_vehicle_kind_and_whether_they_go_on(api: Api) -> None:
    first = await lay(api)
    second = await lay(api, vehicle_id="v-family", kind="damage", start=at(ELEVEN_MS))
    await api.post(f"/blocks/{first['id']}/end", {"reason": "clean"}, 200)

    async def listed(**query: Any) -> list[str]:
        return [item["id"] for item in (await api.get("/blocks", **query))["items"]]

    assert await listed() == [first["id"], second["id"]]
    assert await listed(going_on="true") == [second["id"]]
    assert await listed(going_on="false") == [first["id"]]
    assert await listed(vehicle="v-city-1") == [first["id"]]
    assert await listed(kind="damage") == [second["id"]]
    page = await api.get("/blocks", limit=1)
    assert await listed(limit=1, cursor=page["next"]) == [second["id"]]


@pytest.mark.parametrize(
    ("fields", "reason", "status"),
    [
        ({"vehicle_id": "nothing"}, "unknown_vehicle", 422),
        ({"kind": "mood"}, "invalid_request", 422),
        ({"start": at(NOW_MS - HOUR_MS)}, "in_the_past", 422),
        ({"expected_end": at(NOW_MS)}, "end_not_after_start", 422),
    ],
)
async def test_a_block_that_cannot_be_laid_says_why(
    api: Api, fields: dict[str, Any], reason: str, status: int
) -> None:
    assert (await lay(api, status, **fields))["reason"] == reason
    assert (await api.get("/blocks"))["items"] == []


async def test_a_retired_vehicle_needs_no_block(api: Api) -> None:
    retired = {"id": "v-old", "name": "Old", "category": "van", "energy": "diesel", "home_station_id": "gare"}
    import_document(api.database, {"vehicles": [{**retired, "life_cycle": "retired"}]})
    assert (await lay(api, 409, vehicle_id="v-old"))["reason"] == "vehicle_not_in_service"


async def test_what_does_not_exist_is_not_found(api: Api) -> None:
    await api.get("/blocks/nothing", 404)
    await api.patch("/blocks/nothing", {"kind": "damage"}, 404)
    await api.post("/blocks/nothing/end", {}, 404)
