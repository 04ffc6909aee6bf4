"""The key file of one reader, and the key that is on its way to it.

A new key is durable in a file beside the reader's own before the reader hears of it, and takes the old one's place
only when the reader has proved that it has it: whenever the power fails, one of the two files holds what it has.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

from station_agent.drivers.osdp.secure import KEY_BYTES

PENDING = ".new"  # ending of the file with the key that is on its way
OWNER_ONLY = 0o600


class KeyFileError(Exception):
    """A key file cannot be read or written. The text names it and the reason, never what is in it."""


class ReaderKeyFile:
    """Both files of one reader. Every method raises KeyFileError."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()  # a link stays one: what it leads to is replaced
        self.pending_path = self.path.with_name(self.path.name + PENDING)

    def current(self) -> bytes | None:
        """The key that the agent uses; None: there is none yet."""
        return self._read(self.path)

    def pending(self) -> bytes | None:
        """A key that was perhaps given to the reader and never proved; None: there is none."""
        return self._read(self.pending_path)

    def write_pending(self, key: bytes) -> None:
        """Durable when it returns, readable by the owner of the reader's own file alone."""
        assert len(key) == KEY_BYTES
        try:
            with suppress(FileNotFoundError):  # of an attempt that was cut off while it wrote
                self.pending_path.unlink()
            fd = os.open(self.pending_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, OWNER_ONLY)
            with os.fdopen(fd, "wb") as file:
                os.fchmod(fd, OWNER_ONLY)
                self._give_to_owner(fd)
                file.write(key.hex().encode() + b"\n")
                file.flush()
                os.fsync(fd)
            self._sync_folder()
        except OSError as error:
            raise KeyFileError(_sentence(self.pending_path, "written", error)) from None

    def adopt(self) -> None:
        """The pending key is the reader's key from now on; durable when it returns."""
        try:
            self.pending_path.replace(self.path)
            self._sync_folder()
        except OSError as error:
            raise KeyFileError(_sentence(self.path, "replaced", error)) from None

    def _give_to_owner(self, fd: int) -> None:
        """Root pairs, and the agent, which is somebody else, reads."""
        with suppress(FileNotFoundError):
            owner = self.path.stat()
            if (owner.st_uid, owner.st_gid) != (os.geteuid(), os.getegid()) and os.geteuid() == 0:
                os.fchown(fd, owner.st_uid, owner.st_gid)

    def _sync_folder(self) -> None:
        fd = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    @staticmethod
    def _read(path: Path) -> bytes | None:
        """The key in a file; None: it is not there, or holds none, as a file made for a reader to come."""
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                return None
            text = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeyFileError(_sentence(path, "read", error)) from None
        try:
            key = bytes.fromhex(text.decode("ascii").strip())
        except ValueError:
            return None
        return key if len(key) == KEY_BYTES else None


def _sentence(path: Path, what: str, error: OSError) -> str:
    return f"{path}: cannot be {what}: {error.strerror}; expected a file and a folder that this user may write"
