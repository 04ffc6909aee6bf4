"""The journal that is also the outbox: SQLite, one file, durable before the lock moves.

Every call is synchronous and is made through the agent's executor. Facts are numbered by the core; the
journal checks that no number is missing or used twice, and keeps the hash chain.

While SQLite cannot write (a full disk), facts and picture go into the emergency journal. The first call that
finds that it can moves them over, in order and in one transaction. Other states, and how far the ledger has our
facts, are kept in memory meanwhile: their authors repeat them.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from contract.chain import genesis_hash, next_hash
from contract.facts import EpochStarted, Fact, parse_fact
from contract.limits import BATCH_BYTES_MAX, FACT_BYTES_MAX
from contract.messages import FACTS_PER_BATCH_MAX, FactBatch
from station_agent.emergency import EmergencyJournal, Known, Saved
from station_agent.journal_database import CannotNow, Epoch, JournalDatabase, NotAJournal, Row
from station_agent.storage import Lock, Storage


class JournalUnusable(Exception):
    """The journal cannot be opened: the text names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class HeldDesired:
    wire: bytes
    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class Older:
    """What there is to tell of an epoch that ended. Nothing at all: it is another journal's."""

    batch: FactBatch | None = None
    is_complete: bool = False
    """The ledger has all of it that counts."""
    is_forgotten: bool = False
    """What it lacks next is not kept any more."""


