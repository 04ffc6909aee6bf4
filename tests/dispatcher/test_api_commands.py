"""A slot released from afar, as the API takes the order and tells what became of it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import update

from contract.messages import ReplyOutcome
from contract.reasons import Reason
from dispatcher.core.windows import utc_text
from dispatcher.store.commands import command_by_id, keep_outcome, open_commands
from dispatcher.store.schema import key_states
from tests.dispatcher.api_client import OTHER_TOKEN, Api, running_api
from tests.dispatcher.network import NOW_MS, import_document, set_key

PATH = "/cabinets/gare-1/commands"
WANTED: dict[str, Any] = {"slot": 2, "reason": "badge broken, identity checked by phone"}


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api(token=OTHER_TOKEN) as api:
        yield api


async def test_an_order_is_kept_with_author_and_reason_and_waits_for_its_box(api: Api) -> None:
    made = await api.post(PATH, WANTED)
    assert (made["cabinet_id"], made["slot"], made["action"]) == ("gare-1", 2, "release_slot")
    assert (made["author"], made["reason"]) == ("operators", WANTED["reason"])
    assert (made["issued_at"], made["expires_at"]) == (utc_text(NOW_MS), utc_text(NOW_MS + 60_000))
    assert (made["outcome"], made["outcome_reason"], made["answered_at"]) == (None, None, None)
    assert api.wakes == [NOW_MS]
    (waiting,) = api.database.read_now(lambda c: open_commands(c, NOW_MS)).waiting
    assert waiting.id == made["id"]


async def test_where_it_was_made_it_can_be_read(api: Api) -> None:
    answer = await api.http.post(f"/api/v1{PATH}", json=WANTED)
    location = answer.headers["location"]
    assert location == f"/api/v1{PATH}/{answer.json()['id']}"
    assert (await api.http.get(location)).json() == answer.json()


async def test_what_became_of_it_is_told(api: Api) -> None:
    made = await api.post(PATH, WANTED)
    api.database.write_now(
        lambda c: keep_outcome(c, "gare-1", made["id"], ReplyOutcome.REFUSED, Reason.BUSY, NOW_MS + 1000)
    )
    after = await api.get(f"{PATH}/{made['id']}")
    assert (after["outcome"], after["outcome_reason"]) == ("refused", "busy")
    assert after["answered_at"] == utc_text(NOW_MS + 1000)


@pytest.mark.parametrize("seconds", [10, 600])
async def test_its_time_can_be_chosen(api: Api, seconds: int) -> None:
    made = await api.post(PATH, {**WANTED, "expires_in_s": seconds})
    stored = api.database.read_now(lambda c: command_by_id(c, "gare-1", made["id"]))
    assert stored is not None
    assert stored.expires_ms - stored.issued_ms == seconds * 1000


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": "r"}, "slot"),
        ({"slot": 2}, "reason"),
        ({**WANTED, "slot": 0}, "slot"),
        ({**WANTED, "slot": 9}, "slot"),
        ({**WANTED, "slot": 129}, "slot"),
        ({**WANTED, "reason": ""}, "reason"),
        ({**WANTED, "reason": "x" * 201}, "reason"),
        ({**WANTED, "expires_in_s": 9}, "expires_in_s"),
        ({**WANTED, "expires_in_s": 601}, "expires_in_s"),
        ({**WANTED, "author": "me"}, "author"),
    ],
)
async def test_a_wrong_order_names_its_field_and_opens_nothing(api: Api, body: dict[str, Any], field: str) -> None:
    problem = await api.post(PATH, body, 422)
    assert problem["reason"] == "invalid_request"
    assert [fault["field"] for fault in problem["errors"]] == [field]
    assert api.database.read_now(lambda c: open_commands(c, NOW_MS)).waiting == ()
    assert api.wakes == []


async def test_a_slot_that_the_cabinet_does_not_have_is_refused_by_its_number(api: Api) -> None:
    problem = await api.post("/cabinets/mairie-1/commands", {**WANTED, "slot": 5}, 422)
    assert problem["errors"][0]["expected"] == "at most 4, the slots of mairie-1"


async def test_a_cabinet_that_is_not_there_or_not_in_service_takes_no_order(api: Api) -> None:
    assert (await api.post("/cabinets/nowhere/commands", WANTED, 404))["reason"] == "not_found"
    document = {"cabinets": [{"id": "gare-1", "station_id": "gare", "slots": 8, "life_cycle": "retired"}]}
    import_document(api.database, document)
    assert (await api.post(PATH, WANTED, 409))["reason"] == "cabinet_not_in_service"


async def test_a_command_is_found_at_its_own_cabinet_only(api: Api) -> None:
    made = await api.post(PATH, WANTED)
    await api.get(f"/cabinets/mairie-1/commands/{made['id']}", 404)
    await api.get(f"{PATH}/unknown", 404)


async def test_a_vehicle_whose_key_is_out_under_a_command_says_who_gave_it(api: Api) -> None:
    set_key(api.database, "k-city-2", "taken")
    assert (await api.get("/vehicles/v-city-2"))["key"]["ordered_by"] is None
    made = await api.post(PATH, WANTED)
    out = update(key_states).where(key_states.c.key_id == "k-city-2").values(command_id=made["id"])
    api.database.write_now(lambda connection: connection.execute(out))
    assert (await api.get("/vehicles/v-city-2"))["key"]["ordered_by"] == "operators"
