"""The journal that is also the outbox: SQLite, one file, durable before the lock moves.

Every call is synchronous and is made through the agent's executor. Facts are numbered by the core; the
journal checks that no number is missing or used twice, and keeps the hash chain.
"""

import fcntl
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from contract.chain import genesis_hash, next_hash
from contract.facts import Fact
from contract.limits import BATCH_BYTES_MAX, FACT_BYTES_MAX
from contract.messages import FACTS_PER_BATCH_MAX, FactBatch

SCHEMA_VERSION = 1
CHECKPOINT_PAGES = 1000  # 4 MiB: SQLite's own default, but taken when idle instead of in a key's commit

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
            self._connection.executescript(
                f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;"
            )
            self._put_state("cabinet", self._cabinet.encode())
        owner = (self._state("cabinet") or b"").decode()
        if owner != self._cabinet:
            raise JournalUnusable(f"journal belongs to cabinet {owner!r}, expected {self._cabinet!r}")
        if run("SELECT count(*) FROM epochs").fetchone() == (0,):
            self._add_epoch(random_bytes(16).hex(), now_ms)
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
        seq, last_hash = epoch.last_seq, epoch.last_hash
        rows = []
        for fact in facts:
            text = fact.to_json()
            assert fact.seq == seq + 1, "numbers have no gaps"
            assert len(text.encode()) <= FACT_BYTES_MAX, "every kind of fact is bounded"
            seq, last_hash = fact.seq, next_hash(last_hash, text)
            rows.append((epoch.number, seq, fact.at_ms, text, last_hash))
        with _transaction(self._connection):
            self._connection.executemany("INSERT INTO facts VALUES (?, ?, ?, ?, ?)", rows)
            self._put_state("picture", picture.encode())
        self._epoch = Epoch(epoch.number, epoch.epoch, epoch.created_ms, epoch.acknowledged_seq, seq, last_hash)

    def batch(self, first_seq: int) -> FactBatch | None:
        """The facts from `first_seq` on, as many as one message may carry; None where that fact is gone."""
        rows = self._connection.execute(
            "SELECT seq, text, hash FROM facts WHERE epoch = ? AND seq >= ? ORDER BY seq LIMIT ?",
            (self._epoch.number, first_seq, FACTS_PER_BATCH_MAX),
        ).fetchall()
        if not rows or rows[0][0] != first_seq:
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
            hash_before=self._hash_at(first_seq - 1) or "",
            facts=tuple(texts),
            last_hash=rows[len(texts) - 1][2],
        )

    def hash_at(self, seq: int) -> str | None:
        """The hash after fact `seq` of this epoch; None where it is not kept any more, or not yet."""
        return self._hash_at(seq)

    def _hash_at(self, seq: int) -> str | None:
        if seq == 0:
            return genesis_hash(self._cabinet, self._epoch.epoch)
        row = self._connection.execute(
            "SELECT hash FROM facts WHERE epoch = ? AND seq = ?", (self._epoch.number, seq)
        ).fetchone()
        return None if row is None else str(row[0])

    def acknowledge(self, seq: int) -> None:
        """Remember how far the ledger has our facts; lower than before after a restore of the dispatcher."""
        assert seq <= self._epoch.last_seq
        with _transaction(self._connection):
            self._connection.execute(
                "UPDATE epochs SET acknowledged_seq = ? WHERE number = ?", (seq, self._epoch.number)
            )
        self._epoch = self._load_epoch()

    def unacknowledged_texts(self) -> list[str]:
        """All facts of this epoch that the ledger has not taken."""
        rows = self._connection.execute(
            "SELECT text FROM facts WHERE epoch = ? AND seq > ? ORDER BY seq",
            (self._epoch.number, self._epoch.acknowledged_seq),
        )
        return [str(text) for (text,) in rows]

    def start_epoch(self, epoch: str, created_ms: int) -> None:
        """Number from 1 again; the facts before stay where they are."""
        self._add_epoch(epoch, created_ms)
        self._epoch = self._load_epoch()

    def forget(self, before_ms: int) -> int:
        """Delete acknowledged facts older than `before_ms`; the last one stays, for its hash. How many went."""
        with _transaction(self._connection):
            cursor = self._connection.execute(
                "DELETE FROM facts WHERE at_ms < ? AND (epoch < ? OR (epoch = ? AND seq < ?))",
                (before_ms, self._epoch.number, self._epoch.number, self._epoch.acknowledged_seq),
            )
        return cursor.rowcount

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

    def ledger(self) -> str | None:
        """Id of the ledger that acknowledged last."""
        value = self._state("ledger")
        return None if value is None else value.decode()

    def keep_ledger(self, ledger: str) -> None:
        with _transaction(self._connection):
            self._put_state("ledger", ledger.encode())

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

    def _add_epoch(self, epoch: str, created_ms: int) -> None:
        with _transaction(self._connection):
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
