"""Which of several dispatchers on one PostgreSQL is the active one: it holds an advisory lock, as long as it lives.

The server lets go of the lock when the connection ends: at once where the process is killed, within a quarter of a
minute where its machine is gone.
"""

from contextlib import suppress
from enum import Enum
from typing import Any, Protocol

import psycopg
from sqlalchemy import Engine

from dispatcher.store.postgresql import first_line

ACTIVE = int.from_bytes(b"carduty1")  # an advisory lock, of this database alone
_TAKE = f"SELECT pg_try_advisory_lock({ACTIVE})"
_AT_CONNECT = (
    "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 3; SET tcp_keepalives_count = 3;"
    " SET idle_session_timeout = 0; SET application_name = 'carshare-dispatcher claim'"
)


class Whose(Enum):
    OURS = "ours"
    ANOTHERS = "another's"
    UNKNOWN = "unknown"
    """The database does not answer."""


class Claim(Protocol):
    """Blocking: called by one thread."""

    def look(self) -> Whose:
        """Take the claim where it is free; whose it is now."""
        ...

    def close(self) -> None:
        """Give it up."""


class OnlyOne:
    """On SQLite: the file is on one machine, where systemd starts one dispatcher."""

    def look(self) -> Whose:
        return Whose.OURS

    def close(self) -> None:
        """Nothing is held."""


class AdvisoryLock:
    """On a connection of its own, that no transaction uses."""

    def __init__(self, engine: Engine) -> None:
        self.problem = ""
        """Why it is unknown."""
        self._engine = engine
        self._connection: psycopg.Connection[Any] | None = None
        self._is_held = False

    def look(self) -> Whose:
        try:
            connection = self._connection or self._connect()
            if self._is_held:
                connection.execute("SELECT")
            else:
                row = connection.execute(_TAKE).fetchone()
                self._is_held = row is not None and row[0]
        except psycopg.Error as error:
            self.problem = first_line(error)
            self.close()
            return Whose.UNKNOWN
        return Whose.OURS if self._is_held else Whose.ANOTHERS

    def close(self) -> None:
        connection, self._connection, self._is_held = self._connection, None, False
        if connection is not None:
            with suppress(psycopg.Error):  # the server would let go a moment after the connection's end
                connection.execute("SELECT pg_advisory_unlock_all()")
            connection.close()

    def _connect(self) -> "psycopg.Connection[Any]":
        pooled = self._engine.raw_connection()
        connection = pooled.driver_connection
        assert isinstance(connection, psycopg.Connection)
        pooled.detach()
        self._connection = connection
        connection.execute(_AT_CONNECT)
        return connection


def claim_of(engine: Engine) -> Claim:
    """The claim of the database that the engine opens."""
    return AdvisoryLock(engine) if engine.dialect.name == "postgresql" else OnlyOne()
