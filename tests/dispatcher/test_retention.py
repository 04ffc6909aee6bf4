"""What is known of people ends: each row at its limit, counted from the end of that rental, and no row sooner."""

from random import Random
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Connection, Table, insert, select, text, update

from contract.facts import AccessGranted, AccessRefused, DoorOpened, Identity, KeyReturned, KeyTaken, Purpose
from contract.reasons import Reason
from dispatcher.core.booking_states import BookingState
from dispatcher.core.ingest import FactOutcome
from dispatcher.core.retention import Retention
from dispatcher.core.windows import DAY_MS
from dispatcher.housekeeping import Housekeeping
from dispatcher.store.bookings import booking_by_id
from dispatcher.store.commands import RELEASE_SLOT, StoredCommand, insert_command
from dispatcher.store.database import Database
from dispatcher.store.forgetting import FORGOTTEN
from dispatcher.store.limits import AT_ONCE, FIND, LIMITS
from dispatcher.store.migrate import migrate_engine
from dispatcher.store.retention import TOLERATED_MS, rows_past
from dispatcher.store.schema import (
    audit,
    badge_pins,
    badge_sightings,
    badges,
    booking_history,
    bookings,
    commands,
    facts,
    handovers,
    held_badges,
    held_names,
    incidents,
    key_states,
    members,
    metadata,
    outbox,
    refusals,
    rentals,
    vehicle_positions,
)
from dispatcher.store.unfounded import rows_with_drivers
from runtime.executor import InlineExecutor
from runtime.steps import LoopSteps, run_inline
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.fake_link import HandClock
from tests.dispatcher.small_fleet import (
    CABINET,
    HOUR,
    MINUTE,
    NOW_MS,
    ORIGIN,
    book,
    decide_deadlines,
    new_database,
    stored,
    take,
)

RETENTION = Retention()
RETURNED_MS = NOW_MS + HOUR
UNDER_1: dict[str, Any] = {"grant": "grant-1", "badge": "ref-1"}

NEVER: dict[str, str] = {
    "booking_drivers": "gone with its booking's people",
    "cabinet_links": "how a box is connected; its last report loses positions at once",
    "cabinet_stations": "the network",
    "cabinets": "the network",
    "command_counters": "numbers",
    "cost_centres": "of organisations",
    "cursors": "numbers",
    "desired_grants": "of the present wanted state alone",
    "desired_states": "the present wanted state alone",
    "badge_pins": "gone with their badge",
    "badge_spread": "gone with its badge",
    "key_tags": "fobs of keys",
    "incident_history": "gone with its incident",
    "keys": "keys of vehicles",
    "meta": "of the database itself",
    "municipalities": "the network",
    "organisations": "the network",
    "pool_members": "goes with its member",
    "pools": "of organisations",
    "slot_uses": "slots",
    "slot_states": "slots, keys and grants, no person",
    "stations": "the network",
    "unmet_demand": "figures, rounded to the hour, without a person",
    "swap_offers": "vehicles offered to bookings: whose, the booking alone says",
    "thefts": "the end of a cabinet: a token's name, a case and a reason that are to name no person",
    "vehicle_readings": "the newest of each vehicle: no place, no person",
    "vehicles": "vehicles",
    "webhook_deliveries": "gone with its event",
    "webhooks": "where to tell others; the secret is sealed",
}
"""Tables that need no limit, and why."""


def keep_house(database: Database, now_ms: int, retention: Retention = RETENTION) -> int:
    """Until nothing is left to do; how many pieces that took."""
    clock = HandClock()
    clock.pass_s((now_ms - clock.now_ms()) / 1000)
    steps = LoopSteps(clock)
    housekeeping = Housekeeping(database, retention, (clock, clock), Random(f"keep/{now_ms}").randbytes, steps)
    pieces = 1
    while run_inline(housekeeping.piece()):
        pieces += 1
    return pieces


def past(database: Database, now_ms: int) -> dict[str, int]:
    counts = database.read_now(lambda connection: rows_past(connection, RETENTION, now_ms))
    return {name: count for name, count in counts.items() if count}


def rows(database: Database, table: Table) -> list[dict[str, Any]]:
    statement = select(table).order_by(*table.primary_key)
    return database.read_now(lambda connection: [row._asdict() for row in connection.execute(statement)])


