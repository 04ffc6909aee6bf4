"""The one door to SQL: transactions run through an executor, on SQLite or PostgreSQL.

Store functions are synchronous, take a `Connection`, and run inside the transaction of their caller.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPICursor, ExecutionContext
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, StaticPool

from dispatcher.store.isolation import IS_HOPEFUL, IS_READING, IS_WRITING, DoneAgain
from dispatcher.store.later import minding, settle_before
from dispatcher.store.origin import EXECUTION_OPTION, Origin
from dispatcher.store.postgresql import end_reading, in_one_go, postgresql_engine
from runtime.executor import Executor

T = TypeVar("T")

BUSY_TIMEOUT_MS = 10_000  # half the agents' resend time: a writer that waits longer is answered by a resend

registry.register("sqlite.transactional", __name__, "TransactionalSqlite")


class TransactionalSqlite(SQLiteDialect_pysqlite):
    """The driver opens no transactions of its own: this does, as soon as a connection is begun.

    A write takes the lock at once: one that reads first and locks later can fail with no way to wait. An event
    would do as well, and with one event SQLAlchemy looks for listeners at every statement: a tenth of its time.
    """

    supports_statement_cache = True

    def do_begin(self, dbapi_connection: PoolProxiedConnection) -> None:
        cursor = dbapi_connection.cursor()
        cursor.execute("BEGIN IMMEDIATE" if dbapi_connection.info.get(IS_WRITING) else "BEGIN")
        cursor.close()

    def do_execute(
        self, cursor: DBAPICursor, statement: str, parameters: Any, context: ExecutionContext | None = None
    ) -> None:
        settle_before(statement, context)
        cursor.execute(statement, parameters)

    def do_executemany(
        self, cursor: DBAPICursor, statement: str, parameters: Any, context: ExecutionContext | None = None
    ) -> None:
        settle_before(statement, context)
        cursor.executemany(statement, parameters)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that writes: committed at the end of the block, rolled back where it raises."""
    with engine.connect() as connection, _writing_over(connection):
        yield connection


@contextmanager
def _writing_over(connection: Connection, *, is_hopeful: bool = False) -> Iterator[None]:
    """Where `is_hopeful`, who opens it does all of it again after `DoneAgain`."""
    connection.info[IS_WRITING], connection.info[IS_HOPEFUL] = True, is_hopeful
    try:
        with connection.begin() as transaction, minding(connection) as mind:
            yield
            try:
                with in_one_go(connection):
                    mind.settle(connection)
                    transaction.commit()
            except OperationalError:
                raise
            except DBAPIError as error:  # some part's: with savepoints it is told whose
                if is_hopeful:
                    raise DoneAgain from error
                raise
    finally:
        connection.info[IS_WRITING] = connection.info[IS_HOPEFUL] = False


@contextmanager
def _reading_over(connection: Connection) -> Iterator[None]:
    info = connection.info  # which cannot be asked for once its server is gone
    info[IS_READING] = True
    try:
        yield
    finally:
        end_reading(connection)
        info[IS_READING] = False


Connect = Callable[[], AbstractContextManager[Connection]]
"""Lends a connection for one transaction."""


class Database:
    """Runs functions over a connection, each in one transaction.

    Args:
        url: an SQLAlchemy URL; `sqlite://` is a database in memory, for an inline executor.
        writer: runs writes; one thread is right, since writers take turns.
        reader: runs reads, so that none queues behind a write; the writer where absent.
        origin: carried by every connection (`origin_of`); without it no right is read or written here.
    """

    connect: Connect
    """From the engine's pool; a simulator lends its only one, which costs less."""

    def __init__(
        self, url: str | URL, writer: Executor, reader: Executor | None = None, *, origin: Origin | None = None
    ) -> None:
        self.engine = open_engine(url).execution_options(**{EXECUTION_OPTION: origin})
        self.connect = self.engine.connect
        self._writer = writer
        self._reader = reader or writer

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in one transaction: committed when it returns, rolled back when it raises.

        It is called a second time, on a rolled-back database, where a part of it failed that was set apart.
        """
        return await self._writer.run(partial(self.write_now, fn))

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` over one snapshot. It writes nothing: PostgreSQL refuses that, on SQLite it is rolled back."""
        return await self._reader.run(partial(self.read_now, fn))

    def through(self, executor: Executor) -> "Database":
        """The same database, its functions run by another executor: for a simulator."""
        other = object.__new__(Database)
        other.engine, other.connect = self.engine, self.connect
        other._writer = other._reader = executor
        return other

    def write_now(self, fn: Callable[[Connection], T]) -> T:
        """`write` on the calling thread: for command lines and tests."""
        try:
            with self.connect() as connection, _writing_over(connection, is_hopeful=True):
                return fn(connection)
        except DoneAgain:
            with self.connect() as connection, _writing_over(connection):
                return fn(connection)

    def read_now(self, fn: Callable[[Connection], T]) -> T:
        """`read` on the calling thread."""
        with self.connect() as connection, _reading_over(connection):
            return fn(connection)

    def close(self) -> None:
        """Close all connections. On SQLite the last one folds the write-ahead log into the file."""
        self.engine.dispose()


def in_one_line(error: DBAPIError) -> str:
    """What the database says, without the place in the manual that psycopg and SQLAlchemy add."""
    return " ".join(str(error.orig).split())


def open_engine(url: str | URL) -> Engine:
    """An engine with the transactions and durability that the ledger needs. Its errors quote no row."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        return postgresql_engine(parsed)
    parsed = parsed.set(drivername="sqlite+transactional")
    if parsed.database in (None, "", ":memory:"):
        one = {"check_same_thread": False}
        engine = create_engine(parsed, poolclass=StaticPool, connect_args=one, hide_parameters=True)
    else:
        engine = create_engine(parsed, hide_parameters=True)
    event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _set_up_sqlite(connection: Any, _entry: ConnectionPoolEntry) -> None:
    assert isinstance(connection, sqlite3.Connection)
    connection.isolation_level = None  # `TransactionalSqlite.do_begin` opens transactions
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # an acknowledged fact survives a power cut
    connection.execute("PRAGMA foreign_keys = ON")
    connection.create_function("lower", 1, _lower, deterministic=True)  # its own knows no letter beyond ASCII


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()
