"""Vehicles, keys, slots, cabinets and stations through the API: added, changed, moved, retired."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select, update

from contract.messages import Desired
from dispatcher.core.rules import FleetRules
from dispatcher.store.desired import DesiredMaker
from dispatcher.store.schema import desired_states, key_tags, keys
from tests.dispatcher.api_client import Api, running_api
from tests.dispatcher.network import NOW_MS, import_document, set_key


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        yield api


class Told:
    """What the boxes are told, as far as a test looks."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._messages: dict[str, Desired] = {}
        self._maker = DesiredMaker(FleetRules(), b"m" * 32, self._keep)

    def _keep(self, desired: Desired) -> bytes:
        self._messages[desired.cabinet] = desired
        return b"signed"

    def now(self, cabinet: str = "gare-1") -> Desired:
        self._api.database.write_now(lambda c: self._maker.refresh(c, self._api.clock.now_ms(), 0, 10))
        return self._messages[cabinet]

    def dirty(self) -> set[str]:
        statement = select(desired_states.c.cabinet_id).where(desired_states.c.dirty)
        return set(self._api.database.read_now(lambda c: c.execute(statement).scalars().all()))


@pytest.fixture
def told(api: Api) -> Told:
    told = Told(api)
    told.now()
    assert told.dirty() == set()
    return told


async def vehicle(api: Api, status: int = 201, **fields: Any) -> Any:
    body = {"name": "Lilas 009", "category": "van", "energy": "diesel", "home_station_id": "gare", **fields}
    return await api.post("/vehicles", body, status)


# --- vehicles and keys


async def test_a_vehicle_that_is_added_gets_a_key_with_a_tag_and_can_be_booked(api: Api, told: Told) -> None:
    made = await vehicle(api, plate="AB123CD", reason="leased")
    assert (made["life_cycle"], made["key"], made["plate"]) == ("ordered", None, "AB123CD")
    await api.patch(f"/vehicles/{made['id']}", {"life_cycle": "in_service"})
    home = {"vehicle_id": made["id"], "home_cabinet_id": "gare-1", "home_slot": 5}
    key = await api.post("/keys", {**home, "life_cycle": "in_service"})
    tagged = await api.post(f"/keys/{key['id']}/tag", {"credential": "em4100:0100000009"}, 200)
    assert tagged["tags"] == 1
    assert told.dirty() == {"gare-1", "mairie-1"}
    entries = {entry.key: entry for entry in told.now().keys}
    assert (entries[key["id"]].home_slot, entries[key["id"]].category) == (5, "van")
    assert len(entries[key["id"]].tag_digests) == 1
    booking = await api.book(vehicle_id=made["id"])
    assert booking["cabinet_id"] == "gare-1"


async def test_who_changed_what_of_a_vehicle_is_kept_without_its_names(api: Api) -> None:
    await api.patch("/vehicles/v-city-1", {"name": "Paul's car", "category": "van", "reason": "refitted"})
    answer = await api.get("/changes", what="vehicles", subject="v-city-1")
    (change,) = answer["items"]
    assert change == {
        "at": "2026-10-04T10:07:00Z",
        "author": "api/front-end",
        "reason": "refitted",
        "before": {"category": "city", "name": "(not kept)"},
        "after": {"category": "van", "name": "(not kept)"},
    }


async def test_a_vehicle_that_is_booked_or_out_is_not_retired(api: Api) -> None:
    booking = await api.book()
    retired = {"life_cycle": "retired"}
    assert (await api.patch("/vehicles/v-city-1", retired, 409))["reason"] == "has_bookings"
    assert (await api.patch("/vehicles/v-city-1", {"home_station_id": "mairie"}, 409))["reason"] == "has_bookings"
    await api.post(f"/bookings/{booking['id']}/cancel", status=200)
    set_key(api.database, "k-city-1", "taken")
    assert (await api.patch("/vehicles/v-city-1", retired, 409))["reason"] == "key_is_out"
    assert (await api.get("/vehicles/v-city-1"))["life_cycle"] == "in_service"
    answer = await api.get("/changes", what="vehicles", subject="v-city-1")
    assert answer["items"] == []  # what is refused is undone


