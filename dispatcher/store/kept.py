"""Rows that a transaction changes again and again, fact after fact: read at most once, and written once.

A slot is released, opened, emptied and shut within a batch: four facts, and what holds at the end is one row. Until
it is written only the functions here know of it; so it is written before any other statement that names its table
(`later.settle_before`), and at the end of the transaction. Where somebody else changes the table, what was read of
it is forgotten. Over a connection that no transaction of `Database.write` uses, all is read and written at once.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from sqlalchemy import Connection, Select, Table, Update, bindparam, select

from dispatcher.store.later import Mind, mind_of
from dispatcher.store.upsert import Row, upsert, upsert_all

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Correction:
    """A statement that sets columns of whatever rows it means."""

    statement: Update
    values: Mapping[str, Any]
    is_meant: Callable[[Mapping[str, Any]], bool]
    """Of a row, or of those of its columns that are changed: the same rows as the statement's condition."""
    columns: Mapping[str, Any]


class KeptRows:
    """What one transaction knows and changed of a table, by primary key."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._known: dict[Key, Mapping[str, Any] | None] = {}
        """As the database has them; None: there is none."""
        self._changes: dict[Key, dict[str, Any]] = {}
        self._corrections: list[Correction] = []

    def change(self, row: Row) -> None:
        key = tuple(row[name] for name in _key_names(self._table))
        self._changes.setdefault(key, {}).update(row)

    def row(self, connection: Connection, key: Key) -> Mapping[str, Any] | None:
        if key not in self._known:
            found = _read(connection, self._table, key)
            for correction in self._corrections:
                if found is not None and correction.is_meant(found):
                    found = {**found, **correction.columns}
            self._known[key] = found
        changes = self._changes.get(key)
        return self._known[key] if changes is None else self._changed(key, changes)

    def _changed(self, key: Key, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        return {**(self._known[key] or dict.fromkeys(self._table.columns.keys())), **changes}

    def correct(self, correction: Correction) -> None:
        self._corrections.append(correction)
        for key, known in self._known.items():
            if known is not None and correction.is_meant(known):
                self._known[key] = {**known, **correction.columns}
        for changes in self._changes.values():
            if correction.is_meant(changes):
                changes.update(correction.columns)

    def write(self, connection: Connection) -> None:
        """Write what was changed; what is known of it stays known.

        First what was corrected: the rows that are changed here have been corrected here.
        """
        for correction in self._corrections:
            connection.execute(correction.statement, correction.values)
        self._corrections.clear()
        together: defaultdict[tuple[str, ...], list[Row]] = defaultdict(list)
        names = self._table.columns.keys()
        for key, changes in self._changes.items():
            row = {name: changes[name] for name in names if name in changes}
            together[tuple(row)].append(row)
            if key in self._known:
                self._known[key] = self._changed(key, changes)
        self._changes.clear()
        for rows in together.values():
            upsert_all(connection, self._table, rows)


def change_row(connection: Connection, table: Table, row: Row) -> None:
    """Upsert a row, named by its primary key; columns that are not given stay as they are."""
    mind = mind_of(connection)
    if mind is None:
        upsert(connection, table, row)
    else:
        _kept(mind, table).change(row)


def kept_row(connection: Connection, table: Table, *key: Any) -> Mapping[str, Any] | None:
    """A row by its primary key, as this transaction made it; None: there is none."""
    mind = mind_of(connection)
    if mind is None:
        return _read(connection, table, key)
    with mind.past(table.name):
        return _kept(mind, table).row(connection, key)


def correct_rows(connection: Connection, table: Table, correction: Correction) -> None:
    """Change rows by what they hold, and not by their key."""
    mind = mind_of(connection)
    if mind is None:
        connection.execute(correction.statement, correction.values)
    else:
        _kept(mind, table).correct(correction)


def _kept(mind: Mind, table: Table) -> KeptRows:
    return mind.of(table.name, partial(KeptRows, table))


@cache
def _key_names(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.primary_key)


def _read(connection: Connection, table: Table, key: Key) -> Mapping[str, Any] | None:
    named = dict(zip(_key_names(table), key, strict=True))
    row = connection.execute(_one(table), {f"this_{name}": value for name, value in named.items()}).one_or_none()
    return None if row is None else row._asdict()


@cache
def _one(table: Table) -> Select[Any]:
    return select(table).where(*(column == bindparam(f"this_{column.name}") for column in table.primary_key))
