"""Webhooks through the API: their secrets are told once, their dead letters hold no member."""

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select, update
from standardwebhooks import Webhook

from dispatcher.api.scopes import Scope
from dispatcher.core.deliveries import Attempt, Outcome
from dispatcher.core.windows import utc_text
from dispatcher.store.deliveries import claim_turn, keep_attempt
from dispatcher.store.outbox import emit
from dispatcher.store.schema import webhook_deliveries, webhooks
from dispatcher.store.webhooks import WEBHOOKS_MAX
from tests.dispatcher.api_client import Api, running_api, token_of
from tests.dispatcher.events_bench import key_taken

URL = "https://hooks.example.org/carshare"


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        yield api


async def make(api: Api, **fields: Any) -> Any:
    return await api.post("/webhooks", {"url": URL, **fields})


async def delete(api: Api, path: str) -> Any:
    return (await api.http.delete(f"/api/v1{path}")).json()


def say(api: Api, key_id: str = "key-1") -> None:
    api.database.write_now(lambda c: emit(c, key_taken(key_id, api.clock.now_ms())))


def attempt(api: Api, outcome: Outcome, status: int | None) -> None:
    """A sender's turn, with the same outcome for every event."""
    now_ms = api.clock.now_ms()
    turn = api.database.write_now(lambda c: claim_turn(c, "a-claim", now_ms, 0))
    assert turn is not None
    for event in turn.events:
        how = Attempt(outcome, status)
        keep = partial(keep_attempt, turn=turn, event=event, attempt=how, now_ms=now_ms, chance=0.5)
        if not api.database.write_now(keep):
            break


async def test_a_webhook_is_made_with_a_secret_that_is_told_once(api: Api) -> None:
    made = await make(api, kinds=["booking.created"])
    assert (made["url"], made["kinds"], made["state"], made["author"]) == (
        URL,
        ["booking.created"],
        "active",
        "front-end",
    )
    Webhook(made["secret"])  # one that the receivers' library takes
    read = await api.get(f"/webhooks/{made['id']}")
    assert read == {name: value for name, value in made.items() if name != "secret"}
    assert made["secret"] not in json.dumps((await api.get("/webhooks"))["items"])


async def test_the_database_holds_no_secret(api: Api) -> None:
    made = await make(api)
    row = api.database.read_now(lambda c: c.execute(select(webhooks)).one())
    assert made["secret"].removeprefix("whsec_") not in str(row)


async def test_asked_again_under_its_key_it_is_made_once_and_told_again(api: Api) -> None:
    answers = [
        await api.http.post("/api/v1/webhooks", json={"url": URL}, headers={"idempotency-key": "k"})
        for _ in range(2)
    ]
    assert answers[0].text == answers[1].text
    assert len((await api.get("/webhooks"))["items"]) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "http://hooks.example.org/"}, "url"),
        ({"url": "https://user:word@hooks.example.org/"}, "url"),
        ({"url": URL, "kinds": []}, "kinds"),
        ({"url": URL, "kinds": ["booking.paid"]}, "kinds.0"),
        ({"url": URL, "kinds": ["webhook.test"]}, "kinds.0"),
        ({"url": URL, "secret": "mine"}, "secret"),
    ],
)
async def test_a_wrong_request_names_its_field(api: Api, body: dict[str, Any], field: str) -> None:
    problem = await api.post("/webhooks", body, 422)
    assert problem["errors"][0]["field"] == field


async def test_there_is_a_limit(api: Api) -> None:
    for _ in range(WEBHOOKS_MAX):
        await make(api)
    assert (await api.post("/webhooks", {"url": URL}, 409))["reason"] == "too_many_webhooks"


async def test_where_ids_of_members_go_is_set_up_by_who_may_see_members(api: Api) -> None:
    api.http.headers["authorization"] = f"Bearer {token_of(Scope.WEBHOOKS)}"
    problem = await api.post("/webhooks", {"url": URL, "personal": True}, 403)
    assert (problem["reason"], problem["scope"]) == ("insufficient_scope", "members:read")
    plain = await make(api)
    await api.patch(f"/webhooks/{plain['id']}", {"personal": True}, 403)
    assert (await api.get(f"/webhooks/{plain['id']}"))["personal"] is False


