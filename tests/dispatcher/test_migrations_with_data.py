"""A database of any schema since the first, with data in it, becomes what this program works on."""

import json
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, bindparam, insert, select, text

from dispatcher.core.booking_states import BookingState
from dispatcher.store.bookings import booking_by_id
from dispatcher.store.database import Database
from dispatcher.store.ledger import facts_of
from dispatcher.store.migrate import migrate_engine, pending_of_engine, revisions
from dispatcher.store.origin import SIGNED
from dispatcher.store.schema import metadata
from dispatcher.store.unfounded import could_count, rows_with_drivers
from dispatcher.store.vouching import vouch
from runtime.executor import InlineExecutor
from tests.dispatcher.backends import bare_engine
from tests.dispatcher.fixtures.make import FOLDER, Rows, reflected
from tests.dispatcher.small_fleet import ORIGIN
from tests.dispatcher.test_migrations import migrate_to

FIRST_SIGNED = "0002"
RENAMED_BY_MIGRATIONS = {"incidents": {"ref"}}
"""Columns whose value a migration chooses anew."""


def kept_from(revision: str) -> Rows:
    rows: Rows = json.loads((FOLDER / f"{revision}.json").read_text(encoding="ascii"))
    return rows


def of_that_time(revision: str) -> Engine:
    """A database as a program of that schema left it."""
    engine = bare_engine()
    migrate_to(engine, revision)
    rows = kept_from(revision)
    with engine.begin() as connection:
        for table in reflected(engine):
            if table.name in rows:
                connection.execute(insert(table), rows[table.name])
    return engine


def over(engine: Engine) -> Database:
    """The same database as this program opens it."""
    database = Database("sqlite://", InlineExecutor(), origin=ORIGIN)
    database.engine = engine.execution_options(**database.engine.get_execution_options())
    database.connect = database.engine.connect
    return database


KEPT = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))
QUICK = {*KEPT[::6], *KEPT[-2:]}
"""Schemas from which every `make test` migrates; `make test-long` does from the others."""


def test_of_every_schema_since_the_first_rows_are_kept() -> None:
    """`PYTHONPATH=. python tests/dispatcher/fixtures/make.py` writes those of the newest."""
    assert revisions()[: len(KEPT)] == KEPT
    assert len(KEPT) >= 18


@pytest.mark.parametrize(
    "revision", [pytest.param(one, marks=() if one in QUICK else pytest.mark.long) for one in KEPT]
)
def test_a_database_of_that_time_keeps_every_row_and_its_good_codes(revision: str) -> None:
    engine = of_that_time(revision)
    assert migrate_engine(engine) == revisions()[revisions().index(revision) + 1 :]
    assert pending_of_engine(engine) == ()
    database = over(engine)
    database.read_now(lambda connection: _same_rows(connection, kept_from(revision)))
    bad = database.read_now(_without_code)
    if revision < FIRST_SIGNED:
        assert bad
        named = database.write_now(vouch)
        assert {table: len(one.unsigned) for table, one in named.items() if one.unsigned} == _counted(bad)
        assert database.read_now(_without_code) == []
    else:
        assert bad == []
    assert len(database.read_now(facts_of)) == 4
    booking = database.read_now(lambda connection: booking_by_id(connection, "booking-1"))
    assert booking is not None
    assert (booking.state, booking.member_id) == (BookingState.COMPLETED, "member-1")


def _same_rows(connection: Connection, kept: Rows) -> None:
    for name, before in kept.items():
        table = metadata.tables[name]
        (key, *_) = table.primary_key
        names = (before[0].keys() & set(table.columns.keys())) - RENAMED_BY_MIGRATIONS.get(name, set())
        after = [row._asdict() for row in connection.execute(select(table))]
        assert len(after) == len(before), name
        assert key.name in names
        assert _texts(after, names) == _texts(before, names), name


def _texts(rows: list[dict[str, Any]], names: Any) -> list[str]:
    return sorted(json.dumps({name: row[name] for name in sorted(names)}) for row in rows)


def _without_code(connection: Connection) -> list[str]:
    """Rows that could be rights and that this program did not sign."""
    return [
        table.name
        for table in SIGNED
        for row, drivers in rows_with_drivers(connection, table)
        if could_count(table, row) and table.name != "commands" and not ORIGIN.holds(table, row, drivers)
    ]


def _counted(names: list[str]) -> dict[str, int]:
    return {name: names.count(name) for name in names}


def test_a_row_that_was_changed_before_the_migration_is_still_found_after_it() -> None:
    engine = of_that_time(FIRST_SIGNED)
    with engine.begin() as connection:
        change = text("UPDATE badges SET credential = :forged WHERE id = 'badge-2'")
        connection.execute(change.bindparams(bindparam("forged", "calypso:00000000000000FF")))
    migrate_engine(engine)
    assert over(engine).read_now(_without_code) == ["badges"]
