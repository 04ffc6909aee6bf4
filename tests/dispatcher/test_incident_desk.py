"""What becomes of an incident: its name for paths, its history, whether it came back, and who handled it."""

from functools import partial
from typing import Any

from sqlalchemy import text

from dispatcher.core.incidents import REOPENED_WITHIN_MS, Discrepancy, IncidentKind
from dispatcher.store.database import Database
from dispatcher.store.incident_desk import (
    IncidentDetail,
    IncidentFilter,
    acknowledge,
    assign,
    comment,
    incident_detail,
    incidents_page,
)
from dispatcher.store.incident_history import HISTORY_MAX
from dispatcher.store.incidents import Incident, all_incidents, close_incident, open_incident
from dispatcher.store.migrate import migrate_engine
from dispatcher.store.paging import PageRequest
from tests.dispatcher.backends import bare_engine
from tests.dispatcher.small_fleet import CABINET, MINUTE, NOW_MS, new_database
from tests.dispatcher.test_migrations import migrate_to

KIND = IncidentKind.DEVICE_LOST
SUBJECT = f"{CABINET}/badge-reader"


def begin(database: Database, at_ms: int = NOW_MS, seen: str = "no answer", subject: str = SUBJECT) -> None:
    discrepancy = Discrepancy(KIND, subject, "it answers", seen, cabinet_id=CABINET)
    database.write_now(lambda connection: open_incident(connection, discrepancy, at_ms))


def end(database: Database, at_ms: int) -> None:
    database.write_now(lambda connection: close_incident(connection, KIND, SUBJECT, at_ms))


def all_of(database: Database) -> tuple[Incident, ...]:
    return database.read_now(all_incidents)


def detail(database: Database) -> IncidentDetail:
    (incident,) = all_of(database)
    found = database.read_now(lambda connection: incident_detail(connection, incident.ref, NOW_MS))
    assert found is not None
    return found


def told(database: Database) -> list[tuple[int, str, str]]:
    return [((entry.at_ms - NOW_MS) // MINUTE, entry.what, entry.author) for entry in detail(database).history]


def test_an_incident_keeps_what_became_of_it_in_order() -> None:
    database = new_database()
    begin(database)
    begin(database, NOW_MS + MINUTE)  # the same again is no news
    begin(database, NOW_MS + 2 * MINUTE, seen="wrong key")
    end(database, NOW_MS + 3 * MINUTE)
    end(database, NOW_MS + 4 * MINUTE)
    assert told(database) == [
        (0, "opened", "dispatcher"),
        (2, "updated", "dispatcher"),
        (3, "closed", "dispatcher"),
    ]
    assert [entry.detail.get("seen") for entry in detail(database).history] == ["no answer", "wrong key", None]


def test_a_long_history_is_told_by_its_newest_entries() -> None:
    database = new_database()
    for number in range(HISTORY_MAX + 5):
        begin(database, NOW_MS + number, seen=f"reason {number}")
    history = detail(database).history
    assert len(history) == HISTORY_MAX
    assert (history[0].detail["seen"], history[-1].detail["seen"]) == ("reason 5", f"reason {HISTORY_MAX + 4}")


def test_what_comes_back_within_an_hour_counts_how_often() -> None:
    database = new_database()
    at_ms = NOW_MS
    for _ in range(3):
        begin(database, at_ms)
        end(database, at_ms + MINUTE)
        at_ms += MINUTE + REOPENED_WITHIN_MS - 1
    begin(database, at_ms + 1)
    assert [incident.reopened for incident in all_of(database)] == [0, 1, 2, 0]


def test_another_subject_that_fails_at_the_same_time_has_not_come_back() -> None:
    database = new_database()
    begin(database)
    end(database, NOW_MS + 1)
    begin(database, NOW_MS + 2, subject=f"{CABINET}/return-reader")
    assert [incident.reopened for incident in all_of(database)] == [0, 0]


def test_each_incident_has_a_name_of_its_own_that_tells_nothing() -> None:
    database = new_database()
    for at_ms in (NOW_MS, NOW_MS, NOW_MS + 1):  # twice within a millisecond, too
        begin(database, at_ms)
        end(database, at_ms)
    names = {incident.ref for incident in all_of(database)}
    assert len(names) == 3
    assert all(len(name) == 20 and CABINET not in name for name in names)


def test_who_acknowledges_first_stays_so() -> None:
    database = new_database()
    begin(database)
    ref = all_of(database)[0].ref
    for author, at_ms in (("night", NOW_MS + MINUTE), ("day", NOW_MS + 2 * MINUTE)):
        database.write_now(partial(acknowledge, ref=ref, author=author, now_ms=at_ms))
    incident = detail(database).incident
    assert (incident.acknowledged_by, incident.acknowledged_ms) == ("night", NOW_MS + MINUTE)
    assert told(database)[1:] == [(1, "acknowledged", "night")]


def test_an_incident_is_given_to_somebody_and_taken_back() -> None:
    database = new_database()
    begin(database)
    ref = all_of(database)[0].ref
    for assignee in ("Dominique", "Dominique", None):
        found = database.write_now(
            partial(assign, ref=ref, assignee=assignee, author="operators", now_ms=NOW_MS + MINUTE)
        )
        assert found is not None
        assert found.incident.assigned_to == assignee
    assert [entry.detail for entry in detail(database).history][1:] == [{"to": "Dominique"}, {"to": None}]


def test_a_closed_incident_can_still_be_commented() -> None:
    database = new_database()
    begin(database)
    end(database, NOW_MS)
    ref = all_of(database)[0].ref
    database.write_now(lambda c: comment(c, ref, "cable was loose", "operators", NOW_MS + MINUTE))
    assert told(database)[-1] == (1, "commented", "operators")
    assert detail(database).history[-1].detail == {"text": "cable was loose"}


def test_what_is_not_there_cannot_be_handled() -> None:
    database = new_database()
    by_whom: dict[str, Any] = {"ref": "nothing", "author": "operators", "now_ms": NOW_MS}
    assert database.read_now(partial(incident_detail, ref="nothing", now_ms=NOW_MS)) is None
    assert database.write_now(partial(acknowledge, **by_whom)) is None
    assert database.write_now(partial(assign, assignee="x", **by_whom)) is None
    assert database.write_now(partial(comment, text="x", **by_whom)) is None


def test_a_list_has_the_newest_first_and_goes_on_where_it_ended() -> None:
    database = new_database()
    for number in range(5):
        begin(database, NOW_MS + number, subject=f"{CABINET}/reader-{number}")
    seen, request = list[str](), PageRequest(2)
    while True:
        page = database.read_now(partial(incidents_page, wanted=IncidentFilter(), request=request))
        seen += [incident.subject for incident in page.items]
        if page.next is None:
            break
        request = PageRequest(2, page.next)
    assert seen == [f"{CABINET}/reader-{number}" for number in (4, 3, 2, 1, 0)]


def test_incidents_from_before_there_were_names_get_one() -> None:
    engine = bare_engine()
    migrate_to(engine, "0005")
    row = (
        "INSERT INTO incidents (kind, subject, severity, opened_ms, updated_ms, expected, seen)"
        " VALUES ('device_lost', :subject, 'urgent', 1, 1, 'x', 'y')"
    )
    with engine.begin() as connection:
        for subject in ("a/1", "a/2"):
            connection.execute(text(row), {"subject": subject})
    migrate_engine(engine)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT ref, reopened FROM incidents")).all()
    assert len({row.ref for row in rows if len(row.ref) == 20}) == 2
    assert {row.reopened for row in rows} == {0}
