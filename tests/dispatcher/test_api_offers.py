"""Offers of another vehicle through the API: listed, accepted, declined, and refused once they are over."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest_asyncio

from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.core.rules import FleetRules
from dispatcher.store.incidents import open_incident
from dispatcher.store.swaps import settle_offers
from tests.dispatcher.api_client import Api, running_api
from tests.dispatcher.network import NOW_MS, at, set_key, set_link


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        yield api


async def _offered(api: Api) -> tuple[str, dict[str, Any]]:
    """The id of a booking at 11:00 whose vehicle is late, and its offer."""
    set_link(api.database, "gare-1")
    set_key(api.database, "k-city-2", "in_slot", slot=2)
    booking = await api.book()
    late = Discrepancy(
        IncidentKind.KEY_OVERDUE, "before", expected="back", seen="out", cabinet_id="gare-1", vehicle_id="v-city-1"
    )
    api.database.write_now(lambda connection: open_incident(connection, late, NOW_MS))
    api.database.write_now(partial(settle_offers, rules=FleetRules(), now_ms=NOW_MS))
    (offer,) = (await api.get(f"/bookings/{booking['id']}/offers"))["items"]
    return booking["id"], offer


async def test_an_offer_says_what_a_member_needs_to_decide(api: Api) -> None:
    _, offer = await _offered(api)
    assert offer == {
        "id": offer["id"],
        "vehicle_id": "v-city-2",
        "cabinet_id": "gare-1",
        "distance_m": 0,
        "state": "offered",
        "offered_at": at(NOW_MS),
        "until": "2026-10-04T10:45:00Z",
        "decided_at": None,
        "why": None,
    }


async def test_a_yes_binds_the_booking_and_a_second_one_is_refused(api: Api) -> None:
    booking_id, offer = await _offered(api)
    booking = await api.post(f"/bookings/{booking_id}/offers/{offer['id']}/accept", status=200)
    assert (booking["vehicle_id"], booking["state"], booking["version"]) == ("v-city-2", "booked", 2)
    problem = await api.post(f"/bookings/{booking_id}/offers/{offer['id']}/accept", status=409)
    assert problem["reason"] == "offer_over"
    assert "this one is accepted" in problem["errors"][0]["expected"]


async def test_a_no_keeps_the_booking_as_it_was(api: Api) -> None:
    booking_id, offer = await _offered(api)
    booking = await api.post(f"/bookings/{booking_id}/offers/{offer['id']}/decline", status=200)
    assert (booking["vehicle_id"], booking["version"]) == ("v-city-1", 1)
    (over,) = (await api.get(f"/bookings/{booking_id}/offers"))["items"]
    assert (over["state"], over["why"], over["decided_at"]) == ("declined", "said_no", at(NOW_MS))


async def test_an_offer_of_another_booking_is_not_found(api: Api) -> None:
    _, offer = await _offered(api)
    other = await api.book(vehicle_id="v-family", member_id="m-brahim")
    await api.post(f"/bookings/{other['id']}/offers/{offer['id']}/accept", status=404)
    await api.get("/bookings/nothing/offers", 404)
