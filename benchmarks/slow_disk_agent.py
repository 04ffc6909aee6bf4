"""The agent on a disk whose every fsync takes longer: `python -m benchmarks.slow_disk_agent MS run --config FILE`.

Through the store's own seam (`station_agent/storage.py`): SQLite syncs its write-ahead log once for each commit
(synchronous = FULL), and log and database once each for a checkpoint.
"""

import sqlite3
import sys
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from station_agent import cli
from station_agent.agent import Surroundings
from station_agent.storage import Connection, FileStorage


class SlowConnection:
    """`station_agent.storage.Connection` that sleeps where the file is synced."""

    def __init__(self, connection: Connection, fsync_s: float) -> None:
        self._connection = connection
        self._fsync_s = fsync_s

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        done = self._connection.execute(sql, parameters)
        if sql == "COMMIT":
            time.sleep(self._fsync_s)
        elif "wal_checkpoint" in sql:
            time.sleep(2 * self._fsync_s)
        return done

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        return self._connection.executemany(sql, parameters)

    def close(self) -> None:
        self._connection.close()


class SlowStorage(FileStorage):
    def __init__(self, file: Path, *, fsync_s: float) -> None:
        super().__init__(file)
        self._fsync_s = fsync_s

    def connect(self) -> Connection:
        return SlowConnection(super().connect(), self._fsync_s)


def main() -> int:
    storage = partial(SlowStorage, fsync_s=float(sys.argv[1]) / 1000)
    cli.Surroundings = partial(Surroundings, make_storage=storage)  # type: ignore[misc, assignment]  # the one seam
    return cli.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
