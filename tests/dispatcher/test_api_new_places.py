"""Municipalities, stations and cabinets through the API: added, and the key of a cabinet's box registered."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from contract.messages import Desired
from dispatcher.core.rules import FleetRules
from dispatcher.store.desired import DesiredMaker, mark_unknown_dirty
from dispatcher.store.links import registered_keys
from tests.dispatcher.api_client import Api, running_api

BOX_KEY = "BiSrbU2jhxElrCFN7Z169ofOkoB6xEzOfQ4fhKZTcWo"
OTHER_KEY = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"  # RFC 8037, appendix A.2
STATION = {"id": "mons", "name": "Mons Mairie", "latitude": 50.6411, "longitude": 3.1107}


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        yield api


def keys_of_boxes(api: Api) -> dict[str, str]:
    return api.database.read_now(registered_keys)


async def cabinet(api: Api, status: int = 201, **fields: Any) -> Any:
    return await api.post("/cabinets", {"id": "gare-2", "station_id": "gare", "slots": 16, **fields}, status)


async def test_a_new_station_opens_with_its_cabinet_and_its_cars_are_booked(api: Api) -> None:
    town = await api.post("/municipalities", {"name": "Mons-en-Baroeul"})
    station = await api.post("/stations", {**STATION, "municipality_id": town["id"], "reason": "street works over"})
    assert (station["life_cycle"], station["public"], station["cabinets"]) == ("ordered", True, [])
    assert station["municipality"] == {"id": town["id"], "name": "Mons-en-Baroeul"}
    made = await cabinet(api, id="mons-1", station_id="mons", also_serves=["gare"], reason="delivered")
    assert (made["slots"], made["also_serves"], made["provisioned"]) == (16, ["gare"], False)
    assert keys_of_boxes(api) == {}
    await api.patch("/cabinets/mons-1", {"public_key": BOX_KEY, "reason": "installed"})
    assert keys_of_boxes(api) == {"mons-1": BOX_KEY}
    for path in ("/cabinets/mons-1", "/stations/mons"):
        await api.patch(path, {"life_cycle": "in_service"})
    car = {"name": "Lilas 009", "category": "van", "energy": "diesel", "home_station_id": "mons"}
    vehicle = await api.post("/vehicles", {**car, "life_cycle": "in_service"})
    home = {"vehicle_id": vehicle["id"], "home_cabinet_id": "mons-1", "home_slot": 16}
    await api.post("/keys", {**home, "life_cycle": "in_service"})
    assert (await api.book(vehicle_id=vehicle["id"]))["cabinet_id"] == "mons-1"
    changes = (await api.get("/changes", what="cabinets", subject="mons-1"))["items"]
    assert [change["reason"] for change in changes] == ["delivered", "delivered", "installed", None]
    assert (await api.get(f"/municipalities/{town['id']}"))["stations"] == 1


async def test_a_new_cabinet_is_told_its_wanted_state_before_it_is_in_service(api: Api) -> None:
    told: dict[str, Desired] = {}

    def sign(desired: Desired) -> bytes:
        told[desired.cabinet] = desired
        return b"signed"

    await cabinet(api, public_key=BOX_KEY)
    maker = DesiredMaker(FleetRules(), b"m" * 32, sign)
    api.database.write_now(mark_unknown_dirty)
    api.database.write_now(lambda c: maker.refresh(c, api.clock.now_ms(), 0, 10))
    assert told["gare-2"].grants == ()
    assert len(told["gare-2"].keys) == 4, "so that any key can be brought there"


async def test_the_key_of_a_box_is_replaced_taken_away_and_not_given_to_a_retired_cabinet(api: Api) -> None:
    await cabinet(api, public_key=BOX_KEY)
    assert (await api.patch("/cabinets/gare-2", {"public_key": OTHER_KEY}))["provisioned"] is True
    assert keys_of_boxes(api) == {"gare-2": OTHER_KEY}
    assert (await api.patch("/cabinets/gare-2", {"public_key": None}))["provisioned"] is False
    assert keys_of_boxes(api) == {}
    await api.patch("/cabinets/gare-2", {"life_cycle": "retired"})
    assert (await api.patch("/cabinets/gare-2", {"public_key": BOX_KEY}, 409))["reason"] == "cabinet_retired"


@pytest.mark.parametrize(
    ("path", "fields", "reason", "status"),
    [
        ("/municipalities", {"id": "lille", "name": "Lille"}, "id_in_use", 409),
        ("/stations", {**STATION, "id": "gare", "municipality_id": "lille"}, "id_in_use", 409),
        ("/stations", {**STATION, "municipality_id": "nowhere"}, "no_such_municipality", 422),
        ("/stations", {**STATION, "municipality_id": "lille", "latitude": 91}, "invalid_request", 422),
        ("/stations", {**STATION, "municipality_id": "lille", "life_cycle": "retired"}, "invalid_request", 422),
        ("/cabinets", {"id": "gare-1", "station_id": "gare", "slots": 8}, "id_in_use", 409),
        ("/cabinets", {"id": "gare-2", "station_id": "moon", "slots": 8}, "no_such_station", 422),
        ("/cabinets", {"id": "Gare_2", "station_id": "gare", "slots": 8}, "invalid_request", 422),
        ("/cabinets", {"id": "gare-2", "station_id": "gare", "slots": 129}, "invalid_request", 422),
        (
            "/cabinets",
            {"id": "gare-2", "station_id": "gare", "slots": 8, "also_serves": ["moon"]},
            "no_such_station",
            422,
        ),
        (
            "/cabinets",
            {"id": "gare-2", "station_id": "gare", "slots": 8, "public_key": f"{BOX_KEY[:-1]}="},
            "invalid_request",
            422,
        ),
    ],
)
async def test_a_place_that_cannot_be_is_not_made(
    api: Api, path: str, fields: dict[str, Any], reason: str, status: int
) -> None:
    before = await api.get(path)
    problem = await api.post(path, fields, status)
    assert problem["reason"] == reason
    assert problem["errors"][0]["expected"]
    assert await api.get(path) == before


async def test_no_cabinet_goes_into_service_at_a_station_that_is_retired(api: Api) -> None:
    await api.post("/stations", {**STATION, "municipality_id": "lille"})
    await api.patch("/stations/mons", {"life_cycle": "retired"})
    made = await cabinet(api, 409, station_id="mons", life_cycle="in_service")
    assert made["reason"] == "station_retired"


async def test_a_municipality_is_renamed(api: Api) -> None:
    assert (await api.patch("/municipalities/lille", {"name": "Lille Métropole"}))["name"] == "Lille Métropole"
    await api.patch("/municipalities/nowhere", {"name": "N"}, 404)
