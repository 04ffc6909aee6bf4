"""The journal's tables in SQLite: every statement, each change one durable transaction.

CannotNow     the disk is full, fails, or somebody holds the file: try again later
NotAJournal   whatever is in the file, no waiting makes it this agent's journal
Damaged       the file is no database, or not any more: what can be read of it is kept (`journal_rescue`)
sqlite3.Error anything else: our own mistake
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

from contract.chain import genesis_hash
from station_agent.storage import Connection

CACHE_KIB = 256  # what a transaction and a batch touch; the 2 MiB that SQLite takes by itself are for queries
SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE epochs (
    number INTEGER PRIMARY KEY,
    epoch TEXT NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL,
    acknowledged_seq INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE facts (
    epoch INTEGER NOT NULL REFERENCES epochs (number),
    seq INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    text TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (epoch, seq)
) WITHOUT ROWID;
CREATE TABLE states (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""

_CANNOT_NOW = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,  # of the files beside the database
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
    }
)
"""What a disk or a neighbour does to us, by SQLite's primary result codes."""

_READ_ONLY = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class CannotNow(Exception):
    """Nothing was written. The text is SQLite's own."""


class NotAJournal(Exception):
    """The text says what was found and what was expected."""


class Damaged(sqlite3.DatabaseError):
    """What is in the file cannot be right. The text is SQLite's own."""


@dataclass(frozen=True, slots=True)
class Epoch:
    number: int
    epoch: str
    created_ms: int
    acknowledged_seq: int
    last_seq: int
    last_hash: str


class Row(NamedTuple):
    """A fact as it lies in its table."""

    epoch: int
    seq: int
    at_ms: int
    text: str
    hash: str


