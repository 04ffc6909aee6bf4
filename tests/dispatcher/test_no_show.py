"""What time alone decides, and that it decides nothing before the cabinet's facts are complete."""

from typing import Any

import pytest
from sqlalchemy import Connection

from contract.facts import (
    AccessGranted,
    AccessRefused,
    AgentStarted,
    DoorClosed,
    DoorOpened,
    EpochStarted,
    Identity,
    KeyReturned,
    KeyTaken,
    Purpose,
    ReleaseFailed,
)
from contract.messages import SlotState
from contract.reasons import Reason
from dispatcher.core.booking_states import BookingState
from dispatcher.store import deadlines
from dispatcher.store.booking_events import apply_event
from dispatcher.store.bookings import Booking
from dispatcher.store.database import Database
from dispatcher.store.deadlines import MARGIN_MS
from dispatcher.store.links import complete_until_ms, keep_reported
from dispatcher.store.reports import apply_reports
from dispatcher.store.schema import booking_history, desired_states
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.small_fleet import (
    CABINET,
    HOUR,
    MINUTE,
    NOW_MS,
    RULES,
    book,
    decide_deadlines,
    new_database,
    stored,
    take,
)

TAKE_BY_MS = NOW_MS + 30 * MINUTE
LATE_MS = TAKE_BY_MS + MARGIN_MS
UNDER_1: dict[str, Any] = {"grant": "grant-1", "badge": "ref-1"}


def report(database: Database, box: FakeBox, **changes: Any) -> None:
    database.write_now(lambda connection: keep_reported(connection, box.report(**changes), box.now_ms))


def decide(database: Database, now_ms: int) -> tuple[BookingState, frozenset[str]]:
    waiting = decide_deadlines(database, now_ms)
    return stored(database).state, waiting


def heard(database: Database, at_ms: int) -> FakeBox:
    """A box with a fact from the beginning and a report at `at_ms`."""
    box = FakeBox()
    box.note(DoorOpened, slot=3, released=True)
    take(database, box.batch(), now_ms=box.now_ms)
    box.now_ms = at_ms
    report(database, box)
    return box


def test_nobody_came_and_the_report_proves_it() -> None:
    database = new_database()
    book(database)
    heard(database, LATE_MS)
    assert decide(database, LATE_MS) == (BookingState.NO_SHOW, frozenset())
    after = stored(database)
    assert (after.ended_ms, after.version) == (TAKE_BY_MS, 2)
    assert database.read_now(lambda c: c.execute(desired_states.select()).one()).dirty
    book(database, 2, start_ms=NOW_MS + HOUR)  # the vehicle is free again


def test_the_last_moment_of_the_right_is_waited_out() -> None:
    database = new_database()
    book(database)
    heard(database, LATE_MS)
    assert decide(database, LATE_MS - 1) == (BookingState.BOOKED, frozenset())


def test_a_slot_released_in_the_last_moment_is_waited_for() -> None:
    database = new_database()
    book(database)
    box = FakeBox()
    box.now_ms = TAKE_BY_MS
    granted = {"reader": "entrance", "slot": 1, "purpose": Purpose.TAKE, "key": "key-1"}
    box.note(AccessGranted, **granted, **UNDER_1)
    take(database, box.batch(), now_ms=TAKE_BY_MS)
    box.now_ms = LATE_MS + HOUR
    report(database, box)
    assert decide(database, LATE_MS + HOUR) == (BookingState.BOOKED, frozenset())
    seq = box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
    take(database, box.batch(seq), now_ms=box.now_ms)
    assert decide(database, LATE_MS + HOUR)[0] is BookingState.ACTIVE


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (DoorClosed, {"slot": 1}),
        (EpochStarted, {"why": "new_journal"}),
    ],
)
def test_a_release_that_came_to_nothing_is_not_waited_for(kind: type[Any], fields: dict[str, Any]) -> None:
    database = new_database()
    book(database)
    box = FakeBox()
    granted = {"reader": "entrance", "slot": 1, "purpose": Purpose.TAKE, "key": "key-1"}
    box.note(AccessGranted, **granted, **UNDER_1)
    box.note(kind, **fields)
    take(database, box.batch(), now_ms=NOW_MS)
    box.now_ms = LATE_MS
    report(database, box)
    assert decide(database, LATE_MS)[0] is BookingState.NO_SHOW


