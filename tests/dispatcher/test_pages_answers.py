"""Pages as answers: what a browser that looks again is sent, and what one that asks for nothing of ours is told."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.store.incidents import all_incidents, open_incident
from tests.dispatcher.page_client import Browser, running_browser

BACKENDS = ("sqlite",)  # the views have tests of their own, on both


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with running_browser() as browser:
        await browser.sign_in()
        yield browser


async def wrong(browser: Browser) -> str:
    """Something is wrong; the incident's name in paths."""
    found = Discrepancy(IncidentKind.MAINS_LOST, "gare-1", "power", "none", cabinet_id="gare-1")
    now_ms = browser.api.clock.now_ms()
    await browser.api.database.write(lambda connection: open_incident(connection, found, now_ms))
    return (await browser.api.database.read(all_incidents))[0].ref


async def test_who_looks_again_and_finds_the_same_is_sent_nothing_but_the_time_it_was_true(
    browser: Browser,
) -> None:
    first = await browser.open("/")
    browser.api.clock.at_ms += 7000
    again = await browser.open("/", **{"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (first.headers["page-as-of"], again.headers["page-as-of"]) == ("12:07:00", "12:07:07")
    assert '<span id="as-of">12:07:00</span>' in first.text
    await wrong(browser)
    changed = await browser.open("/", **{"if-none-match": first.headers["etag"]})
    assert changed.status_code == 200
    assert "Mains lost" in changed.text


@pytest.mark.parametrize("path", ["/incidents", "/stations/gare", "/vehicles/v-city-1"])
async def test_every_page_is_laid_out(browser: Browser, path: str) -> None:
    await wrong(browser)
    answer = await browser.open(path)
    assert answer.status_code == 200
    assert "Mains lost" in answer.text or path.startswith("/vehicles")


async def test_a_booking_of_the_api_has_its_page(browser: Browser) -> None:
    body = {
        "member_id": "m-alix",
        "vehicle_id": "v-city-1",
        "start": "2026-10-04T11:00:00Z",
        "end": "2026-10-04T13:00:00Z",
        "accept_unreachable": True,
    }
    made = await browser.call("/bookings", body)
    assert made.status_code == 201, made.text
    answer = await browser.open(f"/bookings/{made.json()['id']}")
    assert "Alix Dumont" in answer.text


async def test_what_a_page_asks_the_api_for_twice_under_one_key_is_done_once(browser: Browser) -> None:
    ref = await wrong(browser)
    for replayed in (None, "true"):
        answer = await browser.call(
            f"/incidents/{ref}/comments", {"text": "on the way"}, **{"idempotency-key": "k"}
        )
        assert (answer.status_code, answer.headers.get("idempotency-replayed")) == (201, replayed)
    assert (await browser.open(f"/incidents/{ref}")).text.count("on the way") == 1


@pytest.mark.parametrize(
    "path", ["/incidents/none", "/stations/none", "/vehicles/none", "/bookings/none", "/nothing"]
)
async def test_what_is_not_there_is_told_in_words_and_not_in_json(browser: Browser, path: str) -> None:
    answer = await browser.open(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "There is no such thing" in answer.text
    assert browser.api.context.counters.refusals == {"not_found": 1}