async def test_who_may_not_see_members_sends_their_ids_nowhere_else_either(api: Api) -> None:
    made = await make(api, personal=True)
    api.http.headers["authorization"] = f"Bearer {token_of(Scope.WEBHOOKS)}"
    await api.patch(f"/webhooks/{made['id']}", {"url": "https://other.example.org/"}, 403)
    assert (await api.patch(f"/webhooks/{made['id']}", {"state": "paused"}))["url"] == URL


async def test_a_webhook_is_changed_and_keeps_its_secret(api: Api) -> None:
    made = await make(api, kinds=["key.taken"])
    path = f"/webhooks/{made['id']}"
    api.clock.at_ms += 1000
    changed = await api.patch(path, {"url": "https://other.example.org/", "kinds": None})
    assert (changed["url"], changed["kinds"]) == ("https://other.example.org/", None)
    assert changed["version"] > made["version"]
    say(api)
    turn = api.database.write_now(lambda c: claim_turn(c, "a-claim", api.clock.now_ms(), 0))
    assert turn is not None
    assert turn.secrets == (Webhook(made["secret"])._whsecret,)
    assert (await api.patch(path, {}, 422))["errors"][0]["field"] == "body"


async def test_a_change_from_another_version_is_refused(api: Api) -> None:
    made = await make(api)
    answer = await api.http.patch(
        f"/api/v1/webhooks/{made['id']}", json={"state": "paused"}, headers={"if-match": '"v1"'}
    )
    assert answer.status_code == 412


async def test_a_webhook_that_is_deleted_is_gone_with_its_deliveries(api: Api) -> None:
    made = await make(api)
    say(api)
    assert (await delete(api, f"/webhooks/{made['id']}"))["id"] == made["id"]
    await api.get(f"/webhooks/{made['id']}", 404)
    assert api.database.read_now(lambda c: c.execute(select(webhook_deliveries)).all()) == []


async def test_a_new_secret_is_told_once_and_the_old_one_ends(api: Api) -> None:
    made = await make(api)
    api.clock.at_ms += 1000
    rotated = await api.post(f"/webhooks/{made['id']}/rotate-secret", {"keep_previous_s": 60}, 200)
    assert rotated["secret"] != made["secret"]
    assert rotated["previous_secret_until"] == utc_text(rotated["version"] + 60_000)
    say(api)
    wanted = [Webhook(rotated["secret"])._whsecret, Webhook(made["secret"])._whsecret]
    for later_ms, secrets in ((0, wanted), (120_000, wanted[:1])):
        now_ms = api.clock.now_ms() + later_ms
        turn = api.database.write_now(partial(claim_turn, claim="a-claim", now_ms=now_ms, lease_ms=0))
        assert turn is not None
        assert list(turn.secrets) == secrets


async def test_a_test_is_queued_and_seen_among_the_deliveries(api: Api) -> None:
    made = await make(api, kinds=["booking.created"])
    queued = await api.post(f"/webhooks/{made['id']}/test", status=202)
    (delivery,) = (await api.get(f"/webhooks/{made['id']}/deliveries"))["items"]
    assert (delivery["event_id"], delivery["kind"], delivery["state"]) == (
        queued["event_id"],
        "webhook.test",
        "waiting",
    )
    assert api.wakes, "the senders look at once"


async def test_deliveries_tell_each_attempt_and_no_member(api: Api) -> None:
    made = await make(api, personal=True)
    booking = await api.book(accept_unreachable=True)
    attempt(api, Outcome.FAILED, 502)
    (delivery,) = (await api.get(f"/webhooks/{made['id']}/deliveries", state="waiting"))["items"]
    assert delivery["subject"] == f"bookings/{booking['id']}"
    assert [(entry["outcome"], entry["status"]) for entry in delivery["log"]] == [("failed", 502)]
    assert delivery["next_attempt_at"] > utc_text(api.clock.now_ms())
    assert "m-alix" not in json.dumps(delivery)
    assert (await api.get(f"/webhooks/{made['id']}/deliveries", state="dead"))["items"] == []


