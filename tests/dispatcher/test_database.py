"""Transactions: what is committed, what is not, and what a power cut may not take."""

import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, insert, select, text
from sqlalchemy.exc import IntegrityError, InternalError, OperationalError

from dispatcher.store.database import Database, writing
from dispatcher.store.isolation import IS_HOPEFUL, isolated, set_apart
from dispatcher.store.schema import meta, refusals
from dispatcher.store.upsert import insert_absent, upsert
from runtime.executor import InlineExecutor, ThreadExecutor
from tests.dispatcher.small_fleet import fleet_url, new_database


def put(connection: Connection, key: str = "k", value: str = "v") -> int:
    """One more row; how many there are then."""
    connection.execute(insert(meta).values(key=key, value=value))
    return connection.execute(select(func.count()).select_from(meta)).scalar_one()


def values(database: Database) -> dict[str, str]:
    rows = database.read_now(lambda connection: connection.execute(select(meta)).all())
    return {row.key: row.value for row in rows}


async def test_a_write_is_committed_and_its_result_returned() -> None:
    database = new_database()
    assert await database.write(put) == 1
    assert await database.read(lambda c: c.execute(select(func.count()).select_from(meta)).scalar_one()) == 1


async def test_a_write_that_raises_leaves_nothing() -> None:
    database = new_database()
    with pytest.raises(ZeroDivisionError):
        await database.write(lambda connection: put(connection) / 0)
    assert values(database) == {}


async def test_a_read_writes_nothing() -> None:
    database = new_database()
    with suppress(InternalError):  # of PostgreSQL; SQLite rolls it back
        await database.read(put)
    assert values(database) == {}


@pytest.mark.only_sqlite
@pytest.mark.parametrize(
    ("pragma", "expected"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 10_000)],
)
def test_a_file_is_opened_for_durability(tmp_path: Path, pragma: str, expected: Any) -> None:
    database = new_database(f"sqlite:///{tmp_path}/d.sqlite")
    with database.engine.connect() as connection:
        assert connection.execute(text(f"PRAGMA {pragma}")).scalar_one() == expected
    database.close()


def test_foreign_keys_are_checked() -> None:
    database = new_database()
    row = {"position": 1, "cabinet_id": "cab-a", "reason": "no_booking", "at_ms": 1}
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        database.write_now(lambda connection: connection.execute(insert(refusals).values(row)))


def test_writers_that_read_first_do_not_lose_each_others_updates(tmp_path: Path) -> None:
    url = fleet_url(tmp_path)
    database = Database(url, InlineExecutor())
    database.write_now(lambda connection: put(connection, "count", "0"))

    def add_one(connection: Connection) -> None:
        seen = connection.execute(select(meta.c.value).where(meta.c.key == "count")).scalar_one()
        upsert(connection, meta, {"key": "count", "value": str(int(seen) + 1)})

    def work() -> None:
        own = Database(url, InlineExecutor())
        for _ in range(25):
            own.write_now(add_one)
        own.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values(database) == {"count": "100"}
    database.close()


async def test_reads_go_on_while_a_write_is_under_way(tmp_path: Path) -> None:
    writer, reader = ThreadExecutor("writer"), ThreadExecutor("reader")
    database = Database(fleet_url(tmp_path), writer, reader)
    seen_meanwhile = []

    def write(connection: Connection) -> None:
        put(connection)
        seen_meanwhile.append(values(database))

    await database.write(write)
    assert seen_meanwhile == [{}]
    assert await database.read(lambda connection: connection.execute(select(meta.c.key)).scalars().all()) == ["k"]
    await writer.close()
    await reader.close()
    database.close()


def test_upsert_inserts_then_changes_what_it_was_given() -> None:
    database = new_database()
    for value in ("1", "2"):
        database.write_now(partial(upsert, table=meta, row={"key": "a", "value": value}))
    assert values(database) == {"a": "2"}


def test_insert_absent_tells_whether_it_did() -> None:
    database = new_database()
    row = {"key": "a", "value": "1"}
    done = [database.write_now(lambda connection: insert_absent(connection, meta, row)) for _ in range(2)]
    assert done == [True, False]


def puts_two_of_three(connection: Connection, asked: list[bool]) -> int:
    """The second of three parts fails, each being set apart from the others."""
    asked.append(bool(connection.info[IS_HOPEFUL]))
    for number in range(3):
        with isolated(connection, "part_failed", part=str(number)):
            put(connection, f"part {number}")
            if number == 1:
                raise KeyError("nobody foresaw this")
    return 2


def test_a_part_that_fails_is_undone_alone_and_all_is_done_again_for_it() -> None:
    database, asked = new_database(), list[bool]()
    assert database.write_now(partial(puts_two_of_three, asked=asked)) == 2
    assert values(database).keys() == {"part 0", "part 2"}
    assert asked == [True, False], "first without savepoints, then with them"


def test_a_transaction_whose_parts_do_well_is_done_once_and_without_savepoints() -> None:
    database, statements = new_database(), list[str]()
    event.listen(database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))

    def work(connection: Connection) -> None:
        with set_apart(connection):
            put(connection)

    database.write_now(work)
    assert values(database) == {"k": "v"}
    assert not [one for one in statements if "SAVEPOINT" in one]
    with writing(database.engine) as connection:
        put(connection, "another")
        with suppress(KeyError), set_apart(connection):
            put(connection, "undone")
            raise KeyError("not hopeful: this part has a savepoint")
    assert [one.split()[0] for one in statements if "SAVEPOINT" in one] == ["SAVEPOINT", "ROLLBACK", "RELEASE"]
    assert values(database).keys() == {"k", "another"}


def test_a_database_that_cannot_now_is_not_asked_again_at_once() -> None:
    database, calls = new_database(), list[int]()

    def work(connection: Connection) -> None:
        calls.append(1)
        with isolated(connection, "part_failed"):
            put(connection)
            raise OperationalError("INSERT", {}, Exception("disk I/O error"))

    with pytest.raises(OperationalError, match="disk I/O error"):
        database.write_now(work)
    assert (calls, values(database)) == ([1], {})
