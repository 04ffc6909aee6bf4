"""Brings a database to the tables of this program, by Alembic, in one transaction."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, inspect

from dispatcher.store.database import open_engine, writing
from dispatcher.store.postgresql import check_server, prepare_to_migrate

SCRIPTS = Path(__file__).parent / "migrations"


class WrongSchema(Exception):
    """The database is not what this program works on; the text says what to do."""


def migrate(url: str | URL) -> tuple[str, ...]:
    """Apply what is pending at `url`; the ids of the migrations applied, oldest first.

    Raises:
        WrongSchema: a newer program migrated it.
        UnfitServer: the server is too old, or lacks what the tables need.
    """
    return _with_engine(url, migrate_engine)


def pending(url: str | URL) -> tuple[str, ...]:
    """The ids of the migrations not yet applied at `url`, oldest first.

    Raises:
        WrongSchema: a newer program migrated it.
    """
    return _with_engine(url, pending_of_engine)


def migrate_engine(engine: Engine) -> tuple[str, ...]:
    """`migrate` over an engine: the only way for a database in memory."""
    with writing(engine) as connection:
        todo = _pending(connection)
        if todo:
            if engine.dialect.name == "postgresql":
                prepare_to_migrate(connection)
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        return todo


def pending_of_engine(engine: Engine) -> tuple[str, ...]:
    with engine.connect() as connection:
        return _pending(connection)


def make_ready(engine: Engine) -> None:
    """Migrate an empty database; accept one that is up to date.

    Raises:
        WrongSchema: migrations are pending on a database with content, or a newer program migrated it.
        UnfitServer: the server is too old, or lacks what the tables need.
    """
    check_server(engine)
    with engine.connect() as connection:
        todo = _pending(connection)
        empty = not inspect(connection).get_table_names()
    if not todo:
        return
    if not empty:
        raise WrongSchema(f"the database lacks {', '.join(todo)}: back it up, then run `dispatcher migrate`")
    migrate_engine(engine)


def _with_engine(url: str | URL, work: Callable[[Engine], tuple[str, ...]]) -> tuple[str, ...]:
    engine = open_engine(url)
    try:
        check_server(engine)
        return work(engine)
    finally:
        engine.dispose()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))  # configparser expands %
    return config


def revisions() -> tuple[str, ...]:
    """The ids of all migrations that this program knows, oldest first."""
    scripts = ScriptDirectory.from_config(_config())
    return tuple(script.revision for script in reversed(list(scripts.walk_revisions())))


def schema_of(connection: Connection) -> str | None:
    """The newest migration that was applied; None: it is no database of ours."""
    return MigrationContext.configure(connection).get_current_revision()


def _pending(connection: Connection) -> tuple[str, ...]:
    order = revisions()
    current = schema_of(connection)
    if current is None:
        return order
    if current not in order:
        raise WrongSchema(f"the database is at {current}, which this program does not know: use a newer one")
    return order[order.index(current) + 1 :]
