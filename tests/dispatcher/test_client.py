"""The commands for a person, against the API as it is served."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dispatcher.cli import main
from dispatcher.client.tables import WIDTH_MAX, table
from runtime.http import serve_asgi
from tests.dispatcher.api_client import TOKEN, Api, running_api
from tests.dispatcher.network import ELEVEN_MS, HOUR_MS, at

BACKENDS = ("sqlite",)  # what is tested is on this side of the API
PERIOD = ("--from", "2026-10-04", "--until", "2026-10-11")


class Terminal:
    def __init__(self, url: str, token_file: Path, capsys: pytest.CaptureFixture[str], api: Api) -> None:
        self.api = api
        self._to = ("--api", url, "--token-file", str(token_file))
        self._capsys = capsys

    async def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self._capsys.readouterr()
        status = await asyncio.to_thread(main, [*arguments, *self._to])
        shown = self._capsys.readouterr()
        return status, "\n".join(line for line in shown.out.splitlines() if "[info" not in line), shown.err


@asynccontextmanager
async def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Terminal]:
    token_file = tmp_path / "token"
    token_file.write_text(f"{TOKEN}\n")
    async with running_api() as api, serve_asgi(api.app, "127.0.0.1", 0, field="port") as serving:
        yield Terminal(serving.url, token_file, capsys, api)


async def test_a_person_books_looks_and_cancels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with terminal(tmp_path, capsys) as run:
        window = ("--start", at(ELEVEN_MS), "--end", at(ELEVEN_MS + HOUR_MS))
        status, out, _ = await run(
            "booking",
            "new",
            "--member",
            "m-alix",
            "--vehicle",
            "v-city-1",
            *window,
            "--accept-unreachable",
            "--json",
        )
        made = json.loads(out)
        assert (status, made["state"]) == (0, "booked")
        _, listed, _ = await run("booking", "list", "--vehicle", "v-city-1")
        assert made["id"] in listed
        _, shown, _ = await run("booking", "cancel", made["id"])
        assert "cancelled" in shown
        assert (await run.api.get(f"/bookings/{made['id']}"))["state"] == "cancelled"


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (("station", "list"), "Gare Lille-Flandres"),
        (("station", "show", "gare"), "50.6366"),
        (("vehicle", "list", "--station", "mairie"), "v-mairie"),
        (("vehicle", "show", "v-family"), "hybrid"),
        (("member", "search", "alix"), "m-alix"),
        (("member", "show", "m-suspended"), "suspended"),
        (("incident", "list"), "severity"),
        (("report", "utilisation", *PERIOD), "v-city-2"),
        (("report", "fleet", *PERIOD), "could_go"),
    ],
)
async def test_each_noun_shows_what_the_api_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: tuple[str, ...], shown: str
) -> None:
    async with terminal(tmp_path, capsys) as run:
        status, out, err = await run(*command)
        assert (status, err) == (0, "")
        assert shown in out
        if command[1] != "show":
            assert all(len(line) <= WIDTH_MAX for line in out.splitlines())


async def test_a_refusal_is_one_sentence_with_field_value_and_what_was_expected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with terminal(tmp_path, capsys) as run:
        window = ("--start", "2026-10-04T11:05:00Z", "--end", at(ELEVEN_MS + 2 * HOUR_MS))
        status, _, err = await run("booking", "new", "--member", "m-alix", "--vehicle", "v-city-1", *window)
        assert status == 1
        (line,) = err.splitlines()
        assert line.startswith("dispatcher: off_grid: start = 2026-10-04T11:05:00Z: expected ")


def test_who_cannot_reach_the_api_or_has_no_token_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token_file = tmp_path / "token"
    nowhere = ("station", "list", "--api", "http://127.0.0.1:1", "--token-file", str(token_file))
    assert main(nowhere) == 2
    assert "--token-file" in capsys.readouterr().err
    token_file.write_text("t")
    assert main(nowhere) == 1
    assert "http://127.0.0.1:1: no answer" in capsys.readouterr().err


def test_times_are_shown_in_the_zone_of_the_machine_with_their_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.environ.get("TZ")
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    try:
        shown = table([{"at": "2026-10-25T00:30:00Z"}, {"at": "2026-10-25T01:30:00Z"}, {"at": None}], ["at"])
    finally:
        monkeypatch.undo()
        assert os.environ.get("TZ") == before
        time.tzset()
    assert shown.splitlines() == ["at", "2026-10-25 02:30+0200", "2026-10-25 02:30+0100", "-"]


def test_a_table_that_is_too_wide_is_cut_at_its_widest_columns() -> None:
    head, line = table([{"short": "x", "long": "y" * 300}], ["short", "long"]).splitlines()
    assert (len(line), line[-1], head.split()) == (WIDTH_MAX, "…", ["short", "long"])
