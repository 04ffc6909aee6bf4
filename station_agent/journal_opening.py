"""Opens a journal's database in whatever state its file and its disk are, or says why not.

as any other           others may read it meanwhile
alone                  where there is no room for the memory that readers share
as a copy in memory    where the disk is read-only: rights open by it, nothing new is durable
anew                   where it is damaged: set aside, with what could be read of it taken over
"""

import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from station_agent.journal_database import CannotNow, Damaged, Epoch, JournalDatabase
from station_agent.journal_rescue import STATES, rescue
from station_agent.storage import Storage

RESCUED: Final = "rescued"  # the state that holds `journal_rescue.Note`


@dataclass(frozen=True, slots=True)
class Found:
    """An open database."""

    database: JournalDatabase
    epoch: Epoch
    is_copy: bool = False


@dataclass(frozen=True, slots=True)
class Opening:
    """How to open one cabinet's database, at the start and again when its disk can be written."""

    storage: Storage
    cabinet: str
    now_ms: int
    epoch: str
    """The name of an epoch, should one be needed."""
    bytes_max: int | None

    def first(self) -> Found:
        """At the start.

        Raises:
            NotAJournal: the file is another cabinet's, another program's or a newer agent's.
            CannotNow, OSError: the disk does not let it be read, or a damaged one be set aside.
            sqlite3.Error: our own mistake.
        """
        try:
            if why := self.storage.suspicion:
                raise Damaged(why)  # noqa: TRY301  # found out now or before: what follows is the same
            try:
                found = self.again()
            except CannotNow as error:
                found = self._copy(error)
            for name in STATES:
                found.database.state(name)  # what a start reads: damage there must not end every start anew
            return found
        except Damaged as error:
            return self.in_place_of(error)

    def again(self) -> Found:
        """The database itself. Raises as `first` does, and Damaged."""
        try:
            return self._prepared(alone=False)
        except CannotNow:
            return self._prepared(alone=True)

    def _prepared(self, *, alone: bool) -> Found:
        database = JournalDatabase(self.storage.connect(), self.cabinet)
        try:
            epoch = database.prepare((self.epoch, self.now_ms), alone=alone, bytes_max=self.bytes_max)
        except BaseException:
            database.close()
            raise
        return Found(database, epoch)

    def _copy(self, why: CannotNow) -> Found:
        try:
            database = JournalDatabase(self.storage.connect_to_copy(), self.cabinet)
        except (OSError, sqlite3.OperationalError):
            raise why from None
        with suppress(TypeError):  # no epoch in it: it was never written to the end
            return Found(database, database.prepare_copy(), is_copy=True)
        database.close()
        raise why

    def in_place_of(self, damaged: Damaged) -> Found:
        """A new database with what could be read of the damaged one, which is set aside. Raises as `first` does."""
        rescued = rescue(self.storage, self.cabinet, str(damaged), self.now_ms)
        found = self.again()
        states = {**rescued.states, RESCUED: rescued.note.to_json()}
        epoch = found.database.take_in(rescued.epochs or (found.epoch,), rescued.rows, states)
        self.storage.is_replaced()
        return Found(found.database, epoch)
