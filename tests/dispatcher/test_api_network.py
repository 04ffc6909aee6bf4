"""Stations, vehicles, members and availability as the API tells them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import insert

from dispatcher.store.schema import vehicle_positions, vehicle_readings
from tests.dispatcher.api_client import Api, running_api
from tests.dispatcher.network import (
    ELEVEN_MS,
    HOUR_MS,
    NETWORK,
    NOW_MS,
    at,
    import_document,
    set_booking,
    set_key,
    set_link,
)

ONE_MS = ELEVEN_MS + 2 * HOUR_MS
WINDOW: dict[str, Any] = {"from": at(ELEVEN_MS), "until": at(ONE_MS)}


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        yield api


# --- stations


async def test_a_station_tells_where_it_is_and_what_lives_there(api: Api) -> None:
    station = await api.get("/stations/gare")
    assert station["municipality"] == {"id": "lille", "name": "Lille"}
    assert (station["latitude"], station["longitude"], station["public"]) == (50.6366, 3.0706, True)
    assert {vehicle["id"]: vehicle["category"] for vehicle in station["vehicles"]} == {
        "v-city-1": "city",
        "v-city-2": "city",
        "v-family": "family",
    }


async def test_a_cabinet_never_heard_of_is_unreachable_and_its_age_unknown(api: Api) -> None:
    (cabinet,) = (await api.get("/stations/gare"))["cabinets"]
    assert (cabinet["link"], cabinet["heard_at"], cabinet["heard_age_s"]) == ("unreachable", None, None)


@pytest.mark.parametrize(
    ("online", "age_s", "link"), [(True, 60, "online"), (False, 60, "unreachable"), (True, 599, "online")]
)
async def test_a_cabinet_tells_how_old_the_knowledge_of_it_is(
    api: Api, online: bool, age_s: int, link: str
) -> None:
    set_link(api.database, "gare-1", online=online, heard_ms=NOW_MS - age_s * 1000)
    (cabinet,) = (await api.get("/stations/gare"))["cabinets"]
    assert (cabinet["link"], cabinet["heard_age_s"]) == (link, age_s)
    assert cabinet["heard_at"] == at(NOW_MS - age_s * 1000)


async def test_stations_are_listed_in_pages(api: Api) -> None:
    first = await api.get("/stations", limit=1)
    second = await api.get("/stations", limit=1, cursor=first["next"])
    assert [page["items"][0]["id"] for page in (first, second)] == ["gare", "mairie"]
    assert second["next"] is None
    assert second["items"][0] == await api.get("/stations/mairie")


@pytest.mark.parametrize("path", ["/stations/none", "/vehicles/none", "/members/none"])
async def test_what_is_not_there_is_not_found(api: Api, path: str) -> None:
    assert (await api.get(path, 404))["reason"] == "not_found"


async def test_an_id_that_cannot_be_one_is_a_wrong_field(api: Api) -> None:
    problem = await api.get("/stations/a.b", 422)
    assert [fault["field"] for fault in problem["errors"]] == ["station_id"]


# --- vehicles


async def test_a_vehicle_tells_where_its_key_is_but_not_in_which_slot(api: Api) -> None:
    set_key(api.database, "k-city-1", "in_slot")
    vehicle = await api.get("/vehicles/v-city-1")
    assert vehicle["key"] == {
        "id": "k-city-1",
        "state": "in_slot",
        "home_cabinet_id": "gare-1",
        "cabinet_id": "gare-1",
        "identity": "read",
        "since": at(NOW_MS),
        "ordered_by": None,
        "held_by": None,
    }
    assert "slot" not in json.dumps(vehicle).replace("in_slot", "")


async def test_a_key_nothing_was_heard_of_is_unknown_and_a_retired_one_is_none(api: Api) -> None:
    import_document(api.database, {"keys": [{**NETWORK["keys"][1], "life_cycle": "retired"}]})
    assert (await api.get("/vehicles/v-city-1"))["key"]["state"] == "unknown"
    assert (await api.get("/vehicles/v-city-2"))["key"] is None


async def test_a_vehicle_tells_its_last_signals_and_null_for_what_is_not_known(api: Api) -> None:
    reading = {"vehicle_id": "v-city-1", "at_ms": NOW_MS, "odometer_m": 12_345_678, "energy_percent": 80}
    api.database.write_now(lambda connection: connection.execute(insert(vehicle_readings).values(reading)))
    assert (await api.get("/vehicles/v-city-2"))["reading"] is None
    assert (await api.get("/vehicles/v-city-1"))["reading"] == {
        "at": at(NOW_MS),
        "odometer_m": 12_345_678,
        "energy_percent": 80,
        "charging": None,
        "low_voltage_mv": None,
        "doors_open": None,
        "plugged_in": None,
    }


async def test_a_vehicle_that_was_left_outside_its_bay_says_where(api: Api) -> None:
    row = {"vehicle_id": "v-city-1", "at_ms": NOW_MS, "latitude": 50.6416, "longitude": 3.0706}
    api.database.write_now(lambda connection: connection.execute(insert(vehicle_positions).values(row)))
    left_at = {"latitude": 50.6416, "longitude": 3.0706, "at": at(NOW_MS)}
    assert (await api.get("/vehicles/v-city-1"))["left_at"] == left_at
    assert (await api.get("/vehicles/v-city-2"))["left_at"] is None


async def test_vehicles_are_listed_by_station_and_category(api: Api) -> None:
    async def ids(**query: Any) -> list[str]:
        return [vehicle["id"] for vehicle in (await api.get("/vehicles", **query))["items"]]

    assert await ids() == ["v-city-1", "v-city-2", "v-family", "v-mairie"]
    assert await ids(category="city") == ["v-city-1", "v-city-2", "v-mairie"]
    assert await ids(station="gare", category="city") == ["v-city-1", "v-city-2"]
    assert await ids(station="none") == []


# --- members


async def test_members_are_searched_by_part_of_a_name_in_any_case(api: Api) -> None:
    page = await api.post("/members/search", {"name": "AGENT"}, 200)
    assert [member["id"] for member in page["items"]] == ["m-agent", "m-colleague"]


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ({"organisation_id": "city-hall"}, ["m-agent", "m-colleague"]),
        ({"standing": "suspended"}, ["m-suspended"]),
        ({"name": "agathe", "organisation_id": "city-hall", "standing": "active"}, ["m-agent"]),
        ({"name": "%_"}, []),
    ],
)
async def test_members_are_searched_by_every_field_given(
    api: Api, search: dict[str, str], found: list[str]
) -> None:
    page = await api.post("/members/search", search, 200)
    assert [member["id"] for member in page["items"]] == found


async def test_a_search_comes_in_pages(api: Api) -> None:
    first = await api.post("/members/search", {"limit": 4}, 200)
    second = await api.post("/members/search", {"limit": 4, "cursor": first["next"]}, 200)
    assert len(first["items"]) == 4
    assert len(second["items"]) == 2
    assert second["next"] is None


async def test_a_member_is_read_with_badges_but_without_their_numbers(api: Api) -> None:
    response = await api.http.get("/api/v1/members/m-alix")
    badges = {badge["id"]: badge for badge in response.json()["badges"]}
    assert set(badges) == {"b-alix", "b-alix-old"}
    assert (badges["b-alix"]["kind"], badges["b-alix"]["state"]) == ("calypso", "active")
    assert badges["b-alix-old"]["revoked_at"] == at(NOW_MS)
    assert len({badge["ref"] for badge in badges.values()}) == 2
    assert "75BCD15" not in response.text.upper()


async def test_no_route_takes_a_name_in_its_path_or_query(api: Api) -> None:
    document = api.app.openapi()
    names = {
        parameter["name"]
        for path in document["paths"].values()
        for operation in path.values()
        for parameter in operation.get("parameters", ())
    }
    assert names.isdisjoint({"name", "credential", "uid", "email", "pin", "plate"})


# --- availability


async def test_free_vehicles_tell_how_long_they_are_free(api: Api) -> None:
    await api.book(start=at(ONE_MS + HOUR_MS), end=at(ONE_MS + 2 * HOUR_MS))
    answer = await api.get("/availability", station="gare", category="city", **WINDOW)
    free = {vehicle["vehicle_id"]: vehicle["latest_end"] for vehicle in answer["free"]}
    assert free["v-city-1"] == at(ONE_MS + HOUR_MS)
    assert free["v-city-2"] == "2027-10-05T10:00:00Z"
    assert (answer["not_free"], answer["reason"], answer["next_free"]) == ([], None, None)


async def test_where_none_is_free_the_reason_and_the_next_free_interval_are_told(api: Api) -> None:
    await api.book(vehicle_id="v-city-1", end=at(ONE_MS + 2 * HOUR_MS))
    await api.book(vehicle_id="v-city-2", end=at(ONE_MS))
    answer = await api.get("/availability", station="gare", category="city", **WINDOW)
    assert answer["free"] == []
    assert {verdict["reason"] for verdict in answer["not_free"]} == {"vehicle_not_free"}
    assert answer["reason"] == "vehicle_not_free"
    assert answer["next_free"]["start"] == at(ONE_MS)


async def test_a_category_alone_looks_at_every_station(api: Api) -> None:
    answer = await api.get("/availability", category="city", **WINDOW)
    assert [vehicle["station_id"] for vehicle in answer["free"]] == ["gare", "gare", "mairie"]


async def test_a_station_without_such_a_vehicle_says_so(api: Api) -> None:
    answer = await api.get("/availability", station="mairie", category="van", **WINDOW)
    assert (answer["free"], answer["not_free"], answer["reason"]) == ([], [], "no_such_vehicle_here")


async def test_an_overdue_vehicle_is_not_offered_for_now(api: Api) -> None:
    booking = await api.book()
    set_booking(api.database, booking["id"], state="active", taken_ms=ELEVEN_MS)
    api.clock.at_ms = ONE_MS + 60_000
    answer = await api.get(
        "/availability",
        station="gare",
        category="city",
        **(WINDOW | {"from": at(ONE_MS), "until": at(ONE_MS + HOUR_MS)}),
    )
    (verdict,) = answer["not_free"]
    assert (verdict["vehicle_id"], verdict["reason"]) == ("v-city-1", "vehicle_not_back")


async def test_availability_comes_in_pages(api: Api) -> None:
    first = await api.get("/availability", category="city", limit=2, **WINDOW)
    second = await api.get("/availability", category="city", limit=2, cursor=first["next"], **WINDOW)
    assert [len(page["free"]) for page in (first, second)] == [2, 1]


@pytest.mark.parametrize(
    ("query", "reason", "field"),
    [
        ({}, "invalid_request", "station"),
        ({"station": "none"}, "unknown_station", "station"),
        ({"station": "gare", "from": "2026-10-04T11:05:00Z"}, "off_grid", "from"),
        ({"station": "gare", "until": at(ELEVEN_MS)}, "end_not_after_start", "until"),
        ({"station": "gare", "from": "2026-10-04T11:00:00"}, "time_without_offset", "from"),
    ],
)
async def test_a_wrong_question_is_refused_by_reason_and_field(
    api: Api, query: dict[str, str], reason: str, field: str
) -> None:
    problem = await api.get("/availability", 422, **(WINDOW | query))
    assert problem["reason"] == reason
    assert [fault["field"] for fault in problem["errors"]] == [field]


async def test_what_is_offered_can_be_booked_and_is_then_not_offered_any_more(api: Api) -> None:
    for _ in range(3):
        answer = await api.get("/availability", station="gare", **WINDOW)
        await api.book(vehicle_id=answer["free"][0]["vehicle_id"])
    answer = await api.get("/availability", station="gare", **WINDOW)
    assert answer["free"] == []


@pytest.mark.parametrize("asked", ["Élodie", "ÉLODIE", "élodie", "çelik"])
async def test_a_name_with_accents_is_found_in_any_case(asked: str) -> None:
    async with running_api() as api:
        import_document(api.database, {"members": [{"id": "m-elodie", "name": "Élodie Çelik"}]})
        found = await api.post("/members/search", {"name": asked}, 200)
        assert [item["id"] for item in found["items"]] == ["m-elodie"]
