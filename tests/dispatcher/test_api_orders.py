"""Service orders through the API: given, changed, cancelled, completed, their keys handed on."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import insert

from dispatcher.core.booking_states import BookingState
from dispatcher.core.windows import MINUTE_MS
from dispatcher.store.schema import badges, facts, handovers
from tests.dispatcher.api_client import Api, running_api
from tests.dispatcher.network import ELEVEN_MS, HOUR_MS, NOW_MS, at, import_document, set_booking

STAFF = {
    "members": [
        {"id": "s-lea", "name": "Lea Mecano", "role": "staff"},
        {"id": "s-max", "name": "Max Lavage", "role": "staff", "standing": "suspended"},
        {"id": "f-garage", "name": "Garage du Nord", "role": "third_party"},
    ],
    "badges": [
        {"id": "b-lea", "member_id": "s-lea", "credential": "calypso:0000000000000B01"},
        {"id": "b-garage", "member_id": "f-garage", "credential": "calypso:0000000000000B02"},
    ],
}


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        import_document(api.database, STAFF, seed=2)
        yield api


async def give(api: Api, status: int = 201, **fields: Any) -> Any:
    """An order for the first city car, for its garage visit, from now for three hours."""
    body = {"holder_id": "s-lea", "vehicle_id": "v-city-1", "purpose": "garage", "end": at(NOW_MS + 3 * HOUR_MS)}
    return await api.post("/orders", {**body, **fields}, status)


def taken(api: Api, order: Any, badge: str, at_ms: int, kind: str = "taken", position: int = 1) -> None:
    """What the facts of a cabinet would have written."""

    def work(connection: Any) -> None:
        ref = connection.execute(badges.select().where(badges.c.id == badge)).one().ref
        fact = {"cabinet_id": "gare-1", "epoch": "e" * 32, "seq": position, "at_ms": at_ms, "received_ms": at_ms}
        text = {"kind": kind, "text": "{}", "hash": "0" * 64}
        connection.execute(insert(facts).values(position=position, **fact, **text))
        where = {"cabinet_id": "gare-1", "slot": 1, "key_id": "k-city-1", "vehicle_id": "v-city-1"}
        what = {"position": position, "kind": kind, "at_ms": at_ms, "identity": "read", "wrong_slot": False}
        connection.execute(insert(handovers).values(booking_id=order["id"], badge_ref=ref, **where, **what))

    api.database.write_now(work)
    columns = (
        {"state": BookingState.ACTIVE, "taken_ms": at_ms}
        if kind == "taken"
        else {"state": BookingState.RETURNED, "returned_ms": at_ms, "hold_until_ms": NOW_MS + 3 * HOUR_MS}
    )
    set_booking(api.database, order["id"], **columns)


async def test_an_order_may_begin_now_and_lies_on_no_grid(api: Api) -> None:
    order = await give(api, end=at(NOW_MS + 7 * MINUTE_MS), note="brakes squeal")
    assert order == {
        "id": order["id"],
        "purpose": "garage",
        "holder_id": "s-lea",
        "driver_ids": [],
        "vehicle_id": "v-city-1",
        "station_id": "gare",
        "cabinet_id": "gare-1",
        "start": "2026-10-04T10:07:00Z",
        "end": "2026-10-04T10:14:00Z",
        "state": "booked",
        "overdue": False,
        "grant": "cabinet_unreachable",
        "held_by": None,
        "taken_at": None,
        "returned_at": None,
        "ended_at": None,
        "created_at": "2026-10-04T10:07:00Z",
        "changed_at": "2026-10-04T10:07:00Z",
        "version": 1,
    }
    assert await api.get(f"/orders/{order['id']}") == order
    (entry,) = (await api.get(f"/orders/{order['id']}/history"))["items"]
    assert entry["detail"]["note"] == "brakes squeal"
    assert api.wakes == [NOW_MS]


async def test_orders_and_bookings_exclude_each_other(api: Api) -> None:
    await api.book(start=at(ELEVEN_MS), end=at(ELEVEN_MS + HOUR_MS))
    problem = await give(api, 409)
    assert problem["reason"] == "vehicle_not_free"
    await give(api, end=at(ELEVEN_MS))  # up to its very start
    refused = await api.book(409, start=at(ELEVEN_MS - HOUR_MS), end=at(ELEVEN_MS))
    assert refused["reason"] == "in_service_order"


async def test_a_vehicle_in_an_order_is_not_free_and_says_why_and_until_when(api: Api) -> None:
    await give(api, vehicle_id="v-family", end=at(ELEVEN_MS + HOUR_MS))
    window: dict[str, Any] = {
        "from": at(ELEVEN_MS),
        "until": at(ELEVEN_MS + HOUR_MS),
        "station": "gare",
        "category": "family",
    }
    answer = await api.get("/availability", **window)
    assert answer["free"] == []
    assert answer["reason"] == "in_service_order"
    assert answer["next_free"]["start"] == at(ELEVEN_MS + HOUR_MS)


async def test_neither_list_shows_what_is_in_the_other(api: Api) -> None:
    order = await give(api, vehicle_id="v-family")
    booking = await api.book()
    assert [item["id"] for item in (await api.get("/bookings"))["items"]] == [booking["id"]]
    assert [item["id"] for item in (await api.get("/orders"))["items"]] == [order["id"]]
    assert (await api.get("/orders", holder="f-garage"))["items"] == []
    for path in (f"/bookings/{order['id']}", f"/orders/{booking['id']}"):
        assert (await api.get(path, 404))["reason"] == "not_found"
    await api.post(f"/bookings/{order['id']}/cancel", status=404)
    await api.post(f"/orders/{booking['id']}/cancel", {"reason": "none of mine"}, 404)


@pytest.mark.parametrize(
    ("fields", "reason", "status"),
    [
        ({"holder_id": "m-alix"}, "not_staff", 409),
        ({"driver_ids": ["m-alix"]}, "not_staff", 409),
        ({"holder_id": "s-max"}, "suspended", 409),
        ({"holder_id": "nobody"}, "unknown_member", 422),
        ({"vehicle_id": "nothing"}, "unknown_vehicle", 422),
        ({"purpose": "joyride"}, "invalid_request", 422),
        ({"end": at(NOW_MS)}, "end_not_after_start", 422),
        ({"start": at(NOW_MS - 6 * MINUTE_MS)}, "in_the_past", 422),
        ({"end": at(NOW_MS + 400 * 24 * HOUR_MS)}, "beyond_horizon", 422),
    ],
)
async def test_an_order_that_cannot_be_given_says_why(
    api: Api, fields: dict[str, Any], reason: str, status: int
) -> None:
    assert (await give(api, status, **fields))["reason"] == reason
    assert (await api.get("/orders"))["items"] == []


async def test_a_third_party_books_nothing_and_staff_may(api: Api) -> None:
    assert (await api.book(409, member_id="f-garage"))["reason"] == "third_party"
    await api.book(member_id="s-lea")


async def test_an_order_that_takes_longer_gets_another_end_also_past_the_first(api: Api) -> None:
    order = await give(api, end=at(NOW_MS + HOUR_MS))
    taken(api, order, "b-lea", NOW_MS)
    api.clock.at_ms = NOW_MS + 2 * HOUR_MS
    assert (await api.get(f"/orders/{order['id']}"))["overdue"]
    longer = await api.patch(f"/orders/{order['id']}", {"end": at(NOW_MS + 4 * HOUR_MS), "purpose": "towing"})
    assert (longer["end"], longer["overdue"], longer["purpose"]) == (at(NOW_MS + 4 * HOUR_MS), False, "towing")
    moved = await api.patch(f"/orders/{order['id']}", {"start": at(NOW_MS + 3 * HOUR_MS)}, 409)
    assert moved["reason"] == "key_was_taken"
    assert (await api.patch(f"/orders/{order['id']}", {}, 422))["reason"] == "invalid_request"


async def test_an_order_is_not_extended_into_a_booking(api: Api) -> None:
    order = await give(api, end=at(ELEVEN_MS))
    await api.book()
    problem = await api.patch(f"/orders/{order['id']}", {"end": at(ELEVEN_MS + 1)}, 409)
    assert problem["reason"] == "vehicle_not_free"
    assert (await api.get(f"/orders/{order['id']}"))["end"] == at(ELEVEN_MS)


async def test_an_order_is_cancelled_before_and_completed_after_its_key_was_out(api: Api) -> None:
    order = await give(api)
    path = f"/orders/{order['id']}"
    early = await api.post(f"{path}/complete", {"reason": "done"}, 409)
    assert early["reason"] == "key_not_taken"
    taken(api, order, "b-lea", NOW_MS)
    for ending in ("cancel", "complete"):
        assert (await api.post(f"{path}/{ending}", {"reason": "done"}, 409))["reason"] == "key_still_out"
    taken(api, order, "b-lea", NOW_MS + HOUR_MS, "returned", 2)
    assert (await api.post(f"{path}/cancel", {"reason": "done"}, 409))["reason"] == "key_was_taken"
    done = await api.post(f"{path}/complete", {"reason": "brakes are new"}, 200)
    assert done["state"] == "completed"
    entries = (await api.get(f"{path}/history"))["items"]
    assert (entries[-1]["what"], entries[-1]["detail"]) == ("completed", {"reason": "brakes are new"})
    await api.book()  # the rest of it is free

    other = await give(api, vehicle_id="v-family")
    cancelled = await api.post(f"/orders/{other['id']}/cancel", {"reason": "no mechanic"}, 200)
    assert cancelled["state"] == "cancelled"
    await api.post(f"/orders/{other['id']}/cancel", {}, 422)
    again = await api.post(f"/orders/{other['id']}/cancel", {"reason": "twice"}, 409)
    assert again["reason"] == "booking_cancelled"


# --- custody


async def test_who_has_the_key_is_told_by_the_badge_and_then_by_what_was_declared(api: Api) -> None:
    order = await give(api)
    path = f"/orders/{order['id']}"
    early = await api.post(f"{path}/custody", {"to_member_id": "f-garage"}, 409)
    assert early["reason"] == "key_not_taken"
    taken(api, order, "b-lea", NOW_MS)
    assert (await api.get(path))["held_by"] == {"member_id": "s-lea", "name": None}
    api.clock.at_ms = NOW_MS + HOUR_MS
    await api.post(f"{path}/custody", {"to_member_id": "f-garage", "at": at(NOW_MS + MINUTE_MS)})
    answer = await api.post(f"{path}/custody", {"to_name": "Remorquage Lens", "note": "by phone"})
    lea, garage, firm = (
        {"member_id": "s-lea", "name": None},
        {"member_id": "f-garage", "name": None},
        {"member_id": None, "name": "Remorquage Lens"},
    )
    assert [(item["at"], item["giver"], item["taker"]) for item in answer["items"]] == [
        (at(NOW_MS + MINUTE_MS), lea, garage),
        (at(NOW_MS + HOUR_MS), garage, firm),
    ]
    assert answer == await api.get(f"{path}/custody")
    assert answer["items"][1]["author"] == "api/front-end"
    assert (await api.get(path))["held_by"] == {"member_id": None, "name": "Remorquage Lens"}
    taken(api, order, "b-lea", NOW_MS + HOUR_MS, "returned", 2)
    assert (await api.get(path))["held_by"] is None


async def test_a_badge_that_takes_the_key_again_ends_what_was_declared(api: Api) -> None:
    order = await give(api)
    taken(api, order, "b-lea", NOW_MS)
    await api.post(f"/orders/{order['id']}/custody", {"to_name": "Remorquage Lens"})
    taken(api, order, "b-lea", NOW_MS + 1, "returned", 2)
    taken(api, order, "b-garage", NOW_MS + 2, "taken", 3)
    api.clock.at_ms = NOW_MS + HOUR_MS
    assert (await api.get(f"/orders/{order['id']}"))["held_by"] == {"member_id": "f-garage", "name": None}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "invalid_request"),
        ({"to_member_id": "f-garage", "to_name": "both"}, "invalid_request"),
        ({"to_member_id": "nobody"}, "unknown_member"),
        ({"to_name": "Lens", "at": at(NOW_MS - 1)}, "not_during_order"),
        ({"to_name": "Lens", "at": at(NOW_MS + 1)}, "not_during_order"),
    ],
)
async def test_custody_that_cannot_be_is_not_kept(api: Api, body: dict[str, Any], reason: str) -> None:
    order = await give(api)
    taken(api, order, "b-lea", NOW_MS)
    assert (await api.post(f"/orders/{order['id']}/custody", body, 422))["reason"] == reason
    assert (await api.get(f"/orders/{order['id']}/custody"))["items"] == []


async def test_what_does_not_exist_is_not_found(api: Api) -> None:
    for path in ("/orders/nothing", "/orders/nothing/history", "/orders/nothing/custody"):
        await api.get(path, 404)
    await api.patch("/orders/nothing", {"end": at(ELEVEN_MS)}, 404)
    await api.post("/orders/nothing/custody", {"to_name": "Lens"}, 404)
