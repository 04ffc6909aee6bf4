"""What one shift leaves to the next: through the API, on the board, and gone after a day."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from dispatcher.api.scopes import Scope
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.core.retention import Retention
from dispatcher.core.windows import DAY_MS
from dispatcher.pages.views.mark import changed, mark
from dispatcher.store.incidents import open_incident
from dispatcher.store.schema import shift_notes
from dispatcher.store.shift_notes import NewNote, leave_note
from tests.dispatcher.api_client import OTHER_TOKEN, TOKEN, Api, running_api, token_of
from tests.dispatcher.network import NOW_MS
from tests.dispatcher.page_client import running_browser
from tests.dispatcher.small_fleet import new_database
from tests.dispatcher.test_pages_board import plain
from tests.dispatcher.test_retention import keep_house, rows

LOST = Discrepancy(IncidentKind.DEVICE_LOST, "gare-1/reader", "it answers", "no answer", cabinet_id="gare-1")


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api(token=OTHER_TOKEN) as api:
        yield api


async def leave(api: Api, text: str, **about: str) -> str:
    return str((await api.post("/shift-notes", {"text": text, **about}))["id"])


async def texts(api: Api, **query: Any) -> list[str]:
    return [note["text"] for note in (await api.get("/shift-notes", **query))["items"]]


async def test_a_note_is_left_read_and_done_once_by_whoever_says_so_first(api: Api) -> None:
    api.database.write_now(lambda connection: open_incident(connection, LOST, NOW_MS))
    incident = (await api.get("/incidents"))["items"][0]["id"]
    await leave(api, "the heater is off")
    note = await leave(api, "reader: spare one in the van", station_id="gare", incident_id=incident)
    assert await texts(api) == ["reader: spare one in the van", "the heater is off"]
    done = await api.post(f"/shift-notes/{note}/done", status=200)
    assert (done["author"], done["done_by"], done["incident_id"]) == ("operators", "operators", incident)
    api.clock.at_ms += 60_000
    api.http.headers["authorization"] = f"Bearer {TOKEN}"
    assert await api.post(f"/shift-notes/{note}/done", status=200) == done
    assert await api.get(f"/shift-notes/{note}") == done
    assert await texts(api, done="false") == ["the heater is off"]
    assert await texts(api, done="true") == ["reader: spare one in the van"]


async def test_a_note_about_something_that_is_not_there_is_refused_by_name(api: Api) -> None:
    problem = await api.post("/shift-notes", {"text": "x", "station_id": "mons"}, 422)
    assert (problem["reason"], problem["errors"][0]["field"]) == ("no_such_station", "station_id")
    problem = await api.post("/shift-notes", {"text": "x", "incident_id": "i"}, 422)
    assert problem["errors"] == [{"field": "incident_id", "value": "i", "expected": "the id of an incident"}]
    problem = await api.post("/shift-notes", {"text": "x" * 501}, 422)
    assert problem["errors"][0]["field"] == "text"
    await api.post("/shift-notes/nothing/done", status=404)


async def test_a_note_is_told_for_a_day_and_no_longer(api: Api) -> None:
    note = await leave(api, "the heater is off")
    api.clock.at_ms += DAY_MS
    assert await texts(api) == ["the heater is off"]
    api.clock.at_ms += 1
    assert await texts(api) == []
    await api.get(f"/shift-notes/{note}", 404)
    await api.post(f"/shift-notes/{note}/done", status=404)


async def test_who_sees_incidents_reads_notes_and_who_handles_them_writes_them(api: Api) -> None:
    api.http.headers["authorization"] = f"Bearer {token_of(Scope.OPERATIONS)}"
    await leave(api, "the heater is off")
    await api.get("/shift-notes", 403)
    api.http.headers["authorization"] = f"Bearer {token_of(Scope.INCIDENTS_READ)}"
    assert await texts(api) == ["the heater is off"]
    await api.post("/shift-notes", {"text": "x"}, 403)


async def test_the_board_shows_what_is_to_be_done_first_and_says_who_did_the_rest() -> None:
    async with running_browser() as browser:
        await browser.sign_in()
        first = (await browser.call("/shift-notes", {"text": "call <the garage>", "station_id": "gare"})).json()
        await browser.call("/shift-notes", {"text": "the heater is off"})
        seen = plain((await browser.open("/")).text)
        assert seen.index("the heater is off") < seen.index("call &lt;the garage&gt;")
        assert "about Gare Lille-Flandres" in seen
        await browser.call("/shift-notes", {"text": "newer"})
        await browser.call(f"/shift-notes/{first['id']}/done")
        seen = plain((await browser.open("/")).text)
        assert seen.index("newer") < seen.index("the heater is off") < seen.index("call &lt;the garage&gt;")
        assert "done by operators" in seen
        browser.api.clock.at_ms += DAY_MS + 1
        await browser.sign_in()
        assert "Nobody has left a note." in plain((await browser.open("/")).text)


def test_open_pages_hear_of_a_note_and_the_housekeeping_removes_it_after_a_day() -> None:
    database = new_database()
    was = database.read_now(mark)
    database.write_now(lambda c: leave_note(c, NewNote("n", NOW_MS, "desk", "the heater is off", "st-a")))
    now = database.read_now(mark)
    assert database.read_now(lambda c: changed(c, was, now)) == {"notes"}
    keep_house(database, NOW_MS + DAY_MS, Retention())
    assert len(rows(database, shift_notes)) == 1
    keep_house(database, NOW_MS + DAY_MS + 1, Retention())
    assert rows(database, shift_notes) == []
    database.close()