def driven(database: Database, returned_ms: int = RETURNED_MS) -> FakeBox:
    """Member 1 drives car 1 from now until then, under a booking that is completed in the end."""
    book(database, end_ms=returned_ms + HOUR)
    box = FakeBox()
    box.note(AccessGranted, reader="entrance", slot=1, purpose=Purpose.TAKE, key="key-1", **UNDER_1)
    box.note(DoorOpened, slot=1, released=True)
    box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
    take(database, box.batch())
    box.now_ms = returned_ms
    box.note(KeyReturned, slot=1, identity=Identity.READ, key="key-1", lit_slot=1, **UNDER_1)
    box.now_ms = returned_ms + HOUR  # a word of it after the hold
    box.note(AccessRefused, reader="entrance", reason=Reason.NO_BOOKING, badge="ref-1")
    box.note(AccessRefused, reader="entrance", reason=Reason.UNKNOWN_BADGE)
    take(database, box.batch(4), now_ms=box.now_ms)
    decide_deadlines(database, box.now_ms)
    assert stored(database).state is BookingState.COMPLETED
    return box


def test_every_table_has_a_limit_or_a_reason_to_have_none() -> None:
    limited = {limit.table.name for limit in LIMITS}
    assert not limited & NEVER.keys()
    assert limited | NEVER.keys() == set(metadata.tables), "see dispatcher/store/limits.py and docs/privacy.md"


def test_who_held_a_vehicle_is_known_for_a_year_from_the_end_of_that_rental() -> None:
    database = new_database()
    driven(database)
    last_ms = RETURNED_MS + 365 * DAY_MS
    keep_house(database, last_ms)
    assert [row["badge_ref"] for row in rows(database, rentals)] == ["ref-1"]
    assert [row["badge_ref"] for row in rows(database, handovers)] == ["ref-1", "ref-1"]
    assert stored(database).member_id == "member-1"
    keep_house(database, last_ms + HOUR)
    assert [row["badge_ref"] for row in rows(database, rentals)] == [None]
    assert [row["badge_ref"] for row in rows(database, handovers)] == [None, None]
    assert stored(database).member_id == FORGOTTEN


def test_the_take_of_a_long_rental_is_known_as_long_as_its_return() -> None:
    database = new_database()
    driven(database, NOW_MS + 300 * DAY_MS)
    keep_house(database, NOW_MS + 400 * DAY_MS)
    assert [row["badge_ref"] for row in rows(database, handovers)] == ["ref-1", "ref-1"]


def test_of_a_forgotten_booking_the_figures_stay_and_its_code_is_good() -> None:
    database = new_database()
    driven(database)
    before = stored(database)
    keep_house(database, RETURNED_MS + 366 * DAY_MS)
    after = stored(database)
    assert after.has_origin
    assert after.grant_id != before.grant_id
    assert (after.vehicle_id, after.start_ms, after.returned_ms) == ("car-1", before.start_ms, RETURNED_MS)
    (member,) = [row for row in rows(database, members) if row["id"] == FORGOTTEN]
    assert (member["name"], member["standing"]) == ("", "suspended")
    assert ORIGIN.holds(members, member)


def test_a_row_that_somebody_else_wrote_gets_no_code_by_being_forgotten() -> None:
    database = new_database()
    driven(database)
    database.write_now(lambda connection: connection.execute(update(bookings).values(origin="00")))
    keep_house(database, RETURNED_MS + 366 * DAY_MS)
    assert not stored(database).has_origin


def test_drivers_go_with_the_owner_and_the_code_covers_that() -> None:
    database = new_database()
    book(database, driver_ids=("member-2",), state=BookingState.CANCELLED, ended_ms=NOW_MS)
    keep_house(database, NOW_MS + 366 * DAY_MS)
    ((row, drivers),) = database.read_now(lambda c: list(rows_with_drivers(c, bookings)))
    assert drivers == []
    assert ORIGIN.holds(bookings, row)


def test_a_key_that_is_still_out_keeps_everything_that_is_known_of_it() -> None:
    database = new_database()
    book(database)
    box = FakeBox()
    box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
    take(database, box.batch())
    keep_house(database, NOW_MS + 1000 * DAY_MS)
    assert [row["badge_ref"] for row in rows(database, rentals)] == ["ref-1"]
    assert [row["badge_ref"] for row in rows(database, handovers)] == ["ref-1"]
    assert [row["badge_ref"] for row in rows(database, key_states)] == ["ref-1"]
    assert stored(database).member_id == "member-1"


def test_a_booking_that_still_holds_is_not_forgotten_however_old() -> None:
    database = new_database()
    book(database)
    keep_house(database, NOW_MS + 1000 * DAY_MS)
    assert stored(database).member_id == "member-1"


def test_facts_lose_what_they_say_and_keep_their_chain() -> None:
    database = new_database()
    box = driven(database)
    before = rows(database, facts)
    keep_house(database, RETURNED_MS + 366 * DAY_MS)
    after = rows(database, facts)
    assert {row["text"] for row in after} == {""}
    assert [row["hash"] for row in after] == [row["hash"] for row in before] == box.hashes[1:]
    assert "ref-1" not in str(after)