async def test_deliveries_come_in_pages_the_newest_first(api: Api) -> None:
    made = await make(api)
    for number in range(5):
        say(api, f"key-{number}")
    path, found, cursor = f"/webhooks/{made['id']}/deliveries", [], None
    for _ in range(3):
        page = await api.get(path, limit=2, **({"cursor": cursor} if cursor else {}))
        found += [item["subject"] for item in page["items"]]
        cursor = page["next"]
    assert (found, cursor) == ([f"keys/key-{number}" for number in (4, 3, 2, 1, 0)], None)


async def test_events_are_replayed_from_one_of_them_or_from_an_instant(api: Api) -> None:
    made = await make(api)
    for number in range(3):
        api.clock.at_ms += 1000
        say(api, f"key-{number}")
    attempt(api, Outcome.DELIVERED, 204)
    path = f"/webhooks/{made['id']}"
    events = [item["event_id"] for item in (await api.get(f"{path}/deliveries"))["items"]]
    assert (await api.post(f"{path}/replay", {"from_event": events[1]}, 202))["queued"] == 2
    attempt(api, Outcome.DELIVERED, 204)
    at = utc_text(api.clock.now_ms())
    assert (await api.post(f"{path}/replay", {"since": at}, 202))["queued"] == 1
    assert (await api.post(f"{path}/replay", {"since": at, "only_dead": True}, 202))["queued"] == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"from_event": "1-x", "since": "2026-10-04T10:00:00Z"},
        {"from_event": "1-AAAAAAAAAAAAAAAAAAAA"},
        {"from_event": "no-number"},
        {"from_event": "9" * 30},
        {"since": "2026-10-04T10:00:00"},
    ],
)
async def test_a_replay_begins_with_an_event_that_is_kept_or_at_an_instant(api: Api, body: dict[str, Any]) -> None:
    made = await make(api)
    say(api)
    await api.post(f"/webhooks/{made['id']}/replay", body, 422)


async def test_one_that_is_disabled_is_neither_tested_nor_replayed_until_it_is_active(api: Api) -> None:
    made = await make(api)
    say(api)
    attempt(api, Outcome.GONE, 410)
    path = f"/webhooks/{made['id']}"
    found = await api.get(path)
    assert (found["state"], found["why_disabled"]) == ("disabled", "gone")
    for end, body in (("test", None), ("replay", {"since": "2026-01-01T00:00:00Z"})):
        assert (await api.post(f"{path}/{end}", body, 409))["reason"] == "webhook_disabled"
    active = await api.patch(path, {"state": "active"})
    assert (active["state"], active["why_disabled"], active["failures"]) == ("active", None, 0)
    assert (await api.post(f"{path}/replay", {"since": "2026-01-01T00:00:00Z", "only_dead": True}, 202))[
        "queued"
    ] == 1


@pytest.mark.parametrize("end", ["", "/deliveries"])
async def test_an_unknown_webhook_is_not_found(api: Api, end: str) -> None:
    assert (await api.get(f"/webhooks/nobody{end}", 404))["reason"] == "not_found"


async def test_one_that_was_changed_past_the_program_is_given_no_new_seal(api: Api) -> None:
    made = await make(api)
    change = update(webhooks).values(url="https://thief.example.org/")
    api.database.write_now(lambda c: c.execute(change))
    await api.patch(f"/webhooks/{made['id']}", {"kinds": ["key.taken"], "url": "https://other.example.org/"})
    say(api)
    assert api.database.write_now(lambda c: claim_turn(c, "a-claim", api.clock.now_ms(), 0)) is None
    assert (await api.get(f"/webhooks/{made['id']}"))["why_disabled"] == "secret_unreadable"
