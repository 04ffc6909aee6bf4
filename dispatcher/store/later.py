"""What one transaction keeps in mind: rows that it writes at its end, and answers that hold until then.

A fact touches little and tells much: each row of history, and each look whether an incident is open, is a
statement, and a statement costs more than what it says. Rows that nobody reads before the transaction is over are
written together at its end, in their order. What a transaction has read of the open incidents stays true while it
lasts: writers take turns (decision 0034), and what it writes itself it keeps up to date here.

Over a connection that no transaction of `Database.write` uses, rows are written at once and nothing is remembered.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.sql.dml import Insert

_MIND = "mind"  # in `Connection.info`


class Mind:
    """Of one transaction. Whoever rolls a part of it back forgets what was learned, and drops that part's rows."""

    def __init__(self) -> None:
        self._rows: dict[Insert, list[Mapping[str, Any]]] = {}
        self.remembered: dict[object, Any] = {}
        """Answers by who asks."""

    def add(self, statement: Insert, row: Mapping[str, Any]) -> None:
        self._rows.setdefault(statement, []).append(row)

    def write(self, connection: Connection) -> None:
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
