"""PostgreSQL as the production database: its writers take turns, as SQLite's do, and each reader has one snapshot.

Why one writer at a time: `docs/decisions/0034-writers-take-turns.md`.
"""

import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor, ExecutionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from dispatcher.store.isolation import IS_READING, IS_WRITING
from dispatcher.store.later import settle_before

OLDEST = 15  # the oldest that this program is tested with
WRITERS_TURN = int.from_bytes(b"carshare")  # an advisory lock, of this database alone
TURN_TIMEOUT_MS = 10_000  # half the agents' resend time, as with SQLite: who waits longer is answered by a resend
STATEMENT_TIMEOUT_MS = 30_000  # a hundred times the slowest statement seen; what runs longer is stuck
IDLE_TIMEOUT_MS = 60_000  # a program that hangs inside a transaction gives up its turn
CONNECTIONS = (
    4  # a writer, a reader, the claim of the active dispatcher, and one for a backup or a person's command
)
STATEMENTS_PREPARED_MAX = 400  # in place of 100: each endpoint and each kind of fact has some of its own
AT_CONNECT = (
    f"SET lock_timeout = {TURN_TIMEOUT_MS}; SET statement_timeout = {STATEMENT_TIMEOUT_MS};"
    f" SET idle_in_transaction_session_timeout = {IDLE_TIMEOUT_MS}; SET timezone = 'UTC';"
    # every statement looks into an index by values of one kind: to plan it anew each time costs more than to run it
    " SET plan_cache_mode = force_generic_plan;"
    # an acknowledged fact survives a power cut; whoever asks for more than `on` keeps it
    " SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)
LIBPQ = {
    "application_name": "carshare-dispatcher",
    "connect_timeout": 5,
    # a server whose machine is gone is noticed within half a minute, not after hours
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "target_session_attrs": "read-write",  # after a failover, the new primary
}
_BEGIN_WRITING = f"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({WRITERS_TURN})"
_LETTERS = text("SELECT current_setting('server_encoding'), lower('\u00c9')")
_BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ"

registry.register("postgresql.transactional", __name__, "TransactionalPostgresql")


class UnfitServer(Exception):
    """The database server, or a setting of this database, is not what this program works on; the text says why."""


class TransactionalPostgresql(PGDialect_psycopg):
    """Opens transactions itself, so that a writer's turn costs no round trip of its own."""

    supports_statement_cache = True

    def do_begin(self, dbapi_connection: PoolProxiedConnection) -> None:
        info = dbapi_connection.info
        reading = _BEGIN_READING if info.get(IS_READING) else _BEGIN
        _driver(dbapi_connection).execute(_BEGIN_WRITING if info.get(IS_WRITING) else reading)

    def do_commit(self, dbapi_connection: PoolProxiedConnection) -> None:
        _check_sound(_driver(dbapi_connection))
        with _no_row_in_errors():
            dbapi_connection.commit()

    def do_ping(self, dbapi_connection: DBAPIConnection) -> bool:
        """Whether a connection that rested is still there, which its socket tells: a server that ended said so.

        One that vanished without a word is met by the keepalives, as it would be in the middle of a transaction.
        """
        driver: Any = dbapi_connection  # psycopg's own, which the type of the argument does not allow for
        if driver.closed:
            return False
        asked = select.poll()
        asked.register(driver.fileno(), select.POLLIN)
        if asked.poll(0):
            driver.execute("")
        return True

    def do_execute(
        self, cursor: DBAPICursor, statement: str, parameters: Any, context: ExecutionContext | None = None
    ) -> None:
        settle_before(statement, context)
        with _no_row_in_errors():
            cursor.execute(statement, parameters)

    def do_executemany(
        self, cursor: DBAPICursor, statement: str, parameters: Any, context: ExecutionContext | None = None
    ) -> None:
        settle_before(statement, context)
        with _no_row_in_errors():
            cursor.executemany(statement, parameters)


def postgresql_engine(url: URL) -> Engine:
    """An engine whose connections are checked before use: a server that was started anew costs nobody an error."""
    engine = create_engine(
        url.set(drivername="postgresql+transactional"),
        connect_args={name: value for name, value in LIBPQ.items() if name not in url.query},
        pool_size=CONNECTIONS,
        max_overflow=CONNECTIONS,
        pool_pre_ping=True,
        pool_use_lifo=True,  # the connection that has its statements planned is the one that is lent next
        use_native_hstore=False,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _set_up)
    return engine


def end_reading(connection: Connection) -> None:
    """A reader has nothing to undo, and on PostgreSQL it commits.

    At a ROLLBACK psycopg gives up every statement that it has prepared, and the server plans each anew.
    """
    if connection.invalidated:  # the server is gone, and whoever reads is told that
        return
    driver = connection.connection.driver_connection
    if isinstance(driver, psycopg.Connection) and driver.info.transaction_status is TransactionStatus.INTRANS:
        connection.commit()
    else:
        connection.rollback()


@contextmanager
def in_one_go(connection: Connection) -> Iterator[None]:
    """Statements that are all sent before the first answer is waited for; none of them may return rows.

    COMMIT may be the last of them. Where one fails, the server passes over the rest; SQLAlchemy takes a COMMIT that
    failed for the end of the transaction, and would lend the connection with this one open.

    Raises:
        DBAPIError: what one of them is told, at the end of the block.
    """
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        yield
        return
    _check_sound(driver)
    try:
        with _no_row_in_errors(), driver.pipeline():
            yield
    except psycopg.Error as error:
        assert connection.dialect.dbapi is not None
        raise DBAPIError.instance(
            "the statements at the end of a transaction",
            None,
            error,
            connection.dialect.dbapi.Error,
            hide_parameters=True,
            dialect=connection.dialect,
        ) from None
    finally:
        if driver.info.transaction_status is TransactionStatus.INERROR:
            driver.rollback()


def check_server(engine: Engine) -> None:
    """Whether the server can serve at all.

    Raises:
        UnfitServer: it is too old, or the database cannot keep or compare the letters of names.
    """
    if engine.dialect.name != "postgresql":
        return
    with engine.connect() as connection:
        version = connection.dialect.server_version_info
        assert version is not None, "known since the first connection"
        encoding, small = connection.execute(_LETTERS).one()
    if int(version[0]) < OLDEST:
        raise UnfitServer(f"server_version = {'.'.join(map(str, version))}: expected PostgreSQL {OLDEST} or newer")
    if encoding != "UTF8":
        raise UnfitServer(f"server_encoding = {encoding}: expected a database in UTF8")
    if small != "\u00e9":
        raise UnfitServer("lc_ctype: expected a locale that knows letters beyond ASCII, such as C.UTF-8")


def prepare_to_migrate(connection: Connection) -> None:
    """Give a migration the time that it needs, and make the extension that overlaps are refused by.

    Raises:
        UnfitServer: this role may not make it, or the server does not have it.
    """
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    if connection.execute(text("SELECT 1 FROM pg_extension WHERE extname = 'btree_gist'")).first():
        return
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    try:
        driver.execute("CREATE EXTENSION btree_gist")
    except psycopg.DatabaseError as error:
        raise UnfitServer(
            f"extension btree_gist: {first_line(error)}; expected a server with PostgreSQL's contrib modules and"
            " a role that owns the database, or an administrator who ran CREATE EXTENSION btree_gist in it"
        ) from None


def _set_up(connection: Any, _entry: ConnectionPoolEntry) -> None:
    assert isinstance(connection, psycopg.Connection)
    connection.autocommit = True  # `do_begin` opens transactions
    connection.prepared_max = STATEMENTS_PREPARED_MAX
    connection.execute(AT_CONNECT)


def _driver(connection: PoolProxiedConnection) -> "psycopg.Connection[Any]":
    driver = connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def _check_sound(driver: "psycopg.Connection[Any]") -> None:
    """After a statement that failed PostgreSQL takes COMMIT for ROLLBACK, and says nothing."""
    status = driver.info.transaction_status
    assert status is not TransactionStatus.INERROR, "a statement failed, and its error was passed over"


@contextmanager
def _no_row_in_errors() -> Iterator[None]:
    """The server's detail quotes the row, badges and names with it: no log is to have it."""
    try:
        yield
    except psycopg.Error as error:
        error.args = (first_line(error),)
        raise


def first_line(error: psycopg.Error) -> str:
    """What the server says, without the row that it quotes below."""
    return str(error).partition("\n")[0]