def test_a_slot_that_stood_open_over_a_restart_of_the_agent_is_still_waited_for() -> None:
    database = new_database()
    book(database)
    box = FakeBox()
    granted = {"reader": "entrance", "slot": 1, "purpose": Purpose.TAKE, "key": "key-1"}
    box.note(AccessGranted, **granted, **UNDER_1)
    box.note(DoorOpened, slot=1, released=True)
    box.note(AgentStarted, boot_nonce="ab" * 16, version="2")
    take(database, box.batch(), now_ms=NOW_MS)
    box.now_ms = LATE_MS
    report(database, box)
    assert decide(database, LATE_MS)[0] is BookingState.BOOKED


def test_a_silent_cabinet_declares_nothing_and_is_asked() -> None:
    database = new_database()
    book(database)
    heard(database, TAKE_BY_MS)
    assert decide(database, NOW_MS + 24 * HOUR) == (BookingState.BOOKED, frozenset({CABINET}))


def test_a_cabinet_never_heard_declares_nothing() -> None:
    database = new_database()
    book(database)
    assert decide(database, NOW_MS + 24 * HOUR) == (BookingState.BOOKED, frozenset({CABINET}))


def test_a_report_whose_facts_are_not_all_here_proves_nothing() -> None:
    database = new_database()
    book(database)
    box = heard(database, NOW_MS)
    box.now_ms = TAKE_BY_MS - MINUTE
    seq = box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
    box.now_ms = LATE_MS
    report(database, box)
    assert decide(database, LATE_MS)[0] is BookingState.BOOKED
    take(database, box.batch(seq), now_ms=LATE_MS)
    assert decide(database, LATE_MS)[0] is BookingState.ACTIVE


def test_facts_that_follow_a_report_do_not_make_it_worthless() -> None:
    database = new_database()
    box = heard(database, LATE_MS)
    seq = box.note(DoorOpened, slot=3, released=True)
    take(database, box.batch(seq), now_ms=LATE_MS)
    assert database.read_now(lambda c: complete_until_ms(c, CABINET)) == LATE_MS


@pytest.mark.parametrize("how", ["report", "fact"])
def test_a_clock_that_is_not_trusted_proves_nothing(how: str) -> None:
    database = new_database()
    book(database)
    box = heard(database, NOW_MS)
    box.now_ms = LATE_MS
    box.clock_trusted = False
    if how == "report":
        report(database, box)
    else:
        seq = box.note(DoorOpened, slot=3, released=True)
        take(database, box.batch(seq), now_ms=LATE_MS)
    assert decide(database, LATE_MS)[0] is BookingState.BOOKED


def test_a_clock_that_runs_ahead_proves_no_more_than_our_own() -> None:
    database = new_database()
    box = heard(database, NOW_MS)
    box.now_ms = NOW_MS + 24 * HOUR
    seq = box.note(DoorOpened, slot=3, released=True)
    take(database, box.batch(seq), now_ms=NOW_MS)
    assert database.read_now(lambda c: complete_until_ms(c, CABINET)) == NOW_MS


def test_a_fact_from_after_the_deadline_proves_it_too() -> None:
    database = new_database()
    book(database)
    box = heard(database, NOW_MS)
    box.now_ms = LATE_MS
    seq = box.note(DoorOpened, slot=3, released=True)
    take(database, box.batch(seq), now_ms=LATE_MS)
    assert decide(database, LATE_MS)[0] is BookingState.NO_SHOW


def test_a_report_of_an_epoch_that_ended_proves_nothing() -> None:
    database = new_database()
    box = heard(database, NOW_MS)
    newer = FakeBox(epoch="e2" * 16)
    newer.created_ms = NOW_MS + 1
    newer.note(DoorOpened, slot=3, released=True)
    take(database, newer.batch(), now_ms=NOW_MS)
    box.now_ms = LATE_MS
    report(database, box)
    assert database.read_now(lambda c: complete_until_ms(c, CABINET)) == NOW_MS


