"""The file of tokens: read again whenever it changed, and written by `dispatcher token` in one step."""

import os
from collections.abc import Callable
from pathlib import Path

import structlog

from dispatcher.api.counters import ApiCounters
from dispatcher.api.tokens import BadTokens, Token, Tokens, parse_tokens
from runtime.clocks import LineClock
from runtime.config import ConfigError

LOOK_US = 1_000_000  # how long a revoked token still works at most, and how often a busy API asks the disk
BYTES_MAX = 1 << 20  # a thousand lines with every scope are a quarter of it
OWNER_ONLY = 0o600
HEADER = "# name sha256 scopes expiry; written by `dispatcher token`, read again when it changes\n"

Stamp = tuple[int, int, int]
"""What changes with a file's content: inode, size, time of modification."""

log = structlog.get_logger()


class TokenFile:
    """The tokens as the file has them now.

    A new version that cannot be used leaves the old one in force: a typing error locks nobody out. It is logged
    once and counted. Reading is a matter of microseconds, and done in line.

    Raises:
        ConfigError: the first version cannot be used.
    """

    def __init__(self, path: Path, line_clock: LineClock, counters: ApiCounters) -> None:
        self._counters = counters
        self._path = path
        self._line_clock = line_clock
        self._looked_us = line_clock.now_us()
        self._stamp = _stamp(path)
        self._tokens = Tokens(read_tokens(path))
        if not len(self._tokens):
            log.warning("api_without_tokens", file=str(path))

    def now(self) -> Tokens:
        now_us = self._line_clock.now_us()
        if now_us - self._looked_us >= LOOK_US:
            self._looked_us = now_us
            self._look()
        return self._tokens

    def _look(self) -> None:
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._tokens = Tokens(read_tokens(self._path))
        except ConfigError as error:
            self._counters.faulty_token_files += 1
            log.warning("api_tokens_not_read", faults=list(error.faults))
        else:
            log.info("api_tokens_read", tokens=len(self._tokens))


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def read_tokens(path: Path) -> list[Token]:
    """Read who may call the API. Raises `ConfigError` with every wrong line."""
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    if len(content) > BYTES_MAX:
        raise ConfigError(f"{path}: expected at most {BYTES_MAX} bytes")
    try:
        return parse_tokens(content.decode("ascii"))
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: expected ASCII text") from None
    except BadTokens as error:
        raise ConfigError(*(f"{path}:{fault}" for fault in error.faults)) from None


def change_tokens(path: Path, change: Callable[[list[Token]], list[Token]]) -> None:
    """Replace the tokens by what `change` makes of them: all or nothing, readable by the owner only.

    Comments in the file are not kept.

    Raises:
        ConfigError: the file cannot be used or written, or somebody else is changing it.
    """
    new = path.with_name(f"{path.name}.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)  # also the lock
    except FileExistsError:
        raise ConfigError(f"{new}: is there already: another command is at work, or one died and left it") from None
    except OSError as error:
        raise ConfigError(f"{new}: cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(written(change(read_tokens(path))))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        new.unlink(missing_ok=True)


def written(tokens: list[Token]) -> bytes:
    """The content of a file with these tokens."""
    return (HEADER + "".join(f"{token.line}\n" for token in tokens)).encode("ascii")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
