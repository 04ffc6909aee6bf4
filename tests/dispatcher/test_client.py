"""The commands for a person, against the API as it is served."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from contract.messages import ReplyOutcome
from contract.reasons import Reason
from dispatcher.api.scopes import Scope
from dispatcher.cli import main
from dispatcher.client.program import asks_api
from dispatcher.core.booking_states import BookingState
from dispatcher.store.incidents import open_incident
from tests.dispatcher.api_client import token_of
from tests.dispatcher.network import ELEVEN_MS, NOW_MS, at, import_document, set_booking, set_key
from tests.dispatcher.terminal import Terminal, here, terminal
from tests.dispatcher.test_api_incidents import LATE, LOST
from tests.dispatcher.test_api_orders import STAFF
from tests.dispatcher.test_api_releases import answer

BACKENDS = ("sqlite",)  # what is tested is on this side of the API
PERIOD = ("--from", "2026-10-04", "--until", "2026-10-11")
BOOKING = ("--member", "m-alix", "--vehicle", "v-city-1", "--accept-unreachable")
WINDOW = ("--start", "2026-10-04T13:00", "--end", "2026-10-04T15:00")  # as the clock on the wall reads
UNTIL_SIX = ("--end", "2026-10-04T18:00+02:00")
SHOWN = [
    (("station", "list"), "Gare Lille-Flandres"),
    (("station", "show", "gare"), "50.6366"),
    (("vehicle", "list", "--station", "mairie"), "v-mairie"),
    (("vehicle", "show", "v-family"), "hybrid"),
    (("member", "search", "alix"), "m-alix"),
    (("member", "show", "m-suspended"), "suspended"),
    (("badge", "show", "b-alix"), "calypso"),
    (("badge", "spread", "b-alix-old"), "boxes"),
    (("cabinet", "list", "--station", "gare"), "unreachable"),
    (("cabinet", "show", "mairie-1"), "also_serves"),
    (("order", "list", "--holder", "s-lea"), "none"),
    (("block", "list", "--all"), "none"),
    (("incident", "list"), "key_overdue"),
    (("report", "utilisation", *PERIOD), "v-city-2"),
    (("report", "fleet", *PERIOD), "could_go"),
]


@pytest_asyncio.fixture
async def run(tmp_path: Path) -> AsyncIterator[Terminal]:
    async with terminal(tmp_path) as run:
        import_document(run.api.database, STAFF, seed=2)
        set_key(run.api.database, "k-city-1", "in_slot")
        for number, discrepancy in enumerate((LOST, LATE)):
            run.api.database.write_now(partial(open_incident, discrepancy=discrepancy, now_ms=NOW_MS + number))
        yield run


async def made(run: Terminal, *command: str) -> Any:
    status, out, err = await run(*command, "--json")
    assert (status, err) == (0, "")
    return json.loads(out)


async def done(run: Terminal, *command: str) -> str:
    status, out, err = await run(*command)
    assert (status, err) == (0, "")
    return out


async def test_a_person_books_looks_changes_extends_and_cancels(run: Terminal) -> None:
    booking = (await made(run, "booking", "new", *BOOKING, *WINDOW))["id"]
    assert booking in await done(run, "booking", "list", "--vehicle", "v-city-1", "--from", "2026-10-04")
    assert "2026-10-04 16:00+0200" in await done(run, "booking", "change", booking, "--end", "2026-10-04T16:00")
    extended = await done(run, "booking", "extend", booking, "--end", "2026-10-04T17:00")
    assert "latest_end" in extended
    history = await done(run, "booking", "history", booking)
    assert "end: 2026-10-04 16:00+0200 -> 2026-10-04 17:00+0200" in " ".join(history.split())
    assert "cancelled" in await done(run, "booking", "cancel", booking)
    answered = await run.api.get(f"/bookings/{booking}")
    assert (answered["state"], answered["start"]) == ("cancelled", at(ELEVEN_MS))


async def test_each_noun_shows_what_the_api_tells_and_all_of_it_as_json(run: Terminal) -> None:
    for command, shown in SHOWN:
        for columns in (100, 80):
            with here(columns):
                out = await done(run, *command)
            assert shown in out, command
            assert all(len(line) <= columns for line in out.splitlines())
        assert isinstance(await made(run, *command), dict)


async def test_reports_come_as_csv_in_lines_of_this_machine(run: Terminal) -> None:
    for command, head in (
        (("utilisation", "--csv"), "id,suppressed,vehicles"),
        (("fleet", "--csv", "under_used"), "vehicle_id,station_id"),
        (("fleet", "--csv", "short_of_cars"), "station_id,category"),
    ):
        out = await done(run, "report", *command, *PERIOD)
        assert out.startswith(head)
        assert "\r" not in out
    assert (await run("report", "utilisation", *PERIOD, "--csv", "--json"))[0] == 2


async def test_a_command_that_is_given_again_under_its_key_is_done_once(run: Terminal) -> None:
    again = ("--again", "3f1c2a5e0d0b4f7e9d1b")
    first, second = [await made(run, "booking", "new", *BOOKING, *WINDOW, *again) for _ in range(2)]
    assert first == second
    other = await run("booking", "cancel", first["id"], *again)
    assert (other[0], "idempotency_key_reused" in other[2]) == (1, True)


async def test_what_somebody_changed_since_it_was_shown_is_not_changed_over_it(run: Terminal) -> None:
    booking = (await made(run, "booking", "new", *BOOKING, *WINDOW))["id"]
    tags = {}
    for noun, thing in (("booking", booking), ("incident", "1"), ("badge", "b-alix")):
        shown = dict(
            line.split(maxsplit=1) for line in (await done(run, noun, "show", thing)).splitlines() if "  " in line
        )
        tags[noun] = shown["tag"]
        assert "tag" not in await made(run, noun, "show", thing), "the API's own answer"
    assert tags["booking"] == "v1"
    for change in (
        ("booking", "extend", booking, *UNTIL_SIX, "--tag"),
        ("incident", "assign", "1", "--to", "Claire", "--tag"),
        ("badge", "revoke", "b-alix", "--reason", "lost", "--tag"),
    ):
        await done(run, *change, tags[change[0]])
        status, _, err = await run(*change, tags[change[0]])
        assert (status, err.startswith("dispatcher: version_changed: ")) == (1, True)
        assert "`show` tells its tag" in err


async def test_a_revoked_badge_opens_nothing(run: Terminal) -> None:
    assert "revoked" in await done(run, "badge", "revoke", "b-alix", "--reason", "lost in the street")
    assert (await run.api.get("/badges/b-alix"))["state"] == "revoked"


async def test_a_service_order_is_given_shown_and_ended(run: Terminal) -> None:
    wanted = ("--holder", "s-lea", "--vehicle", "v-city-2", "--purpose", "garage", *UNTIL_SIX, "--note", "brakes")
    order = (await made(run, "order", "new", *wanted))["id"]
    assert order in await done(run, "order", "list", "--state", "booked")
    assert "garage" in await done(run, "order", "show", order)
    status, _, err = await run("order", "complete", order, "--reason", "brakes done")
    assert (status, err.splitlines()) == (
        1,
        ["dispatcher: key_not_taken: state = booked: expected an order that is returned"],
    )
    assert "cancelled" in await done(run, "order", "cancel", order, "--reason", "no part")


async def test_a_block_is_laid_shown_and_ended(run: Terminal) -> None:
    block = (await made(run, "block", "new", "--vehicle", "v-mairie", "--kind", "damage", "--note", "mirror"))["id"]
    assert "mirror" in await done(run, "block", "list", "--kind", "damage")
    assert "v-mairie" in await done(run, "block", "show", block)
    assert "ended_at" in await done(run, "block", "end", block, "--reason", "mended")
    assert await done(run, "block", "list") == "none"


async def test_a_stolen_cabinet_is_cut_off_only_where_all_is_said(run: Terminal) -> None:
    status, _, err = await run("cabinet", "theft", "gare-1", "--declare")
    assert (status, "--case and --reason" in err) == (2, True)
    assert (await run("cabinet", "theft", "gare-1"))[0] == 1, "none was declared"
    why = ("--case", "2026/17", "--reason", "the wall is bare")
    assert "v-city-1" in await done(run, "cabinet", "theft", "gare-1", "--declare", *why)
    assert "2026/17" in await done(run, "cabinet", "theft", "gare-1")


async def test_incidents_are_named_by_their_number(run: Terminal) -> None:
    assert "acknowledged_by" in await done(run, "incident", "ack", "1")
    assert "Claire" in await done(run, "incident", "assign", "1", "--to", "Claire")
    told = await done(run, "incident", "comment", "1", "--text", "A technician is on the way.")
    assert "text: A technician is on the way." in " ".join(told.split())
    status, _, err = await run("incident", "close", "1", "--reason", "seen")
    assert (status, err.startswith("dispatcher: incident_ends_by_itself: ")) == (1, True)
    by_id = (await made(run, "incident", "show", "2"))["id"]
    assert (await made(run, "incident", "show", by_id))["kind"] == "key_overdue"
    assert (await run("incident", "show", "9"))[::2] == (1, "dispatcher: not_found: there is no incident 9\n")


async def test_an_incident_of_an_older_page_and_a_list_that_goes_on(
    run: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.client.incidents.ROWS_MAX", 1)
    assert "device_lost" in await done(run, "incident", "show", "1")
    assert "... and more" in await done(run, "incident", "list")


async def test_who_held_is_asked_with_a_case(run: Terminal) -> None:
    case = ("--case", "4711", "--reason", "notice of speeding")
    told = await done(run, "report", "who-held", "--vehicle", "v-city-1", "--at", "2026-10-04T11:30", *case)
    assert "audit_number" in told


async def test_a_release_says_what_became_of_it(run: Terminal) -> None:
    booking = (await made(run, "booking", "new", *BOOKING, *WINDOW))["id"]
    release = ("booking", "release", booking, "--reason", "badge broken")
    opened, _ = await asyncio.gather(run(*release), answer(run.api, ReplyOutcome.COMPLETED))
    assert opened == (0, "slot 1 of gare-1 is open; the booking begins when the key is taken", "")
    refused, _ = await asyncio.gather(run(*release), answer(run.api, ReplyOutcome.REFUSED, Reason.BUSY))
    assert refused[0] == 1
    assert refused[2].splitlines() == [
        "dispatcher: slot 1 of gare-1 was not opened: refused, busy",
        f"dispatcher: without the box: dispatcher booking release-code {booking} --reason TEXT",
    ]
    code = await made(run, "booking", "release-code", booking, "--reason", "no network there")
    assert len(code["code"]) == 8


async def test_a_slot_is_opened_whatever_hangs_in_it(run: Terminal) -> None:
    slot = ("gare-1", "--slot", "3", "--reason", "a fob fell behind the rack")
    opened, _ = await asyncio.gather(run("cabinet", "release", *slot), answer(run.api, ReplyOutcome.COMPLETED))
    assert opened == (0, "slot 3 of gare-1 is open", "")
    expired, _ = await asyncio.gather(run("cabinet", "release", *slot), answer(run.api, ReplyOutcome.EXPIRED))
    assert (expired[0], expired[2].splitlines()) == (
        1,
        [
            "dispatcher: slot 3 of gare-1 was not opened: expired",
            "dispatcher: without the box: dispatcher cabinet release-code gare-1 --slot 3 --reason TEXT",
        ],
    )
    assert "valid_until" in await done(run, "cabinet", "release-code", *slot)


async def test_a_booking_is_given_another_vehicle_and_ended_by_hand(run: Terminal) -> None:
    booking = (await made(run, "booking", "new", *BOOKING, *WINDOW))["id"]
    set_key(run.api.database, "k-city-2", "in_slot", slot=2)
    instead = ("--category", "city", "--reason", "flat tyre")
    assert "v-city-2" in await done(run, "booking", "replace", booking, *instead)
    set_booking(run.api.database, booking, state=BookingState.ACTIVE, taken_ms=ELEVEN_MS)
    ended = await done(run, "booking", "complete", booking, "--reason", "towed", "--key-held-by", "Garage du Nord")
    assert "completed" in ended


async def test_a_refusal_is_one_sentence_with_field_value_what_was_expected_and_what_is_possible(
    run: Terminal,
) -> None:
    status, _, err = await run("booking", "new", *BOOKING, "--start", "2026-10-04T13:05", *UNTIL_SIX)
    off_grid = "off_grid: start = 2026-10-04 13:05+0200: expected a multiple of 15 minutes after the hour"
    assert (status, err) == (1, f"dispatcher: {off_grid}\n")
    await done(run, "booking", "new", *BOOKING, *WINDOW)
    status, _, err = await run("booking", "new", "--member", "m-brahim", *BOOKING[2:], *WINDOW)
    (line,) = err.splitlines()
    assert status == 1
    assert line.startswith("dispatcher: vehicle_not_free: vehicle_id = v-city-1: expected ")
    assert "v-city-1 is free from 2026-10-04 15:00+0200" in line


async def test_a_field_that_was_not_sent_has_no_value(run: Terminal) -> None:
    status, _, err = await run("booking", "new", "--member", "m-alix", *WINDOW)
    expected = "invalid_request: vehicle_id: expected either vehicle_id, or category and station_id"
    assert (status, err) == (1, f"dispatcher: {expected}\n")


async def test_a_name_can_stay_out_of_the_history(run: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("alix\n"))
    assert "m-alix" in await done(run, "member", "search", "-")


async def test_a_token_that_may_not_is_told_the_scope(run: Terminal, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(token_of(Scope.NETWORK_READ))
    status, _, err = await run("incident", "list")
    assert status == 1
    assert err.startswith("dispatcher: insufficient_scope: ")
    assert "incidents:read" in err


@pytest.mark.parametrize(
    ("text", "mode", "expected"),
    [
        ("t", 0o604, "chmod o="),
        ("", 0o600, "a token and nothing else"),
        ("# a file of\ntokens\n", 0o600, "a token and nothing else"),
        (None, 0o600, "No such file"),
    ],
)
def test_a_token_file_is_for_its_owner_and_holds_a_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, mode: int, expected: str
) -> None:
    file = tmp_path / "token"
    if text is not None:
        file.touch(mode)
        file.chmod(mode)
        file.write_text(text)
    assert main(("station", "list", "--api", "http://127.0.0.1:1", "--token-file", str(file))) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "status", "expected"),
    [
        ("http://127.0.0.1:1", 3, "http://127.0.0.1:1: no answer that can be read: "),
        ("http://dispatcher.example", 2, "expected https://: the token would go there in the clear"),
        ("dispatcher.example", 2, "expected http://... or https://..."),
    ],
)
def test_who_cannot_reach_the_api_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str, status: int, expected: str
) -> None:
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text("t")
    assert main(("station", "list", "--api", url, "--token-file", str(file))) == status
    assert expected in capsys.readouterr().err


async def test_an_id_that_begins_with_a_hyphen_is_an_id(run: Terminal) -> None:
    status, _, err = await run("booking", "show", "-bcdefghijklmnopqrst")
    assert (status, err) == (1, "dispatcher: not_found: there is no booking '-bcdefghijklmnopqrst'\n")
    assert await done(run, "booking", "list", "--vehicle", "--cdefghijklmnopqrst") == "none"


def test_what_asks_the_api_needs_nothing_else_of_the_program() -> None:
    assert all(asks_api(command) for command, _ in SHOWN)
    for others in ((), ("serve",), ("member",), ("member", "--help"), ("member", "export"), ("--help",)):
        assert not asks_api(others)
