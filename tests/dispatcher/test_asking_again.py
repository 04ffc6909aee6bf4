"""One request that reaches two dispatchers at once, under one `Idempotency-Key`."""

from contextlib import closing
from pathlib import Path

from sqlalchemy import func, select

from dispatcher.store.database import Database
from dispatcher.store.schema import bookings
from runtime.executor import InlineExecutor
from tests.dispatcher.asking_again import ask_in_processes
from tests.dispatcher.small_fleet import ORIGIN, fleet_url

REQUESTS = 200


def database(url: str) -> Database:
    return Database(url, InlineExecutor(), origin=ORIGIN)


def test_what_two_processes_are_asked_at_once_is_done_once_and_told_to_both(tmp_path: Path) -> None:
    url = fleet_url(tmp_path)
    answers = ask_in_processes(url, REQUESTS, ("one", "other"))
    assert answers["one"] == answers["other"]
    assert len(set(answers["one"])) == REQUESTS
    with closing(database(url)) as after:
        made = after.read_now(lambda c: c.execute(select(func.count()).select_from(bookings)).scalar_one())
    assert made == REQUESTS