class Journal:
    """One cabinet's facts, picture and held `desired`."""

    def __init__(self, storage: Storage, database: JournalDatabase, epoch: Epoch, lock: Lock) -> None:
        self._database = database
        self._emergency = EmergencyJournal(storage.emergency)
        self._lock: Lock | None = lock
        self._epoch = epoch
        self._waiting: list[Row] = []
        """Facts that the emergency journal holds and the database does not: a megabyte at most."""
        self._owed: dict[str, bytes] = {}
        """States that the database should hold and does not."""
        self._has_emergency = False
        self._database_trouble = self._emergency_trouble = ""

    @classmethod
    def open(
        cls, storage: Storage, cabinet: str, *, now_ms: int, random_bytes: Callable[[int], bytes]
    ) -> "Journal":
        """Open the journal, or make a new one with a new epoch.

        Raises:
            JournalUnusable: the folder is missing, the file is no journal or another cabinet's, or another
                agent has it open.
        """
        try:
            lock = storage.lock()
        except BlockingIOError as error:
            raise JournalUnusable(f"journal {storage.name}: another agent has it open") from error
        except OSError as error:
            raise JournalUnusable(f"journal {storage.name}: {error.strerror}: {error.filename}") from error
        try:
            database, epoch = _prepared(storage, cabinet, lambda: (random_bytes(16).hex(), now_ms))
            journal = cls(storage, database, epoch, lock)
            journal._take_in()
        except NotAJournal as error:
            lock.close()
            raise JournalUnusable(str(error)) from error
        except (sqlite3.Error, CannotNow) as error:
            lock.close()
            raise JournalUnusable(f"journal {storage.name}: {error}; expected a journal of this agent") from error
        return journal

    def close(self) -> None:
        """Fold the write-ahead log back and let go of the file. May be called again."""
        if self._lock is not None:
            self.checkpoint("TRUNCATE")
            self._database.close()
            self._lock.close()
            self._lock = None

    # --- facts

    @property
    def epoch(self) -> Epoch:
        return self._epoch

    @property
    def depth(self) -> int:
        """Facts that the ledger has not acknowledged."""
        return self._epoch.last_seq - self._epoch.acknowledged_seq

    @property
    def waiting(self) -> int:
        """Facts that only the emergency journal holds."""
        return len(self._waiting)

    @property
    def trouble(self) -> str:
        """Why the database or the emergency journal could not be used last; empty while both can."""
        return "; ".join(filter(None, (self._database_trouble, self._emergency_trouble)))

    def append(self, facts: tuple[Fact, ...], picture: str) -> bool:
        """Facts and the picture after them, in one durable transaction; False: they are nowhere.

        What could not be written may be appended again later, under the same numbers.
        """
        rows = _rows_of_facts(self._epoch, facts)
        owed = {**self._owed, "picture": picture.encode()}
        if not self._store([*self._waiting, *rows], owed):
            if not self._save(rows, picture):
                return False
            self._waiting += rows
            self._owed = owed
        self._advance(rows)
        return True

    def batch(self, first_seq: int) -> FactBatch | None:
        """The facts from `first_seq` on, as many as one message may carry; None where that fact is gone."""
        rows = self._rows_from(first_seq, FACTS_PER_BATCH_MAX)
        hash_before = self.hash_at(first_seq - 1)
        if not rows or rows[0].seq != first_seq or hash_before is None:
            return None
        return self._batch_of(self._epoch, hash_before, rows)

    def _batch_of(self, epoch: Epoch, hash_before: str, rows: Sequence[Row]) -> FactBatch:
        """As many as one message may carry."""
        texts: list[str] = []
        size = 0
        for row in rows:
            size += len(row.text.encode()) + 3
            if texts and size > BATCH_BYTES_MAX:
                break
            texts.append(row.text)
        return FactBatch(
            cabinet=self._database.cabinet,
            epoch=epoch.epoch,
            epoch_created_ms=epoch.created_ms,
            first_seq=rows[0].seq,
            hash_before=hash_before,
            facts=tuple(texts),
            last_hash=rows[len(texts) - 1].hash,
        )

    def hash_at(self, seq: int) -> str | None:
        """The hash after fact `seq` of this epoch; None where it is not kept any more, not yet, or unreadable."""
        if seq == 0:
            return genesis_hash(self._database.cabinet, self._epoch.epoch)
        rows = self._rows_from(seq, 1)
        return rows[0].hash if rows and rows[0].seq == seq else None

    def has_forgotten(self, seq: int) -> bool:
        """Whether fact `seq` of this epoch was journalled and then deleted; False where that cannot be read now."""
        try:
            first_seq = self._database.first_seq(self._epoch)
        except CannotNow as error:
            self._database_trouble = str(error)
            return False
        kept_from = first_seq if first_seq is not None else self._epoch.last_seq + 1
        return 0 < seq <= self._epoch.last_seq - len(self._waiting) and seq < kept_from

    def older_batch(self, epoch: str, seq: int) -> Older:
        """What to tell of an epoch that ended, to a ledger that has `seq` facts of it. Raises CannotNow."""
        ended = self._database.epoch_of(epoch)
        started = self._first_fact(ended.number + 1) if ended is not None else None
        if ended is None or started is None or started.after_epoch != epoch:
            return Older()
        missing = started.after_seq - seq
        if missing <= 0:
            return Older(is_complete=True)
        rows = self._database.rows_from(ended, seq + 1, min(missing, FACTS_PER_BATCH_MAX))
        hash_before = self._database.hash_at(ended, seq)
        if hash_before is None or not rows or rows[0].seq != seq + 1:
            return Older(is_forgotten=True)
        return Older(self._batch_of(ended, hash_before, rows))

    def goes_on_from(self, common_seq: int) -> tuple[str, int] | None:
        """What a new epoch names as the one before it, where ledger and journal share so much of this one.

        Nothing shared: it goes on from where this one did. Raises CannotNow.
        """
        if common_seq > 0:
            return self._epoch.epoch, common_seq
        started = self._first_fact(self._epoch.number)
        if started is None or started.after_epoch is None:
            return None
        return started.after_epoch, started.after_seq

    def _first_fact(self, number: int) -> EpochStarted | None:
        text = self._database.first_text(number)
        fact = parse_fact(text) if text is not None else None
        return fact if isinstance(fact, EpochStarted) else None

    def acknowledge(self, seq: int) -> None:
        """Remember how far the ledger has our facts; it may have fewer than before, after a restore.

        Where it cannot be written, facts are told again after a restart: the ledger drops them.
        """
        assert seq <= self._epoch.last_seq
        self._epoch = replace(self._epoch, acknowledged_seq=seq)
        self._store(self._waiting, self._owed)

    def texts_after(self, seq: int) -> list[str]:
        """All facts of this epoch after `seq`, in order. Raises CannotNow: a part of them would be a gap."""
        stored = self._database.rows_from(self._epoch, seq + 1, -1)
        return [row.text for row in (*stored, *self._waiting) if row.seq > seq]

    def start_epoch(self, epoch: str, created_ms: int, facts: tuple[Fact, ...], picture: str) -> bool:
        """Number from 1 again, with these first facts, in one transaction; the facts before stay where they are.

        False: it cannot be written, and the epoch stays the one that it was.
        """
        if not self.settle():
            return False
        try:
            self._epoch = self._database.start_epoch(
                epoch, created_ms, lambda fresh: _rows_of_facts(fresh, facts), {"picture": picture.encode()}
            )
        except CannotNow as error:
            self._database_trouble = str(error)
            return False
        return True

    def forget(self, before_ms: int) -> int:
        """Delete acknowledged facts from the oldest on, up to the last that was surely noted before `before_ms`.

        A box's clock may have been wrong for a while: only a time that somebody vouched for says how old a fact
        is, and that all before it are older. The last acknowledged fact stays, for its hash. Returns how many went.
        """
        if not self.settle():
            return 0  # the emergency journal continues the database's last fact: it has to stay
        try:
            return self._database.forget(self._epoch, before_ms)
        except CannotNow as error:
            self._database_trouble = str(error)
            return 0

    # --- states

    def picture(self) -> str:
        """The last journalled picture, as JSON; an empty one for a new journal."""
        value = self._state("picture")
        return "{}" if value is None else value.decode()

    def keep_desired(self, held: HeldDesired) -> None:
        """Hold this `desired` across reboots, from the moment that it can be written."""
        self._owed["desired_wire"] = held.wire
        self._owed["desired_digest"] = held.digest.encode()
        self._owed["desired_version"] = str(held.version).encode()
        self.settle()

    def held_desired(self) -> HeldDesired | None:
        wire, digest, version = (self._state(f"desired_{name}") for name in ("wire", "digest", "version"))
        if wire is None or digest is None or version is None:
            return None
        return HeldDesired(wire, int(version), digest.decode())

    # --- housekeeping

    def settle(self) -> bool:
        """Write what the database is owed; whether it is owed nothing now."""
        if not (self._waiting or self._owed or self._emergency.is_used):
            return True
        return self._store(self._waiting, self._owed)

    def checkpoint(self, mode: str = "PASSIVE") -> None:
        """Fold the write-ahead log back; called when nothing else is to do."""
        self.settle()
        if not self._has_emergency:  # there may be room for the file now; what it held was numbered over meanwhile
            self._load_emergency(self._emergency.version)
        try:
            self._database.checkpoint(mode)
        except CannotNow as error:
            self._database_trouble = str(error)

    # --- inside

    def _take_in(self) -> None:
        """What the emergency journal held when the agent ended. Without such a file it goes on as well."""
        saved = self._load_emergency(int(self._database.state("emergency_version") or b"0"))
        if saved is None:
            return
        self._waiting = _rows(self._epoch, [(int(json.loads(text)["at_ms"]), text) for text in saved.texts])
        self._advance(self._waiting)
        if saved.picture is not None:
            self._owed["picture"] = saved.picture.encode()
        self.settle()

    def _load_emergency(self, version: int) -> Saved | None:
        try:
            saved = self._emergency.load(Known(self._epoch.epoch, self._epoch.last_seq, version))
        except OSError as error:
            self._emergency_trouble = f"emergency journal: {error}"
            return None
        self._has_emergency, self._emergency_trouble = True, ""
        return saved

    def _store(self, rows: Sequence[Row], states: Mapping[str, bytes]) -> bool:
        """Into the database, which is owed nothing more then."""
        if self._emergency.is_used:
            states = {**states, "emergency_version": str(self._emergency.version).encode()}
        try:
            self._database.write(self._epoch, rows, states)
        except CannotNow as error:
            self._database_trouble = str(error)
            return False
        self._waiting, self._owed, self._database_trouble = [], {}, ""
        if self._emergency.is_used:
            try:
                self._emergency.clear()
                self._emergency_trouble = ""
            except OSError as error:
                self._emergency_trouble = f"emergency journal: {error}"
        return True

    def _save(self, rows: Sequence[Row], picture: str) -> bool:
        """Into the emergency journal, if there is one."""
        if not self._has_emergency:
            return False
        last_seq = rows[-1].seq if rows else self._epoch.last_seq
        try:
            self._emergency.append(self._epoch.epoch, last_seq, tuple(row.text for row in rows), picture)
        except OSError as error:
            self._emergency_trouble = f"emergency journal: {error}"
            return False
        self._emergency_trouble = ""
        return True

    def _advance(self, rows: Sequence[Row]) -> None:
        if rows:
            self._epoch = replace(self._epoch, last_seq=rows[-1].seq, last_hash=rows[-1].hash)

    def _rows_from(self, seq: int, limit: int) -> list[Row]:
        """Facts of this epoch from `seq` on, in order, wherever they are."""
        try:
            rows = self._database.rows_from(self._epoch, seq, limit)
        except CannotNow as error:
            self._database_trouble = str(error)
            rows = []
        return [*rows, *(row for row in self._waiting if row.seq >= seq)][:limit]

    def _state(self, name: str) -> bytes | None:
        return self._owed[name] if name in self._owed else self._database.state(name)