def test_a_cabinet_without_any_fact_says_nothing() -> None:
    database, box = new_database(), FakeBox()
    report(database, box)
    assert database.read_now(lambda c: complete_until_ms(c, CABINET)) == 0


def returned(database: Database) -> FakeBox:
    """Booking 1 taken at its start and back an hour later; the hold lasts ten minutes."""
    book(database)
    box = FakeBox()
    box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
    box.now_ms += HOUR
    box.note(KeyReturned, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
    take(database, box.batch(), now_ms=box.now_ms)
    return box


HOLD_OVER_MS = NOW_MS + HOUR + 10 * MINUTE


def test_a_hold_that_is_over_completes_the_booking() -> None:
    database = new_database()
    box = returned(database)
    box.now_ms = HOLD_OVER_MS + MARGIN_MS
    report(database, box)
    assert decide(database, box.now_ms) == (BookingState.COMPLETED, frozenset())
    assert stored(database).ended_ms == HOLD_OVER_MS


def test_time_is_not_freed_while_a_retake_may_be_unheard() -> None:
    database = new_database()
    box = returned(database)
    box.now_ms = HOLD_OVER_MS - MINUTE
    seq = box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
    now_ms = HOLD_OVER_MS + MARGIN_MS
    assert decide(database, now_ms) == (BookingState.RETURNED, frozenset({CABINET}))
    take(database, box.batch(seq), now_ms=now_ms)
    assert decide(database, now_ms) == (BookingState.ACTIVE, frozenset())


def apply(database: Database, box: FakeBox) -> None:
    report(database, box)
    database.write_now(lambda c: apply_reports(c, RULES, box.now_ms))


def granted(database: Database) -> FakeBox:
    """Slot 1 released for booking 1, and nothing after it."""
    box = FakeBox()
    box.note(AccessGranted, reader="entrance", slot=1, purpose=Purpose.TAKE, key="key-1", **UNDER_1)
    take(database, box.batch(), now_ms=NOW_MS)
    return box


def test_a_slot_that_was_released_is_waited_for_until_the_cabinet_is_seen_again() -> None:
    database = new_database()
    book(database)
    box = granted(database)
    seq = box.note(AgentStarted, boot_nonce="b2" * 16, version="2")
    take(database, box.batch(seq), now_ms=NOW_MS)
    box.now_ms = LATE_MS
    box.slots = (SlotState(slot=1),)  # not seen since the boot
    apply(database, box)
    assert decide(database, LATE_MS) == (BookingState.BOOKED, frozenset())
    box.slots = (SlotState(slot=1, key_present=True, door_open=False, key="key-1", identity="presumed"),)
    apply(database, box)
    assert decide(database, LATE_MS)[0] is BookingState.NO_SHOW


def test_a_new_epoch_proves_nothing_of_what_it_carries_over() -> None:
    database = new_database()
    book(database)
    box = FakeBox(epoch="e2" * 16)
    box.now_ms = LATE_MS + MINUTE
    box.note(EpochStarted, why="hash_conflict")
    box.now_ms = NOW_MS + MINUTE
    box.note(DoorClosed, slot=2)
    take(database, box.batch(), now_ms=LATE_MS + MINUTE)
    assert decide(database, LATE_MS + MINUTE)[0] is BookingState.BOOKED
    seq = box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
    take(database, box.batch(seq), now_ms=LATE_MS + MINUTE)
    assert stored(database).state is BookingState.ACTIVE


def test_nobody_is_a_no_show_whose_vehicle_another_member_still_had() -> None:
    database = new_database()
    book(database, 2, start_ms=NOW_MS - 2 * HOUR, end_ms=NOW_MS, member_id="member-2")
    box = FakeBox()
    box.now_ms = NOW_MS - HOUR
    box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", grant="grant-2", badge="ref-2")
    take(database, box.batch(), now_ms=box.now_ms)
    book(database)
    box.now_ms = LATE_MS
    report(database, box)
    assert decide(database, LATE_MS)[0] is BookingState.BOOKED
    seq = box.note(KeyReturned, slot=1, identity=Identity.READ, key="key-1", grant="grant-2", badge="ref-2")
    take(database, box.batch(seq), now_ms=LATE_MS)
    assert decide(database, LATE_MS)[0] is BookingState.BOOKED  # it came back too late


def refused(reason: Reason) -> tuple[type[Any], dict[str, Any]]:
    return AccessRefused, {"reader": "entrance", "reason": reason, **UNDER_1}


STUCK = {"slot": 1, "purpose": Purpose.TAKE, "pulses": 3, "last_result": "unanswered", "grant": "grant-1"}


@pytest.mark.parametrize(
    ("kind", "fields", "state"),
    [
        (ReleaseFailed, STUCK, BookingState.BOOKED),
        (*refused(Reason.KEY_NOT_PRESENT), BookingState.BOOKED),
        (*refused(Reason.CABINET_SILENT), BookingState.BOOKED),
        (*refused(Reason.CLOCK_NOT_TRUSTED), BookingState.BOOKED),
        (*refused(Reason.VEHICLE_BLOCKED), BookingState.BOOKED),
        (*refused(Reason.BUSY), BookingState.BOOKED),
        (*refused(Reason.TOO_EARLY), BookingState.NO_SHOW),
        (*refused(Reason.WRONG_PIN), BookingState.NO_SHOW),
    ],
)
def test_nobody_is_a_no_show_whom_the_station_refused(
    kind: type[Any], fields: dict[str, Any], state: BookingState
) -> None:
    database = new_database()
    book(database)
    box = FakeBox()
    box.note(kind, **fields)
    take(database, box.batch(), now_ms=NOW_MS)
    box.now_ms = LATE_MS
    report(database, box)
    assert decide(database, LATE_MS)[0] is state


def test_a_booking_that_the_station_did_not_serve_is_cancelled_at_its_end() -> None:
    database = new_database()
    booked = book(database)
    box = FakeBox()
    box.note(ReleaseFailed, **STUCK)
    take(database, box.batch(), now_ms=NOW_MS)
    box.now_ms = booked.end_ms + MARGIN_MS - 1
    report(database, box)
    assert decide(database, box.now_ms) == (BookingState.BOOKED, frozenset())
    box.now_ms += 1
    assert decide(database, box.now_ms) == (BookingState.BOOKED, frozenset({CABINET}))
    report(database, box)
    assert decide(database, box.now_ms) == (BookingState.CANCELLED, frozenset())
    history = database.read_now(lambda c: c.execute(booking_history.select()).all())
    assert '"why":"let_down"' in history[-1].detail


def test_one_booking_that_cannot_be_told_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(connection: Connection, found: Booking, *_more: Any) -> bool:
        if found.id == "booking-1":
            raise OverflowError("nobody foresaw this")
        return apply_event(connection, found, *_more)

    database = new_database()
    book(database)
    book(database, 2, vehicle_id="car-2", key_id="key-2")
    heard(database, LATE_MS)
    monkeypatch.setattr(deadlines, "apply_event", broken)
    decide(database, LATE_MS)
    assert (stored(database).state, stored(database, 2).state) == (BookingState.BOOKED, BookingState.NO_SHOW)


@pytest.mark.only_sqlite  # PostgreSQL's planner takes another index of live bookings while there are none
def test_timed_work_looks_at_bookings_that_hold_and_never_at_all_of_history() -> None:
    database = new_database()
    plan: list[str] = []

    def explain(connection: Connection) -> None:
        sql = deadlines.PAST.params(now_ms=1, grace_ms=1).compile(
            connection, compile_kwargs={"literal_binds": True}
        )
        plan.extend(row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}"))

    database.read_now(explain)
    assert len([step for step in plan if "USING INDEX ix_bookings_state (state=?" in step]) == 3
    assert not [step for step in plan if "SCAN bookings" in step]
