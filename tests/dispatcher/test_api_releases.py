"""The hotline lets the member of a booking have its key: an order to the box, or a code for the phone."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio

from contract.facts import Identity, KeyReturned, KeyTaken
from contract.messages import ReplyOutcome
from contract.reasons import Reason
from dispatcher.core.booking_states import BookingState
from dispatcher.store.commands import StoredCommand, keep_outcome, open_commands
from tests.dispatcher.api_client import OTHER_TOKEN, Api, running_api
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.network import NOW_MS, set_booking, set_key
from tests.dispatcher.small_fleet import take
from tests.runtime.waiting import eventually

WHY: dict[str, Any] = {"reason": "badge broken, identity checked by phone"}


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api(token=OTHER_TOKEN) as api:
        set_key(api.database, "k-city-1", "in_slot")
        yield api


def orders(api: Api) -> Sequence[StoredCommand]:
    return api.database.read_now(lambda c: open_commands(c, NOW_MS)).waiting


async def answer(api: Api, outcome: ReplyOutcome, reason: Reason | None = None) -> None:
    """The box's word about the one order that is open, once there is one."""
    await eventually(lambda: orders(api))
    (order,) = orders(api)
    api.database.write_now(lambda c: keep_outcome(c, "gare-1", order.id, outcome, reason, NOW_MS + 800))


async def test_what_the_box_says_is_the_answer(api: Api) -> None:
    booking = await api.book()
    path = f"/bookings/{booking['id']}/release"
    said, _ = await asyncio.gather(api.post(path, WHY), answer(api, ReplyOutcome.COMPLETED))
    assert (said["cabinet_id"], said["slot"], said["booking_id"]) == ("gare-1", 1, booking["id"])
    assert (said["outcome"], said["release_code"]) == ("completed", None)
    assert (said["author"], said["reason"]) == ("operators", WHY["reason"])


async def test_where_the_box_refuses_or_is_silent_a_code_is_offered(api: Api) -> None:
    booking = await api.book()
    path = f"/bookings/{booking['id']}/release"
    refused, _ = await asyncio.gather(api.post(path, WHY), answer(api, ReplyOutcome.REFUSED, Reason.BUSY))
    silent = await api.post(path, {**WHY, "wait_s": 0})
    assert (refused["outcome"], refused["outcome_reason"]) == ("refused", "busy")
    assert (silent["outcome"], silent["answered_at"]) == (None, None)
    assert refused["release_code"] == silent["release_code"] == f"/api/v1{path}-code"
    code = await api.post(f"{path}-code", WHY)
    assert (code["cabinet_id"], code["slot"], len(code["code"])) == ("gare-1", 1, 8)


def tell(api: Api, box: FakeBox, kind: type[KeyTaken | KeyReturned], **fields: Any) -> None:
    seq = box.note(kind, slot=1, identity=Identity.READ, **fields)
    take(api.database, box.batch(seq), now_ms=NOW_MS)


@pytest.mark.parametrize("by", ["release", "release-code"])
async def test_the_booking_starts_with_it_and_ends_with_the_keys_return(api: Api, by: str) -> None:
    booking = await api.book()
    where = f"/bookings/{booking['id']}"
    made = await api.post(f"{where}/{by}", {**WHY, **({"wait_s": 0} if by == "release" else {})})
    box = FakeBox("gare-1", now_ms=NOW_MS)
    tell(api, box, KeyTaken, key="k-city-1", command=made.get("id") or made["command_id"])
    assert (await api.get(where))["state"] == "active"
    tell(api, box, KeyReturned, key="k-city-1")
    assert (await api.get(where))["state"] == "returned"
    (rental,) = (await api.get("/rentals", booking=booking["id"]))["items"]
    assert rental["vehicle_id"] == "v-city-1"


async def test_another_key_that_comes_out_starts_nothing(api: Api) -> None:
    booking = await api.book()
    made = await api.post(f"/bookings/{booking['id']}/release", {**WHY, "wait_s": 0})
    tell(api, FakeBox("gare-1", now_ms=NOW_MS), KeyTaken, key="k-family", command=made["id"])
    assert (await api.get(f"/bookings/{booking['id']}"))["state"] == "booked"


async def test_a_key_is_released_where_it_hangs(api: Api) -> None:
    booking = await api.book()
    set_key(api.database, "k-city-1", "in_slot", "mairie-1", slot=4)
    said = await api.post(f"/bookings/{booking['id']}/release", {**WHY, "wait_s": 0})
    assert (said["cabinet_id"], said["slot"]) == ("mairie-1", 4)


@pytest.mark.parametrize("by", ["release", "release-code"])
async def test_a_key_that_hangs_nowhere_is_refused_by_name(api: Api, by: str) -> None:
    booking = await api.book()
    path = f"/bookings/{booking['id']}/{by}"
    set_key(api.database, "k-city-1", "missing")
    assert (await api.post(path, WHY, 409))["reason"] == "key_not_present"
    set_key(api.database, "k-city-1", "taken")
    set_booking(api.database, booking["id"], state=BookingState.ACTIVE)
    assert (await api.post(path, WHY, 409))["reason"] == "key_still_out"
    set_booking(api.database, booking["id"], state=BookingState.CANCELLED)
    assert (await api.post(path, WHY, 409))["reason"] == "booking_cancelled"
    assert (await api.post(f"/bookings/nowhere/{by}", WHY, 404))["reason"] == "not_found"
    assert orders(api) == ()


@pytest.mark.parametrize(
    ("body", "field"), [({}, "reason"), ({"reason": ""}, "reason"), ({**WHY, "wait_s": 11}, "wait_s")]
)
async def test_a_wrong_request_names_its_field(api: Api, body: dict[str, Any], field: str) -> None:
    booking = await api.book()
    problem = await api.post(f"/bookings/{booking['id']}/release", body, 422)
    assert [fault["field"] for fault in problem["errors"]] == [field]


async def test_an_order_for_a_slot_can_wait_too(api: Api) -> None:
    path = "/cabinets/gare-1/commands"
    body = {"slot": 2, **WHY, "wait_s": 10}
    said, _ = await asyncio.gather(api.post(path, body), answer(api, ReplyOutcome.COMPLETED))
    assert (said["outcome"], said["booking_id"]) == ("completed", None)
