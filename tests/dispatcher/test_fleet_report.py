"""The report on the fleet over the API, by figures that were worked out by hand."""

import csv
import io
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest_asyncio

from dispatcher.core.booking_states import BookingState
from dispatcher.core.rules import BookingReason
from dispatcher.core.windows import DAY_MS
from dispatcher.store.bookings import insert_booking
from dispatcher.store.unmet import count_unmet
from tests.dispatcher.api_client import Api, running_api
from tests.dispatcher.network import ELEVEN_MS, HOUR_MS, at, booking_row

WEEK: dict[str, Any] = {"from": at(ELEVEN_MS), "until": at(ELEVEN_MS + 7 * DAY_MS)}


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        yield api


def held(api: Api, vehicle: str, first_h: int, hours: int, **changes: Any) -> None:
    start_ms = ELEVEN_MS + first_h * HOUR_MS
    name, station = f"{vehicle}-{first_h}", "mairie" if vehicle == "v-mairie" else "gare"
    row = booking_row(
        name, start_ms, start_ms + hours * HOUR_MS, vehicle_id=vehicle, key_id=f"k-{vehicle[2:]}",
        station_id=station, cabinet_id=f"{station}-1", state=BookingState.COMPLETED, **changes,
    )  # fmt: skip
    assert api.database.write_now(partial(insert_booking, booking=row))


def wanted(api: Api, times: int, station: str = "mairie", reason: str = "vehicle_not_free") -> None:
    for number in range(times):
        at_ms = ELEVEN_MS + number * HOUR_MS
        place = (station, "city")
        counting = partial(count_unmet, wanted_ms=at_ms, place=place, reason=BookingReason(reason), source="search")
        api.database.write_now(counting)


async def report(api: Api, **query: Any) -> tuple[dict[str, Any], list[Any]]:
    answer = await api.get("/reports/fleet", **{**WEEK, **query})
    return {it["vehicle_id"]: it for it in answer["under_used"]}, answer["short_of_cars"]


async def test_a_car_whose_bookings_fit_into_its_neighbour_could_go_and_the_busy_one_is_not_named(api: Api) -> None:
    held(api, "v-city-1", 0, 4)
    held(api, "v-city-2", 4, 48)
    under_used, _ = await report(api)
    assert "v-city-2" not in under_used  # 48 of 168 hours
    line = under_used["v-city-1"]
    assert (line["bookings"], line["booked_h"], line["share_booked"]) == (1, 4, round(4 / 168, 4))
    assert (line["fitted_here"], line["fitted_nowhere"], line["could_go"]) == (1, 0, True)
    assert line["near"] == [{"station_id": "gare", "distance_m": 0, "vehicles": 1}]
    assert line["move_to_station_id"] is None


async def test_another_station_helps_as_far_as_somebody_walks(api: Api) -> None:
    held(api, "v-city-1", 0, 4)
    held(api, "v-city-2", 0, 48)
    held(api, "v-mairie", 10, 60)
    assert (await report(api))[0]["v-city-1"]["could_go"] is False
    line = (await report(api, walk_m=1100))[0]["v-city-1"]
    assert (line["fitted_here"], line["fitted_nearby"], line["could_go"]) == (0, 1, True)
    assert [place["station_id"] for place in line["near"]] == ["gare", "mairie"]


async def test_a_car_that_could_go_is_moved_to_where_its_category_is_short(api: Api) -> None:
    held(api, "v-city-1", 0, 4)
    held(api, "v-city-2", 4, 48)
    held(api, "v-mairie", 0, 84)
    wanted(api, 3)
    under_used, short = await report(api)
    assert short == [
        {
            "station_id": "mairie",
            "category": "city",
            "vehicles": 1,
            "share_booked": 0.5,
            "unmet": {"vehicle_not_free": 3},
            "unmet_per_week": 3,
        }
    ]
    assert under_used["v-city-1"]["move_to_station_id"] == "mairie"
    assert (await report(api, short_per_week=4))[1] == []


async def test_both_tables_come_as_csv_with_the_figures_of_the_json(api: Api) -> None:
    held(api, "v-city-1", 0, 4)
    held(api, "v-city-2", 4, 48)
    held(api, "v-mairie", 0, 84)
    wanted(api, 3)
    under_used, short = await report(api, walk_m=1100)
    for table, answered in (("under_used", list(under_used.values())), ("short_of_cars", short)):
        query = {**WEEK, "walk_m": 1100, "format": "csv", "table": table}
        asked = await api.http.get("/api/v1/reports/fleet", params=query)
        assert asked.headers["content-type"].startswith("text/csv")
        lines = list(csv.DictReader(io.StringIO(asked.text)))
        assert [list(line) for line in lines] == [list(line) for line in answered]
        for line, figures in zip(lines, answered, strict=True):
            assert {name: line[name] for name in figures} == {name: cell(value) for name, value in figures.items()}


def cell(value: Any) -> str:
    """As the manual says."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case dict():
            return ";".join(f"{name}:{number}" for name, number in value.items())
        case list():
            return ";".join(f"{it['station_id']}:{it['distance_m']}:{it['vehicles']}" for it in value)
    return str(value)


async def test_what_one_vehicle_more_would_not_have_helped_makes_no_station_short(api: Api) -> None:
    wanted(api, 9, reason="cabinet_unreachable")
    assert (await report(api))[1] == []


async def test_service_orders_and_time_given_back_hold_no_vehicle(api: Api) -> None:
    held(api, "v-city-1", 0, 100, purpose="maintenance")
    held(api, "v-city-2", 0, 100, ended_ms=ELEVEN_MS + 10 * HOUR_MS)
    under_used, _ = await report(api)
    assert (under_used["v-city-1"]["booked_h"], under_used["v-city-2"]["booked_h"]) == (0, 10)
