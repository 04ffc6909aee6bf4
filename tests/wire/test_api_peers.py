"""The API as programs meet it that read its OpenAPI document and nothing else of this project."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from dispatcher.store.erasure_list import ErasureList
from runtime.http import serve_asgi
from tests.dispatcher.api_client import TOKEN, Api, running_api
from tests.wire.osdp_bench import python_of

API = ".venv-api"
RULES_ANSWER_TOO = "positive_data_acceptance"
"""What a document allows may still break a rule of booking, which no document can tell."""
PATHS_SHARE_A_NAME = "allow_header_conformance"
"""`/members/search` is also a path of `/members/{id}`, whose methods an answer of 405 names."""
REFUSES_INPUT = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429]
"""413 too, which it takes for no refusal by itself: a text may be too long for its field and for any body."""
SERVER_ERROR = 500


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[Api, str]]:
    """With a list of erasures in `folder`: without one nobody is erased, which is no fault of a caller's."""
    async with (
        running_api() as api,
        serve_asgi(api.application, "127.0.0.1", 0, field="http.port") as serving,
    ):
        api.application.context = replace(api.context, erasures=ErasureList(folder / "erasures"))
        yield api, serving.url


async def run(*command: str, cwd: Path, within_s: float = 500) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), within_s)
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode is not None
    return process.returncode, said.decode()


async def schemathesis(url: str, folder: Path, *words: str) -> tuple[int, str]:
    """Runs it over the whole document."""
    program = str(Path(python_of(API)).with_name("schemathesis"))
    config = folder / "schemathesis.toml"
    config.write_text(f"[checks.negative_data_rejection]\nexpected-statuses = {REFUSES_INPUT}\n")
    without = ("--exclude-checks", f"{RULES_ANSWER_TOO},{PATHS_SHARE_A_NAME}", "--seed", "1")
    quiet = ("--suppress-health-check", "all", "--no-color", "--workers", "1")
    command = (program, "--config-file", str(config), "run", f"{url}/api/v1/openapi.json")
    return await run(*command, *without, *quiet, *words, cwd=folder)


def statuses(api: Api) -> Counter[int]:
    found: Counter[int] = Counter()
    for (_method, _template, status), count in api.context.counters.requests.items():
        found[status] += count
    return found


def operations(api: Api) -> set[tuple[str, str]]:
    document = api.app.openapi()
    return {(method.upper(), path) for path, item in document["paths"].items() for method in item}


@pytest.mark.parametrize(
    ("phases", "examples", "least"),
    [
        ("fuzzing", 2, 100),
        pytest.param("examples,coverage,fuzzing,stateful", 10, 3000, marks=pytest.mark.long),
    ],
)
async def test_what_the_document_allows_is_answered_as_it_says(
    tmp_path: Path, phases: str, examples: int, least: int
) -> None:
    async with served(tmp_path) as (api, url):
        words = ("--header", f"Authorization: Bearer {TOKEN}", "--phases", phases, "--max-examples", str(examples))
        status, said = await schemathesis(url, tmp_path, *words)
        answered = statuses(api)
        asked = {(method, template) for method, template, _ in api.context.counters.requests}
    assert status == 0, said
    assert answered.total() > least, said
    assert not [code for code in answered if code >= SERVER_ERROR], answered
    assert operations(api) <= asked
    assert {200, 201} <= answered.keys() or examples < 10, answered


async def test_without_a_right_every_operation_is_answered_with_that_alone(tmp_path: Path) -> None:
    async with served(tmp_path) as (api, url):
        status, said = await schemathesis(url, tmp_path, "--phases", "fuzzing", "--max-examples", "1")
        answered = statuses(api)
    assert status == 0, said
    assert answered.keys() <= {200, 401, 429}, answered
    assert answered[200] <= 2, "the document itself"
    assert answered[401] >= len(operations(api))


CLIENT = """\
import sys
from datetime import datetime, timedelta, timezone

from {package} import AuthenticatedClient
from {package}.api.bookings import cancel_booking, change_booking, create_booking, read_booking
from {package}.models import BookingChange, NewBooking, Problem

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2], raise_on_unexpected_status=True)
start = datetime.fromisoformat(sys.argv[3])
wanted = NewBooking(
    member_id="m-alix", vehicle_id="v-city-1", start=start, end=start + timedelta(hours=2), accept_unreachable=True
)
made = create_booking.sync(client=client, body=wanted)
print(made.state, made.version, made.vehicle_id)
taken = create_booking.sync(client=client, body=wanted)
assert isinstance(taken, Problem), taken
print(taken.status, taken.reason)
longer = BookingChange(end=start + timedelta(hours=3))
changed = change_booking.sync(made.id, client=client, body=longer)
print(changed.end - changed.start, changed.version)
print(cancel_booking.sync(made.id, client=client).state)
print(read_booking.sync(made.id, client=client).state)
"""


async def test_a_generated_client_books_changes_and_cancels(tmp_path: Path) -> None:
    python = python_of(API)
    generate = str(Path(python).with_name("openapi-python-client"))
    async with served(tmp_path) as (api, url):
        document = tmp_path / "openapi.json"
        document.write_text(json.dumps(api.app.openapi()))
        words = ("generate", "--path", str(document), "--meta", "none", "--output-path", str(tmp_path / "client"))
        status, said = await run(generate, *words, cwd=tmp_path)
        assert status == 0, said
        assert "unable to" not in said.lower(), said
        program = tmp_path / "books.py"
        program.write_text(CLIENT.format(package="client"))
        status, said = await run(python, str(program), url, TOKEN, "2026-10-04T13:00:00+02:00", cwd=tmp_path)
    assert status == 0, said
    assert said.split("\n") == [
        "booked 1 v-city-1",
        "409 vehicle_not_free",
        "3:00:00 2",
        "cancelled",
        "cancelled",
        "",
    ]


async def test_each_operation_has_a_name_of_its_own() -> None:
    async with running_api() as api:
        names = [
            operation["operationId"] for item in api.app.openapi()["paths"].values() for operation in item.values()
        ]
    assert len(names) == len(set(names)) > 40
    assert all(re.fullmatch(r"[a-z][a-z_]+", name) for name in names)
