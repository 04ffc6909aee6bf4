"""The files as they are handed out: read from the database once in five seconds at most, however many ask.

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
TIMES_ITS_READ = 20  # that long a snapshot lasts at least: of a large network reading takes a twentieth of a thread
LONGEST_US = 60_000_000  # and never longer than this
SAYS_ANEW_MS = 60_000  # of what has not changed: a fifth of the age that GBFS allows
TAG_DIGITS = 16  # of few bodies, made by nobody who would gain by two alike
ALLOWED_MS = 300_000  # GBFS 3.0, data latency: in no case more than 5 minutes
OLDEST_MS = ALLOWED_MS - SAYS_ANEW_MS - SNAPSHOT_US // 1000  # of what is still handed out for one more such time


@dataclass(frozen=True, slots=True)
class File:
    body: bytes
    """JSON."""
    tag: str
    """Names just this body, for `etag`: in quotes."""
    ttl_s: int


@dataclass(frozen=True, slots=True)
class _Kept:
    file: File
    digest: str
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
        self._read_us = self._read_ms = 0
        self._lasts_us = SNAPSHOT_US
        self._reading = asyncio.Lock()
        self._made: dict[tuple[Version, str], File | None] = {}
        """From the present snapshot."""
        self._kept: dict[tuple[Version, str], _Kept] = {}
        """As it was handed out last."""

    async def file(self, version: Version, name: str) -> File | None:
        """A file of a version, as of five seconds ago at most, of a large network of a minute; None: there is none.

        Raises:
            OperationalError: the database does not answer, and what it said last is soon five minutes old.
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
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
        digest = hashlib.sha256(text).hexdigest()
        kept = self._kept.get((version, name))
        lasts_ms = max(ttl_s(name) * 1000, SAYS_ANEW_MS)
        if kept is not None and kept.digest == digest and 0 <= at_ms - kept.updated_ms < lasts_ms:
            return kept.file
        updated = timestamp(at_ms)
        head = f'{{"last_updated":"{updated}","ttl":{ttl_s(name)},"version":"{version}","data":'
        file = File(head.encode() + text + b"}", f'"{digest[:TAG_DIGITS]}-{updated}"', ttl_s(name))
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
        """By the wall clock too: where that runs fast, as in a demo, a minute is a minute."""
        by_line_us = self._line_clock.now_us() - self._read_us
        by_wall_us = (self._clock.now_ms() - self._read_ms) * 1000
        return 0 <= by_line_us < self._lasts_us and 0 <= by_wall_us < LONGEST_US

    async def _read(self) -> None:
        now_ms, began_us = self._clock.now_ms(), self._line_clock.now_us()
        try:
            self._snapshot = await self._database.read(partial(read_snapshot, rules=self._rules, now_ms=now_ms))
        except OperationalError:
            self._note_read(0)
            if self._snapshot is None or self._read_ms - self._snapshot.at_ms > OLDEST_MS:
                self._snapshot = None
                raise
        else:
            self._note_read(self._line_clock.now_us() - began_us)
            self._made = {}

    def _note_read(self, took_us: int) -> None:
        self._read_us, self._read_ms = self._line_clock.now_us(), self._clock.now_ms()
        self._lasts_us = min(max(SNAPSHOT_US, took_us * TIMES_ITS_READ), LONGEST_US)
