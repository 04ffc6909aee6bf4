"""What one transaction keeps in mind: rows that it writes at its end, and answers that hold until then.

A fact touches little and tells much: each row of history, and each look whether an incident is open, is a
statement, and a statement costs more than what it says. Rows that hardly anybody reads before the transaction is
over are written together, in their order: at its end, or before the next statement that names their table. What a
transaction has read of the open incidents stays true while it lasts: writers take turns (decision 0034), and what
it writes itself it keeps up to date here. Rows that it changes again and again: `dispatcher.store.kept`.

Over a connection that no transaction of `Database.write` uses, rows are written at once and nothing is remembered.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.engine.interfaces import ExecutionContext
from sqlalchemy.sql.dml import Insert, Update


class Unsettled(Protocol):
    """Changes of one table that are not written yet."""

    def write(self, connection: Connection) -> None: ...


U = TypeVar("U", bound=Unsettled)
Later = Insert | Update


class Mind:
    """Of one transaction. Whoever undoes a part of it settles all before that part, and has it forget all after."""

    def __init__(self) -> None:
        self._rows: dict[Later, list[Mapping[str, Any]]] = {}
        self._tables: set[str] = set()
        """Those of the rows that are not written yet."""
        self.remembered: dict[object, Any] = {}
        """Answers by who asks."""
        self.unsettled: dict[str, Unsettled] = {}
        """By the name of their table."""
        self._passed: set[str] = set()

    def add(self, statement: Later, row: Mapping[str, Any]) -> None:
        rows = self._rows.setdefault(statement, [])
        assert not rows or row.keys() == rows[0].keys(), "rows that are written together have the same columns"
        rows.append(row)
        self._tables.add(_table_of(statement))

    def of(self, table: str, make: Callable[[], U]) -> U:
        """What is unsettled of a table, made where there is nothing yet; a table has one kind of it."""
        found = self.unsettled.get(table)
        if found is None:
            found = self.unsettled[table] = make()
        kept: U = found  # type: ignore[assignment]  # whoever keeps a table asks for it here, with one `make`
        return kept

    @contextmanager
    def past(self, table: str) -> Iterator[None]:
        """Around a statement that takes what is unsettled of a table into account."""
        assert table not in self._passed, "nobody takes it into account twice"
        self._passed.add(table)
        try:
            yield
        finally:
            self._passed.discard(table)

    def settle(self, connection: Connection) -> None:
        """Write all that is left for later."""
        for table in list(self.unsettled):
            self._write_unsettled(connection, table)
        for table in sorted(self._tables):
            self._write_rows(connection, table)

    def settle_before(self, connection: Connection, said: str) -> None:
        """Write what is left for later of the tables that a statement names.

        What `unsettled` knows of a table is forgotten where the statement may change it; `remembered` is not.
        """
        for table in [table for table in self.unsettled if table in said and table not in self._passed]:
            self._write_unsettled(connection, table)
            if table in self.unsettled and not said.startswith("SELECT"):
                del self.unsettled[table]
        for table in [table for table in self._tables if table in said and table not in self._passed]:
            self._write_rows(connection, table)

    def _write_unsettled(self, connection: Connection, table: str) -> None:
        with self.past(table):
            self.unsettled[table].write(connection)

    def _write_rows(self, connection: Connection, table: str) -> None:
        """Statement by statement, in the order in which this transaction first had each of them."""
        self._tables.discard(table)
        with self.past(table):
            for statement, rows in self._rows.items():
                if rows and _table_of(statement) == table:
                    together = rows.copy()
                    rows.clear()
                    connection.execute(statement, together)

    def forget(self) -> None:
        """A part of the transaction is undone, and with it all that is not written."""
        self._rows.clear()
        self._tables.clear()
        self.remembered.clear()
        self.unsettled.clear()


def _table_of(statement: Later) -> str:
    assert isinstance(statement.table, Table), "no other is left for later"
    return statement.table.name


_MINDS: dict[Connection, Mind] = {}
"""Of the transactions that are under way."""


def settle_before(statement: str, context: ExecutionContext | None) -> None:
    """Nobody reads a table, or changes it, before what this transaction changed in it is written."""
    if context is None:
        return
    mind = mind_of(context.root_connection)
    if mind is not None:
        mind.settle_before(context.root_connection, statement)


@contextmanager
def minding(connection: Connection) -> Iterator[Mind]:
    """Around all that one transaction does; whoever opens it has what was left for later written at its end."""
    mind = _MINDS[connection] = Mind()
    try:
        yield mind
    finally:
        del _MINDS[connection]


def mind_of(connection: Connection) -> Mind | None:
    return _MINDS.get(connection)


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
