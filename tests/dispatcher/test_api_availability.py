"""Availability by place, with free intervals and a summary of each station."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.dispatcher.api_client import Api, running_api
from tests.dispatcher.network import ELEVEN_MS, HOUR_MS, at

ONE_MS = ELEVEN_MS + 2 * HOUR_MS
WINDOW: dict[str, Any] = {"from": at(ELEVEN_MS), "until": at(ONE_MS)}
BESIDE_THE_MAIRIE: dict[str, Any] = {"lat": 50.6301, "lon": 3.0601}


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        yield api


async def test_around_a_place_the_nearest_station_comes_first_with_its_distance(api: Api) -> None:
    answer = await api.get("/availability", **BESIDE_THE_MAIRIE, **WINDOW)
    assert [vehicle["vehicle_id"] for vehicle in answer["free"]] == ["v-mairie", "v-city-1", "v-city-2", "v-family"]
    near, far = answer["stations"]
    assert (near["station_id"], near["distance_m"], near["free"]) == ("mairie", 13, 1)
    assert (far["station_id"], far["free"]) == ("gare", 3)
    assert 1000 < far["distance_m"] < 1100
    assert answer["free"][0]["distance_m"] == 13


async def test_stations_beyond_the_radius_are_left_out(api: Api) -> None:
    answer = await api.get("/availability", **BESIDE_THE_MAIRIE, **WINDOW, radius_m=900)
    assert [station["station_id"] for station in answer["stations"]] == ["mairie"]
    nowhere = await api.get("/availability", lat=48.85, lon=2.35, **WINDOW)
    assert (nowhere["stations"], nowhere["reason"]) == ([], "no_such_vehicle_here")


async def test_a_place_and_a_category_are_asked_for_together_and_in_pages(api: Api) -> None:
    seen, query = [], {**BESIDE_THE_MAIRIE, **WINDOW, "category": "city", "limit": 1}
    for _ in range(3):
        page = await api.get("/availability", **query)
        seen += [vehicle["vehicle_id"] for vehicle in page["free"]]
        query["cursor"] = page["next"]
    assert seen == ["v-mairie", "v-city-1", "v-city-2"]
    assert page["next"] is None


@pytest.mark.parametrize(("given", "lacking"), [("lat", "lon"), ("lon", "lat")])
async def test_half_a_place_is_refused(api: Api, given: str, lacking: str) -> None:
    query: dict[str, Any] = {given: 3.0}
    problem = await api.get("/availability", 422, **query, **WINDOW)
    assert [fault["field"] for fault in problem["errors"]] == [lacking]


async def test_free_intervals_are_told_for_every_vehicle_that_time_holds_up(api: Api) -> None:
    await api.book(vehicle_id="v-city-1", start=at(ELEVEN_MS + HOUR_MS), end=at(ONE_MS + HOUR_MS))
    answer = await api.get("/availability", station="gare", category="city", **WINDOW, ahead_h=4)
    (taken,) = answer["not_free"]
    assert taken["free_intervals"] == [
        {"start": at(ELEVEN_MS), "end": at(ELEVEN_MS + HOUR_MS)},
        {"start": at(ONE_MS + HOUR_MS), "end": at(ONE_MS + 4 * HOUR_MS)},
    ]
    (free,) = answer["free"]
    assert free["free_intervals"] == [{"start": at(ELEVEN_MS), "end": at(ONE_MS + 4 * HOUR_MS)}]


async def test_a_next_free_interval_is_told_up_to_a_week_past_the_window_and_the_answer_says_so(api: Api) -> None:
    week_ms = 7 * 24 * HOUR_MS
    for vehicle_id, end_ms in (("v-city-1", ONE_MS + week_ms), ("v-city-2", ONE_MS + week_ms - HOUR_MS)):
        await api.book(vehicle_id=vehicle_id, end=at(end_ms))
    answer = await api.get("/availability", station="gare", category="city", **WINDOW)
    assert answer["looked_until"] == at(ONE_MS + week_ms)
    starts = {car["vehicle_id"]: car["next_free"] and car["next_free"]["start"] for car in answer["not_free"]}
    assert starts == {"v-city-1": None, "v-city-2": at(ONE_MS + week_ms - HOUR_MS)}


async def test_a_station_where_none_is_free_says_why_and_when_one_is(api: Api) -> None:
    for vehicle_id, end_ms in (("v-city-1", ONE_MS + HOUR_MS), ("v-city-2", ONE_MS)):
        await api.book(vehicle_id=vehicle_id, end=at(end_ms))
    answer = await api.get("/availability", category="city", **WINDOW)
    gare, mairie = answer["stations"]
    assert (gare["free"], gare["not_free"], gare["reason"]) == (0, 2, "vehicle_not_free")
    assert gare["next_free"]["start"] == at(ONE_MS)
    assert (mairie["free"], mairie["reason"], mairie["next_free"]) == (1, None, None)
    assert answer["reason"] is None