async def test_a_retired_vehicle_is_blocked_on_its_box_and_does_not_come_back(api: Api, told: Told) -> None:
    await api.patch("/vehicles/v-city-1", {"life_cycle": "retired", "reason": "sold"})
    assert told.dirty() == {"gare-1"}
    assert told.now().blocked == ("k-city-1",)
    back = await api.patch("/vehicles/v-city-1", {"life_cycle": "in_service"}, 409)
    assert back["reason"] == "life_cycle_backwards"


async def test_another_tag_ends_the_one_before_and_keeps_its_history(api: Api, told: Told) -> None:
    before = {entry.key: entry for entry in told.now().keys}["k-city-1"].tag_digests
    answer = await api.post("/keys/k-city-1/tag", {"credential": "em4100:0100000042", "reason": "broken"}, 200)
    assert answer["tags"] == 2
    assert "0100000042" not in str(answer)
    (digest,) = {entry.key: entry for entry in told.now().keys}["k-city-1"].tag_digests
    assert (digest,) != before
    ended = select(key_tags.c.credential).where(key_tags.c.valid_until_ms == NOW_MS)
    assert api.database.read_now(lambda c: c.execute(ended).scalars().all()) == ["em4100:0100000001"]


async def test_a_tag_of_another_key_is_refused_without_being_repeated(api: Api) -> None:
    problem = await api.post("/keys/k-city-1/tag", {"credential": "em4100:0100000002"}, 409)
    assert problem["reason"] == "credential_in_use"
    malformed = await api.post("/keys/k-city-1/tag", {"credential": "em4100:01x0000002"}, 422)
    for answer in (problem, malformed):
        assert "0000002" not in str(answer)


async def test_a_key_moves_to_a_free_slot_and_not_while_it_is_booked_to_another_cabinet(
    api: Api, told: Told
) -> None:
    moved = await api.patch("/keys/k-city-1", {"home_slot": 7})
    assert moved["home_cabinet_id"] == "gare-1"
    assert {entry.key: entry.home_slot for entry in told.now().keys}["k-city-1"] == 7
    await api.book()
    away = await api.patch("/keys/k-city-1", {"home_cabinet_id": "mairie-1", "home_slot": 2}, 409)
    assert away["reason"] == "has_bookings"
    await api.patch("/keys/k-city-1", {"home_slot": 8})
    await api.patch("/keys/k-city-2", {"home_cabinet_id": "mairie-1", "home_slot": 2})
    assert {entry.key: entry.home_slot for entry in told.now("mairie-1").keys}["k-city-2"] == 2


@pytest.mark.parametrize(
    ("change", "reason", "status"),
    [
        ({"home_slot": 2}, "slot_taken", 409),
        ({"home_slot": 9}, "no_such_slot", 422),
        ({"home_cabinet_id": "nowhere"}, "no_such_cabinet", 422),
        ({"home_slot": None}, "invalid_request", 422),
        ({"life_cycle": "ordered"}, "life_cycle_backwards", 409),
        ({}, "invalid_request", 422),
    ],
)
async def test_a_key_that_cannot_be_there_stays(api: Api, change: dict[str, Any], reason: str, status: int) -> None:
    problem = await api.patch("/keys/k-city-1", change, status)
    assert problem["reason"] == reason
    assert (await api.get("/keys/k-city-1"))["home_cabinet_id"] == "gare-1"


async def test_a_key_whose_row_somebody_wrote_is_not_signed(api: Api) -> None:
    forged = update(keys).where(keys.c.id == "k-city-1").values(home_slot=6)
    api.database.write_now(lambda c: c.execute(forged))
    problem = await api.patch("/keys/k-city-1", {"home_slot": 7}, 409)
    assert problem["reason"] == "not_our_row"


# --- slots, cabinets, stations


async def test_no_key_lives_in_a_slot_that_is_spare_or_out_of_use(api: Api) -> None:
    assert (await api.patch("/cabinets/gare-1/slots/1", {"use": "spare"}, 409))["reason"] == "slot_taken"
    assert (await api.patch("/cabinets/gare-1/slots/9", {"use": "spare"}, 422))["reason"] == "no_such_slot"
    await api.patch("/cabinets/gare-1/slots/8", {"use": "spare"})
    await api.patch("/cabinets/gare-1/slots/7", {"use": "out_of_use", "reason": "lock is stuck"})
    assert (await api.get("/cabinets/gare-1/slots"))["items"] == [
        {"cabinet_id": "gare-1", "slot": 7, "use": "out_of_use"},
        {"cabinet_id": "gare-1", "slot": 8, "use": "spare"},
    ]
    assert (await api.patch("/keys/k-city-1", {"home_slot": 7}, 409))["reason"] == "slot_not_in_use"
    await api.patch("/cabinets/gare-1/slots/7", {"use": "normal"})
    await api.patch("/keys/k-city-1", {"home_slot": 7})
    (first, second) = (await api.get("/changes", what="slots", subject="gare-1/7"))["items"]
    assert (first["reason"], second["after"]) == ("lock is stuck", {"use": None})


