"""Bookings and orders from a page, against a dispatcher that answers as told."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from runtime.clocks import SystemLineClock
from simulator.cabinet.words import BadCommand
from simulator.clocks import ScaledClock
from simulator.network.lilas import lilas_network
from simulator.page.booking import Bookings
from simulator.page.people import STAFF_CARD, people_of
from simulator.world.cabinet import PhysicalCabinet
from simulator.world.record import WorldRecord

NETWORK = lilas_network(1, 1)
CABINET = NETWORK.cabinets[0]
PEOPLE = {person.id: person for person in people_of(NETWORK)}
GRID_MS = 900_000
NOW_MS = 100 * GRID_MS + 400_000
Answer = Callable[[httpx.Request, Any], tuple[int, dict[str, Any]]]


def made(vehicle: str, grant: str = "on_box") -> dict[str, Any]:
    return {"id": "b-0001", "vehicle_id": vehicle, "cabinet_id": CABINET, "state": "booked", "grant": grant}


def desk(answer: Answer, asked: list[tuple[str, Any]]) -> Bookings:
    def handle(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        asked.append((f"{request.method} {request.url.path.removeprefix('/api/v1')}", body))
        status, said = answer(request, body)
        return httpx.Response(status, json=said)

    keys = {vehicle.key.home_slot: vehicle.key for vehicle in NETWORK.vehicles}
    client = httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="http://api")
    cabinet = PhysicalCabinet(CABINET, 8, keys, WorldRecord())
    return Bookings(client, NETWORK, cabinet, ScaledClock(NOW_MS, 1.0, SystemLineClock()), GRID_MS)


async def test_the_first_vehicle_that_is_free_is_booked_from_the_step_that_is_running() -> None:
    asked: list[tuple[str, Any]] = []
    second = NETWORK.vehicles[1]

    def answer(_request: httpx.Request, body: Any) -> tuple[int, dict[str, Any]]:
        if body["vehicle_id"] == second.id:
            return 201, made(second.id)
        return 409, {"reason": "vehicle_not_free"}

    bookings = desk(answer, asked)
    words = await bookings.book(PEOPLE["member"], None)
    assert words == f"booking b-0001: {second.name}, slot 2; its right is on the box"
    assert bookings.made == {PEOPLE["member"].card.credential: "b-0001"}
    assert [body["vehicle_id"] for _, body in asked] == [vehicle.id for vehicle in NETWORK.vehicles[:2]]
    assert (asked[0][1]["start"], asked[0][1]["end"]) == ("1970-01-02T01:00:00+00:00", "1970-01-02T02:00:00+00:00")
    with pytest.raises(
        BadCommand, match=f"expected a vehicle that is free now: {NETWORK.vehicles[0].name}: vehicle_n"
    ):
        await bookings.book(PEOPLE["member"], 1)
    with pytest.raises(BadCommand, match="no key of the network hangs there"):
        await bookings.book(PEOPLE["member"], 8)


async def test_staff_become_known_once_and_are_given_an_order_whose_right_is_waited_for() -> None:
    asked: list[tuple[str, Any]] = []

    def answer(request: httpx.Request, _body: Any) -> tuple[int, dict[str, Any]]:
        if request.method == "GET":
            return 200, made(NETWORK.vehicles[0].id)
        grant = {"grant": "pending"} if request.url.path.endswith("/orders") else {}
        return 201, {**made(NETWORK.vehicles[0].id), "id": "m-0001", **grant}

    bookings = desk(answer, asked)
    words = await bookings.book(PEOPLE["staff"], 1)
    assert words == f"order m-0001: {NETWORK.vehicles[0].name}, slot 1; its right is on the box"
    await bookings.book(PEOPLE["staff"], 1)
    calls = [call for call, _ in asked]
    assert calls == [
        "POST /members", "POST /members/m-0001/badges", "POST /orders", "GET /orders/m-0001",
        "POST /orders", "GET /orders/m-0001",
    ]  # fmt: skip
    assert asked[0][1]["role"] == "staff"
    assert asked[1][1] == {"credential": STAFF_CARD.credential}


async def test_a_dispatcher_that_fails_is_named() -> None:
    bookings = desk(lambda _request, _body: (503, {"reason": "busy"}), [])
    for person in ("member", "staff"):
        with pytest.raises(BadCommand, match="book: the dispatcher does not answer: POST "):
            await bookings.book(PEOPLE[person], 1)
