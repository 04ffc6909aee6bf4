"""Who looks live is told what changed, whoever wrote it, and is let go when the program stops."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from sqlalchemy.exc import OperationalError

from contract.facts import DoorClosed
from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.pages import hub as hub_module
from dispatcher.pages import live as live_module
from dispatcher.pages.hub import LISTENERS_MAX, TOPICS_MAX, Hub, Listener
from dispatcher.pages.live import _events
from dispatcher.pages.views.mark import changed, mark
from dispatcher.store.database import Database
from dispatcher.store.incidents import open_incident
from runtime.executor import ThreadExecutor
from runtime.http import SHUTDOWN_S, serve_asgi
from tests.dispatcher.api_client import TOKEN, running_api
from tests.dispatcher.scene import Scene
from tests.dispatcher.small_fleet import CABINET, NOW_MS, ORIGIN, book, fleet_url, new_database
from tests.runtime.waiting import eventually

DISCREPANCY = Discrepancy(IncidentKind.MAINS_LOST, CABINET, "power", "none", cabinet_id=CABINET)


@pytest.fixture
def database() -> Iterator[Database]:
    database = new_database()
    yield database
    database.close()


@pytest_asyncio.fixture
async def hub(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    monkeypatch.setattr(hub_module, "EVERY_S", 0.005)
    hub = Hub(database)
    yield hub
    hub.close()


def write_incident(database: Database) -> None:
    database.write_now(lambda connection: open_incident(connection, DISCREPANCY, NOW_MS))


def test_a_mark_tells_what_changed_by_topic() -> None:
    scene = Scene()
    database = scene.database
    was = database.read_now(mark)

    def topics() -> set[str]:
        nonlocal was
        before, was = was, database.read_now(mark)
        return set(database.read_now(lambda connection: changed(connection, before, was)))

    assert topics() == set()
    write_incident(database)
    assert topics() == {"incidents"}
    scene.tell(DoorClosed, slot=1)
    assert topics() == {f"cabinet:{CABINET}"}
    scene.presence(scene.box, online=False)
    assert topics() == {f"cabinet:{CABINET}"}
    book(database)
    assert topics() in ({"bookings"}, set())  # a row that a test wrote tells nobody; the desk's own does
    database.close()


async def test_a_listener_hears_of_what_others_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "EVERY_S", 0.005)
    url = fleet_url(tmp_path)
    executor = ThreadExecutor("reader")
    mine, theirs = Database(url, executor, origin=ORIGIN), Database(url, executor, origin=ORIGIN)
    hub = Hub(mine)
    with hub.listening() as listener:
        await hub.watching()
        write_incident(theirs)
        assert await anext(listener.topics()) == ["incidents"]
    hub.close()
    await executor.close()
    mine.close()
    theirs.close()


async def test_nobody_looks_at_the_database_while_nobody_listens(hub: Hub) -> None:
    def is_looking() -> bool:
        return hub._looking is not None

    assert not is_looking()
    with hub.listening():
        await hub.watching()
        with hub.listening():
            assert hub.listeners == 2
        assert is_looking()
    assert (hub.listeners, is_looking()) == (0, False)


async def test_a_stream_begins_once_nothing_is_missed_any_more_and_ends_with_the_hub(
    hub: Hub, database: Database
) -> None:
    stream = _events(hub)
    assert (await anext(stream)).startswith("retry: 1000\nevent: beat\n")
    write_incident(database)
    assert await anext(stream) == 'event: changed\ndata: ["incidents"]\n\n'
    hub.close()
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert hub.is_full
    await eventually(lambda: hub.listeners == 0)


async def test_a_stream_where_nothing_changes_beats(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "BEAT_S", 0.01)
    stream = _events(hub)
    await anext(stream)
    assert await anext(stream) == "event: beat\ndata: []\n\n"
    await stream.aclose()
    assert hub.listeners == 0


async def test_a_stream_ends_after_a_while_so_that_the_gate_is_asked_again(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "STREAM_S", 0.02)
    stream = _events(hub)
    await anext(stream)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    assert hub.listeners == 0


async def test_a_stream_that_waits_to_begin_ends_with_the_hub_too(
    hub: Hub, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_work: object) -> None:
        raise OperationalError("select", {}, Exception("database is locked"))

    monkeypatch.setattr(database, "read", never)
    waiting = asyncio.ensure_future(anext(_events(hub)))
    await eventually(lambda: hub.listeners == 1)
    hub.close()
    with suppress(StopAsyncIteration):
        assert (await waiting).startswith("retry")
    await eventually(lambda: hub._looking is None)


async def test_a_database_that_does_not_answer_ends_the_streams_since_they_would_lie(
    hub: Hub, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = _events(hub)
    await anext(stream)

    async def locked(_work: object) -> None:
        raise OperationalError("select", {}, Exception("database is locked"))

    monkeypatch.setattr(database, "read", locked)
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


def _is_full(hub: Hub) -> bool:
    return hub.is_full


async def test_there_are_so_many_listeners_and_no_more(hub: Hub) -> None:
    blocks = [hub.listening() for _ in range(LISTENERS_MAX)]
    for block in blocks:
        block.__enter__()
    assert hub.listeners == LISTENERS_MAX
    assert _is_full(hub)
    blocks[0].__exit__(None, None, None)
    assert not _is_full(hub)
    for block in blocks[1:]:
        block.__exit__(None, None, None)


async def test_what_waits_for_a_slow_listener_is_bounded() -> None:
    listener = Listener()
    listener.tell(f"cabinet:{number}" for number in range(TOPICS_MAX + 1))
    assert await anext(listener.topics()) == ["everything"]


async def test_a_program_that_stops_waits_for_no_open_stream() -> None:
    """As `dispatcher.service` does it: the site is closed first, then the server, which waits for its requests."""
    loop = asyncio.get_running_loop()
    async with running_api() as api, httpx.AsyncClient() as client:
        async with serve_asgi(api.site, "127.0.0.1", 0, field="test") as serving:
            headers = {"authorization": f"Bearer {TOKEN}"}
            async with client.stream("GET", f"{serving.url}/live", headers=headers) as stream:
                lines = stream.aiter_lines()
                assert await anext(lines) == "retry: 1000"
                assert stream.headers["content-type"].startswith("text/event-stream")
                api.site.close()
                began_s = loop.time()
                assert [line async for line in lines][-1] == ""
        assert loop.time() - began_s < SHUTDOWN_S
        assert api.site.hub.listeners == 0