async def test_a_cabinet_is_retired_once_nothing_lives_there(api: Api) -> None:
    assert (await api.patch("/cabinets/mairie-1", {"life_cycle": "retired"}, 409))["reason"] == "has_keys"
    await api.patch("/keys/k-mairie", {"home_cabinet_id": "gare-1", "home_slot": 6})
    assert (await api.patch("/stations/mairie", {"life_cycle": "retired"}, 409))["reason"] == "has_vehicles"
    await api.patch("/vehicles/v-mairie", {"home_station_id": "gare"})
    assert (await api.patch("/stations/mairie", {"life_cycle": "retired"}, 409))["reason"] == "has_cabinets"
    assert (await api.patch("/cabinets/mairie-1", {"life_cycle": "retired"}))["life_cycle"] == "retired"
    closed = await api.patch("/stations/mairie", {"life_cycle": "retired", "reason": "works"})
    assert closed["life_cycle"] == "retired"
    assert (await vehicle(api, 409, home_station_id="mairie", life_cycle="in_service"))["reason"] == (
        "station_retired"
    )


async def test_a_station_is_renamed_and_made_public(api: Api) -> None:
    changed = await api.patch("/stations/mairie", {"name": "Hotel de Ville", "public": True})
    assert (changed["name"], changed["public"]) == ("Hotel de Ville", True)


async def test_what_does_not_exist_is_not_found(api: Api) -> None:
    for kind in ("vehicles", "keys", "cabinets", "stations"):
        await api.patch(f"/{kind}/nothing", {"life_cycle": "retired"}, 404)
    await api.patch("/cabinets/nothing/slots/1", {"use": "spare"}, 404)
    await api.get("/cabinets/nothing/slots", 404)
    await api.post("/keys/nothing/tag", {"credential": "em4100:0100000009"}, 404)
    home = {"home_cabinet_id": "gare-1", "home_slot": 5}
    assert (await api.post("/keys", {"vehicle_id": "nothing", **home}, 422))["reason"] == "no_such_vehicle"
    assert (await vehicle(api, 422, home_station_id="nowhere"))["reason"] == "no_such_station"


async def test_a_cabinet_that_serves_two_stations_is_listed_at_both(api: Api) -> None:
    changed = await api.patch("/cabinets/gare-1", {"also_serves": ["mairie", "gare"], "reason": "one wall"})
    assert (changed["station_id"], changed["also_serves"]) == ("gare", ["mairie"])

    async def at_station(station: str) -> list[str]:
        listed = [cabinet["id"] for cabinet in (await api.get(f"/stations/{station}"))["cabinets"]]
        assert listed == [cabinet["id"] for cabinet in (await api.get("/cabinets", station=station))["items"]]
        return listed

    assert (await at_station("gare"), await at_station("mairie")) == (["gare-1"], ["gare-1", "mairie-1"])
    assert (await api.patch("/cabinets/gare-1", {"also_serves": ["moon"]}, 422))["reason"] == "no_such_station"
    await api.patch("/cabinets/gare-1", {"also_serves": []})
    assert await at_station("mairie") == ["mairie-1"]
    changes = (await api.get("/changes", what="cabinets", subject="gare-1"))["items"]
    assert [change["after"] for change in changes] == [{"also_serves": ["mairie"]}, {"also_serves": []}]


async def test_an_import_says_which_stations_a_cabinet_serves(api: Api) -> None:
    row = {"cabinet_id": "mairie-1", "station_id": "gare"}
    import_document(api.database, {"cabinet_stations": [row]}, seed=2)
    assert (await api.get("/cabinets/mairie-1"))["also_serves"] == ["gare"]
    import_document(api.database, {"cabinet_stations": [{**row, "serves": False}]}, seed=2)
    assert (await api.get("/cabinets/mairie-1"))["also_serves"] == []
