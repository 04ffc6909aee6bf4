"""A box's disk in memory: real SQLite, and what a disk does to it: it fills up, fails, loses power.

`station_agent.storage.Storage` of one box. It outlives every agent that opens it.
"""

import sqlite3
from collections.abc import Iterable
from typing import Any, NamedTuple

from station_agent.storage import EMERGENCY_BYTES, Connection

READS = ("SELECT", "PRAGMA", "ROLLBACK")  # what a full disk still does
FULL = "FULL"


class Image(NamedTuple):
    """A copy of a card."""

    database: bytes
    emergency: bytes


class MemoryDisk:
    """What was committed is there after a kill; after a power cut, what had been synced."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_full = False
        """Nothing more can be committed to the database."""
        self.emergency = MemoryEmergency()
        self.synchronous = FULL
        """How SQLite was told to sync. With anything less, what was committed since a checkpoint is in memory."""
        self.suspicion = ""
        self.aside: list[Image] = []
        """Databases that an agent found damaged and kept."""
        self._database = self._empty()
        self._synced: Image | None = None
        self._handle: _Handle | None = None

    def lock(self) -> "MemoryDisk":
        if self._handle is not None:
            raise BlockingIOError("another agent has it open")
        return self

    def connect(self) -> Connection:
        self._handle = _Handle(self, self._database)
        return self._handle

    def close(self) -> None:
        """Its lock is given up."""
        self._handle = None

    def connect_to_copy(self) -> Connection:
        raise OSError("this disk is never read-only")

    def condemn(self) -> None:
        self.suspicion = "it was found damaged while it was in use"

    def connect_to_look(self) -> Connection:
        return _Handle(self, self._database)

    def set_aside(self, at_ms: int) -> str:
        self.aside.append(self.image())
        self._database = self._empty()
        return f"{self.name}, aside {len(self.aside)}"

    def is_replaced(self) -> None:
        self.suspicion = ""

    # --- what the world does to it

    def kill(self) -> None:
        """The program that has it open is gone: what it had not committed is, too."""
        if self._handle is not None:
            self._handle.is_dead = True
            self._handle = None
        if self._database.in_transaction:
            self._database.rollback()

    def cut_power(self) -> None:
        """As `kill`, and what was not synced is gone with it."""
        self.kill()
        if self.synchronous != FULL:
            self.put_back(self._synced)

    def checkpointed(self) -> None:
        """SQLite synced its file."""
        if self.synchronous != FULL:
            self._synced = self.image()

    def image(self) -> Image:
        """A copy, as somebody would make it of a card."""
        return Image(self._database.serialize(), self.emergency.read())

    def put_back(self, image: Image | None) -> None:
        """The card is replaced by a copy, or by an empty one. Only while nobody has it open."""
        assert self._handle is None, "a card is not changed under a running agent"
        self._database = self._empty()
        self.emergency = MemoryEmergency()
        if image is not None:
            self._database.deserialize(image.database)
            self.emergency.write(0, image.emergency)

    def read(self, sql: str) -> list[tuple[Any, ...]]:
        """The world's own look at what is on it."""
        return self._database.execute(sql).fetchall()

    @staticmethod
    def _empty() -> sqlite3.Connection:
        return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


class MemoryEmergency:
    """The file that was made beforehand: it can be written while the disk is full, unless the disk is dead."""

    def __init__(self) -> None:
        self.is_dead = False
        self._content = bytearray(EMERGENCY_BYTES)

    def read(self) -> bytes:
        return bytes(self._content)

    def write(self, offset: int, data: bytes) -> None:
        if self.is_dead:
            raise OSError("the disk does not answer")
        self._content[offset : offset + len(data)] = data


class _Handle:
    """One program's connection to it (`station_agent.storage.Connection`)."""

    def __init__(self, disk: MemoryDisk, database: sqlite3.Connection) -> None:
        self.is_dead = False
        self._disk = disk
        self._database = database

    @property
    def in_transaction(self) -> bool:
        return self._database.in_transaction

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        self._check(sql)
        cursor = self._database.execute(sql, parameters)
        if sql.startswith("PRAGMA wal_checkpoint"):
            self._disk.checkpointed()
        elif sql.startswith("PRAGMA synchronous"):
            self._disk.synchronous = sql.rsplit(" ", 1)[-1]
        return cursor

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        self._check(sql)
        return self._database.executemany(sql, parameters)

    def close(self) -> None:
        self.is_dead = True

    def _check(self, sql: str) -> None:
        if self.is_dead:
            raise sqlite3.ProgrammingError("its program is gone")
        if self._disk.is_full and not sql.lstrip().upper().startswith(READS):
            raise sqlite3.OperationalError("database or disk is full")
