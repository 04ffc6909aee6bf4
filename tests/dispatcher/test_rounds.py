"""What a publisher's round finds to do, and that it does no more than that."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import pytest
from sqlalchemy import Connection, update
from sqlalchemy.exc import OperationalError

from contract.messages import Acknowledged, Desired
from dispatcher.link import publisher as publisher_module
from dispatcher.store.database import Database
from dispatcher.store.desired import DesiredMaker, mark_dirty, mark_unknown_dirty, told
from dispatcher.store.links import keep_presence, keep_reported
from dispatcher.store.rounds import ToDo, to_do
from dispatcher.store.schema import cabinets
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.fake_link import dispatcher_signer
from tests.dispatcher.running import running
from tests.dispatcher.small_fleet import CABINET, NOW_MS, OTHER_CABINET, RULES, new_database
from tests.runtime.waiting import eventually

T = TypeVar("T")
MAKER = DesiredMaker(RULES, b"m" * 32, dispatcher_signer().sign)


def due(database: Database, stale_ms: int = 0) -> ToDo:
    return database.read_now(lambda connection: to_do(connection, stale_ms))


def unlike(database: Database) -> list[tuple[str, bool]]:
    return [(state.cabinet_id, state.online) for state in due(database).unlike]


def compute(database: Database) -> None:
    database.write_now(mark_unknown_dirty)
    database.write_now(lambda connection: MAKER.refresh(connection, NOW_MS, 0, 9))


def hold(database: Database, cabinet: str, more: int = 0) -> None:
    """The box is online and says that it holds our version, or another one."""
    box = FakeBox(cabinet)
    database.write_now(lambda connection: keep_presence(connection, box.presence(), NOW_MS))
    compute(database)
    versions = {state.cabinet_id: state.version for state in database.read_now(told)}
    box.desired_version = versions[cabinet] + more
    database.write_now(lambda connection: keep_reported(connection, box.report(), NOW_MS))


def test_a_cabinet_without_a_desired_state_is_computed_unless_it_is_retired() -> None:
    database = new_database()
    assert due(database) == ToDo(compute=True, unlike=())
    retire = update(cabinets).values(life_cycle="retired")
    database.write_now(lambda connection: connection.execute(retire))
    assert due(database) == ToDo(compute=False, unlike=())


def test_what_no_box_says_that_it_holds_is_told() -> None:
    database = new_database()
    compute(database)
    assert not due(database).compute
    assert unlike(database) == [(CABINET, False), (OTHER_CABINET, False)]
    hold(database, CABINET)
    assert unlike(database) == [(OTHER_CABINET, False)]


def test_when_every_box_holds_its_state_there_is_nothing_to_do() -> None:
    database = new_database()
    hold(database, CABINET)
    hold(database, OTHER_CABINET)
    assert due(database) == ToDo(compute=False, unlike=())
    assert due(database, NOW_MS) == ToDo(compute=False, unlike=())
    assert due(database, NOW_MS + 1).compute, "it is stale"
    database.write_now(lambda connection: mark_dirty(connection, CABINET))
    assert due(database) == ToDo(compute=True, unlike=())


@pytest.mark.parametrize("more", [-1, 1])
def test_a_box_that_holds_an_older_or_a_newer_one_is_unlike(more: int) -> None:
    database = new_database()
    hold(database, CABINET, more)
    assert (CABINET, True) in unlike(database)


class Counting:
    """Stands before a database and counts its transactions."""

    def __init__(self, database: Database) -> None:
        self._read, self._write = database.read, database.write
        self.reads = self.writes = 0
        database.read, database.write = self.read, self.write  # type: ignore[method-assign]

    async def read(self, fn: Callable[[Connection], T]) -> T:
        self.reads += 1
        return await self._read(fn)

    async def write(self, fn: Callable[[Connection], T]) -> T:
        self.writes += 1
        return await self._write(fn)


async def test_a_round_with_nothing_to_do_is_one_read() -> None:
    async with running() as bench:
        await bench.told_everybody()
        for cabinet in (CABINET, OTHER_CABINET):
            hold(bench.database, cabinet)
        counting = Counting(bench.database)
        bench.dispatcher.publisher.wake()
        await eventually(lambda: counting.reads)
        await asyncio.sleep(0)
        assert (counting.reads, counting.writes) == (1, 0)


async def test_a_first_round_of_a_connection_that_breaks_is_followed_by_a_whole_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_connection: Connection) -> list[object]:
        raise OperationalError("SELECT", None, Exception("database is locked"))

    async with running() as bench:
        await bench.told_everybody()
        for cabinet in (CABINET, OTHER_CABINET):
            hold(bench.database, cabinet)
        bench.link.disconnect()
        with bench.link.expecting(Desired) as desired, bench.link.expecting(Acknowledged) as watermarks:
            with monkeypatch.context() as patched:
                patched.setattr(publisher_module, "told", refuse)
                await bench.link.connect()
                for _ in range(20):
                    await asyncio.sleep(0)
            assert (desired(), watermarks()) == ([], [])
            bench.dispatcher.publisher.wake()
            await eventually(lambda: len(desired()) == 2)
