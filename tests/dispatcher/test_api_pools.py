"""Pools and cost centres through the API: made and changed, and what becomes a right at the boxes."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import insert, select, update

from contract.messages import Desired
from dispatcher.core.rules import FleetRules
from dispatcher.core.windows import MINUTE_MS
from dispatcher.importing.checks import POOL_MEMBERS_MAX
from dispatcher.store.database import Database
from dispatcher.store.desired import DesiredMaker
from dispatcher.store.members import badges_of
from dispatcher.store.schema import desired_states, members, pool_members
from tests.dispatcher.api_client import Api, running_api
from tests.dispatcher.network import import_document

BADGES = [
    {"id": "b-agent", "member_id": "m-agent", "credential": "calypso:00000000000000AA"},
    {"id": "b-colleague", "member_id": "m-colleague", "credential": "calypso:00000000000000BB"},
]


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        import_document(api.database, {"badges": BADGES}, seed=2)
        yield api


def told(api: Api) -> Desired:
    """What the box at the station is told by now."""
    found: list[Desired] = []

    def sign(desired: Desired) -> bytes:
        found.append(desired)
        return b"signed"

    maker = DesiredMaker(FleetRules(), b"m" * 32, sign)
    api.clock.at_ms += MINUTE_MS
    api.database.write_now(lambda c: c.execute(update(desired_states).values(digest="", dirty=True)))
    api.database.write_now(lambda c: maker.refresh(c, api.clock.now_ms(), 0, 10))
    return next(desired for desired in found if desired.cabinet == "gare-1")


def dirty(api: Api) -> set[str]:
    statement = select(desired_states.c.cabinet_id).where(desired_states.c.dirty)
    return set(api.database.read_now(lambda c: c.execute(statement).scalars().all()))


def refs(database: Database, *member_ids: str) -> set[str]:
    return {badge.ref for member in member_ids for badge in database.read_now(partial(badges_of, member_id=member))}


async def drivers(api: Api, pool_id: str) -> list[str]:
    return [item["member_id"] for item in (await api.get(f"/pools/{pool_id}/members"))["items"]]


async def pool_booking(api: Api, pool_id: str, **fields: Any) -> Any:
    wanted = {"member_id": "m-agent", "organisation_id": "city-hall", "pool_id": pool_id}
    return await api.book(**{**wanted, **fields})


async def test_a_pool_that_is_made_opens_what_is_booked_for_it_to_whoever_is_in_it(api: Api) -> None:
    wanted = {"organisation_id": "city-hall", "name": "Jardiniers", "member_ids": ["m-colleague"]}
    pool = await api.post("/pools", {**wanted, "reason": "spring"})
    assert (pool["organisation_id"], pool["name"], pool["drivers"]) == ("city-hall", "Jardiniers", 1)
    assert [item["id"] for item in (await api.get("/pools", organisation="city-hall"))["items"]] == sorted(
        [pool["id"], "archivists"]
    )
    assert (await api.get("/pools", organisation="none"))["items"] == []
    await pool_booking(api, pool["id"])
    (entry,) = told(api).pools
    assert (entry.pool, set(entry.badges)) == (pool["id"], refs(api.database, "m-colleague"))
    assert dirty(api) == set()
    change = {"add_member_ids": ["m-agent"], "remove_member_ids": ["m-colleague"], "name": "Parcs"}
    changed = await api.patch(f"/pools/{pool['id']}", change)
    assert (changed["name"], changed["drivers"], await drivers(api, pool["id"])) == ("Parcs", 1, ["m-agent"])
    assert dirty(api) == {"gare-1"}
    assert set(told(api).pools[0].badges) == refs(api.database, "m-agent")


async def test_who_was_let_into_a_pool_and_out_of_it_is_kept_with_the_member(api: Api) -> None:
    await api.patch("/pools/archivists", {"add_member_ids": ["m-colleague"], "reason": "for a month"})
    await api.patch("/pools/archivists", {"add_member_ids": ["m-colleague"]})  # is in already
    await api.patch("/pools/archivists", {"remove_member_ids": ["m-colleague", "m-alix"]})  # one never was
    of_pool = (await api.get("/changes", what="pools", subject="archivists"))["items"]
    assert [change["after"] for change in of_pool] == [{"drivers": 2}, {"drivers": 1}]
    of_member = (await api.get("/changes", what="members", subject="m-colleague"))["items"]
    assert [(change["reason"], change["after"]) for change in of_member] == [
        ("for a month", {"pools": ["archivists"]}),
        (None, {"pools": []}),
    ]


async def test_a_booking_whose_last_driver_leaves_the_pool_has_no_right(api: Api) -> None:
    await api.patch("/pools/archivists", {"add_member_ids": ["m-colleague"]})
    booking = await pool_booking(api, "archivists")
    await api.patch("/members/m-agent", {"standing": "suspended"})
    assert (await api.get(f"/bookings/{booking['id']}"))["grant"] == "cabinet_unreachable"
    await api.patch("/pools/archivists", {"remove_member_ids": ["m-colleague"]})
    assert (await api.get(f"/bookings/{booking['id']}"))["grant"] == "withheld"
    history = [entry["what"] for entry in (await api.get(f"/bookings/{booking['id']}/history"))["items"]]
    assert history == ["created", "rights_withheld"]


@pytest.mark.parametrize(
    ("method", "path", "body", "reason", "status"),
    [
        ("POST", "/pools", {"organisation_id": "none", "name": "P"}, "no_such_organisation", 422),
        (
            "POST",
            "/pools",
            {"organisation_id": "city-hall", "name": "P", "member_ids": ["m-alix"]},
            "not_of_organisation",
            422,
        ),
        ("PATCH", "/pools/archivists", {"add_member_ids": ["m-alix"]}, "not_of_organisation", 422),
        ("PATCH", "/pools/archivists", {"add_member_ids": ["m-none"]}, "no_such_member", 422),
        ("PATCH", "/pools/archivists", {"add_member_ids": None}, "invalid_request", 422),
        ("PATCH", "/pools/archivists", {"organisation_id": "x"}, "invalid_request", 422),
        (
            "PATCH",
            "/pools/archivists",
            {"add_member_ids": ["m-agent"], "remove_member_ids": ["m-agent"]},
            "invalid_request",
            422,
        ),
        ("PATCH", "/pools/none", {"name": "N"}, "not_found", 404),
        ("GET", "/pools/none/members", None, "not_found", 404),
        ("POST", "/cost-centres", {"organisation_id": "none", "name": "C"}, "no_such_organisation", 422),
        ("PATCH", "/cost-centres/none", {"name": "N"}, "not_found", 404),
    ],
)
async def test_what_cannot_be_is_refused_by_name_and_changes_nothing(
    api: Api, method: str, path: str, body: Any, reason: str, status: int
) -> None:
    answer = await api.http.request(method, f"/api/v1{path}", json=body)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason), answer.text
    assert len((await api.get("/pools"))["items"]) == 1
    assert await drivers(api, "archivists") == ["m-agent"]


async def test_a_pool_is_no_larger_than_a_box_takes(api: Api) -> None:
    people = [{"id": f"m-{n}", "name": "N", "organisation_id": "city-hall"} for n in range(POOL_MEMBERS_MAX - 1)]
    rows = [{"pool_id": "archivists", "member_id": person["id"]} for person in people]
    import_document(api.database, {"members": people, "pool_members": rows}, seed=3)
    refused = await api.patch("/pools/archivists", {"add_member_ids": ["m-colleague"]}, 409)
    assert refused["reason"] == "pool_is_full"
    changed = await api.patch(
        "/pools/archivists", {"add_member_ids": ["m-colleague"], "remove_member_ids": ["m-7"]}
    )
    assert changed["drivers"] == POOL_MEMBERS_MAX


async def test_only_the_rows_that_are_named_are_signed(api: Api) -> None:
    """Two were written into the pool past the program: who is let in by name is in, the other opens nothing."""
    row = {"pool_id": "archivists", "state": "active", "origin": "0" * 64}
    both = [row | {"member_id": member_id} for member_id in ("m-colleague", "m-alix")]
    api.database.write_now(lambda c: c.execute(insert(pool_members), both))
    await pool_booking(api, "archivists")
    assert set(told(api).pools[0].badges) == refs(api.database, "m-agent")
    await api.patch("/pools/archivists", {"add_member_ids": ["m-colleague"], "name": "Archives"})
    assert set(told(api).pools[0].badges) == refs(api.database, "m-agent", "m-colleague")
    moved = update(members).where(members.c.id == "m-alix").values(organisation_id="city-hall")
    api.database.write_now(lambda c: c.execute(moved))
    await api.patch("/pools/archivists", {"remove_member_ids": ["m-agent"]})
    assert set(told(api).pools[0].badges) == refs(api.database, "m-colleague")


async def test_a_cost_centre_is_made_named_by_a_booking_and_renamed(api: Api) -> None:
    made = await api.post(
        "/cost-centres", {"organisation_id": "city-hall", "name": "Parcs", "reason": "new budget"}
    )
    assert made == await api.get(f"/cost-centres/{made['id']}")
    booking = await api.book(member_id="m-agent", organisation_id="city-hall", cost_centre_id=made["id"])
    assert booking["cost_centre_id"] == made["id"]
    renamed = await api.patch(f"/cost-centres/{made['id']}", {"name": "Parcs et jardins"})
    assert renamed["name"] == "Parcs et jardins"
    listed = await api.get("/cost-centres", organisation="city-hall", limit=1)
    assert (len(listed["items"]), listed["next"] is None) == (1, False)
    (change, _) = (await api.get("/changes", what="cost_centres", subject=made["id"]))["items"]
    assert (change["reason"], change["before"]) == ("new budget", None)
