"""A program that sends requests which another one sends too, under the same keys.

    python -m tests.dispatcher.asking_again URL ACTOR REQUESTS

begins when a line comes in, and prints as JSON what was answered to each, and how many it was the one to do.
"""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from dispatcher.store.bookings import insert_booking
from dispatcher.store.database import Database
from dispatcher.store.stored_answers import Asked, Found, StoredAnswer, claim, keep
from runtime.executor import InlineExecutor
from tests.dispatcher.small_fleet import HOUR, NOW_MS, ORIGIN, booking

ROOT = Path(__file__).parents[2]
WITHIN_S = 60  # two programs that import SQLAlchemy on a busy machine


def ask(connection: Connection, actor: str, number: int) -> StoredAnswer:
    """Book, once for this number; what is answered names who did it."""
    asked = Asked.of(b"s" * 32, "front-end", f"key-{number}", ("POST", "/api/v1/bookings", ""), b"{}")
    found = claim(connection, asked, NOW_MS)
    if isinstance(found, StoredAnswer):
        return found
    assert found is Found.NOTHING
    start_ms = NOW_MS + 4 * number * HOUR
    mine = booking(id=f"booking-{actor}-{number}", grant_id=f"grant-{actor}-{number}", start_ms=start_ms)
    assert insert_booking(connection, mine), "the other one did it, and this one was not told"
    answer = StoredAnswer(201, {}, json.dumps({"id": mine.id}))
    keep(connection, asked, answer)
    return answer


def ask_in_processes(url: str, requests: int, actors: tuple[str, ...]) -> dict[str, list[str]]:
    """What each of the programs was answered, all of them asking at once."""
    command = [sys.executable, "-m", "tests.dispatcher.asking_again", url]
    programs = {
        actor: subprocess.Popen(
            [*command, actor, str(requests)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        for actor in actors
    }
    for program in programs.values():
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
    for program in programs.values():
        assert program.stdin is not None
        program.stdin.write("go\n")
        program.stdin.flush()
    answers = {}
    for actor, program in programs.items():
        answers[actor] = json.loads(program.communicate(timeout=WITHIN_S)[0])
        assert program.returncode == 0
    return answers


if __name__ == "__main__":
    url, actor, requests = sys.argv[1:]
    database = Database(url, InlineExecutor(), origin=ORIGIN)
    database.read_now(lambda connection: connection.exec_driver_sql("SELECT 1").one())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    bodies = [database.write_now(partial(ask, actor=actor, number=number)).body for number in range(int(requests))]
    database.close()
    sys.stdout.write(json.dumps(bodies))
