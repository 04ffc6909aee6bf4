"""The page over HTTP: what it answers, to whom, and what it does not."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from runtime.listening import ListenFailed
from simulator.page.app import LOOKING_MAX, Page, read_files, serve_page
from simulator.page.guard import HEADERS
from simulator.page.stage import Stage
from tests.simulator.page.desk import desk

PORT = 8090
HOST = f"127.0.0.1:{PORT}"
COMMANDS = "/stages/desk-1/commands"
JSON = {"content-type": "application/json", "origin": f"http://{HOST}"}


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    with desk(tmp_path) as stage:
        yield stage


@pytest.fixture
async def browser(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Page([stage]).app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
        yield client


async def test_a_command_is_carried_out_and_answered_in_words(browser: httpx.AsyncClient, stage: Stage) -> None:
    done = await browser.post(COMMANDS, headers=JSON, json={"line": "open 2"})
    assert (done.status_code, done.json()) == (200, {"done": "slot 2 opened"})
    assert stage.picture().slots[1].is_open
    again = await browser.post(COMMANDS, headers=JSON, json={"line": "open 2"})
    assert (again.status_code, again.json()) == (422, {"error": "desk-1 slot 2 is open already"})


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"line": 3}', b'{"line": "  "}', b"\xff", b'{"line": "' + b"x" * 9000]
)
async def test_what_is_no_command_is_refused_with_what_was_expected(
    browser: httpx.AsyncClient, body: bytes
) -> None:
    answer = await browser.post(COMMANDS, headers=JSON, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith('expected {"line": "take 3"}')


async def test_a_cabinet_that_is_not_there_is_named_by_those_that_are(browser: httpx.AsyncClient) -> None:
    for answer in (
        await browser.post("/stages/desk-2/commands", headers=JSON, json={"line": "open 2"}),
        await browser.get("/stages/desk-2/live"),
    ):
        assert (answer.status_code, answer.json()) == (404, {"error": "expected one of desk-1"})


@pytest.mark.parametrize(
    ("headers", "fault"),
    [
        ({"host": f"evil.example:{PORT}"}, "host"),  # DNS rebinding
        ({"host": "127.0.0.1"}, "host"),
        ({"host": "127.0.0.1:80"}, "host"),
        ({"host": f"127.0.0.1:{PORT}@evil.example"}, "host"),
        ({"origin": "http://evil.example"}, "origin"),  # CSRF
        ({"origin": "null"}, "origin"),
        ({"origin": f"https://{HOST}"}, "origin"),
        ({"origin": f"http://localhost:{PORT}"}, "origin"),
        ({"origin": None}, "origin"),
        ({"sec-fetch-site": "cross-site"}, "sec-fetch-site"),
        ({"sec-fetch-site": "same-site"}, "sec-fetch-site"),  # another port of this machine
        ({"content-type": "text/plain"}, "content-type"),  # what a form can send
        ({"content-type": None}, "content-type"),
    ],
)
async def test_an_order_from_elsewhere_is_refused_and_moves_nothing(
    browser: httpx.AsyncClient, stage: Stage, headers: dict[str, str | None], fault: str
) -> None:
    sent = {name: value for name, value in {**JSON, **headers}.items() if value is not None}
    answer = await browser.post(COMMANDS, headers=sent, content=b'{"line": "open 2"}')
    assert answer.status_code == 403
    assert answer.text.startswith(f"{fault}: expected ")
    assert not stage.picture().slots[1].is_open


@pytest.mark.parametrize(
    "headers", [{"host": "evil.example"}, {"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}]
)
@pytest.mark.parametrize("path", ["/", "/stages", "/stages/desk-1/live", "/files/main.js"])
async def test_nothing_is_read_from_elsewhere(
    browser: httpx.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    assert (await browser.get(path, headers=headers)).status_code == 403


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
async def test_each_name_of_this_machine_is_served_the_page_under_a_strict_policy(
    browser: httpx.AsyncClient, name: str
) -> None:
    answer = await browser.get("/", headers={"host": f"{name}:{PORT}", "sec-fetch-site": "none"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert {name.decode(): answer.headers[name.decode()] for name, _ in HEADERS} == {
        name.decode(): value.decode() for name, value in HEADERS
    }
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]


async def test_every_file_of_the_page_is_served_and_nothing_else(browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/")).text
    names = set(read_files())
    assert names == {"index.html", "page.css", "icon.svg", "main.js", "acts.js", "dom.js", "drawing.js", "wire.js"}
    for name in names:
        assert (await browser.get(f"/files/{name}")).status_code == 200
        text = read_files()[name].decode()
        assert "http" not in text.replace("http://www.w3.org/2000/svg", ""), f"{name} names no third party"
        assert "innerHTML" not in text
    assert "style=" not in page
    assert "<script>" not in page
    for path in ("/files/app.py", "/files/..%2fapp.py", "/files/nothing", "/nothing"):
        assert (await browser.get(path)).status_code == 404


async def test_who_looks_is_told_the_picture_and_what_passes_until_the_page_ends(stage: Stage) -> None:
    async with serve_page([stage], 0) as serving, httpx.AsyncClient(base_url=serving.url) as client:
        async with client.stream("GET", "/stages/desk-1/live") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.aiter_lines()
            assert len((await event(lines, "picture"))["slots"]) == 8
            await stage.do("open 4")
            rows = await event(lines, "rows")
            assert [row["words"] for row in rows] == ["slot 4: door opened by somebody"]
            assert (await event(lines, "picture"))["slots"][3]["is_open"]
        with pytest.raises(ListenFailed, match=r"--page-port: port [0-9]+ on 127\.0\.0\.1 is in use"):
            async with serve_page([stage], serving.port):
                pass
        await stage.do("pull-cable locks")
    assert stage.picture().lines[0].is_plugged, "what was broken is mended when the page ends"


async def test_more_lookers_than_a_developer_has_tabs_are_sent_away(stage: Stage) -> None:
    page = Page([stage])
    page._looking = LOOKING_MAX
    async with httpx.AsyncClient(transport=httpx.ASGITransport(page.app), base_url=f"http://{HOST}") as client:
        answer = await client.get("/stages/desk-1/live")
    assert (answer.status_code, answer.json()) == (503, {"error": "12 look already: close a tab"})


async def event(lines: AsyncIterator[str], kind: str) -> Any:
    """The data of the next event of this kind."""
    async with asyncio.timeout(5):
        async for line in lines:
            if line == f"event: {kind}":
                return json.loads((await anext(lines)).removeprefix("data: "))
    raise AssertionError("the stream ended")