def _prepared(
    storage: Storage, cabinet: str, new_epoch: Callable[[], tuple[str, int]]
) -> tuple[JournalDatabase, Epoch]:
    """The database and its present epoch; to itself where it cannot be opened for others to read."""
    for alone in (False, True):
        database = JournalDatabase(storage.connect(), cabinet)
        try:
            return database, database.prepare(new_epoch, alone=alone)
        except BaseException as error:
            database.close()
            if alone or not isinstance(error, CannotNow):
                raise
    raise AssertionError("the second time either returned or raised")


def _rows_of_facts(epoch: Epoch, facts: tuple[Fact, ...]) -> list[Row]:
    for number, fact in enumerate(facts, epoch.last_seq + 1):
        assert fact.seq == number, "numbers have no gaps"
    return _rows(epoch, [(fact.at_ms, fact.to_json()) for fact in facts])


def _rows(epoch: Epoch, texts: Sequence[tuple[int, str]]) -> list[Row]:
    """Rows that continue an epoch's chain, from times and texts."""
    seq, last_hash = epoch.last_seq, epoch.last_hash
    rows = []
    for at_ms, text in texts:
        assert len(text.encode()) <= FACT_BYTES_MAX, "every kind of fact is bounded"
        seq, last_hash = seq + 1, next_hash(last_hash, text)
        rows.append(Row(epoch.number, seq, at_ms, text, last_hash))
    return rows
