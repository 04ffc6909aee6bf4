"""Where a journal lies: an SQLite database, a lock, and a file made beforehand for when SQLite cannot write.

A protocol, so that the simulator can put all three on a disk of its own that is full, fails, or loses its power.
"""

import errno
import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from itertools import chain, count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Final, Protocol

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
READ_ONLY: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
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

    def connect_to_copy(self) -> Connection:
        """The database as it is now, in memory, not to be written: for a disk that is read-only.

        Raises sqlite3.Error, or OSError where there is none or nowhere to copy it to.
        """
        ...

    @property
    def suspicion(self) -> str:
        """Why this database should not be gone on with, before it is opened; empty: nothing is known against it."""
        ...

    def condemn(self) -> None:
        """Note that the database is damaged: whoever opens it next sets it aside."""
        ...

    def connect_to_look(self) -> Connection:
        """Open the damaged database to read what can be read, and change nothing. Raises sqlite3.Error."""
        ...

    def set_aside(self, at_ms: int) -> str:
        """Keep the database, with all its files, under another name, which is told. Raises OSError.

        Until `is_replaced` whoever is interrupted finds it there again, and looks into the same one.
        """
        ...

    def is_replaced(self) -> None:
        """What could be read of the one that was set aside is durable in a new one. Raises OSError."""
        ...


class FileStorage:
    """Files side by side: the database, `.lock`, `.emergency`, and `.damaged` where it is to be set aside.

    A link is followed first: whoever comes to one database by two names finds one lock.
    """

    def __init__(self, file: Path) -> None:
        self._file = file.resolve()
        self.name = str(file)
        self.emergency = FileEmergency(self._beside(".emergency"))

    def lock(self) -> Lock:
        file = self._beside(".lock")
        lock: IO[bytes]
        try:
            lock = file.open("ab")
        except OSError as error:
            if error.errno not in READ_ONLY or not file.exists():
                raise
            lock = file.open("rb")  # on a disk that is read-only it is there from before
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise
        return lock

    def connect(self) -> Connection:
        return sqlite3.connect(self._file, isolation_level=None, check_same_thread=False)

    def connect_to_copy(self) -> Connection:
        with TemporaryDirectory(prefix="journal-") as folder:  # in memory, where systemd gives the unit a /tmp
            copy = Path(folder) / "copy.sqlite"
            for ending in ("", "-wal"):
                if ending == "" or self._beside(ending).exists():
                    shutil.copyfile(self._beside(ending), copy.with_name(copy.name + ending))
            memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            with closing(sqlite3.connect(copy)) as copied:
                copied.backup(memory)
        memory.execute("PRAGMA query_only = ON")
        return memory

    @property
    def suspicion(self) -> str:
        if self._mark.exists():
            return "it was found damaged while it was in use"
        wal = self._beside("-wal")
        if wal.exists() and wal.stat().st_size and not (self._file.exists() and self._file.stat().st_size):
            return "it is empty, and its write-ahead log is not"
        return ""

    def condemn(self) -> None:
        with suppress(OSError):  # on a disk that is full or read-only the next start finds the damage by itself
            self._mark.touch()

    def connect_to_look(self) -> Connection:
        aside = self._marked()
        if aside is not None:
            self._move(aside)  # whoever began to was interrupted
        file = aside or self._file
        if not (file.exists() and file.stat().st_size):
            raise sqlite3.OperationalError("nothing is in it")  # SQLite would delete a log that it finds beside it
        url = f"{file.as_uri()}?mode=ro"
        return sqlite3.connect(url, uri=True, isolation_level=None, check_same_thread=False)

    def set_aside(self, at_ms: int) -> str:
        aside = self._marked()
        if aside is None:
            aside = self._free_name(at_ms)
            self._mark.write_text(aside.name)
            _sync_folder(self._file.parent)
            self._move(aside)
        elif self._file.exists():
            self._move(self._free_name(at_ms))  # begun in its place, and not finished
        return str(aside)

    def is_replaced(self) -> None:
        self._mark.unlink(missing_ok=True)

    @property
    def _mark(self) -> Path:
        return self._beside(".damaged")

    def _marked(self) -> Path | None:
        """Where the database lies, or was about to, that was set aside and is not replaced yet."""
        try:
            name = self._mark.read_text()
        except FileNotFoundError:
            return None
        return self._file.with_name(name) if name else None

    def _free_name(self, at_ms: int) -> Path:
        moment = (EPOCH + timedelta(milliseconds=at_ms)).strftime("%Y%m%dT%H%M%SZ")
        endings = chain(("",), (f"-{number}" for number in count(2)))
        names = (f"{self._file.name}.broken-{moment}{ending}" for ending in endings)
        return next(place for name in names if not (place := self._file.with_name(name)).exists())

    def _move(self, aside: Path) -> None:
        """The database last: as long as it is not there, not all is."""
        if aside.exists():
            return
        for ending in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                self._beside(ending).rename(aside.with_name(aside.name + ending))
        _sync_folder(self._file.parent)

    def _beside(self, ending: str) -> Path:
        return self._file.with_name(self._file.name + ending)


class FileEmergency:
    """One file, opened for each use: it is needed rarely."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> bytes:
        try:
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno not in READ_ONLY:
                raise
            descriptor = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            if size < EMERGENCY_BYTES:
                _write_all(descriptor, bytes(EMERGENCY_BYTES - size), size)
                os.fsync(descriptor)
                _sync_folder(self._file.parent)
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


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
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
