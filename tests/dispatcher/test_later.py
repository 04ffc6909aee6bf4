"""What a transaction leaves for its end, and what it remembers while it lasts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, event, select

from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.store.bookings import add_history
from dispatcher.store.database import Database
from dispatcher.store.incidents import all_incidents, close_incident, close_of_cabinet, open_incident, open_subjects
from dispatcher.store.isolation import kept_if, set_apart, undone_if_it_fails
from dispatcher.store.schema import booking_history
from tests.dispatcher.small_fleet import CABINET, NOW_MS, book, new_database

STUCK = Discrepancy(IncidentKind.LOCK_STUCK, f"{CABINET}/1", "slot 1 opens", "it is shut", cabinet_id=CABINET)
OTHER = Discrepancy(IncidentKind.LOCK_STUCK, f"{CABINET}/2", "slot 2 opens", "it is shut", cabinet_id=CABINET)


class Broken(Exception):
    """What a part of a transaction may raise."""


def fail() -> None:
    raise Broken


def undone(connection: Connection, part: Callable[[], None]) -> None:
    """A part of a transaction that does something, then fails."""

    def run() -> None:
        with undone_if_it_fails(connection):
            part()
            fail()

    with pytest.raises(Broken):
        run()


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    said: list[str] = []

    def hear(_c: object, _cursor: object, statement: str, _p: object, _context: object, _many: bool) -> None:
        said.append(statement)

    event.listen(database.engine, "before_cursor_execute", hear)
    yield said
    event.remove(database.engine, "before_cursor_execute", hear)


def note(connection: Connection, what: str) -> None:
    add_history(connection, "booking-1", NOW_MS, what, "test", {})


def history(database: Database) -> list[str]:
    statement = select(booking_history.c.what).order_by(booking_history.c.id)
    return list(database.read_now(lambda connection: connection.execute(statement).scalars()))


@pytest.fixture
def database() -> Database:
    database = new_database()
    book(database)
    return database


def test_rows_are_written_together_in_their_order(database: Database) -> None:
    def work(connection: Connection) -> None:
        for what in ("a", "b", "c"):
            note(connection, what)

    with statements(database) as said:
        database.write_now(work)
    assert history(database) == ["a", "b", "c"]
    assert len([one for one in said if "booking_history" in one]) == 1


def test_what_a_failed_part_told_is_not_told(database: Database) -> None:
    def work(connection: Connection) -> None:
        note(connection, "before")
        undone(connection, lambda: note(connection, "undone"))
        note(connection, "after")

    database.write_now(work)
    assert history(database) == ["before", "after"]


def test_a_hopeful_transaction_that_is_done_again_tells_it_once(database: Database) -> None:
    calls = 0

    def work(connection: Connection) -> None:
        nonlocal calls
        calls += 1
        note(connection, "first")
        try:
            with set_apart(connection):
                note(connection, "part")
                fail()
        except Broken:
            note(connection, "it failed")

    database.write_now(work)
    assert calls == 2
    assert history(database) == ["first", "it failed"]


def test_a_transaction_that_fails_tells_nothing(database: Database) -> None:
    def work(connection: Connection) -> None:
        note(connection, "never")
        raise Broken

    with pytest.raises(Broken):
        database.write_now(work)
    assert history(database) == []


def test_incidents_are_read_once_and_remembered_as_they_become(database: Database) -> None:
    def work(connection: Connection) -> frozenset[str]:
        open_incident(connection, STUCK, NOW_MS)
        open_incident(connection, STUCK, NOW_MS)
        open_incident(connection, OTHER, NOW_MS)
        close_incident(connection, IncidentKind.LOCK_STUCK, STUCK.subject, NOW_MS + 1)
        return open_subjects(connection, IncidentKind.LOCK_STUCK, CABINET)

    with statements(database) as said:
        assert database.write_now(work) == {OTHER.subject}
    looks = [one for one in said if one.lstrip().startswith("SELECT incidents.id") and "closed_ms IS NULL" in one]
    assert len(looks) == 1
    found = [(one.subject, one.closed_ms) for one in database.read_now(all_incidents)]
    assert found == [(STUCK.subject, NOW_MS + 1), (OTHER.subject, None)]


def test_what_was_learned_in_a_part_that_is_undone_is_forgotten(database: Database) -> None:
    def work(connection: Connection) -> frozenset[str]:
        open_incident(connection, STUCK, NOW_MS)
        undone(connection, lambda: change(connection))
        return open_subjects(connection, IncidentKind.LOCK_STUCK)

    def change(connection: Connection) -> None:
        close_of_cabinet(connection, IncidentKind.LOCK_STUCK, CABINET, NOW_MS + 1)
        open_incident(connection, OTHER, NOW_MS + 1)

    assert database.write_now(work) == {STUCK.subject}
    assert [one.closed_ms for one in database.read_now(all_incidents)] == [None]


def test_the_next_transaction_remembers_nothing_of_the_one_before(database: Database) -> None:
    database.write_now(lambda connection: open_incident(connection, STUCK, NOW_MS))
    other = database.write_now(lambda connection: open_subjects(connection, IncidentKind.LOCK_STUCK))
    assert other == {STUCK.subject}


@pytest.mark.parametrize("stays", [True, False])
def test_what_is_tried_leaves_nothing_for_the_end_unless_it_is_kept(stays: bool) -> None:
    database = new_database()
    book(database)

    def work(connection: Connection) -> str:
        note(connection, "tried")
        return "seen"

    assert database.write_now(lambda c: kept_if(c, lambda: work(c), lambda _seen: stays)) == "seen"
    assert ("tried" in history(database)) is stays
