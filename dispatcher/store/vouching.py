"""Which key the rows of a database were signed under, and an operator's word for rows that nothing signed."""

from dataclasses import dataclass

from sqlalchemy import Connection, Table, select, update

from dispatcher.store.desired import mark_serving_dirty
from dispatcher.store.origin import SIGNED, origin_of
from dispatcher.store.schema import bookings, commands, meta
from dispatcher.store.unfounded import could_count, rows_with_drivers, subject_of
from dispatcher.store.upsert import insert_absent, upsert

ORIGIN_KEY = "origin_key"  # in `meta`: a code made with the key, never the key


class OtherOrigin(Exception):
    """Rights in this database were not signed under the key at hand; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Vouched:
    """Of one table."""

    held: int
    """Rows whose code was good before."""
    unsigned: tuple[str, ...]
    """Rows that had no code, such as `members/m-7f3k`."""
    changed: tuple[str, ...]
    """Rows whose code did not fit: changed past this program, or signed under another key."""


def check_origin(connection: Connection) -> None:
    """Make sure that rights in this database were signed under the key at hand. An empty one takes it.

    Without this a wrong key file would take every right off every box.

    Raises:
        OtherOrigin: they were signed under another key, or by nobody yet.
    """
    of_this_key = origin_of(connection).of_database()
    known = connection.execute(select(meta.c.value).where(meta.c.key == ORIGIN_KEY)).scalar_one_or_none()
    if known is None and not any(_has_rows(connection, table) for table in SIGNED):
        insert_absent(connection, meta, {"key": ORIGIN_KEY, "value": of_this_key})
    elif known is None:
        raise OtherOrigin("nobody has vouched for the rows of this database yet: see `dispatcher vouch --help`")
    elif known != of_this_key:
        raise OtherOrigin("expected the key that the rows of this database were signed with; this is another one")


def vouch(connection: Connection) -> dict[str, Vouched]:
    """Sign every row that has no origin, as it stands, and have all rights computed again; by table.

    Bookings that are over stay as they are: no right comes of them any more. Nobody vouches for a command: it is
    over within minutes.
    """
    vouched = {table.name: _vouch_table(connection, table) for table in SIGNED if table is not commands}
    upsert(connection, meta, {"key": ORIGIN_KEY, "value": origin_of(connection).of_database()})
    mark_serving_dirty(connection)
    return vouched


def _vouch_table(connection: Connection, table: Table) -> Vouched:
    origin = origin_of(connection)
    held, unsigned, changed = 0, list[str](), list[str]()
    for row, driver_ids in list(rows_with_drivers(connection, table)):
        if table is bookings and not could_count(table, row):
            continue
        if origin.holds(table, row, driver_ids):
            held += 1
            continue
        (unsigned if row["origin"] is None else changed).append(subject_of(table, row))
        this = [column == row[column] for column in table.primary_key]
        connection.execute(update(table).where(*this).values(origin=origin.code(table, row, driver_ids)))
    return Vouched(held, tuple(unsigned), tuple(changed))


def _has_rows(connection: Connection, table: Table) -> bool:
    return connection.execute(select(next(iter(table.primary_key))).limit(1)).first() is not None
