"""What one transaction keeps in mind: rows that it writes at its end, and answers that hold until then.

A fact touches little and tells much: each row of history, and each look whether an incident is open, is a
statement, and a statement costs more than what it says. Rows that nobody reads before the transaction is over are
written together at its end, in their order. What a transaction has read of the open incidents stays true while it
lasts: writers take turns (decision 0034), and what it writes itself it keeps up to date here. Rows that it changes
again and again are written before anybody else asks for their table: `dispatcher.store.kept`.

Over a connection that no transaction of `Database.write` uses, rows are written at once and nothing is remembered.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from sqlalchemy import Connection
from sqlalchemy.engine.interfaces import ExecutionContext
from sqlalchemy.sql.dml import Insert

_MIND = "mind"  # in `Connection.info`


class Unsettled(Protocol):
    """Changes of one table that are not written yet."""

    def write(self, connection: Connection) -> None: ...


class Mind:
    """Of one transaction. Whoever rolls a part of it back forgets what was learned, and drops that part's rows."""

    def __init__(self) -> None:
        self._rows: dict[Insert, list[Mapping[str, Any]]] = {}
        self.remembered: dict[object, Any] = {}
        """Answers by who asks."""
        self.unsettled: dict[str, Unsettled] = {}
        """By the name of their table."""
        self._passed: set[str] = set()

    def add(self, statement: Insert, row: Mapping[str, Any]) -> None:
        self._rows.setdefault(statement, []).append(row)

    @contextmanager
    def past(self, table: str) -> Iterator[None]:
        """Around a statement that takes what is unsettled of a table into account."""
        self._passed.add(table)
        try:
            yield
        finally:
            self._passed.discard(table)

    def settle(self, connection: Connection, statement: str | None = None) -> None:
        """Write the changes of the tables that a statement names; of all, where none is given.

        What a table is known to hold is forgotten where the statement may change it.
        """
        for table in [table for table in self.unsettled if statement is None or table in statement]:
            if table in self._passed:
                continue
            with self.past(table):
                self.unsettled[table].write(connection)
            if statement is not None and not statement.startswith("SELECT"):
                del self.unsettled[table]

    def write(self, connection: Connection) -> None:
        self.settle(connection)
        for statement, rows in self._rows.items():
            if rows:  # all of them may have been taken back
                connection.execute(statement, rows)
        self._rows.clear()

    def mark(self) -> Mapping[Insert, int]:
        return {statement: len(rows) for statement, rows in self._rows.items()}

    def go_back(self, mark: Mapping[Insert, int]) -> None:
        """To what it was at a mark: a part of the transaction is undone."""
        for statement, rows in self._rows.items():
            del rows[mark.get(statement, 0) :]
        self.remembered.clear()
        self.unsettled.clear()


def settle_before(statement: str, context: ExecutionContext | None) -> None:
    """Nobody reads a table, or changes it, before what this transaction changed in it is written."""
    if context is None:
        return
    try:
        mind = mind_of(context.root_connection)
    except NotImplementedError:  # what SQLAlchemy asks a server before its pool has the connection
        return
    if mind is not None and mind.unsettled:
        mind.settle(context.root_connection, statement)


@contextmanager
def minding(connection: Connection) -> Iterator[Mind]:
    """Around all that one transaction does; whoever opens it has what was left for later written at its end."""
    mind = connection.info[_MIND] = Mind()
    try:
        yield mind
    finally:
        del connection.info[_MIND]


def mind_of(connection: Connection) -> Mind | None:
    return connection.info.get(_MIND)


def remembered(connection: Connection) -> dict[object, Any]:
    """What a transaction remembers, to read and to add to; where nobody remembers, nothing that lasts."""
    mind = mind_of(connection)
    return mind.remembered if mind is not None else {}


def write_later(connection: Connection, statement: Insert, row: Mapping[str, Any]) -> None:
    """Insert a row that nobody reads before the transaction is over.

    `statement` is one that a module made once, `inline` where the database numbers its rows: nobody asks for that.
    """
    mind = mind_of(connection)
    if mind is None:
        connection.execute(statement, row)
    else:
        mind.add(statement, row)
