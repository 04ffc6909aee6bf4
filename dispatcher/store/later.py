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

from sqlalchemy import Connection, Table
from sqlalchemy.engine.interfaces import ExecutionContext
from sqlalchemy.sql.dml import Insert, Update

_MIND = "mind"  # in `Connection.info`


class Unsettled(Protocol):
    """Changes of one table that are not written yet."""

    def write(self, connection: Connection) -> None: ...


Later = Insert | Update


class Mind:
    """Of one transaction. Whoever undoes a part of it settles all before, and has it forget that part's."""

    def __init__(self) -> None:
        self._rows: dict[Later, list[Mapping[str, Any]]] = {}
        self.remembered: dict[object, Any] = {}
        """Answers by who asks."""
        self.unsettled: dict[str, Unsettled] = {}
        """By the name of their table."""
        self._passed: set[str] = set()

    def add(self, statement: Later, row: Mapping[str, Any]) -> None:
        rows = self._rows.setdefault(statement, [])
        assert not rows or row.keys() == rows[0].keys(), "rows that are written together have the same columns"
        rows.append(row)

    @contextmanager
    def past(self, table: str) -> Iterator[None]:
        """Around a statement that takes what is unsettled of a table into account."""
        self._passed.add(table)
        try:
            yield
        finally:
            self._passed.discard(table)

    def settle(self, connection: Connection) -> None:
        """Write all that is left for later."""
        for table, unsettled in self.unsettled.items():
            with self.past(table):
                unsettled.write(connection)
        for statement, rows in self._rows.items():
            self._write(connection, statement, rows)

    def settle_before(self, connection: Connection, said: str) -> None:
        """Write what is left for later of the tables that a statement names.

        What a table is known to hold is forgotten where the statement may change it.
        """
        for table in [table for table in self.unsettled if table in said and table not in self._passed]:
            with self.past(table):
                self.unsettled[table].write(connection)
            if not said.startswith("SELECT"):
                del self.unsettled[table]
        for statement, rows in self._rows.items():
            if rows and _table_of(statement) in said and _table_of(statement) not in self._passed:
                self._write(connection, statement, rows)

    def _write(self, connection: Connection, statement: Later, rows: list[Mapping[str, Any]]) -> None:
        if rows:
            together = rows.copy()
            rows.clear()
            with self.past(_table_of(statement)):
                connection.execute(statement, together)

    def forget(self) -> None:
        """A part of the transaction is undone, and with it all that is not written."""
        for rows in self._rows.values():
            rows.clear()
        self.remembered.clear()
        self.unsettled.clear()


def _table_of(statement: Later) -> str:
    assert isinstance(statement.table, Table), "no other is left for later"
    return statement.table.name


def settle_before(statement: str, context: ExecutionContext | None) -> None:
    """Nobody reads a table, or changes it, before what this transaction changed in it is written."""
    if context is None:
        return
    try:
        mind = mind_of(context.root_connection)
    except NotImplementedError:  # what SQLAlchemy asks a server before its pool has the connection
        return
    if mind is not None:
        mind.settle_before(context.root_connection, statement)


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


def write_later(connection: Connection, statement: Later, row: Mapping[str, Any]) -> None:
    """Insert or change a row at the end of the transaction, or before the next statement that names its table.

    `statement` is one that a module made once, `inline` where the database numbers its rows: nobody asks for that.
    """
    mind = mind_of(connection)
    if mind is None:
        connection.execute(statement, row)
    else:
        mind.add(statement, row)
