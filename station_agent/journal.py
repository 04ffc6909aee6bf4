"""The journal that is also the outbox: SQLite, one file, durable before the lock moves.

Every call is synchronous and is made through the agent's executor. Facts are numbered by the core; the
journal checks that no number is missing or used twice, and keeps the hash chain.
"""

import fcntl
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from contract.chain import genesis_hash, next_hash
from contract.facts import Fact
from contract.limits import BATCH_BYTES_MAX, FACT_BYTES_MAX
from contract.messages import FACTS_PER_BATCH_MAX, FactBatch

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


class JournalUnusable(Exception):
    """The journal cannot be opened: the text names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Epoch:
    number: int
    epoch: str
    created_ms: int
    acknowledged_seq: int
    last_seq: int
    last_hash: str


@dataclass(frozen=True, slots=True)
class HeldDesired:
    wire: bytes
    version: int
    digest: str


class Journal:
    """One cabinet's facts, picture and held `desired`."""

    def __init__(self, connection: sqlite3.Connection, cabinet: str, lock: IO[bytes]) -> None:
        self._connection = connection
        self._cabinet = cabinet
        self._lock = lock
        self._epoch: Epoch

    @classmethod
    def open(cls, file: Path, cabinet: str, *, now_ms: int, random_bytes: Callable[[int], bytes]) -> "Journal":
        """Open the journal, or make a new one with a new epoch.

        Raises:
            JournalUnusable: the folder is missing, the file is no journal or another cabinet's, or another
                agent has it open.
        """
        lock = _lock(file)
        try:
            connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
            journal = cls(connection, cabinet, lock)
            journal._prepare(now_ms, random_bytes)
        except (sqlite3.Error, JournalUnusable) as error:
            lock.close()
            if isinstance(error, JournalUnusable):
                raise
            raise JournalUnusable(f"journal {file}: {error}; expected a journal of this agent") from error
        return journal

    def _prepare(self, now_ms: int, random_bytes: Callable[[int], bytes]) -> None:
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = FULL")
        run("PRAGMA wal_autocheckpoint = 0")
        run("PRAGMA foreign_keys = ON")
        (version,) = run("PRAGMA user_version").fetchone()
        if version not in {0, SCHEMA_VERSION}:
            raise JournalUnusable(f"journal has schema {version}, expected {SCHEMA_VERSION}: a newer agent's?")
        if version == 0:
            with _transaction(self._connection):
                for statement in _SCHEMA.split(";"):
                    run(statement)
                self._put_state("cabinet", self._cabinet.encode())
                run(f"PRAGMA user_version = {SCHEMA_VERSION}")
        owner = (self._state("cabinet") or b"").decode()
        if owner != self._cabinet:
            raise JournalUnusable(f"journal belongs to cabinet {owner!r}, expected {self._cabinet!r}")
        if run("SELECT count(*) FROM epochs").fetchone() == (0,):
            self._insert_epoch(random_bytes(16).hex(), now_ms)
        self._epoch = self._load_epoch()

    def close(self) -> None:
        """Fold the write-ahead log back and let go of the file. May be called again."""
        if not self._lock.closed:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.close()
            self._lock.close()

    # --- facts

    @property
    def epoch(self) -> Epoch:
        return self._epoch

    @property
    def depth(self) -> int:
        """Facts that the ledger has not acknowledged."""
        return self._epoch.last_seq - self._epoch.acknowledged_seq

    def append(self, facts: tuple[Fact, ...], picture: str) -> None:
        """Facts and the picture after them, in one durable transaction."""
        epoch = self._epoch
        rows = _rows(epoch, facts)
        with _transaction(self._connection):
            self._connection.executemany("INSERT INTO facts VALUES (?, ?, ?, ?, ?)", rows)
            self._put_state("picture", picture.encode())
        if rows:
            self._epoch = replace(epoch, last_seq=rows[-1][1], last_hash=rows[-1][4])

    def batch(self, first_seq: int) -> FactBatch | None:
        """The facts from `first_seq` on, as many as one message may carry; None where that fact is gone."""
        rows = self._connection.execute(
            "SELECT seq, text, hash FROM facts WHERE epoch = ? AND seq >= ? ORDER BY seq LIMIT ?",
            (self._epoch.number, first_seq, FACTS_PER_BATCH_MAX),
        ).fetchall()
        hash_before = self.hash_at(first_seq - 1)
        if not rows or rows[0][0] != first_seq or hash_before is None:
            return None
        texts: list[str] = []
        size = 0
        for _, text, _ in rows:
            size += len(text.encode()) + 3
            if texts and size > BATCH_BYTES_MAX:
                break
            texts.append(text)
        return FactBatch(
            cabinet=self._cabinet,
            epoch=self._epoch.epoch,
            epoch_created_ms=self._epoch.created_ms,
            first_seq=first_seq,
            hash_before=hash_before,
            facts=tuple(texts),
            last_hash=rows[len(texts) - 1][2],
        )

    def hash_at(self, seq: int) -> str | None:
        """The hash after fact `seq` of this epoch; None where it is not kept any more, or not yet."""
        if seq == 0:
            return genesis_hash(self._cabinet, self._epoch.epoch)
        row = self._connection.execute(
            "SELECT hash FROM facts WHERE epoch = ? AND seq = ?", (self._epoch.number, seq)
        ).fetchone()
        return None if row is None else str(row[0])

    def acknowledge(self, seq: int) -> None:
        """Remember how far the ledger has our facts; it may have fewer than before, after a restore."""
        assert seq <= self._epoch.last_seq
        with _transaction(self._connection):
            self._connection.execute(
                "UPDATE epochs SET acknowledged_seq = ? WHERE number = ?", (seq, self._epoch.number)
            )
        self._epoch = self._load_epoch()

    def texts_after(self, seq: int) -> list[str]:
        """All facts of this epoch after `seq`, in order."""
        rows = self._connection.execute(
            "SELECT text FROM facts WHERE epoch = ? AND seq > ? ORDER BY seq", (self._epoch.number, seq)
        )
        return [str(text) for (text,) in rows]

    def start_epoch(self, epoch: str, created_ms: int, facts: tuple[Fact, ...], picture: str) -> None:
        """Number from 1 again, with these first facts, in one transaction; the facts before stay where they are."""
        with _transaction(self._connection):
            self._insert_epoch(epoch, created_ms)
            fresh = self._load_epoch()
            self._connection.executemany("INSERT INTO facts VALUES (?, ?, ?, ?, ?)", _rows(fresh, facts))
            self._put_state("picture", picture.encode())
        self._epoch = self._load_epoch()

    def forget(self, before_ms: int) -> int:
        """Delete acknowledged facts from the oldest on, up to the first that is younger than `before_ms`.

        A box's clock may have been wrong for a while, so the order of numbers decides and not the times alone.
        The last acknowledged fact stays, for its hash. Returns how many went.
        """
        with _transaction(self._connection):
            (young,) = self._connection.execute(
                "SELECT min(seq) FROM facts WHERE epoch = ? AND at_ms >= ?", (self._epoch.number, before_ms)
            ).fetchone()
            keep_from = min(self._epoch.acknowledged_seq, (young or self._epoch.last_seq + 1) - 1)
            gone = self._connection.execute(
                "DELETE FROM facts WHERE epoch = ? AND seq < ?", (self._epoch.number, keep_from)
            ).rowcount
            gone += self._connection.execute(
                "DELETE FROM facts WHERE epoch < ? AND at_ms < ?", (self._epoch.number, before_ms)
            ).rowcount
        return gone

    # --- states

    def picture(self) -> str:
        """The last journalled picture, as JSON; an empty one for a new journal."""
        value = self._state("picture")
        return "{}" if value is None else value.decode()

    def keep_desired(self, held: HeldDesired) -> None:
        """Hold this `desired` across reboots."""
        with _transaction(self._connection):
            self._put_state("desired_wire", held.wire)
            self._put_state("desired_digest", held.digest.encode())
            self._put_state("desired_version", str(held.version).encode())

    def held_desired(self) -> HeldDesired | None:
        wire, digest, version = (self._state(f"desired_{name}") for name in ("wire", "digest", "version"))
        if wire is None or digest is None or version is None:
            return None
        return HeldDesired(wire, int(version), digest.decode())

    def checkpoint(self) -> None:
        """Fold the write-ahead log back; called when nothing else is to do."""
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    # --- inside

    def _state(self, name: str) -> bytes | None:
        row = self._connection.execute("SELECT value FROM states WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def _put_state(self, name: str, value: bytes) -> None:
        self._connection.execute(
            "INSERT INTO states VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, value),
        )

    def _insert_epoch(self, epoch: str, created_ms: int) -> None:
        self._connection.execute("INSERT INTO epochs (epoch, created_ms) VALUES (?, ?)", (epoch, created_ms))

    def _load_epoch(self) -> Epoch:
        number, epoch, created_ms, acknowledged_seq = self._connection.execute(
            "SELECT number, epoch, created_ms, acknowledged_seq FROM epochs ORDER BY number DESC LIMIT 1"
        ).fetchone()
        row = self._connection.execute(
            "SELECT seq, hash FROM facts WHERE epoch = ? ORDER BY seq DESC LIMIT 1", (number,)
        ).fetchone()
        last_seq, last_hash = row if row is not None else (0, genesis_hash(self._cabinet, epoch))
        return Epoch(number, epoch, created_ms, acknowledged_seq, last_seq, last_hash)


def _rows(epoch: Epoch, facts: tuple[Fact, ...]) -> list[tuple[int, int, int, str, str]]:
    """Rows that continue an epoch's chain."""
    seq, last_hash = epoch.last_seq, epoch.last_hash
    rows = []
    for fact in facts:
        text = fact.to_json()
        assert fact.seq == seq + 1, "numbers have no gaps"
        assert len(text.encode()) <= FACT_BYTES_MAX, "every kind of fact is bounded"
        seq, last_hash = fact.seq, next_hash(last_hash, text)
        rows.append((epoch.number, seq, fact.at_ms, text, last_hash))
    return rows


class _transaction:  # noqa: N801  # reads as a statement: `with _transaction(connection):`
    """Commit or roll back, with the write lock taken at the start."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._connection.execute("COMMIT" if kind is None else "ROLLBACK")


def _lock(file: Path) -> IO[bytes]:
    """One agent per journal: an advisory lock on a file beside it."""
    try:
        lock = file.with_name(file.name + ".lock").open("wb")
    except OSError as error:
        raise JournalUnusable(f"journal {file}: {error.strerror}: {error.filename}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise JournalUnusable(f"journal {file}: another agent has it open") from error
    return lock
