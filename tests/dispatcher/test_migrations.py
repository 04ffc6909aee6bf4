from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import URL, Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from dispatcher.core.booking_states import HOLDING_STATES, BookingState
from dispatcher.store.migrate import (
    WrongSchema,
    _config,
    make_ready,
    migrate,
    migrate_engine,
    pending,
    pending_of_engine,
)
from dispatcher.store.schema import BOOKING_STATES, LIVE_BOOKING_STATES, metadata
from tests.dispatcher.backends import bare_engine

ALL = tuple(f"{number:04}" for number in range(1, 26))


def migrate_to(engine: Engine, revision: str) -> None:
    """As a program of that time left it."""
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_an_empty_database_becomes_what_the_program_works_on() -> None:
    engine = bare_engine()
    assert pending_of_engine(engine) == ALL
    assert migrate_engine(engine) == ALL
    assert pending_of_engine(engine) == ()
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrations_make_the_constraints_and_indexes_of_the_schema() -> None:
    migrated, created = bare_engine(), bare_engine()
    migrate_engine(migrated)
    metadata.create_all(created)
    if migrated.dialect.name == "postgresql":  # SQLAlchemy knows no exclusion constraint that says when it holds
        with migrated.begin() as connection:
            connection.execute(text("ALTER TABLE bookings DROP CONSTRAINT booking_overlap"))
    seen, wanted = inspect(migrated), inspect(created)
    for table in metadata.tables:
        for what in ("get_check_constraints", "get_unique_constraints", "get_foreign_keys", "get_indexes"):
            assert _plain(getattr(seen, what)(table)) == _plain(getattr(wanted, what)(table)), (table, what)
        assert seen.get_pk_constraint(table) == wanted.get_pk_constraint(table)


def _plain(items: list[dict[str, Any]]) -> list[str]:
    """As texts: the condition of a partial index is an object that equals nothing."""
    return sorted(str({name: str(value) for name, value in _flat(item).items()}) for item in items)


def _flat(item: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = item.get("dialect_options", {})
    return {name: value for name, value in item.items() if name != "dialect_options"} | options


def test_migrating_twice_does_nothing_the_second_time() -> None:
    engine = bare_engine()
    migrate_engine(engine)
    assert migrate_engine(engine) == ()


def test_rows_from_before_origins_are_kept_and_have_none() -> None:
    engine = bare_engine()
    migrate_to(engine, "0001")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO members (id, name, standing) VALUES ('m', 'M', 'active')"))
    assert migrate_engine(engine) == ALL[1:]
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id, standing, origin FROM members")).all() == [("m", "active", None)]


@pytest.mark.only_sqlite
def test_a_database_in_a_folder_with_strange_characters_is_migrated(tmp_path: Path) -> None:
    folder = tmp_path / "a b%20c"
    folder.mkdir()
    url = URL.create("sqlite", database=str(folder / "d.sqlite")).render_as_string()
    assert pending(url) == ALL
    assert migrate(url) == ALL
    assert pending(url) == ()


def test_a_failed_migration_leaves_nothing_behind() -> None:
    engine = bare_engine()
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE rentals (id INTEGER)"))  # in the way of the migration
    with pytest.raises(DBAPIError, match="rentals"):
        migrate_engine(engine)
    assert inspect(engine).get_table_names() == ["rentals"]


def test_an_empty_database_is_made_ready_without_a_question() -> None:
    engine = bare_engine()
    make_ready(engine)
    make_ready(engine)
    assert pending_of_engine(engine) == ()


def test_a_database_with_content_is_not_migrated_behind_the_operators_back() -> None:
    engine = bare_engine()
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE somebodys (id INTEGER)"))
    with pytest.raises(WrongSchema, match="run `dispatcher migrate`"):
        make_ready(engine)


def test_a_database_of_a_newer_program_is_refused() -> None:
    engine = bare_engine()
    migrate_engine(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for use in (pending_of_engine, make_ready, migrate_engine):
        with pytest.raises(WrongSchema, match="9999"):
            use(engine)


def test_the_database_knows_the_states_of_the_state_table() -> None:
    assert set(BOOKING_STATES) == set(BookingState)
    assert set(LIVE_BOOKING_STATES) == HOLDING_STATES
