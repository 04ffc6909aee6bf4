"""Reports, by figures that were worked out by hand, and the unmet demand that they tell."""

import csv
import io
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import insert, select

from dispatcher.core.booking_states import BookingState
from dispatcher.store.bookings import insert_booking
from dispatcher.store.schema import rentals, unmet_demand
from tests.dispatcher.api_client import Api, running_api
from tests.dispatcher.network import ELEVEN_MS, HOUR_MS, at, booking_row, import_document

MINUTE_MS = 60_000
PERIOD: dict[str, Any] = {"from": at(ELEVEN_MS), "until": at(ELEVEN_MS + 4 * HOUR_MS)}
NO_USE = {"bookings": 0, "cancelled": 0, "no_shows": 0, "booked_h": 0, "driven_h": 0, "rentals": 0, "km": 0}


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        api.clock.at_ms = ELEVEN_MS + 3 * HOUR_MS
        yield api


def hour(number: float) -> int:
    """Hours after eleven."""
    return ELEVEN_MS + round(number * HOUR_MS)


def booked(api: Api, name: str, hours: tuple[float, float], **changes: Any) -> None:
    row = booking_row(name, hour(hours[0]), hour(hours[1]), **changes)
    assert api.database.write_now(partial(insert_booking, booking=row))


def driven(api: Api, name: str, vehicle: str, hours: tuple[float, float | None], metres: int | None = None) -> None:
    back = hours[1]
    row = {
        "booking_id": name, "vehicle_id": vehicle, "key_id": f"k-{name}", "cabinet_id": "gare-1",
        "taken_ms": hour(hours[0]), "returned_ms": None if back is None else hour(back),
        "odometer_start_m": None if metres is None else 1000,
        "odometer_end_m": None if metres is None else 1000 + metres,
    }  # fmt: skip
    api.database.write_now(lambda connection: connection.execute(insert(rentals).values(row)))


async def lines(api: Api, by: str) -> dict[str, Any]:
    report = await api.get("/reports/utilisation", by=by, **PERIOD)
    return {line["id"]: line for line in report["lines"]}


def figures(line: dict[str, Any]) -> dict[str, Any]:
    return {name: line[name] for name in NO_USE}


async def test_what_straddles_the_edges_of_the_period_counts_as_far_as_it_lies_inside(api: Api) -> None:
    booked(api, "before", (-1, 1), state=BookingState.COMPLETED)
    driven(api, "before", "v-city-1", (-0.75, 0.5), 20_000)
    booked(api, "no-show", (1, 2), state=BookingState.NO_SHOW)
    booked(api, "after", (2, 6), state=BookingState.ACTIVE)
    driven(api, "after", "v-city-1", (2.25, None))
    line = (await lines(api, "vehicle"))["v-city-1"]
    assert figures(line) == {
        "bookings": 2,
        "cancelled": 0,
        "no_shows": 1,
        "booked_h": 1 + 2,
        "driven_h": 0.5 + 0.75,  # the key is out, and it is two o'clock
        "rentals": 1,
        "km": 20,
    }
    assert line["share_in_use"] == round(1.25 / 4, 4)
    assert line["km_unknown"] == 0


async def test_a_booking_that_ended_early_or_was_cancelled_held_the_vehicle_no_longer(api: Api) -> None:
    booked(api, "early", (1, 3), state=BookingState.COMPLETED, ended_ms=hour(1.5))
    booked(api, "cancelled", (0, 4), state=BookingState.CANCELLED)
    line = (await lines(api, "vehicle"))["v-city-1"]
    assert figures(line) == {**NO_USE, "bookings": 1, "cancelled": 1, "booked_h": 0.5}


async def test_keys_that_are_out_together_count_once(api: Api) -> None:
    booked(api, "both", (0, 2), state=BookingState.COMPLETED, vehicle_id="v-family", key_id="k-family")
    driven(api, "both", "v-family", (0.25, 1.25), 5000)
    driven(api, "both", "v-family", (1, 1.5))
    driven(api, "both", "v-family", (1.1, 1.2), -500)
    line = (await lines(api, "vehicle"))["v-family"]
    assert (line["driven_h"], line["rentals"], line["km"], line["km_unknown"]) == (1.25, 3, 5, 2)


async def test_service_orders_and_rentals_without_a_booking_are_no_use(api: Api) -> None:
    booked(api, "order", (0, 3), state=BookingState.COMPLETED, purpose="cleaning")
    driven(api, "order", "v-city-1", (0, 2), 30_000)
    driven(api, "none", "v-city-1", (3, 3.5), 1000)
    assert figures((await lines(api, "vehicle"))["v-city-1"]) == NO_USE


async def test_vehicles_add_up_to_their_category_and_station(api: Api) -> None:
    booked(api, "one", (0, 1), state=BookingState.COMPLETED)
    booked(api, "two", (0, 2), state=BookingState.COMPLETED, vehicle_id="v-city-2", key_id="k-city-2")
    driven(api, "two", "v-city-2", (0, 2), 8000)
    city, gare = (await lines(api, "category"))["city"], (await lines(api, "station"))["gare"]
    for line in (city, gare):
        assert (line["bookings"], line["booked_h"], line["driven_h"], line["km"]) == (2, 3, 2, 8)
        assert line["vehicles"] == 3
        assert line["share_in_use"] == round(2 / 12, 4)


