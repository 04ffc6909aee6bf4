"""Where a journal lies: an SQLite database, a lock, and a file made beforehand for when SQLite cannot write.

A protocol, so that the simulator can put all three on a disk of its own that is full, fails, or loses its power.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Protocol

EMERGENCY_BYTES: Final = 1 << 20  # two pictures of 128 KiB and some 2,500 facts: days of a busy cabinet


class Connection(Protocol):
    """As much of `sqlite3.Connection`, in autocommit mode, as the journal uses.

    A disk that cannot be written is an `sqlite3.OperationalError`, with SQLite's own code or without any.
    """

    @property
    def in_transaction(self) -> bool: ...

    def execute(self, sql: str, parameters: Any = ..., /) -> sqlite3.Cursor: ...
    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor: ...
    def close(self) -> None: ...


class Lock(Protocol):
    """Held until closed, or until its process ends."""

    def close(self) -> None: ...


class EmergencyFile(Protocol):
    """A file of EMERGENCY_BYTES that is only ever overwritten in place. Raises OSError."""

    def read(self) -> bytes:
        """The whole file; made and filled with zeros where it was not there."""
        ...

    def write(self, offset: int, data: bytes) -> None:
        """Overwrite; durable when it returns. Nothing, a part or all of it may be there where it raises."""
        ...


class Storage(Protocol):
    @property
    def name(self) -> str:
        """For messages."""
        ...

    @property
    def emergency(self) -> EmergencyFile: ...

    def lock(self) -> Lock:
        """Keep other agents out. Raises BlockingIOError where one is in, OSError where it cannot be tried."""
        ...

    def connect(self) -> Connection:
        """Open the database, or make an empty one."""
        ...


class FileStorage:
    """Files side by side: the database, `.lock` and `.emergency`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.name = str(file)
        self.emergency = FileEmergency(file.with_name(file.name + ".emergency"))

    def lock(self) -> Lock:
        lock = self._file.with_name(self._file.name + ".lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise
        return lock

    def connect(self) -> Connection:
        return sqlite3.connect(self._file, isolation_level=None, check_same_thread=False)


class FileEmergency:
    """One file, opened for each use: it is needed rarely."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> bytes:
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size < EMERGENCY_BYTES:
                _write_all(descriptor, bytes(EMERGENCY_BYTES - size), size)
                os.fsync(descriptor)
                self._sync_folder()
            return _read_all(descriptor)
        finally:
            os.close(descriptor)

    def write(self, offset: int, data: bytes) -> None:
        assert 0 <= offset <= offset + len(data) <= EMERGENCY_BYTES, "a file of fixed size"
        descriptor = os.open(self._file, os.O_RDWR | os.O_CLOEXEC)
        try:
            _write_all(descriptor, data, offset)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)

    def _sync_folder(self) -> None:
        descriptor = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written


def _read_all(descriptor: int) -> bytes:
    content = bytearray()
    while len(content) < EMERGENCY_BYTES:
        piece = os.pread(descriptor, EMERGENCY_BYTES - len(content), len(content))
        if not piece:
            raise OSError("the emergency file is shorter than it was made")
        content += piece
    return bytes(content)
