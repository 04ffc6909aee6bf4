"""Enforces the limits of what is kept, a few rows at a time, and counts what is past them all the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from dispatcher.core.retention import Retention
from dispatcher.store.ids import RandomBytes
from dispatcher.store.limits import AT_ONCE, COUNT, FIND, LIMITS, STILL, Limit

TOLERATED_MS = 2 * 3_600_000
"""Rows pass their limit at any time and are looked for once an hour: twice that is a job that does not work."""


@dataclass(frozen=True, slots=True)
class Now:
    """What limits are enforced with, as of one instant."""

    retention: Retention
    now_ms: int
    random_bytes: RandomBytes

    def cutoff_ms(self, limit: Limit) -> int:
        return self.retention.cutoff_ms(limit.setting, self.now_ms)


def find_past(connection: Connection, limit: Limit, now: Now) -> list[Any]:
    """Primary keys of rows past a limit, `AT_ONCE` at most. It only reads: nobody waits for a large table."""
    return list(connection.execute(FIND[limit.name], {"cutoff_ms": now.cutoff_ms(limit)}).scalars())


def enforce(connection: Connection, limit: Limit, keys: Sequence[Any], now: Now) -> int:
    """Do to these rows what the limit says, where they still are past it; how many."""
    assert len(keys) <= AT_ONCE, "a transaction is bounded"
    this = {"keys": list(keys), "cutoff_ms": now.cutoff_ms(limit)}
    still = list(connection.execute(STILL[limit.name], this).scalars())
    if still:
        limit.enforce(connection, still, now.random_bytes, now.now_ms)
    return len(still)


def rows_past(connection: Connection, retention: Retention, now_ms: int) -> dict[str, int]:
    """By limit, how many rows are past it for longer than the job may need: 0 everywhere, or something is broken.

    The same conditions as the job's, two hours ago.
    """
    return {
        limit.name: connection.execute(
            COUNT[limit.name], {"cutoff_ms": retention.cutoff_ms(limit.setting, now_ms - TOLERATED_MS)}
        ).scalar_one()
        for limit in LIMITS
    }
