"""The hotline's eight digits: made for one slot, with author and reason."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from contract.credentials import cabinet_digest_key
from contract.release_codes import WINDOW_MS, release_code, release_code_key, window_number
from dispatcher.core.windows import utc_text
from dispatcher.store.commands import close_over, open_commands
from dispatcher.store.release_codes import AHEAD_MAX
from tests.dispatcher.api_client import OTHER_TOKEN, Api, running_api
from tests.dispatcher.network import NOW_MS

PATH = "/cabinets/gare-1/release-codes"
WANTED: dict[str, Any] = {"slot": 2, "reason": "badge broken, identity checked by phone"}


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api(token=OTHER_TOKEN) as api:
        yield api


async def test_a_code_is_the_one_that_this_cabinets_box_takes_for_this_slot_now(api: Api) -> None:
    made = await api.post(PATH, WANTED)
    key = release_code_key(cabinet_digest_key(b"m" * 32, "gare-1"))
    assert made["code"] == release_code(key, 2, window_number(NOW_MS))
    assert (made["author"], made["reason"], made["slot"]) == ("operators", WANTED["reason"], 2)
    assert made["valid_until"] == utc_text((window_number(NOW_MS) + 2) * WINDOW_MS)


async def test_each_code_of_a_cabinet_has_another_number_until_the_box_would_take_no_more(api: Api) -> None:
    codes = {(await api.post(PATH, WANTED))["code"] for _ in range(AHEAD_MAX + 1)}
    assert len(codes) == AHEAD_MAX + 1
    problem = await api.post(PATH, WANTED, 409)
    assert problem["reason"] == "too_many_codes"
    assert "the next can be made in" in problem["detail"]
    assert (await api.post("/cabinets/mairie-1/release-codes", WANTED))["cabinet_id"] == "mairie-1"
    api.clock.at_ms += WINDOW_MS
    assert (await api.post(PATH, WANTED))["code"] not in codes


async def test_the_order_can_be_read_and_does_not_hold_the_digits(api: Api) -> None:
    answer = await api.http.post(f"/api/v1{PATH}", json=WANTED)
    assert answer.headers["cache-control"] == "no-store"
    order = await api.http.get(answer.headers["location"])
    assert (order.json()["action"], order.json()["outcome"]) == ("release_code", None)
    assert answer.json()["code"] not in order.text


async def test_nothing_is_sent_to_the_box_and_an_unused_code_ends_unanswered(api: Api) -> None:
    made = await api.post(PATH, WANTED)
    assert api.wakes == []
    assert api.database.read_now(lambda c: open_commands(c, NOW_MS)).waiting == ()
    api.database.write_now(lambda c: close_over(c, NOW_MS + 3 * WINDOW_MS))
    after = await api.get(f"/cabinets/gare-1/commands/{made['command_id']}")
    assert after["outcome"] == "unanswered"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": "r"}, "slot"),
        ({"slot": 2}, "reason"),
        ({**WANTED, "slot": 0}, "slot"),
        ({**WANTED, "slot": 9}, "slot"),
        ({**WANTED, "reason": ""}, "reason"),
        ({**WANTED, "code": "12345678"}, "code"),
    ],
)
async def test_a_wrong_request_names_its_field(api: Api, body: dict[str, Any], field: str) -> None:
    problem = await api.post(PATH, body, 422)
    assert [error["field"] for error in problem["errors"]] == [field]


async def test_an_unknown_cabinet_has_no_codes(api: Api) -> None:
    assert (await api.post("/cabinets/nowhere-1/release-codes", WANTED, 404))["reason"] == "not_found"
