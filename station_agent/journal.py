"""The journal that is also the outbox: SQLite, one file, durable before the lock moves.

Every call is synchronous and is made through the agent's executor. Facts are numbered by the core; the
journal checks that no number is missing or used twice, and keeps the hash chain.

While SQLite cannot write (a full disk), facts and picture go into the emergency journal. The first call that
finds that it can moves them over, in order and in one transaction. Other states, and how far the ledger has our
facts, are kept in memory meanwhile: their authors repeat them.

Longer than other files: whatever is written passes here, so that what the disk refuses is owed in one place.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from contract.chain import genesis_hash
from contract.facts import Fact
from contract.messages import FACTS_PER_BATCH_MAX, FactBatch
from station_agent.emergency import EmergencyJournal, Known, Saved
from station_agent.fact_rows import batch_of, rows_of_facts, rows_of_texts
from station_agent.journal_database import CannotNow, Damaged, Epoch, NotAJournal, Row
from station_agent.journal_opening import RESCUED, Found, Opening
from station_agent.journal_rescue import Note
from station_agent.older_epochs import Older, goes_on_from, older_batch
from station_agent.storage import Lock, Storage

FULL_FROM = 0.95  # of its limit: what is left is pages that the next fact needs at once
ALERT_AT = 0.8  # of its limit: with the default, weeks before anything is left out at any pace seen so far
SPACE_ASKS_AT = 0.7  # below the alert: what the ledger has anyway alarms nobody
FORGOTTEN_AT_ONCE = 1000  # facts, once a minute: half a second of a slow card, and more than any cabinet notes


class JournalUnusable(Exception):
    """The journal cannot be opened: the text names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class HeldDesired:
    wire: bytes
    version: int
    digest: str