class JournalDatabase:
    """One cabinet's tables."""

    def __init__(self, connection: Connection, cabinet: str) -> None:
        self._connection = connection
        self.cabinet = cabinet

    def prepare(self, new_epoch: tuple[str, int], *, alone: bool, bytes_max: int | None) -> Epoch:
        """Make the tables where there are none, and an epoch of this name and time where there is none.

        Args:
            new_epoch: a name and a time.
            alone: let nobody else read, which needs no memory shared in a file: a full disk has no room for it.
            bytes_max: how large the file may grow; at it SQLite says that it is full. None: as the disk allows.

        Raises:
            CannotNow: this connection is of no use then.
            NotAJournal: the tables are another cabinet's, another program's or a newer agent's.
            Damaged: this is no database.
        """
        with _sorted_errors():
            return self._prepare(new_epoch, alone=alone, bytes_max=bytes_max)

    def _prepare(self, new_epoch: tuple[str, int], *, alone: bool, bytes_max: int | None) -> Epoch:
        run = self._connection.execute
        if alone:
            run("PRAGMA locking_mode = EXCLUSIVE")
        (version,) = run("PRAGMA user_version").fetchone()
        if version not in {0, SCHEMA_VERSION}:
            raise NotAJournal(
                f"it has schema {version}, expected {SCHEMA_VERSION}: a newer agent made it, install that one again"
            )
        (tables,) = run("SELECT count(*) FROM sqlite_master").fetchone()
        if version == 0 and tables:
            raise NotAJournal(
                f"it is a database of another program, with {tables} tables and indexes: "
                "expected this agent's journal, or a name under which there is no file yet"
            )
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run("PRAGMA wal_autocheckpoint = 0")
        run(f"PRAGMA cache_size = -{CACHE_KIB}")
        run("PRAGMA foreign_keys = ON")
        if bytes_max is not None:
            (page_bytes,) = run("PRAGMA page_size").fetchone()
            run(f"PRAGMA max_page_count = {bytes_max // page_bytes}")
        if version == 0:
            with self._transaction():
                for statement in _SCHEMA.split(";"):
                    run(statement)
                self._put_states({"cabinet": self.cabinet.encode()})
                run(f"PRAGMA user_version = {SCHEMA_VERSION}")
        self._must_be_ours()
        if run("SELECT count(*) FROM epochs").fetchone() == (0,):
            self._insert_epoch(*new_epoch)
        self._must_not_be_read_only()
        return self._load_epoch()

    def prepare_copy(self) -> Epoch:
        """For a copy in memory of what `prepare` once made. Raises NotAJournal, Damaged."""
        with _sorted_errors():
            self._must_be_ours()
            return self._load_epoch()

    def _must_be_ours(self) -> None:
        owner = (self.state("cabinet") or b"").decode()
        if owner != self.cabinet:
            raise NotAJournal(
                f"it belongs to cabinet {owner!r}, expected {self.cabinet!r}: "
                "facts of two cabinets are never mixed; put the right card in, or name another file"
            )

    def _must_not_be_read_only(self) -> None:
        """A connection that was opened on a read-only disk stays read-only when the disk is not any more."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _READ_ONLY:
                raise
        else:
            self._roll_back()

    def close(self) -> None:
        self._connection.close()

    def write(self, epoch: Epoch, rows: Sequence[Row], states: Mapping[str, bytes]) -> None:
        """Facts, states and how far the ledger has acknowledged the epoch."""
        with self._transaction():
            self._insert(rows)
            self._put_states(states)
            self._connection.execute(
                "UPDATE epochs SET acknowledged_seq = ? WHERE number = ? AND acknowledged_seq <> ?",
                (epoch.acknowledged_seq, epoch.number, epoch.acknowledged_seq),
            )

    def start_epoch(
        self, epoch: str, created_ms: int, rows_of: Callable[[Epoch], Sequence[Row]], states: Mapping[str, bytes]
    ) -> Epoch:
        """A new epoch with its first facts; those of the epochs before stay where they are."""
        with self._transaction():
            self._insert_epoch(epoch, created_ms)
            self._insert(rows_of(self._load_epoch()))
            self._put_states(states)
            return self._load_epoch()

    def forget(self, epoch: Epoch, before_ms: int) -> int:
        """Delete acknowledged facts; see `Journal.forget`."""
        with self._transaction():
            old = self._connection.execute(
                "SELECT epoch, seq FROM facts WHERE at_ms < ? AND json_extract(text, '$.clock_trusted') "
                "ORDER BY epoch DESC, seq DESC LIMIT 1",
                (before_ms,),
            ).fetchone()
            if old is None:
                return 0
            keep_from = min(old, (epoch.number, epoch.acknowledged_seq))
            return self._connection.execute("DELETE FROM facts WHERE (epoch, seq) < (?, ?)", keep_from).rowcount

    def epoch_of(self, name: str) -> Epoch | None:
        """An epoch of this journal; None for another's."""
        with _sorted_errors():
            row = self._connection.execute("SELECT number FROM epochs WHERE epoch = ?", (name,)).fetchone()
            return None if row is None else self._load_epoch(row[0])

    def hash_at(self, epoch: Epoch, seq: int) -> str | None:
        """The hash after a fact of an epoch; None where it is not kept."""
        if seq == 0:
            return genesis_hash(self.cabinet, epoch.epoch)
        rows = self.rows_from(epoch, seq, 1)
        return rows[0].hash if rows and rows[0].seq == seq else None

    def first_text(self, number: int) -> str | None:
        """The first fact of an epoch, by the epoch's number; None where it is not kept."""
        with _sorted_errors():
            row = self._connection.execute(
                "SELECT text FROM facts WHERE epoch = ? AND seq = 1", (number,)
            ).fetchone()
        return None if row is None else str(row[0])

    def first_seq(self, epoch: Epoch) -> int | None:
        """The number of the oldest fact of an epoch that is kept; None: none is."""
        with _sorted_errors():
            (seq,) = self._connection.execute(
                "SELECT min(seq) FROM facts WHERE epoch = ?", (epoch.number,)
            ).fetchone()
        return None if seq is None else int(seq)

    def forget_oldest(self, epoch: Epoch, count: int) -> int:
        """Delete up to so many facts before the last acknowledged one, oldest first. Returns how many went."""
        with self._transaction():
            return self._connection.execute(
                "DELETE FROM facts WHERE (epoch, seq) IN "
                "(SELECT epoch, seq FROM facts WHERE (epoch, seq) < (?, ?) ORDER BY epoch, seq LIMIT ?)",
                (epoch.number, epoch.acknowledged_seq, count),
            ).rowcount

    def used_bytes(self) -> int:
        """Of the file, what is in use: what was deleted is filled again before it grows."""
        with _sorted_errors():
            run = self._connection.execute
            pages, free, page_bytes = (
                run(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
            )
        return int((pages - free) * page_bytes)

    def take_in(self, epochs: Sequence[Epoch], rows: Sequence[Row], states: Mapping[str, bytes]) -> Epoch:
        """Fill an empty journal with what was read from a damaged one. Returns the newest epoch."""
        with self._transaction():
            self._connection.execute("DELETE FROM epochs")
            self._connection.executemany(
                "INSERT INTO epochs VALUES (?, ?, ?, ?)",
                [(one.number, one.epoch, one.created_ms, one.acknowledged_seq) for one in epochs],
            )
            self._insert(rows)
            self._put_states(states)
            return self._load_epoch()

    def checkpoint(self, mode: str) -> None:
        """Fold the write-ahead log back."""
        with _sorted_errors():
            self._connection.execute(f"PRAGMA wal_checkpoint({mode})")

    def rows_from(self, epoch: Epoch, seq: int, limit: int) -> list[Row]:
        """Facts from `seq` on, in order; `limit` -1: all of them."""
        with _sorted_errors():
            self._roll_back()  # what is left of a transaction that could not even be rolled back is no fact
            rows = self._connection.execute(
                "SELECT epoch, seq, at_ms, text, hash FROM facts WHERE epoch = ? AND seq >= ? ORDER BY seq LIMIT ?",
                (epoch.number, seq, limit),
            ).fetchall()
        return [Row(*row) for row in rows]

    def state(self, name: str) -> bytes | None:
        with _sorted_errors():
            row = self._connection.execute("SELECT value FROM states WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def _insert(self, rows: Sequence[Row]) -> None:
        self._connection.executemany("INSERT INTO facts VALUES (?, ?, ?, ?, ?)", rows)

    def _put_states(self, states: Mapping[str, bytes]) -> None:
        self._connection.executemany(
            "INSERT INTO states VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            states.items(),
        )

    def _insert_epoch(self, epoch: str, created_ms: int) -> None:
        self._connection.execute("INSERT INTO epochs (epoch, created_ms) VALUES (?, ?)", (epoch, created_ms))

    def _load_epoch(self, number: int | None = None) -> Epoch:
        """The newest, or that of a number."""
        number, epoch, created_ms, acknowledged_seq = self._connection.execute(
            "SELECT number, epoch, created_ms, acknowledged_seq FROM epochs WHERE number = coalesce(?, number) "
            "ORDER BY number DESC LIMIT 1",
            (number,),
        ).fetchone()
        row = self._connection.execute(
            "SELECT seq, hash FROM facts WHERE epoch = ? ORDER BY seq DESC LIMIT 1", (number,)
        ).fetchone()
        last_seq, last_hash = row if row is not None else (0, genesis_hash(self.cabinet, epoch))
        return Epoch(number, epoch, created_ms, acknowledged_seq, last_seq, last_hash)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commit or roll back, with the write lock taken at the start."""
        with _sorted_errors():
            self._roll_back()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.OperationalError):  # the next transaction tries it again
                    self._roll_back()
                raise

    def _roll_back(self) -> None:
        if self._connection.in_transaction:  # SQLite may have ended it by itself
            self._connection.execute("ROLLBACK")


@contextmanager
def _sorted_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        own = sqlite3.SQLITE_FULL if isinstance(error, sqlite3.OperationalError) else sqlite3.SQLITE_ERROR
        code = (
            getattr(error, "sqlite_errorcode", own) & 0xFF
        )  # only SQLite's errors have one; its low byte is primary
        if code in _CANNOT_NOW:
            raise CannotNow(str(error)) from error
        if code in _DAMAGED:
            raise Damaged(str(error)) from error
        raise