async def test_no_figure_is_told_of_an_organisation_with_fewer_than_five_drivers(api: Api) -> None:
    people = [{"id": f"m-{n}", "name": f"Agent {n}", "organisation_id": "city-hall"} for n in range(5)]
    import_document(api.database, {"members": people})
    account = {"organisation_id": "city-hall", "state": BookingState.COMPLETED}
    for number in range(4):
        booked(api, f"b-{number}", (number / 2, number / 2 + 0.5), member_id=f"m-{number}", **account)
    line = (await lines(api, "organisation"))["city-hall"]
    assert line["suppressed"] is True
    assert {value for name, value in line.items() if name not in {"id", "suppressed"}} == {None}
    booked(api, "b-4", (2, 2.5), member_id="m-4", **account)
    line = (await lines(api, "organisation"))["city-hall"]
    assert (line["suppressed"], line["bookings"], line["booked_h"]) == (False, 5, 2.5)


async def test_the_same_figures_come_as_csv(api: Api) -> None:
    booked(api, "one", (0, 1), state=BookingState.COMPLETED)
    query = {**PERIOD, "by": "vehicle"}
    asked = await api.http.get("/api/v1/reports/utilisation", params={**query, "format": "csv"})
    accepted = await api.http.get("/api/v1/reports/utilisation", params=query, headers={"accept": "text/csv"})
    assert asked.text == accepted.text
    assert asked.headers["content-type"].startswith("text/csv")
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(asked.text))}
    assert (rows["v-city-1"]["bookings"], rows["v-city-1"]["booked_h"]) == ("1", "1.0")
    assert set(rows) == {"v-city-1", "v-city-2", "v-family", "v-mairie"}


async def test_days_begin_at_midnight_in_paris_also_when_the_clocks_change(api: Api) -> None:
    for start, end, first, last in (
        ("2026-10-04", "2026-10-05", "2026-10-03T22:00:00Z", "2026-10-04T22:00:00Z"),
        ("2026-10-25", "2026-10-26", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
    ):
        report = await api.get("/reports/utilisation", **{"from": start, "until": end})  # type: ignore[arg-type]
        assert (report["from_at"], report["until_at"]) == (first, last)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"until": "2026-10-04", "from": "2026-10-04"}, "until"),
        ({"until": "2036-10-04"}, "until"),
        ({"from": "2026-02-30"}, "from"),
        ({"from": "2026-10-04T10:00:00"}, "from"),
        ({"by": "member"}, "by"),
    ],
)
async def test_a_wrong_period_is_refused_by_field(api: Api, change: dict[str, str], field: str) -> None:
    problem = await api.get("/reports/utilisation", 422, **(PERIOD | change))
    assert [fault["field"] for fault in problem["errors"]] == [field]


# --- unmet demand


def unmet(api: Api) -> list[tuple[Any, ...]]:
    statement = select(unmet_demand).order_by(*unmet_demand.primary_key)
    return [tuple(row) for row in api.database.read_now(lambda connection: connection.execute(statement).all())]


async def test_searches_and_bookings_that_found_nothing_are_counted_by_the_hour_wanted() -> None:
    async with running_api() as api:
        window: dict[str, Any] = {"from": at(hour(0.25)), "until": at(hour(2.25))}
        await api.book(vehicle_id="v-family", start=window["from"], end=window["until"])
        for _ in range(2):
            await api.get("/availability", station="gare", category="family", **window)
        await api.book(409, category="family", station_id="gare", start=window["from"], end=window["until"])
        assert unmet(api) == [
            (ELEVEN_MS, "gare", "family", "vehicle_not_free", "booking", 1),
            (ELEVEN_MS, "gare", "family", "vehicle_not_free", "search", 2),
        ]
        line = (await lines(api, "station"))["gare"]
        assert line["unmet"] == {"vehicle_not_free": 3}
        assert (await lines(api, "category"))["family"]["unmet"] == {"vehicle_not_free": 3}


async def test_what_was_found_or_asked_wrongly_is_no_unmet_demand() -> None:
    async with running_api() as api:
        window: dict[str, Any] = {"from": at(ELEVEN_MS), "until": at(ELEVEN_MS + HOUR_MS)}
        await api.get("/availability", station="gare", **window)
        await api.get("/availability", 422, station="gare", **(window | {"until": at(ELEVEN_MS)}))
        await api.get("/availability", 422, station="none", **window)
        await api.book(409, member_id="m-suspended")
        await api.book(422, end=at(ELEVEN_MS))
        assert unmet(api) == []


async def test_what_was_wanted_near_a_place_is_counted_at_the_nearest_station() -> None:
    async with running_api() as api:
        window: dict[str, Any] = {"from": at(ELEVEN_MS), "until": at(ELEVEN_MS + HOUR_MS)}
        await api.get("/availability", lat=50.6301, lon=3.0601, category="van", **window)
        assert unmet(api) == [(ELEVEN_MS, "mairie", "van", "no_such_vehicle_here", "search", 1)]
