"""The receiver of the manual, as it stands there, takes what the dispatcher sends and refuses what others do."""

import importlib.util
import json
import threading
from collections.abc import AsyncIterator
from http.server import HTTPServer
from pathlib import Path
from types import ModuleType

import jsonschema
import pytest
import pytest_asyncio

from dispatcher.core.events import EVENTS
from dispatcher.store.telling import tell_booking
from dispatcher.store.webhook_secrets import secret_text
from tests.dispatcher.events_bench import Sending, sending
from tests.dispatcher.small_fleet import book

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def example() -> ModuleType:
    path = DOCS / "examples" / "webhook-receiver" / "receiver.py"
    spec = importlib.util.spec_from_file_location("receiver_of_the_manual", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest_asyncio.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sending]:
    async with sending(monkeypatch) as bench:
        yield bench


async def test_it_takes_each_event_once_and_no_forgery(
    bench: Sending, example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = HTTPServer(("127.0.0.1", 0), example.Receiver)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    known = bench.subscribe_url(url, personal=True)
    stranger = bench.subscribe_url(url)
    monkeypatch.setattr(example, "told_once", secret_text(b"secret of " + known.id.encode()))
    booking = book(bench.database)
    bench.database.write_now(lambda c: tell_booking(c, None, booking, "created"))
    await bench.settle(bench.start())
    server.shutdown()
    server.server_close()
    (event,) = example.taken.values()
    assert bench.states(known) == ["delivered"]
    assert bench.states(stranger) == ["waiting"]
    schema = json.loads((DOCS / "schemas" / "events" / "booking.created.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(event["data"], schema, format_checker=jsonschema.FormatChecker())
    assert event["dataschema"] == schema["$id"]
    assert event["data"]["member_id"] == "member-1"


def test_every_kind_has_a_schema_and_nothing_else_has_one() -> None:
    names = {path.name for path in (DOCS / "schemas" / "events").iterdir()}
    assert names == {f"{kind}.schema.json" for kind in EVENTS}


def test_no_schema_names_a_field_for_ids_of_members_as_required() -> None:
    for path in (DOCS / "schemas" / "events").iterdir():
        schema = json.loads(path.read_text(encoding="utf-8"))
        personal = {name for name, field in schema["properties"].items() if field.get("personal")}
        assert not personal & set(schema["required"]), path.name
        assert personal == {name for name in schema["properties"] if name in {"member_id", "driver_ids"}}
