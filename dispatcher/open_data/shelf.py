"""The files as they are handed out: read from the database once in five seconds at most, whoever asks how often.

A file that still says the same keeps its bytes, and so its tag, for a minute; then it says anew that it is current.
"""

import asyncio
import hashlib
import json
from dataclasses import dataclass
from functools import partial

from sqlalchemy.exc import OperationalError

from dispatcher.core.rules import FleetRules
from dispatcher.open_data.feeds import NAMES, Version, data_of, ttl_s
from dispatcher.open_data.reading import read_snapshot
from dispatcher.open_data.settings import OpenDataSettings
from dispatcher.open_data.snapshot import Snapshot
from dispatcher.open_data.texts import Json, timestamp
from dispatcher.store.database import Database
from runtime.clocks import Clock, LineClock

SNAPSHOT_US = 5_000_000  # of the line clock: a crowd of readers costs the database one read in that time
SAYS_ANEW_MS = 60_000  # of what has not changed: a fifth of the age that GBFS allows
OLDEST_MS = 300_000  # GBFS 3.0, data latency: real-time data is never more than 5 minutes old


@dataclass(frozen=True, slots=True)
class File:
    body: bytes
    """JSON."""
    ttl_s: int


@dataclass(frozen=True, slots=True)
class _Kept:
    file: File
    digest: bytes
    """Of what it says, whenever it said so."""
    updated_ms: int


class Shelf:
    """The open data of one dispatcher."""

    def __init__(
        self, database: Database, rules: FleetRules, settings: OpenDataSettings, clocks: tuple[Clock, LineClock]
    ) -> None:
        self._database = database
        self._rules = rules
        self._settings = settings
        self._clock, self._line_clock = clocks
        self._snapshot: Snapshot | None = None
        self._read_us = 0
        self._reading = asyncio.Lock()
        self._made: dict[tuple[Version, str], File | None] = {}
        """From the present snapshot."""
        self._kept: dict[tuple[Version, str], _Kept] = {}
        """As it was handed out last."""

    async def file(self, version: Version, name: str) -> File | None:
        """A file of a version, as of at most five seconds ago; None: there is none of that name.

        Raises:
            OperationalError: the database does not answer, and what it said last is more than five minutes old.
        """
        snapshot = await self._current()
        if name not in NAMES:
            return None
        if (version, name) not in self._made:
            data = data_of(name, version, snapshot, self._settings)
            made = None if data is None else self._file(version, name, data, snapshot.at_ms)
            self._made[version, name] = made
        return self._made[version, name]

    def _file(self, version: Version, name: str, data: Json, at_ms: int) -> File:
        digest = hashlib.sha256(_text(data)).digest()
        kept = self._kept.get((version, name))
        lasts_ms = max(ttl_s(name) * 1000, SAYS_ANEW_MS)
        if kept is not None and kept.digest == digest and 0 <= at_ms - kept.updated_ms < lasts_ms:
            return kept.file
        head = {"last_updated": timestamp(at_ms), "ttl": ttl_s(name), "version": str(version)}
        file = File(_text({**head, "data": data}), ttl_s(name))
        self._kept[version, name] = _Kept(file, digest, at_ms)
        return file

    async def _current(self) -> Snapshot:
        if self._snapshot is None or not self._is_recent():
            async with self._reading:  # who comes while one reads waits, and finds what was read
                if self._snapshot is None or not self._is_recent():
                    await self._read()
        assert self._snapshot is not None, "it was read, or an error was raised"
        return self._snapshot

    def _is_recent(self) -> bool:
        return 0 <= self._line_clock.now_us() - self._read_us < SNAPSHOT_US

    async def _read(self) -> None:
        now_ms = self._clock.now_ms()
        try:
            self._snapshot = await self._database.read(partial(read_snapshot, rules=self._rules, now_ms=now_ms))
            self._made = {}
        except OperationalError:
            if self._snapshot is None or now_ms - self._snapshot.at_ms > OLDEST_MS:
                raise
        self._read_us = self._line_clock.now_us()


def _text(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