def test_a_box_that_tells_forgotten_facts_again_is_understood() -> None:
    database = new_database()
    box = driven(database)
    later_ms = RETURNED_MS + 366 * DAY_MS
    keep_house(database, later_ms)
    taken = take(database, box.batch(), now_ms=later_ms)
    assert taken.outcomes == {FactOutcome.DUPLICATE: box.seq}
    other = FakeBox()
    other.note_text(box.texts[0].replace("key-1", "key-2"))
    assert take(database, other.batch(), now_ms=later_ms).outcomes == {FactOutcome.CONFLICT: 1}


def test_forgotten_facts_that_come_in_another_epoch_are_not_applied_again() -> None:
    database = new_database()
    box = driven(database)
    later_ms = RETURNED_MS + 366 * DAY_MS
    keep_house(database, later_ms)
    anew = FakeBox(epoch="e2" * 16, now_ms=later_ms)
    for content in box.texts:
        anew.note_text(content)
    assert take(database, anew.batch(), now_ms=later_ms).outcomes[FactOutcome.TOLD_BEFORE] == box.seq
    assert len(rows(database, rentals)) == 1


def test_refusals_end_sooner_and_badges_nobody_knows_within_a_week() -> None:
    database = new_database()
    driven(database)
    last_ms = RETURNED_MS + HOUR
    keep_house(database, last_ms + 7 * DAY_MS)
    assert [row["reason"] for row in rows(database, refusals)] == ["no_booking", "unknown_badge"]
    keep_house(database, last_ms + 7 * DAY_MS + 1)
    assert [(row["reason"], row["badge_ref"]) for row in rows(database, refusals)] == [("no_booking", "ref-1")]
    keep_house(database, last_ms + 91 * DAY_MS)
    assert [(row["reason"], row["badge_ref"]) for row in rows(database, refusals)] == [("no_booking", None)]


def test_where_a_badge_was_shown_last_is_forgotten_after_a_day() -> None:
    database = new_database()
    driven(database)
    assert [row["badge_ref"] for row in rows(database, badge_sightings)] == ["ref-1"]
    keep_house(database, RETURNED_MS + HOUR + DAY_MS + 1)
    assert rows(database, badge_sightings) == []


def test_history_ends_with_its_booking_and_not_before() -> None:
    database = new_database()
    driven(database)
    end_ms = stored(database).ended_ms
    assert end_ms is not None
    keep_house(database, end_ms + 365 * DAY_MS)
    assert rows(database, booking_history)
    keep_house(database, end_ms + 366 * DAY_MS)
    assert rows(database, booking_history) == []


def _incident(closed_ms: int | None) -> dict[str, Any]:
    words = {"kind": "badge_at_two_stations", "subject": "ref-1", "severity": "urgent", "expected": "", "seen": ""}
    return {**words, "opened_ms": NOW_MS, "updated_ms": NOW_MS, "closed_ms": closed_ms}


OLD = [
    (incidents, "incidents", _incident(NOW_MS)),
    (
        audit,
        "audit",
        {"at_ms": NOW_MS, "author": "a", "action": "export", "subject": "s", "case_no": "", "reason": ""},
    ),
    (
        vehicle_positions,
        "vehicle_positions",
        {"vehicle_id": "car-1", "latitude": 1, "longitude": 2, "at_ms": NOW_MS},
    ),
    (outbox, "outbox", {"kind": "k", "subject": "s", "at_ms": NOW_MS, "data": "{}"}),
    (held_badges, "held_badges", {"ref": "r", "member_id": "member-3", "until_ms": NOW_MS}),
    (held_names, "held_names", {"member_id": "member-3", "name": "Member 3", "until_ms": NOW_MS}),
]


@pytest.mark.parametrize(("table", "name", "row"), OLD, ids=[name for _, name, _ in OLD])
def test_a_row_past_its_limit_is_counted_until_it_is_gone(table: Table, name: str, row: dict[str, Any]) -> None:
    database = new_database()
    database.write_now(lambda connection: connection.execute(insert(table).values(row)))
    later_ms = NOW_MS + 366 * DAY_MS
    assert past(database, NOW_MS) == {}
    assert past(database, later_ms) == {name: 1}
    keep_house(database, later_ms)
    assert past(database, later_ms) == {}
    assert rows(database, table) == []