class Journal:
    """One cabinet's facts, picture and held `desired`."""

    def __init__(self, opening: Opening, found: Found, lock: Lock) -> None:
        self.bytes_max = opening.bytes_max
        """How large the database may grow; None: as the disk allows."""
        self.used_bytes = 0
        """Of the database, when it was last written."""
        self._opening = opening
        self._database = found.database
        self._is_copy = found.is_copy
        self._emergency = EmergencyJournal(opening.storage.emergency)
        self._lock: Lock | None = lock
        self._epoch = found.epoch
        self._waiting: list[Row] = []
        """Facts that the emergency journal holds and the database does not: a megabyte at most."""
        self._owed: dict[str, bytes] = {}
        """States that the database should hold and does not."""
        self._has_emergency = False
        self._oldest: Row | None = None
        """Of the facts that the ledger has not acknowledged."""
        self._database_trouble = self._emergency_trouble = ""

    @classmethod
    def open(
        cls,
        storage: Storage,
        cabinet: str,
        *,
        now_ms: int,
        random_bytes: Callable[[int], bytes],
        bytes_max: int | None = None,
    ) -> "Journal":
        """Open the journal, or make a new one with a new epoch; a damaged one is set aside (`rescued`).

        Raises:
            JournalUnusable: the folder is missing, the file is a newer agent's, another program's or another
                cabinet's journal, it cannot be opened now, or another agent has it open.
        """
        try:
            lock = storage.lock()
        except BlockingIOError as error:
            raise JournalUnusable(f"journal {storage.name}: another agent has it open") from error
        except OSError as error:
            raise JournalUnusable(f"journal {storage.name}: {error.strerror}: {error.filename}") from error
        try:
            opening = Opening(storage, cabinet, now_ms, random_bytes(16).hex(), bytes_max)
            journal = cls._begun(opening, opening.first(), lock)
        except (NotAJournal, CannotNow, sqlite3.Error, OSError) as error:
            lock.close()
            raise JournalUnusable(f"journal {storage.name}: {error}") from error
        return journal

    @classmethod
    def _begun(cls, opening: Opening, found: Found, lock: Lock) -> "Journal":
        """Damage that shows only now, in what a start reads or writes, must not end every start anew."""
        journal = cls(opening, found, lock)
        try:
            journal._begin()
        except Damaged as error:
            found.database.close()
            journal = cls(opening, opening.in_place_of(error), lock)
            journal._begin()
        return journal

    @property
    def rescued(self) -> Note | None:
        """The damaged journal that this one took the place of, until a new epoch has told what it held."""
        value = self._state(RESCUED)
        return Note.from_json(value) if value else None

    def forget_rescue(self) -> None:
        """There is nothing to tell of it."""
        self._owed[RESCUED] = b""
        self.settle()

    def condemn(self) -> None:
        """It was found to be damaged: the next start sets it aside, and goes on with what can be read of it."""
        self._opening.storage.condemn()

    def close(self) -> None:
        """Fold the write-ahead log back and let go of the file. May be called again."""
        if self._lock is not None:
            with suppress(Damaged):  # the next start sees to it
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
    def untold_since_ms(self) -> int | None:
        """When the oldest of them was noted, by the box's clock; None: the ledger has all, or it cannot be read."""
        return None if self._oldest is None else self._oldest.at_ms

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
        rows = rows_of_facts(self._epoch, facts)
        owed = {**self._owed, "picture": picture.encode()}
        if not self._store([*self._waiting, *rows], owed):
            if not self._save(rows, picture):
                return False
            self._waiting += rows
            self._owed = owed
        self._advance(rows)
        self._find_oldest(rows)
        return True

    def batch(self, first_seq: int) -> FactBatch | None:
        """The facts from `first_seq` on, as many as one message may carry; None where that fact is gone."""
        rows = self._rows_from(first_seq, FACTS_PER_BATCH_MAX)
        hash_before = self.hash_at(first_seq - 1)
        if not rows or rows[0].seq != first_seq or hash_before is None:
            return None
        return batch_of(self._database.cabinet, self._epoch, hash_before, rows)

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
        return 0 < seq <= self._stored_seq and seq < kept_from

    def older_batch(self, epoch: str, seq: int) -> Older:
        """What to tell of an epoch that ended, to a ledger that has `seq` facts of it. Raises CannotNow."""
        return older_batch(self._database, epoch, seq)

    def goes_on_from(self, common_seq: int) -> tuple[str, int] | None:
        """What a new epoch names as the one before it, where ledger and journal share so much of this one.

        Nothing shared: it goes on from where this one did. Raises CannotNow.
        """
        return goes_on_from(self._database, self._epoch, common_seq)

    def acknowledge(self, seq: int) -> None:
        """Remember how far the ledger has our facts; it may have fewer than before, after a restore.

        Where it cannot be written, facts are told again after a restart: the ledger drops them.
        """
        assert seq <= self._epoch.last_seq
        self._epoch = replace(self._epoch, acknowledged_seq=seq)
        self._store(self._waiting, self._owed)
        self._find_oldest()

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
            states = {"picture": picture.encode(), RESCUED: b""}
            self._epoch = self._database.start_epoch(
                epoch, created_ms, lambda fresh: rows_of_facts(fresh, facts), states
            )
        except CannotNow as error:
            self._database_trouble = str(error)
            return False
        self._find_oldest()
        return True

    def forget(self, before_ms: int) -> int:
        """Delete acknowledged facts from the oldest on, up to the last that was surely noted before `before_ms`.

        A box's clock may have been wrong for a while: only a time that somebody vouched for says how old a fact
        is, and that all before it are older. The last acknowledged fact stays, for its hash. Returns how many went.
        """
        self.settle()
        return self._delete(lambda: self._database.forget(self._deletable, before_ms))

    def make_room(self) -> int:
        """Delete the oldest acknowledged facts, however young, where the journal fills. Returns how many went."""
        self.settle()
        if self.bytes_max is None or self._epoch.acknowledged_seq == 0 or self.fill < SPACE_ASKS_AT:
            return 0  # of an epoch of which nothing is confirmed the ledger may yet ask for the one before
        return self._delete(lambda: self._database.forget_oldest(self._deletable, FORGOTTEN_AT_ONCE))

    @property
    def fill(self) -> float:
        """How much of its limit the database uses, 0 to 1; 0 where it has none."""
        return self.used_bytes / self.bytes_max if self.bytes_max is not None else 0.0

    @property
    def _deletable(self) -> Epoch:
        """Acknowledged up to where facts may go: the emergency journal continues the database's last one."""
        return replace(self._epoch, acknowledged_seq=min(self._epoch.acknowledged_seq, self._stored_seq))

    @property
    def _stored_seq(self) -> int:
        """The last fact that the database has."""
        return self._epoch.last_seq - len(self._waiting)

    def _delete(self, delete: Callable[[], int]) -> int:
        try:
            count = delete()
        except CannotNow as error:
            self._database_trouble = self._named(error)
            return 0
        self._measure()
        return count

    def _measure(self) -> None:
        with suppress(CannotNow):  # what was written is written: the next time tells
            self.used_bytes = self._database.used_bytes()

    def _named(self, error: CannotNow) -> str:
        """SQLite's words, and ours where it cannot know better: a limit of ours is a full disk to it."""
        if self._is_copy:
            return f"the journal can be read and not written ({error}): is its disk read-only?"
        if "full" in str(error) and self.fill > FULL_FROM and self.bytes_max is not None:
            return f"the journal has reached its limit of {self.bytes_max >> 20} MiB (journal.limit_mib)"
        return str(error)

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

    def _begin(self) -> None:
        self._take_in()
        self._find_oldest()

    def _take_in(self) -> None:
        """What the emergency journal held when the agent ended. Without such a file it goes on as well."""
        self._measure()
        saved = self._load_emergency(int(self._database.state("emergency_version") or b"0"))
        if saved is None:
            return
        self._waiting = rows_of_texts(self._epoch, [(int(json.loads(text)["at_ms"]), text) for text in saved.texts])
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
            if self._is_copy:
                self._leave_copy()
            self._database.write(self._epoch, rows, states)
        except CannotNow as error:
            self._database_trouble = self._named(error)
            return False
        self._waiting, self._owed, self._database_trouble = [], {}, ""
        self._measure()
        if self._emergency.is_used:
            try:
                self._emergency.clear()
                self._emergency_trouble = ""
            except OSError as error:
                self._emergency_trouble = f"emergency journal: {error}"
        return True

    def _leave_copy(self) -> None:
        """Nobody can have written since: the lock is ours. Raises CannotNow while the disk is read-only."""
        found = self._opening.again()
        assert (found.epoch.epoch, found.epoch.last_seq) == (self._epoch.epoch, self._stored_seq), (
            "nobody else wrote"
        )
        self._database.close()
        self._database, self._is_copy = found.database, False

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

    def _find_oldest(self, appended: Sequence[Row] = ()) -> None:
        """Whenever it may be another one: a look at one row, and none where it was just written."""
        first, oldest = self._epoch.acknowledged_seq + 1, self._oldest
        if oldest is not None and (oldest.epoch, oldest.seq) == (self._epoch.number, first):
            return
        if self.depth == 0:
            self._oldest = None
        elif appended and appended[0].seq == first:
            self._oldest = appended[0]
        else:
            self._oldest = next(iter(self._rows_from(first, 1)), None)

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
