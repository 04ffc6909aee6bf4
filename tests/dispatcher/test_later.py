"""What a transaction leaves for its end, and what it remembers while it lasts."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, delete, event, select, update
from sqlalchemy.exc import IntegrityError

from dispatcher.core.incidents import Discrepancy, IncidentKind
from dispatcher.store.bookings import add_history
from dispatcher.store.database import Database
from dispatcher.store.incidents import all_incidents, close_incident, close_of_cabinet, open_incident, open_subjects
from dispatcher.store.isolation import kept_if, set_apart, undone_if_it_fails
from dispatcher.store.kept import Correction, change_row, correct_rows, kept_row
from dispatcher.store.schema import booking_history, slot_states
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


SLOT = {"cabinet_id": CABINET, "slot": 1}
WHOLE = dict.fromkeys(slot_states.columns.keys())


def slots(connection: Connection) -> list[dict[str, Any]]:
    found = connection.execute(select(slot_states).order_by(slot_states.c.slot)).mappings()
    return [dict(row) for row in found]


def slot_now(connection: Connection) -> Mapping[str, Any] | None:
    return kept_row(connection, slot_states, CABINET, 1)


def change_slot(connection: Connection, **columns: Any) -> None:
    change_row(connection, slot_states, SLOT | columns)


def taken_out(key_id: str) -> Correction:
    """No slot holds this key any more."""
    statement = update(slot_states).where(slot_states.c.key_id == bindparam("of_key")).values(key_id=None)
    return Correction(statement, {"of_key": key_id}, lambda row: row.get("key_id") == key_id, {"key_id": None})


def test_a_row_that_is_changed_again_and_again_is_read_once_and_written_once(database: Database) -> None:
    def work(connection: Connection) -> None:
        assert slot_now(connection) is None
        for at_ms in range(5):
            change_slot(connection, changed_ms=at_ms, door_open=at_ms % 2 == 0)
            assert slot_now(connection) == WHOLE | SLOT | {"changed_ms": at_ms, "door_open": at_ms % 2 == 0}

    with statements(database) as said:
        database.write_now(work)
    assert [one.split()[0] for one in said if "slot_states" in one] == ["SELECT", "INSERT"]
    assert database.read_now(slots) == [WHOLE | SLOT | {"changed_ms": 4, "door_open": True}]


def test_columns_that_are_not_given_stay_as_they_are(database: Database) -> None:
    database.write_now(partial(change_slot, changed_ms=1, key_id="key-1"))
    database.write_now(partial(change_slot, changed_ms=2, door_open=True))
    assert database.read_now(slots) == [WHOLE | SLOT | {"changed_ms": 2, "door_open": True, "key_id": "key-1"}]


def test_whoever_asks_for_the_table_sees_what_was_changed(database: Database) -> None:
    def work(connection: Connection) -> list[dict[str, Any]]:
        change_slot(connection, changed_ms=1)
        return slots(connection)

    assert database.write_now(work) == [WHOLE | SLOT | {"changed_ms": 1}]


def test_what_is_left_for_later_is_written_before_the_next_who_asks(database: Database) -> None:
    told = select(booking_history.c.what)

    def work(connection: Connection) -> list[str]:
        note(connection, "told")
        return list(connection.execute(told).scalars())

    assert database.write_now(work) == ["told"]
    assert history(database) == ["told"]


def test_what_was_known_of_a_table_is_forgotten_when_somebody_else_changes_it(database: Database) -> None:
    def work(connection: Connection) -> Mapping[str, Any] | None:
        change_slot(connection, changed_ms=1)
        assert slot_now(connection) is not None
        connection.execute(delete(slot_states))
        return slot_now(connection)

    assert database.write_now(work) is None
    assert database.read_now(slots) == []


@pytest.mark.parametrize("is_read_first", [True, False])
def test_rows_changed_by_what_they_hold_are_so_here_as_in_the_database(
    database: Database, is_read_first: bool
) -> None:
    database.write_now(partial(change_slot, changed_ms=1, key_id="key-1"))

    def work(connection: Connection) -> Mapping[str, Any] | None:
        if is_read_first:
            slot_now(connection)
        change_row(connection, slot_states, {"cabinet_id": CABINET, "slot": 2, "changed_ms": 2, "key_id": "key-1"})
        correct_rows(connection, slot_states, taken_out("key-1"))
        change_row(connection, slot_states, {"cabinet_id": CABINET, "slot": 3, "changed_ms": 3, "key_id": "key-1"})
        return slot_now(connection)

    expected = WHOLE | SLOT | {"changed_ms": 1}
    assert database.write_now(work) == expected
    rows = database.read_now(slots)
    assert rows[0] == expected
    assert [row["key_id"] for row in rows] == [None, None, "key-1"]


def test_a_part_that_is_undone_takes_its_changes_with_it_and_no_others(database: Database) -> None:
    def work(connection: Connection) -> Mapping[str, Any] | None:
        change_slot(connection, changed_ms=1)
        undone(connection, lambda: change_slot(connection, changed_ms=2, door_open=True))
        return slot_now(connection)

    expected = WHOLE | SLOT | {"changed_ms": 1}
    assert database.write_now(work) == expected
    assert database.read_now(slots) == [expected]


def test_what_the_database_refuses_at_the_end_is_told_to_the_part_that_did_it(database: Database) -> None:
    def work(connection: Connection) -> list[str]:
        refused = []
        for slot, identity in ((1, "read"), (2, "nonsense"), (3, "read")):
            try:
                with set_apart(connection):
                    row = {"cabinet_id": CABINET, "slot": slot, "changed_ms": 1, "identity": identity}
                    change_row(connection, slot_states, row)
            except IntegrityError:
                refused.append(identity)
        return refused

    assert database.write_now(work) == ["nonsense"]
    assert [row["slot"] for row in database.read_now(slots)] == [1, 3]


def test_over_a_connection_without_a_mind_all_is_written_at_once(database: Database) -> None:
    with database.engine.connect() as connection:
        change_slot(connection, changed_ms=1, key_id="key-1")
        correct_rows(connection, slot_states, taken_out("key-1"))
        assert slot_now(connection) == WHOLE | SLOT | {"changed_ms": 1}
