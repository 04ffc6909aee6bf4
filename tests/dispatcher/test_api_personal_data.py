"""Export and erasure as the API gives them: with a reason, recorded, and never behind the list of erasures."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import insert, select

from dispatcher.api.scopes import Scope
from dispatcher.store.erasure_list import ErasureList
from dispatcher.store.members import member_by_id
from dispatcher.store.schema import badges, rentals
from tests.dispatcher.api_client import Api, running_api, token_of
from tests.dispatcher.network import HOUR_MS, NOW_MS, at

BECAUSE = {"reason": "asked for by letter", "case": "DSAR-7"}


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with running_api() as api:
        api.application.context = replace(api.context, erasures=ErasureList(tmp_path / "erasures"))
        yield api


def kept(tmp_path: Path) -> list[str]:
    return [erasure.member_id for erasure in ErasureList(tmp_path / "erasures").since(0)]


def is_there(api: Api, member_id: str) -> bool:
    return api.database.read_now(lambda connection: member_by_id(connection, member_id)) is not None


async def audit(api: Api) -> list[tuple[str, str, str, str]]:
    entries = (await api.get("/audit"))["items"]
    return [(entry["action"], entry["subject"], entry["case"], entry["reason"]) for entry in entries]


async def test_a_member_is_given_out_with_a_reason_and_that_is_recorded(api: Api) -> None:
    made = await api.book()
    document = await api.post("/members/m-alix/export", BECAUSE, 200)
    assert document["member"]["name"] == "Alix Dumont"
    assert [badge["credential"] for badge in document["badges"]] == [
        "calypso:00000000075BCD15",
        "calypso:0000000000000A01",
    ]
    assert [booking["id"] for booking in document["bookings"]] == [made["id"]]
    assert await audit(api) == [("member_exported", "m-alix", "DSAR-7", "asked for by letter")]
    assert [entry["reason"] for entry in document["audit"]] == ["asked for by letter"]


async def test_a_member_is_erased_recorded_and_in_the_list_outside(api: Api, tmp_path: Path) -> None:
    erased = await api.post("/members/m-alix/erase", BECAUSE, 200)
    assert (erased["bookings"], erased["held_until"]) == (0, None)
    assert not is_there(api, "m-alix")
    await api.get("/members/m-alix", 404)
    assert (await api.post("/members/search", {"name": "Alix"}, 200))["items"] == []
    assert await audit(api) == [("member_erased", erased["place_id"], "DSAR-7", "asked for by letter")]
    assert kept(tmp_path) == ["m-alix"]
    assert api.wakes == [NOW_MS]


async def test_what_the_law_asks_for_is_held_and_the_answer_says_until_when(api: Api) -> None:
    def drive(connection: Any) -> None:
        ref = connection.execute(select(badges.c.ref).where(badges.c.id == "b-alix")).scalar_one()
        row = {"vehicle_id": "v-city-1", "key_id": "k-city-1", "cabinet_id": "gare-1", "badge_ref": ref}
        connection.execute(
            insert(rentals).values(**row, taken_ms=NOW_MS - 2 * HOUR_MS, returned_ms=NOW_MS - HOUR_MS)
        )

    api.database.write_now(drive)
    erased = await api.post("/members/m-alix/erase", BECAUSE, 200)
    assert erased["held_until"] == "2027-10-04T09:07:00Z"
    question = {"vehicle_id": "v-city-1", "at": at(NOW_MS - 2 * HOUR_MS), "case": "PV 1", "reason": "notice"}
    (held,) = (await api.post("/reports/who-held", question, 200))["held"]
    assert held["person"] == {"member_id": erased["place_id"], "name": "Alix Dumont", "erased": True}


async def test_nobody_is_erased_while_a_booking_holds_and_the_answer_names_it(api: Api, tmp_path: Path) -> None:
    made = await api.book()
    problem = await api.post("/members/m-alix/erase", BECAUSE, 409)
    assert problem["reason"] == "member_has_bookings"
    assert made["id"] in problem["detail"]
    await api.post(f"/bookings/{made['id']}/cancel", status=200)
    await api.post("/members/m-alix/erase", BECAUSE, 200)
    assert kept(tmp_path) == ["m-alix"]


async def test_nobody_is_erased_who_has_a_key(api: Api, tmp_path: Path) -> None:
    def drive(connection: Any) -> None:
        ref = connection.execute(select(badges.c.ref).where(badges.c.id == "b-alix")).scalar_one()
        connection.execute(insert(rentals).values(cabinet_id="gare-1", badge_ref=ref, taken_ms=NOW_MS))

    api.database.write_now(drive)
    assert (await api.post("/members/m-alix/erase", BECAUSE, 409))["reason"] == "key_still_out"
    assert is_there(api, "m-alix")
    assert kept(tmp_path) == []


async def test_without_a_list_outside_the_database_nobody_is_erased(api: Api) -> None:
    api.application.context = replace(api.context, erasures=None)
    problem = await api.post("/members/m-alix/erase", BECAUSE, 503)
    assert problem["reason"] == "erasures_not_kept"
    assert "erasures_file" in problem["detail"]
    assert is_there(api, "m-alix")


async def test_a_list_that_cannot_be_written_undoes_the_erasure(api: Api, tmp_path: Path) -> None:
    api.application.context = replace(api.context, erasures=ErasureList(tmp_path))  # a folder
    assert (await api.post("/members/m-alix/erase", BECAUSE, 503))["reason"] == "erasures_not_kept"
    assert is_there(api, "m-alix")
    assert await audit(api) == []


@pytest.mark.parametrize("what", ["export", "erase"])
async def test_nothing_is_done_without_a_reason_or_to_nobody(api: Api, what: str) -> None:
    assert (await api.post(f"/members/m-alix/{what}", {}, 422))["errors"][0]["field"] == "reason"
    await api.post(f"/members/m-nobody/{what}", BECAUSE, 404)
    assert await audit(api) == []


@pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not Scope.ADMIN])
async def test_no_other_scope_gives_out_or_erases(scope: Scope, tmp_path: Path) -> None:
    async with running_api(token=token_of(scope)) as api:
        api.application.context = replace(api.context, erasures=ErasureList(tmp_path / "erasures"))
        for what in ("export", "erase"):
            await api.post(f"/members/m-alix/{what}", BECAUSE, 403)
        assert is_there(api, "m-alix")
