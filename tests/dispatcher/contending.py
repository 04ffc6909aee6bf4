"""Writers that want the same vehicles at the same times: in threads, or each in a process of its own.

    python -m tests.dispatcher.contending URL ACTOR ATTEMPTS HOW

prints what became of the attempts, as JSON. `store`: through the store, whose writers take turns. `past_the_turns`:
on PostgreSQL, as somebody at a console would, where nothing but the constraint is in the way.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from random import Random

from sqlalchemy import Connection, create_engine, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from dispatcher.core.windows import Window
from dispatcher.store.bookings import OVERLAP, insert_booking
from dispatcher.store.database import Database, writing
from dispatcher.store.origin import EXECUTION_OPTION
from dispatcher.store.schema import LIVE_BOOKING_STATES, bookings
from runtime.executor import InlineExecutor
from tests.dispatcher.small_fleet import MINUTE, NOW_MS, ORIGIN, booking

GRID_MS = 15 * MINUTE
ROOT = Path(__file__).parents[2]
CARS = 3
AHEAD = 60
"""Steps of the grid among which a window starts: all actors are at about the same place, which moves on."""
STEPS = 3
"""By which it moves on with every attempt, so that about a quarter of them is accepted."""
MINE = 10
"""Of as many of its last bookings an actor moves one."""
WORDS = ("booked", "moved", "cancelled", "refused", "deadlocked", "nothing to move")


class Writer:
    """One actor with a connection of its own."""

    def __init__(self, url: str, actor: int, how: str) -> None:
        self.outcomes: Counter[str] = Counter(dict.fromkeys(WORDS, 0))
        self._rng = Random(f"overlap/{actor}")
        self._actor = actor
        self._mine: list[str] = []
        self._database = Database(url, InlineExecutor(), origin=ORIGIN)
        self._bare = None
        if how == "past_the_turns":
            self._bare = create_engine(url).execution_options(**{EXECUTION_OPTION: ORIGIN})

    def close(self) -> None:
        self._database.close()
        if self._bare is not None:
            self._bare.dispose()

    def attempt(self, number: int) -> None:
        """Book a random window, or give one of our own bookings another one, or cancel it."""
        start_ms = NOW_MS + (number * STEPS + self._rng.randrange(AHEAD)) * GRID_MS
        window = Window(start_ms, start_ms + self._rng.randint(4, 12) * GRID_MS)
        chance = self._rng.random()
        try:
            with self._transaction() as connection:
                if chance < 0.6:
                    outcome = self._book(connection, number, window)
                else:
                    outcome = self._change(connection, window, cancels=chance > 0.95)
        except IntegrityError as error:
            if OVERLAP not in str(error.orig):
                raise
            outcome = "refused"
        except OperationalError as error:
            text = str(error.orig)
            if "deadlock detected" in text:
                outcome = "deadlocked"
            elif "database is locked" in text:  # its turn did not come within ten seconds: the API says 503
                outcome = "waited too long"
            else:
                raise
        self.outcomes[outcome] += 1

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        if self._bare is not None:
            with self._bare.begin() as connection:
                yield connection
        else:
            with writing(self._database.engine) as connection:
                yield connection

    def _book(self, connection: Connection, number: int, window: Window) -> str:
        car = self._rng.randint(1, CARS)
        wanted = booking(
            number,
            id=f"booking-{self._actor}-{number}",
            grant_id=f"grant-{self._actor}-{number}",
            vehicle_id=f"car-{car}",
            key_id=f"key-{car}",
            start_ms=window.start_ms,
            end_ms=window.end_ms,
        )
        if not insert_booking(connection, wanted):
            return "refused"
        self._mine.append(wanted.id)
        return "booked"

    def _change(self, connection: Connection, window: Window, *, cancels: bool) -> str:
        if not self._mine:
            return "nothing to move"
        statement = update(bookings).where(bookings.c.id == self._rng.choice(self._mine[-MINE:]))
        if cancels:
            changed = connection.execute(statement.values(state="cancelled"))
        else:
            times = {"start_ms": window.start_ms, "end_ms": window.end_ms, "take_by_ms": window.end_ms}
            changed = connection.execute(statement.where(bookings.c.state == "booked").values(times))
        if not changed.rowcount:
            return "nothing to move"
        return "cancelled" if cancels else "moved"


def contend(url: str, actor: int, attempts: int, how: str = "store") -> Counter[str]:
    """Make the attempts of one actor; what became of them."""
    writer = Writer(url, actor, how)
    for number in range(attempts):
        writer.attempt(number)
    writer.close()
    return writer.outcomes


def contend_in_processes(
    url: str, actors: int, attempts: int, how: str = "store", *, within_s: float
) -> Counter[str]:
    """The same by several processes at once, which together make the attempts."""
    each = attempts // actors
    command = [sys.executable, "-m", "tests.dispatcher.contending", url]
    processes = [
        subprocess.Popen([*command, str(actor), str(each), how], stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for actor in range(actors)
    ]
    outcomes: Counter[str] = Counter()
    for process in processes:
        outcomes.update(json.loads(process.communicate(timeout=within_s)[0]))
        assert process.returncode == 0
    return outcomes


def overlaps(database: Database) -> list[tuple[str, str]]:
    """Pairs of live bookings of one vehicle that share an instant."""
    statement = (
        select(bookings.c.vehicle_id, bookings.c.start_ms, bookings.c.end_ms, bookings.c.id)
        .where(bookings.c.state.in_(LIVE_BOOKING_STATES))
        .order_by(bookings.c.vehicle_id, bookings.c.start_ms)
    )
    rows = database.read_now(lambda connection: connection.execute(statement).all())
    return [
        (first.id, second.id)
        for first, second in pairwise(rows)
        if first.vehicle_id == second.vehicle_id and second.start_ms < first.end_ms
    ]


if __name__ == "__main__":
    url, actor, attempts, how = sys.argv[1:]
    sys.stdout.write(json.dumps(contend(url, int(actor), int(attempts), how)))
