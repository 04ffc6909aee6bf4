"""What the API tells of cabinets, keys, badges, handovers, rentals and the ledger."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import update

from contract.chain import next_hash
from contract.facts import DoorClosed, Identity, KeyReturned, KeyTaken, VehicleReading
from contract.messages import FactBatch, SlotState
from dispatcher.store.ingest import Intake
from dispatcher.store.ledger import ledger_id
from dispatcher.store.links import keep_presence, keep_reported
from dispatcher.store.reports import apply_reports
from dispatcher.store.schema import desired_states
from tests.dispatcher.api_client import Api, running_api
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.network import (
    HOUR_MS,
    NETWORK,
    NINE_MS,
    NOW_MS,
    at,
    import_document,
    set_key,
    set_link,
)
from tests.dispatcher.small_fleet import LEDGER, RULES

EPOCH = "e1" * 16


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        yield api


@pytest.fixture
def box() -> FakeBox:
    return FakeBox("gare-1", EPOCH, NINE_MS)


def take(api: Api, *batches: FactBatch) -> None:
    api.database.write_now(lambda c: Intake(LEDGER, RULES, NOW_MS).take(c, batches))


def drive(box: FakeBox, key: str = "k-city-1", km: int | None = 12) -> None:
    """A key is out for an hour; `km` None: the vehicle tells no odometer."""
    before, after = (None, None) if km is None else (1_000_000, 1_000_000 + km * 1000)
    of_key = {"slot": 1, "key": key, "identity": Identity.READ, "badge": "ref-1"}
    box.note(KeyTaken, **of_key, vehicle=VehicleReading(age_s=0, energy_percent=80, odometer_m=before))
    box.now_ms += HOUR_MS
    box.note(KeyReturned, **of_key, vehicle=VehicleReading(age_s=0, energy_percent=70, odometer_m=after))


# --- cabinets


async def test_a_cabinet_never_heard_of_knows_nothing(api: Api) -> None:
    cabinet = await api.get("/cabinets/gare-1")
    assert cabinet["slot_counts"] == {"present": 0, "empty": 0, "unknown": 8}
    unknown = {
        "heard_at",
        "heard_age_s",
        "reported_at",
        "clock_trusted",
        "journal_depth",
        "desired",
        "agent_version",
    }
    assert {name for name, value in cabinet.items() if value is None} >= unknown
    assert cabinet["link"] == "unreachable"


async def test_a_cabinet_tells_how_old_its_word_is_and_what_it_holds(api: Api, box: FakeBox) -> None:
    box.slots = (
        SlotState(slot=1, key_present=True, key="k-city-1", identity="read"),
        SlotState(slot=2, key_present=False),
    )
    box.now_ms, box.desired_version = NOW_MS - 90_000, 7
    box.note(DoorClosed, slot=3)
    take(api, box.batch())
    told = update(desired_states).where(desired_states.c.cabinet_id == "gare-1")
    told = told.values(version=8, wire="w", computed_ms=NOW_MS, grants_left_out=2)
    api.database.write_now(lambda c: c.execute(told))
    api.database.write_now(lambda c: keep_presence(c, box.presence(), box.now_ms))
    api.database.write_now(lambda c: keep_reported(c, box.report(journal_depth=3), box.now_ms))
    api.database.write_now(lambda c: apply_reports(c, RULES, NOW_MS))
    cabinet = await api.get("/cabinets/gare-1")
    assert (cabinet["heard_age_s"], cabinet["reported_age_s"], cabinet["link"]) == (90, 90, "online")
    assert (cabinet["journal_depth"], cabinet["clock_trusted"], cabinet["agent_version"]) == (3, True, "test")
    assert cabinet["slot_counts"] == {"present": 1, "empty": 1, "unknown": 6}
    desired = cabinet["desired"]
    assert (desired["told_version"], desired["held_version"], desired["is_held"]) == (8, 7, False)
    assert desired["grants_left_out"] == 2
    assert "k-city-1" not in str(cabinet)


async def test_cabinets_are_listed_by_station_and_in_pages(api: Api) -> None:
    first = await api.get("/cabinets", limit=1)
    second = await api.get("/cabinets", limit=1, cursor=first["next"])
    assert [page["items"][0]["id"] for page in (first, second)] == ["gare-1", "mairie-1"]
    assert second["next"] is None
    assert [item["id"] for item in (await api.get("/cabinets", station="mairie"))["items"]] == ["mairie-1"]


async def test_what_does_not_exist_is_not_found(api: Api) -> None:
    for path in (
        "/cabinets/none",
        "/cabinets/none/facts",
        "/cabinets/none/commands",
        "/keys/none",
        "/organisations/none",
        "/municipalities/none",
        "/badges/none",
    ):
        assert (await api.get(path, 404))["reason"] == "not_found"


# --- keys, organisations, municipalities


async def test_a_key_tells_where_it_is_but_not_its_slot_or_tag(api: Api) -> None:
    set_key(api.database, "k-city-1", "in_slot")
    response = await api.http.get("/api/v1/keys/k-city-1")
    key = response.json()
    assert (key["vehicle_id"], key["state"], key["cabinet_id"], key["tags"]) == ("v-city-1", "in_slot", "gare-1", 1)
    assert "0100000001" not in response.text
    assert not {"slot", "home_slot"} & key.keys()
    assert (await api.get("/keys/k-family"))["state"] == "unknown"


async def test_keys_are_listed_by_vehicle_place_and_state(api: Api) -> None:
    set_key(api.database, "k-city-1", "in_slot")
    set_key(api.database, "k-city-2", "taken")
    queries: tuple[tuple[dict[str, Any], list[str]], ...] = (
        ({"vehicle": "v-family"}, ["k-family"]),
        ({"cabinet": "gare-1"}, ["k-city-1", "k-city-2"]),
        ({"cabinet": "gare-1", "state": "taken"}, ["k-city-2"]),
    )
    for query, found in queries:
        assert [key["id"] for key in (await api.get("/keys", **query))["items"]] == found


async def test_organisations_and_municipalities_tell_their_size(api: Api) -> None:
    (organisation,) = (await api.get("/organisations"))["items"]
    assert organisation == await api.get("/organisations/city-hall")
    assert (organisation["name"], organisation["drivers"]) == ("Ville de Lille", 2)
    (municipality,) = (await api.get("/municipalities"))["items"]
    assert municipality == await api.get("/municipalities/lille")
    assert municipality["stations"] == 2


# --- searches by POST


async def test_a_badge_is_found_by_what_is_read_from_it_and_never_told_back(api: Api) -> None:
    response = await api.http.post("/api/v1/badges/search", json={"credential": "calypso:00000000075BCD15"})
    (badge,) = response.json()["items"]
    assert (badge["id"], badge["member_id"], badge["kind"], badge["state"]) == (
        "b-alix",
        "m-alix",
        "calypso",
        "active",
    )
    assert "75BCD15" not in response.text
    by_ref = await api.post("/badges/search", {"ref": badge["ref"]}, 200)
    assert by_ref["items"] == [badge] == [await api.get("/badges/b-alix")]
    assert (await api.post("/badges/search", {"credential": "calypso:FF"}, 200))["items"] == []


@pytest.mark.parametrize("search", [{}, {"credential": "calypso:0A", "ref": "r"}])
async def test_a_badge_is_looked_for_by_one_of_the_two(api: Api, search: dict[str, str]) -> None:
    problem = await api.post("/badges/search", search, 422)
    assert [fault["field"] for fault in problem["errors"]] == ["credential"]


async def test_a_credential_that_is_none_is_refused_without_being_quoted(api: Api) -> None:
    response = await api.http.post("/api/v1/badges/search", json={"credential": "04a1b2c3d4e5f6"})
    assert response.status_code == 422
    assert "04a1b2c3" not in response.text


async def test_vehicles_are_found_by_plate_and_by_part_of_their_name(api: Api) -> None:
    import_document(api.database, {"vehicles": [{**NETWORK["vehicles"][0], "plate": "AB123CD"}]})
    for search, found in (
        ({"plate": "ab-123-cd"}, ["v-city-1"]),
        ({"plate": "AB 123 CE"}, []),
        ({"name": "lilas 00"}, ["v-city-1", "v-city-2", "v-family", "v-mairie"]),
        ({"name": "003"}, ["v-family"]),
        ({"name": "lilas", "station": "mairie"}, ["v-mairie"]),
    ):
        page = await api.post("/vehicles/search", search, 200)
        assert [vehicle["id"] for vehicle in page["items"]] == found, search
    assert (await api.get("/vehicles/v-city-1"))["plate"] == "AB123CD"


# --- handovers, rentals


async def test_handovers_are_listed_in_the_order_in_which_they_happened(api: Api, box: FakeBox) -> None:
    drive(box)
    take(api, box.batch())
    page = await api.get("/handovers")
    assert [(item["kind"], item["at"]) for item in page["items"]] == [
        ("taken", at(NINE_MS)),
        ("returned", at(NINE_MS + HOUR_MS)),
    ]
    assert {item["vehicle_id"] for item in page["items"]} == {"v-city-1"}
    assert not {"slot", "badge_ref"} & page["items"][0].keys()


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"vehicle": "v-city-1"}, 2),
        ({"vehicle": "v-city-2"}, 0),
        ({"cabinet": "gare-1"}, 2),
        ({"cabinet": "mairie-1"}, 0),
        ({"booking": "none"}, 0),
        ({"from": at(NINE_MS), "until": at(NINE_MS + HOUR_MS)}, 1),
        ({"from": at(NINE_MS + 1000)}, 1),
    ],
)
async def test_handovers_are_found_by_every_field_given(
    api: Api, box: FakeBox, query: dict[str, Any], count: int
) -> None:
    drive(box)
    take(api, box.batch())
    assert len((await api.get("/handovers", **query))["items"]) == count


async def test_a_list_of_handovers_goes_on_from_its_cursor(api: Api, box: FakeBox) -> None:
    for _ in range(3):
        drive(box)
    take(api, box.batch())
    seen: list[int] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = await api.get("/handovers", **query)
        seen += [item["position"] for item in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == [1, 2, 3, 4, 5, 6]


async def test_a_rental_has_both_its_ends(api: Api, box: FakeBox) -> None:
    drive(box, km=12)
    take(api, box.batch())
    (rental,) = (await api.get("/rentals"))["items"]
    assert (rental["duration_s"], rental["distance_m"]) == (3600, 12_000)
    assert (rental["energy_start_percent"], rental["energy_end_percent"]) == (80, 70)


async def test_what_is_not_known_of_a_rental_is_null(api: Api, box: FakeBox) -> None:
    drive(box, km=None)
    box.note(KeyTaken, slot=1, key="k-city-1", identity=Identity.READ)
    take(api, box.batch())
    whole, still_out = (await api.get("/rentals"))["items"]
    assert (whole["odometer_end_m"], whole["distance_m"], whole["energy_end_percent"]) == (None, None, 70)
    assert (still_out["returned_at"], still_out["duration_s"], still_out["distance_m"]) == (None, None, None)
    assert (await api.get("/rentals", open=True))["items"] == [still_out]


async def test_rentals_of_a_period_are_those_that_reach_into_it(api: Api, box: FakeBox) -> None:
    drive(box)
    take(api, box.batch())
    for start_ms, end_ms, count in (
        (NINE_MS + HOUR_MS, NINE_MS + 2 * HOUR_MS, 0),
        (NINE_MS + HOUR_MS - 1000, NINE_MS + 2 * HOUR_MS, 1),
        (NINE_MS - HOUR_MS, NINE_MS, 0),
        (NINE_MS - HOUR_MS, NINE_MS + 1000, 1),
    ):
        period: dict[str, Any] = {"from": at(start_ms), "until": at(end_ms)}
        page = await api.get("/rentals", **period)
        assert len(page["items"]) == count


# --- the ledger


async def test_a_cabinets_facts_are_told_as_they_were_journalled(api: Api, box: FakeBox) -> None:
    drive(box)
    take(api, box.batch())
    answer = await api.get("/cabinets/gare-1/facts")
    assert [item["text"] for item in answer["items"]] == box.texts
    assert answer["items"][0]["fact"]["key"] == "k-city-1"
    chained = box.hashes[0]
    for item in answer["items"]:
        chained = next_hash(chained, item["text"])
        assert item["hash"] == chained
    assert answer["next"] == f"{EPOCH},2"
    assert (await api.get("/cabinets/gare-1/facts", after=answer["next"]))["items"] == []


async def test_facts_after_a_number_go_on_into_the_following_epoch(api: Api, box: FakeBox) -> None:
    drive(box)
    later = FakeBox("gare-1", "e2" * 16, NINE_MS + 3 * HOUR_MS)
    drive(later)
    take(api, box.batch(), later.batch())
    answer = await api.get("/cabinets/gare-1/facts", after=f"{EPOCH},1")
    assert [(item["epoch"], item["seq"]) for item in answer["items"]] == [
        (EPOCH, 2),
        ("e2" * 16, 1),
        ("e2" * 16, 2),
    ]
    assert [(epoch["id"], epoch["seq"]) for epoch in answer["epochs"]] == [(EPOCH, 2), ("e2" * 16, 2)]
    first = await api.get("/cabinets/gare-1/facts", limit=3)
    assert first["next"] == f"{'e2' * 16},1"
    problem = await api.get("/cabinets/gare-1/facts", 422, after=f"{'ee' * 16},1")
    assert [fault["field"] for fault in problem["errors"]] == ["after"]


async def test_a_fact_that_nobody_can_read_is_told_without_its_text(api: Api, box: FakeBox) -> None:
    box.note_text('{"kind":"key_taken","uid":"04A1B2C3"')
    take(api, box.batch())
    (item,) = (await api.get("/cabinets/gare-1/facts"))["items"]
    assert (item["kind"], item["fact"], item["text"]) == ("unreadable", None, None)


async def test_the_feed_has_the_facts_of_all_cabinets_in_the_order_of_the_ledger(api: Api, box: FakeBox) -> None:
    other = FakeBox("mairie-1", "e2" * 16, NINE_MS)
    drive(box)
    drive(other, key="k-mairie")
    take(api, box.batch(1, 1), other.batch(), box.batch(2, 2))
    seen, after = [], 0
    while (page := await api.get("/facts", after=after, limit=3))["items"]:
        seen += [(item["position"], item["cabinet_id"]) for item in page["items"]]
        after = page["next"]
    assert seen == [(1, "gare-1"), (2, "mairie-1"), (3, "mairie-1"), (4, "gare-1")]
    assert page["next"] == 4
    assert page["ledger"] is None


async def test_the_feed_names_its_ledger(api: Api) -> None:
    made = api.database.write_now(lambda c: ledger_id(c, bytes))
    assert (await api.get("/facts"))["ledger"] == made


# --- commands, the network


async def test_commands_to_a_cabinet_are_listed_oldest_first(api: Api) -> None:
    made = [await api.post("/cabinets/gare-1/commands", {"slot": slot, "reason": "hotline"}) for slot in (1, 2)]
    await api.post("/cabinets/mairie-1/commands", {"slot": 1, "reason": "hotline"})
    page = await api.get("/cabinets/gare-1/commands")
    assert page["items"] == made
    assert (await api.get("/cabinets/gare-1/commands", open=True, limit=1))["items"] == made[:1]


async def test_the_network_is_counted(api: Api) -> None:
    set_link(api.database, "gare-1")
    set_key(api.database, "k-city-1", "in_slot")
    await api.book()
    counted = await api.get("/network")
    assert (counted["municipalities"], counted["stations"]) == (1, 2)
    assert counted["cabinets"] == {"total": 2, "online": 1, "desired_outdated": 0}
    assert counted["vehicles"] == {"in_service": 4}
    assert counted["keys"] == {"in_slot": 1, "unknown": 3}
    assert counted["members"] == {"active": 4, "licence_expired": 1, "suspended": 1}
    assert counted["bookings"] == {"booked": 1}
    assert counted["open_incidents"] == {}