def test_an_incident_that_is_open_is_kept() -> None:
    database = new_database()
    database.write_now(lambda connection: connection.execute(insert(incidents).values(_incident(None))))
    keep_house(database, NOW_MS + 1000 * DAY_MS)
    assert len(rows(database, incidents)) == 1


def test_a_command_goes_a_year_after_its_outcome_and_never_while_it_is_open() -> None:
    database = new_database()

    def insert_commands(connection: Connection) -> None:
        for command in given:
            insert_command(connection, command)

    given = []
    for number, answered_ms in ((1, NOW_MS), (2, None)):
        command = StoredCommand(
            f"c{number}",
            CABINET,
            1,
            number,
            RELEASE_SLOT,
            "hotline",
            "why",
            NOW_MS,
            NOW_MS,
            answered_ms=answered_ms,
        )
        given.append(command)
    database.write_now(insert_commands)
    keep_house(database, NOW_MS + 366 * DAY_MS)
    assert [row["id"] for row in rows(database, commands)] == ["c2"]


def test_a_revoked_badge_goes_with_its_pin_once_no_rental_names_it() -> None:
    database = new_database()
    driven(database)
    revoked = {"state": "revoked", "revoked_ms": NOW_MS}  # while its key was out

    def revoke(connection: Connection) -> None:
        connection.execute(update(badges).where(badges.c.id == "badge-1").values(revoked))
        connection.execute(insert(badge_pins).values(badge_id="badge-1", sealed="x"))

    database.write_now(revoke)
    keep_house(database, RETURNED_MS + 365 * DAY_MS)
    assert len(rows(database, badges)) == 3
    keep_house(database, RETURNED_MS + 365 * DAY_MS + MINUTE)
    assert [row["id"] for row in rows(database, badges)] == ["badge-2", "badge-3"]
    assert rows(database, badge_pins) == []


def test_a_job_that_does_nothing_shows_in_the_metric_and_one_that_works_does_not() -> None:
    database = new_database()
    driven(database)
    later_ms = RETURNED_MS + 400 * DAY_MS
    broken = past(database, later_ms)
    assert {"rentals", "bookings", "facts", "booking_history"} <= broken.keys()
    assert keep_house(database, later_ms) == 1
    assert past(database, later_ms) == {}


def test_the_metric_tolerates_what_the_job_may_need() -> None:
    database = new_database()
    driven(database)
    limit_ms = RETURNED_MS + 365 * DAY_MS
    assert "rentals" not in past(database, limit_ms + TOLERATED_MS)
    assert "rentals" in past(database, limit_ms + TOLERATED_MS + 1)


def test_much_to_forget_is_done_in_pieces() -> None:
    database = new_database()
    box = FakeBox()
    for number in range(2 * AT_ONCE + 1):
        box.now_ms = NOW_MS + number
        box.note(DoorOpened, slot=1, released=True)
    for first in range(1, box.seq + 1, 100):
        take(database, box.batch(first, min(first + 99, box.seq)))
    assert keep_house(database, NOW_MS + 366 * DAY_MS) == 3
    assert {row["text"] for row in rows(database, facts)} == {""}


@pytest.mark.only_sqlite  # PostgreSQL says it in other words
def test_old_facts_and_rentals_are_found_by_an_index() -> None:
    """A year of facts is not read through every hour for the few that are past their limit."""
    database = new_database()
    for name, index in (
        ("facts", "ix_facts_told"),
        ("rentals", "ix_rentals_known"),
        ("handovers", "ix_handovers_known"),
        ("bookings", "ix_bookings_known"),
    ):
        statement = str(
            FIND[name].compile(dialect=database.engine.dialect, compile_kwargs={"literal_binds": False})
        )
        plan = "EXPLAIN QUERY PLAN " + statement.replace("LIMIT ? OFFSET ?", "LIMIT 5")
        with database.engine.connect() as connection:
            found = connection.exec_driver_sql(plan, tuple([1] * plan.count("?"))).all()
        assert any(index in str(step) for step in found), (name, found)


def test_a_limit_that_a_box_could_outlive_is_refused() -> None:
    with pytest.raises(ValidationError, match="backups_days"):
        Retention(backups_days=30)
    with pytest.raises(ValidationError, match="facts_days"):
        Retention(facts_days=30)


def test_bookings_of_before_are_read_without_a_fault_once_forgotten() -> None:
    database = Database("sqlite://", InlineExecutor(), origin=ORIGIN)
    migrate_engine(database.engine)
    assert keep_house(database, NOW_MS) == 1  # nothing there: nothing is made, not even the member of nobody
    assert database.read_now(lambda connection: connection.execute(text("SELECT id FROM members")).all()) == []
    assert database.read_now(lambda connection: booking_by_id(connection, "none")) is None
