"""A stolen cabinet: cut off, its keys' vehicles blocked, PINs gone, and everybody named that it concerns."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from sqlalchemy import insert, select, update

from dispatcher.core.windows import utc_text
from dispatcher.store.audit import AuditFilter, audit_page
from dispatcher.store.links import registered_keys
from dispatcher.store.origin import origin_of, with_origin
from dispatcher.store.paging import PageRequest
from dispatcher.store.schema import badge_pins, cabinets
from tests.contract.keys import public_text
from tests.dispatcher.api_client import OTHER_TOKEN, Api, running_api
from tests.dispatcher.network import NOW_MS, set_key

PATH = "/cabinets/gare-1/theft"
WHAT: dict[str, Any] = {"case": "2026-4711", "reason": "the wall is empty, the neighbour called"}


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api(token=OTHER_TOKEN) as api:
        key = update(cabinets).where(cabinets.c.id == "gare-1").values(public_key=public_text(1))
        api.database.write_now(lambda c: c.execute(key))
        for badge_id in ("b-alix", "b-brahim"):
            give_pin(api, badge_id)
        set_key(api.database, "k-city-1", "in_slot")
        set_key(api.database, "k-city-2", "taken")
        set_key(api.database, "k-mairie", "in_slot", "mairie-1")
        yield api


def give_pin(api: Api, badge_id: str) -> None:
    def work(connection: Any) -> None:
        sealed = origin_of(connection).pins.seal(badge_id, "4711")
        row = {"badge_id": badge_id, "sealed": sealed}
        connection.execute(insert(badge_pins).values(with_origin(connection, badge_pins, row)))

    api.database.write_now(work)


def pins(api: Api) -> set[str]:
    return set(api.database.read_now(lambda c: c.execute(select(badge_pins.c.badge_id)).scalars()))


async def test_it_is_cut_off_and_whom_it_concerns_is_told(api: Api) -> None:
    booking = await api.book(driver_ids=["m-brahim"])
    said = await api.post(PATH, WHAT)
    assert (said["stolen_at"], said["author"], said["case"]) == (utc_text(NOW_MS), "operators", "2026-4711")
    assert said["members"] == [
        {"member_id": "m-alix", "badge_ids": ["b-alix"]},
        {"member_id": "m-brahim", "badge_ids": ["b-brahim"]},
    ]
    assert said["booking_ids"] == [booking["id"]]
    assert said["vehicle_ids"] == ["v-city-1"], "of the other vehicle the key is with a member"
    assert await api.get(PATH) == said
    assert api.database.read_now(registered_keys).get("gare-1") is None, "what it signs is not believed"
    assert (await api.get("/cabinets/gare-1"))["life_cycle"] == "retired"
    (entry,) = api.database.read_now(lambda c: audit_page(c, AuditFilter(), PageRequest(10))).items
    assert (entry.action, entry.subject, entry.case) == ("cabinet_stolen", "gare-1", "2026-4711")


async def test_vehicles_whose_keys_went_with_it_are_blocked_and_their_keys_are_missing(api: Api) -> None:
    await api.post(PATH, WHAT)
    (block,) = (await api.get("/blocks"))["items"]
    assert (block["vehicle_id"], block["kind"], block["expected_end"]) == ("v-city-1", "admin", None)
    assert (await api.get("/vehicles/v-city-1"))["key"]["state"] == "missing"
    found = (await api.get("/incidents"))["items"]
    assert [(one["kind"], one["subject"]) for one in found] == [("key_missing", "k-city-1")]


async def test_pins_that_its_box_knew_are_gone_and_others_are_kept(api: Api) -> None:
    await api.book()
    await api.post(PATH, WHAT)
    assert pins(api) == {"b-brahim"}


async def test_who_never_booked_there_is_not_named(api: Api) -> None:
    await api.book(vehicle_id="v-mairie")
    said = await api.post(PATH, WHAT)
    assert (said["members"], said["booking_ids"]) == ([], [])


async def test_it_is_stolen_once(api: Api) -> None:
    assert (await api.get(PATH, 404))["reason"] == "not_found"
    await api.post(PATH, WHAT)
    assert (await api.post(PATH, WHAT, 409))["reason"] == "cabinet_retired"
    assert (await api.post("/cabinets/nowhere-1/theft", WHAT, 404))["reason"] == "not_found"
    assert (await api.post("/cabinets/mairie-1/theft", {"case": "1"}, 422))["errors"][0]["field"] == "reason"
