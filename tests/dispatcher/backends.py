"""Which database the tests run on: `conftest.py` runs each of them on SQLite and on PostgreSQL.

PostgreSQL is one cluster for each test process, with databases that are emptied and filled again instead of made:
a copy of a template takes ten times as long.
"""

import atexit
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import count
from typing import Literal

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Engine, insert, select, text

from dispatcher.store.database import Database, open_engine, writing
from dispatcher.store.migrate import migrate
from dispatcher.store.origin import Origin
from dispatcher.store.schema import metadata
from runtime.executor import InlineExecutor
from simulator.postgres import Cluster, cluster

Backend = Literal["sqlite", "postgresql"]
Fill = Callable[[Connection], object]

_current: list[Backend] = []
_lent: list[tuple["Emptied", Database]] = []
_bare: list[Engine] = []
_free: list["Emptied"] = []
_numbers = count()
_compiled: dict[str, Engine] = {}


def backend() -> Backend:
    """What the running test is to use."""
    return _current[-1] if _current else "sqlite"


@contextmanager
def running_on(name: Backend) -> Iterator[None]:
    """Give PostgreSQL's databases back at the end."""
    _current.append(name)
    try:
        yield
    finally:
        _current.pop()
        while _bare:
            _bare.pop().dispose()
        while _lent:
            emptied, database = _lent.pop()
            database.close()
            _free.append(emptied)


@cache
def own_cluster() -> Cluster:
    """The cluster of this process."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(cluster())


@cache
def migrated() -> str:
    """The name of a database that has the tables, and nothing in them."""
    name = f"migrated_{next(_numbers)}"
    migrate(own_cluster().create(name))
    return name


def compiled_before(database: Database) -> Database:
    """The same, with all statements that this process has compiled already: each engine compiles its own anew."""
    first = _compiled.get(database.engine.dialect.name)
    if first is None:
        with database.engine.connect():  # which tells the dialect what the server can do
            _compiled[database.engine.dialect.name] = database.engine
    else:
        database.engine.dialect, database.engine._compiled_cache = first.dialect, first._compiled_cache
    return database


def memory_database(origin: Origin) -> Database:
    """SQLite in memory, with nothing in it."""
    return compiled_before(Database("sqlite://", InlineExecutor(), origin=origin))


def postgresql_database(fill: Fill | None, origin: Origin) -> Database:
    """A database for this test that holds what `fill` writes; closed when the test is over."""
    emptied = _free.pop() if _free else Emptied(f"test_{next(_numbers)}")
    emptied.fill(fill, origin)
    database = compiled_before(Database(emptied.url, InlineExecutor(), origin=origin))
    _lent.append((emptied, database))
    return database


def postgresql_url(fill: Fill | None, origin: Origin) -> str:
    """The same for whoever opens it himself."""
    return postgresql_database(fill, origin).engine.url.set(drivername="postgresql+psycopg").render_as_string()


def postgresql_copy(source: Database, origin: Origin) -> Database:
    """Another database with the same rows, whose next numbers are the same, too."""
    copy = postgresql_database(None, origin)
    with source.engine.connect() as read, writing(copy.engine) as write:
        for table in metadata.sorted_tables:
            rows = [row._asdict() for row in read.execute(select(table))]
            if rows:
                write.execute(insert(table), rows)
        for name, last in read.execute(text("SELECT sequencename, last_value FROM pg_sequences")).all():
            if last is not None:
                write.execute(text("SELECT setval(:name, :last)"), {"name": name, "last": last})
    return copy


def bare_engine() -> Engine:
    """A database without any table, of the kind that the test runs on."""
    if backend() == "sqlite":
        return open_engine("sqlite://")
    engine = open_engine(own_cluster().create(f"bare_{next(_numbers)}"))
    _bare.append(engine)
    return engine


class Emptied:
    """A database that is used by one test after the other."""

    def __init__(self, name: str) -> None:
        self.url = own_cluster().create(name, migrated())
        self._connection = psycopg.connect(
            host=str(own_cluster().folder), user=self.url.username, dbname=name, autocommit=True
        )
        self._kept: dict[Fill | None, str] = {}
        self._kept[None] = self._keep("kept")

    def fill(self, fill: Fill | None, origin: Origin) -> None:
        """Make its content what the migrations and `fill` write: by SQL from the second time on."""
        self._connection.execute(_EMPTY + self._kept.get(fill, self._kept[None]))
        if fill is not None and fill not in self._kept:
            database = compiled_before(Database(self.url, InlineExecutor(), origin=origin))
            database.write_now(fill)
            database.close()
            self._kept[fill] = self._keep(f"kept_{len(self._kept)}")

    def _keep(self, schema: str) -> str:
        """Keep the content in a schema of its own; the statements that bring it back."""
        statements = []
        self._connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        for table in metadata.sorted_tables:
            names = {"kept": sql.Identifier(schema, table.name), "table": sql.Identifier(table.name)}
            self._connection.execute(sql.SQL("CREATE TABLE {kept} AS TABLE {table}").format(**names))
            if self._connection.execute(sql.SQL("SELECT 1 FROM {kept} LIMIT 1").format(**names)).fetchone():
                statements.append(sql.SQL("INSERT INTO {table} TABLE {kept};").format(**names).as_string())
        given = "SELECT sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL"
        for name, last in self._connection.execute(given):
            statements.append(sql.SQL("SELECT setval({}, {});").format(name, last).as_string())
        return "".join(statements)


_EMPTY = ";".join(
    (
        "SET session_replication_role = replica",  # rows go in any order
        *(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)).as_string() for name in metadata.tables),
        "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S';",
    )
)
