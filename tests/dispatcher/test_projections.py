"""What facts change: slots, keys, bookings, handovers, rentals, incidents."""

from typing import Any

import pytest
from sqlalchemy import Table, select, update

from contract.facts import (
    AccessGranted,
    AccessRefused,
    AgentStarted,
    DeviceBack,
    DeviceLost,
    DoorClosed,
    DoorOpened,
    FactsNotDurable,
    GrantCompleted,
    Identity,
    KeyReturned,
    KeyTaken,
    Purpose,
    ReleaseFailed,
    VehicleReading,
)
from contract.messages import DeviceState, SlotState
from contract.reasons import Reason
from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import IncidentKind
from dispatcher.store.database import Database
from dispatcher.store.links import keep_reported
from dispatcher.store.reports import apply_reports
from dispatcher.store.schema import (
    booking_history,
    bookings,
    desired_states,
    handovers,
    key_states,
    refusals,
    rentals,
    slot_states,
    vehicle_readings,
)
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.orders_bench import order
from tests.dispatcher.small_fleet import (
    CABINET,
    HOUR,
    MINUTE,
    NOW_MS,
    OTHER_CABINET,
    RULES,
    book,
    incidents,
    new_database,
    same_but_for,
    stored,
    take,
)

UNDER_1: dict[str, Any] = {"grant": "grant-1", "badge": "ref-1"}


class Bench:
    """A database, and a box whose facts are taken as soon as they are noted."""

    def __init__(self) -> None:
        self.database: Database = new_database()
        self.box = FakeBox()

    def tell(self, kind: type[Any], **fields: Any) -> None:
        seq = self.box.note(kind, **fields)
        take(self.database, self.box.batch(seq), now_ms=self.box.now_ms)

    def take_key(self, slot: int = 1, key: str | None = "key-1", **fields: Any) -> None:
        self.tell(KeyTaken, slot=slot, identity=Identity.PRESUMED, key=key, **fields)

    def return_key(self, slot: int = 1, key: str | None = "key-1", **fields: Any) -> None:
        self.tell(KeyReturned, slot=slot, identity=Identity.READ, key=key, **fields)

    def report(self, slots: tuple[SlotState, ...], **changes: Any) -> None:
        """The box reports what it sees, and the report is compared."""
        reported = self.box.report(slots=slots, **changes)
        self.database.write_now(lambda connection: keep_reported(connection, reported, self.box.now_ms))
        self.database.write_now(lambda connection: apply_reports(connection, RULES, self.box.now_ms))

    def rows(self, table: Table) -> list[dict[str, Any]]:
        statement = select(table).order_by(*table.primary_key)
        return self.database.read_now(lambda c: [row._asdict() for row in c.execute(statement)])

    def row(self, table: Table) -> dict[str, Any]:
        (only,) = self.rows(table)
        return only

    def later(self, ms: int) -> None:
        self.box.now_ms += ms


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_booking_starts_when_its_key_is_taken(bench: Bench) -> None:
    before = book(bench.database)
    bench.later(3 * MINUTE)
    bench.take_key(**UNDER_1)
    after = stored(bench.database)
    assert (after.state, after.taken_ms) == (BookingState.ACTIVE, NOW_MS + 3 * MINUTE)
    assert same_but_for(before, after) == {"state", "taken_ms", "changed_ms", "version"}
    key = bench.row(key_states)
    assert (key["state"], key["grant_id"], key["badge_ref"]) == ("taken", "grant-1", "ref-1")
    assert bench.row(slot_states)["key_present"] is False
    assert incidents(bench.database) == []


def test_a_returned_key_holds_the_booking_for_a_retake(bench: Bench) -> None:
    book(bench.database)
    bench.take_key(**UNDER_1)
    bench.later(HOUR)
    bench.return_key(**UNDER_1)
    after = stored(bench.database)
    assert (after.state, after.returned_ms) == (BookingState.RETURNED, NOW_MS + HOUR)
    assert after.hold_until_ms == NOW_MS + HOUR + 10 * MINUTE
    key = bench.row(key_states)
    assert (key["state"], key["cabinet_id"], key["slot"], key["grant_id"]) == ("in_slot", CABINET, 1, None)


def test_the_hold_never_lasts_past_the_end(bench: Bench) -> None:
    book(bench.database)
    bench.take_key(**UNDER_1)
    bench.later(2 * HOUR - MINUTE)
    bench.return_key(**UNDER_1)
    assert stored(bench.database).hold_until_ms == NOW_MS + 2 * HOUR


def test_a_return_after_the_end_leaves_no_hold(bench: Bench) -> None:
    book(bench.database)
    bench.take_key(**UNDER_1)
    bench.later(3 * HOUR)
    bench.return_key(**UNDER_1)
    assert stored(bench.database).hold_until_ms == NOW_MS + 3 * HOUR


def test_a_retake_within_the_hold_goes_on_with_the_same_booking(bench: Bench) -> None:
    book(bench.database)
    bench.take_key(**UNDER_1)
    bench.later(HOUR)
    bench.return_key(**UNDER_1)
    bench.later(5 * MINUTE)
    bench.take_key(**UNDER_1)
    after = stored(bench.database)
    assert (after.state, after.taken_ms) == (BookingState.ACTIVE, NOW_MS)
    assert (after.returned_ms, after.hold_until_ms) == (None, None)
    assert [row["kind"] for row in bench.rows(handovers)] == ["taken", "returned", "taken"]
    assert [row["returned_ms"] for row in bench.rows(rentals)] == [NOW_MS + HOUR, None]


def test_a_second_tap_completes_the_booking_and_frees_the_rest(bench: Bench) -> None:
    book(bench.database)
    bench.take_key(**UNDER_1)
    bench.return_key(**UNDER_1)
    bench.later(10_000)
    bench.tell(GrantCompleted, reader="entrance", grant="grant-1", badge="ref-1")
    after = stored(bench.database)
    assert (after.state, after.ended_ms) == (BookingState.COMPLETED, NOW_MS + 10_000)
    assert bench.row(desired_states)["dirty"]
    book(bench.database, 2)  # the same time, free again


def test_the_history_tells_each_step_and_names_the_fact(bench: Bench) -> None:
    book(bench.database)
    bench.take_key(**UNDER_1)
    bench.return_key(**UNDER_1)
    steps = [(row["what"], row["author"], row["detail"]) for row in bench.rows(booking_history)]
    assert steps == [
        ("key_taken", "cabinet cab-a", '{"position":1,"state":"active"}'),
        ("key_returned", "cabinet cab-a", '{"position":2,"state":"returned"}'),
    ]


def test_an_event_that_does_not_fit_leaves_the_booking_and_is_in_its_history(bench: Bench) -> None:
    before = book(bench.database)
    bench.return_key(**UNDER_1)
    assert stored(bench.database) == before
    assert "key_not_taken" in bench.row(booking_history)["detail"]


def test_a_return_without_a_grant_ends_the_booking_that_took_the_key(bench: Bench) -> None:
    book(bench.database)
    bench.take_key(**UNDER_1)
    bench.return_key()  # found by its tag alone
    assert stored(bench.database).state is BookingState.RETURNED
    returned = bench.rows(handovers)[1]
    assert (returned["booking_id"], returned["badge_ref"]) == ("booking-1", "ref-1")


def test_a_rental_is_what_lies_between_taking_and_returning(bench: Bench) -> None:
    book(bench.database)
    start = VehicleReading(age_s=60, odometer_m=1_000_000, energy_percent=80)
    end = VehicleReading(age_s=0, odometer_m=1_042_000, energy_percent=61, charging=True)
    bench.take_key(vehicle=start, **UNDER_1)
    bench.later(HOUR)
    bench.return_key(vehicle=end, **UNDER_1)
    rental = bench.row(rentals)
    assert (rental["odometer_start_m"], rental["odometer_end_m"]) == (1_000_000, 1_042_000)
    assert (rental["energy_start_percent"], rental["energy_end_percent"]) == (80, 61)
    assert (rental["taken_ms"], rental["returned_ms"]) == (NOW_MS, NOW_MS + HOUR)
    assert (rental["vehicle_id"], rental["booking_id"], rental["badge_ref"]) == ("car-1", "booking-1", "ref-1")
    assert bench.row(vehicle_readings) == {
        "vehicle_id": "car-1",
        "at_ms": NOW_MS + HOUR,
        "odometer_m": 1_042_000,
        "energy_percent": 61,
        "charging": True,
        "low_voltage_mv": None,
        "doors_open": None,
        "plugged_in": None,
    }


@pytest.mark.parametrize(
    ("end", "known"),
    [
        ({"age_s": 0}, True),
        ({"age_s": 901}, False),
        ({"age_s": 901, "ignition": True}, False),
        ({"age_s": 901, "ignition": False}, True),
        ({"age_s": 3601, "ignition": False}, False),
    ],
)
def test_a_reading_that_is_no_end_of_the_rental_leaves_it_unknown(
    bench: Bench, end: dict[str, Any], known: bool
) -> None:
    bench.take_key(vehicle=VehicleReading(age_s=7_201, odometer_m=1_000_000, energy_percent=80), **UNDER_1)
    bench.later(HOUR)
    bench.return_key(vehicle=VehicleReading(odometer_m=1_042_000, energy_percent=61, **end), **UNDER_1)
    rental = bench.row(rentals)
    assert (rental["odometer_start_m"], rental["energy_start_percent"]) == (None, None)
    ends = (rental["odometer_end_m"], rental["energy_end_percent"])
    assert ends == ((1_042_000, 61) if known else (None, None))


def test_an_older_reading_does_not_replace_a_newer_one(bench: Bench) -> None:
    bench.take_key(vehicle=VehicleReading(age_s=0, odometer_m=2))
    bench.return_key(vehicle=VehicleReading(age_s=600, odometer_m=1))
    assert bench.row(vehicle_readings)["odometer_m"] == 2


def test_a_key_out_without_a_grant_is_an_incident_until_it_is_back(bench: Bench) -> None:
    bench.take_key(seen_late=True)
    assert incidents(bench.database) == [(IncidentKind.KEY_OUT_WITHOUT_RIGHT, "key-1", True)]
    bench.return_key()
    assert incidents(bench.database) == [(IncidentKind.KEY_OUT_WITHOUT_RIGHT, "key-1", False)]


def test_a_key_that_was_out_and_back_in_one_batch_had_its_incident_too(bench: Bench) -> None:
    bench.box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1")
    bench.box.note(KeyReturned, slot=1, identity=Identity.READ, key="key-1")
    take(bench.database, bench.box.batch())
    assert incidents(bench.database) == [(IncidentKind.KEY_OUT_WITHOUT_RIGHT, "key-1", False)]


@pytest.mark.parametrize("state", ["cancelled", "no_show", "completed"])
def test_a_key_taken_under_a_booking_that_is_over_is_an_incident(bench: Bench, state: str) -> None:
    book(bench.database, state=BookingState(state))
    bench.take_key(**UNDER_1)
    assert incidents(bench.database) == [(IncidentKind.KEY_OUT_WITHOUT_RIGHT, "key-1", True)]
    assert stored(bench.database).state == state


def test_a_key_out_under_an_operators_command_is_no_incident(bench: Bench) -> None:
    order(bench.database)
    bench.take_key(command="order-1")
    assert incidents(bench.database) == []
    assert bench.row(key_states)["command_id"] == "order-1"
    assert bench.row(handovers)["command_id"] == "order-1"
    assert bench.row(rentals)["booking_id"] is None
    bench.return_key()
    key = bench.row(key_states)
    assert (key["state"], key["command_id"]) == ("in_slot", None)
    bench.take_key()
    assert incidents(bench.database) == [(IncidentKind.KEY_OUT_WITHOUT_RIGHT, "key-1", True)]


def test_a_key_that_nothing_had_read_may_leave_under_a_command(bench: Bench) -> None:
    order(bench.database, slot=3)
    bench.take_key(slot=3, key=None, command="order-1")
    assert incidents(bench.database) == []
    bench.take_key(slot=3, key=None, command="of-mars")
    assert incidents(bench.database) == [(IncidentKind.UNIDENTIFIED_KEY_OUT, "cab-a/3", True)]


@pytest.mark.parametrize("cabinet", [None, OTHER_CABINET])
def test_a_command_that_nobody_gave_to_this_cabinet_is_no_right(bench: Bench, cabinet: str | None) -> None:
    if cabinet is not None:
        order(bench.database, cabinet_id=cabinet)
    bench.take_key(command="order-1", seen_late=True)
    assert incidents(bench.database) == [(IncidentKind.KEY_OUT_WITHOUT_RIGHT, "key-1", True)]


def test_a_disk_that_could_not_be_written_for_a_while_is_one_incident_that_is_over(bench: Bench) -> None:
    bench.tell(FactsNotDurable, count=5, lost=2)
    assert incidents(bench.database) == [(IncidentKind.JOURNAL_NOT_DURABLE, CABINET, False)]


def test_another_key_than_the_grants_that_is_somebody_elses_is_an_incident_until_it_is_back(bench: Bench) -> None:
    book(bench.database)
    book(bench.database, 2, vehicle_id="car-2", key_id="key-2", start_ms=NOW_MS + HOUR)
    bench.take_key(slot=2, key="key-2", **UNDER_1)
    assert incidents(bench.database) == [(IncidentKind.WRONG_KEY_TAKEN, "key-2", True)]
    assert stored(bench.database).state is BookingState.ACTIVE
    bench.return_key(slot=2, key="key-2", **UNDER_1)
    assert incidents(bench.database) == [(IncidentKind.WRONG_KEY_TAKEN, "key-2", False)]


def test_a_key_nothing_had_read_that_leaves_without_a_grant_is_an_incident(bench: Bench) -> None:
    bench.take_key(slot=3, key=None)
    assert incidents(bench.database) == [(IncidentKind.UNIDENTIFIED_KEY_OUT, "cab-a/3", True)]
    bench.return_key(slot=3, key=None)
    assert incidents(bench.database) == [(IncidentKind.UNIDENTIFIED_KEY_OUT, "cab-a/3", False)]


def test_a_key_in_the_wrong_slot_is_an_incident_until_it_is_taken_again(bench: Bench) -> None:
    book(bench.database)
    bench.take_key(**UNDER_1)
    bench.return_key(slot=3, lit_slot=1, **UNDER_1)
    assert incidents(bench.database) == [(IncidentKind.KEY_IN_WRONG_SLOT, "key-1", True)]
    assert [row["wrong_slot"] for row in bench.rows(handovers)] == [False, True]
    assert stored(bench.database).state is BookingState.RETURNED
    bench.take_key(slot=3, **UNDER_1)
    assert incidents(bench.database) == [(IncidentKind.KEY_IN_WRONG_SLOT, "key-1", False)]


def test_a_key_hung_home_although_another_slot_was_lit_is_no_incident(bench: Bench) -> None:
    bench.return_key(slot=1, lit_slot=3)
    assert incidents(bench.database) == []
    assert bench.row(handovers)["wrong_slot"] is True


def test_a_key_at_another_station_is_an_incident_until_it_is_taken(bench: Bench) -> None:
    bench.box = FakeBox(OTHER_CABINET)
    bench.return_key(slot=2, lit_slot=2)
    assert incidents(bench.database) == [(IncidentKind.KEY_AT_WRONG_STATION, "key-1", True)]
    assert bench.row(key_states)["cabinet_id"] == OTHER_CABINET
    book(bench.database)
    bench.take_key(slot=2, **UNDER_1)
    assert incidents(bench.database) == [(IncidentKind.KEY_AT_WRONG_STATION, "key-1", False)]


def test_a_key_that_is_brought_home_from_another_station_is_no_incident_any_more(bench: Bench) -> None:
    here, there = bench.box, FakeBox(OTHER_CABINET)
    bench.box = there
    bench.return_key(slot=2)
    bench.box = here
    bench.return_key(slot=3)
    assert incidents(bench.database) == [
        (IncidentKind.KEY_AT_WRONG_STATION, "key-1", False),
        (IncidentKind.KEY_IN_WRONG_SLOT, "key-1", True),
    ]
    bench.return_key(slot=1)
    assert not incidents(bench.database)[1][2]


@pytest.mark.parametrize("seen_late", [False, True])
def test_a_slot_that_nobody_released_is_an_incident_until_it_is_seen_shut(bench: Bench, *, seen_late: bool) -> None:
    bench.tell(DoorOpened, slot=2, released=False, seen_late=seen_late)
    bench.tell(DoorOpened, slot=3, released=True)
    bench.tell(DoorClosed, slot=3)
    assert incidents(bench.database) == [(IncidentKind.SLOT_OPENED_WITHOUT_DECISION, "cab-a/2", True)]
    bench.tell(DoorClosed, slot=2, seen_late=seen_late)
    assert incidents(bench.database) == [(IncidentKind.SLOT_OPENED_WITHOUT_DECISION, "cab-a/2", False)]


def test_a_slot_that_is_shut_in_a_report_is_seen_shut(bench: Bench) -> None:
    bench.tell(DoorOpened, slot=2, released=False)
    for door_open, is_open in ((True, True), (None, True), (False, False)):
        slots = (SlotState(slot=2, key_present=None if door_open is None else True, door_open=door_open),)
        bench.report(slots)
        assert incidents(bench.database) == [(IncidentKind.SLOT_OPENED_WITHOUT_DECISION, "cab-a/2", is_open)]


def test_an_opening_whose_reason_the_box_forgot_is_explained_by_the_ledger(bench: Bench) -> None:
    bench.tell(AccessGranted, reader="entrance", slot=1, purpose=Purpose.TAKE, grant="grant-1", badge="ref-1")
    bench.tell(DoorOpened, slot=1, released=False, seen_late=True)
    bench.tell(DoorOpened, slot=2, released=True)
    bench.tell(DoorOpened, slot=2, released=False, seen_late=True)
    assert incidents(bench.database) == []
    bench.tell(DoorOpened, slot=2, released=False)
    assert len(incidents(bench.database)) == 1, "this one it saw with its own eyes"


def test_a_key_that_comes_leaves_the_slot_where_it_was_thought_to_hang(bench: Bench) -> None:
    bench.return_key(slot=1)
    bench.return_key(slot=2)
    assert [(row["slot"], row["key_id"]) for row in bench.rows(slot_states)] == [(1, None), (2, "key-1")]


def test_doors_open_and_close(bench: Bench) -> None:
    bench.tell(DoorOpened, slot=2, released=True)
    assert bench.row(slot_states)["door_open"] is True
    bench.tell(DoorClosed, slot=2)
    row = bench.row(slot_states)
    assert (row["door_open"], row["key_present"]) == (False, None)


def test_a_stuck_lock_is_an_incident_until_it_opens(bench: Bench) -> None:
    for _ in range(2):
        bench.tell(ReleaseFailed, slot=1, purpose=Purpose.TAKE, pulses=3, last_result="unanswered")
    assert incidents(bench.database) == [(IncidentKind.LOCK_STUCK, "cab-a/1", True)]
    bench.tell(DoorOpened, slot=2, released=True)
    assert incidents(bench.database)[0][2]
    bench.tell(DoorOpened, slot=1, released=True)
    assert incidents(bench.database) == [(IncidentKind.LOCK_STUCK, "cab-a/1", False)]


def test_a_lost_device_is_an_incident_until_it_is_back(bench: Bench) -> None:
    bench.tell(DeviceLost, device="reader-1", why="no answer")
    bench.tell(DeviceLost, device="reader-2", why="no answer")
    bench.tell(DeviceBack, device="reader-1")
    assert incidents(bench.database) == [
        (IncidentKind.DEVICE_LOST, "cab-a/reader-1", False),
        (IncidentKind.DEVICE_LOST, "cab-a/reader-2", True),
    ]
    bench.tell(AgentStarted, boot_nonce="ab" * 16, version="2")
    assert not incidents(bench.database)[1][2]


@pytest.mark.parametrize("online", [True, False])
def test_a_device_that_a_copy_of_the_box_does_not_see_is_back_with_a_report_of_the_box(
    bench: Bench, *, online: bool
) -> None:
    bench.tell(DeviceLost, device="cabinet", why="not seen since start")
    bench.report((), devices=(DeviceState(device="cabinet", online=online),))
    assert incidents(bench.database) == [(IncidentKind.DEVICE_LOST, f"{bench.box.cabinet}/cabinet", not online)]


def test_a_refusal_is_kept_with_its_reason(bench: Bench) -> None:
    bench.tell(AccessRefused, reader="entrance", reason=Reason.TOO_EARLY, badge="ref-1")
    row = bench.row(refusals)
    assert (row["reason"], row["badge_ref"], row["at_ms"]) == ("too_early", "ref-1", NOW_MS)


def test_facts_about_keys_grants_and_badges_that_nobody_knows_are_applied_as_told(bench: Bench) -> None:
    bench.take_key(slot=9, key="key-of-mars", grant="grant-of-mars", badge="ref-of-mars")
    bench.return_key(slot=9, key="key-of-mars", grant="grant-of-mars")
    bench.tell(GrantCompleted, reader="entrance", grant="grant-of-mars", badge="ref-of-mars")
    assert [row["key_id"] for row in bench.rows(handovers)] == ["key-of-mars"] * 2
    assert incidents(bench.database) == [(IncidentKind.KEY_OUT_WITHOUT_RIGHT, "key-of-mars", False)]


def test_an_active_booking_is_never_stopped_by_one_that_follows(bench: Bench) -> None:
    book(bench.database, 1)
    book(bench.database, 2, start_ms=NOW_MS + 2 * HOUR)
    bench.take_key(**UNDER_1)
    bench.later(3 * HOUR)
    bench.return_key(**UNDER_1)
    bench.take_key(**UNDER_1)
    assert stored(bench.database, 1).state is BookingState.ACTIVE


def test_a_booking_completed_by_hand_stays_completed(bench: Bench) -> None:
    book(bench.database)
    bench.take_key(**UNDER_1)
    done = update(bookings).values(state="completed")
    bench.database.write_now(lambda connection: connection.execute(done))
    bench.return_key(**UNDER_1)
    assert stored(bench.database).state is BookingState.COMPLETED
    assert bench.row(key_states)["state"] == "in_slot"


def test_a_clock_that_is_not_trusted_dates_nothing(bench: Bench) -> None:
    book(bench.database)
    bench.take_key(**UNDER_1)
    heard_ms = NOW_MS + HOUR
    for told_ms in (0, NOW_MS + 9_999 * HOUR):
        bench.box.now_ms, bench.box.clock_trusted = told_ms, False
        seq = bench.box.note(KeyReturned, slot=1, identity=Identity.READ, key="key-1", **UNDER_1)
        take(bench.database, bench.box.batch(seq), now_ms=heard_ms)
        after = stored(bench.database)
        assert (after.returned_ms, after.hold_until_ms) == (heard_ms, heard_ms + 10 * MINUTE)
        bench.take_key(**UNDER_1)


def test_no_fact_happens_later_than_it_is_heard(bench: Bench) -> None:
    bench.box.now_ms = NOW_MS + HOUR
    seq = bench.box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1")
    take(bench.database, bench.box.batch(seq), now_ms=NOW_MS)
    assert bench.row(rentals)["taken_ms"] == NOW_MS


def test_a_return_elsewhere_that_is_heard_before_the_take_ends_the_booking(bench: Bench) -> None:
    book(bench.database)
    here, there = bench.box, FakeBox(OTHER_CABINET, now_ms=NOW_MS + HOUR)
    bench.box = there
    bench.return_key(slot=2)
    here.now_ms = NOW_MS + MINUTE
    seq = here.note(KeyTaken, slot=1, identity=Identity.PRESUMED, key="key-1", **UNDER_1)
    take(bench.database, here.batch(seq), now_ms=NOW_MS + 2 * HOUR)
    after = stored(bench.database)
    assert (after.state, after.taken_ms, after.returned_ms) == (
        BookingState.RETURNED,
        NOW_MS + MINUTE,
        NOW_MS + HOUR,
    )
    key = bench.row(key_states)
    assert (key["state"], key["cabinet_id"], key["slot"]) == ("in_slot", OTHER_CABINET, 2)
    assert bench.row(rentals)["returned_ms"] == NOW_MS + HOUR


def test_a_key_that_an_operator_has_driven_home_is_not_brought_back_by_who_had_left_it_elsewhere(
    bench: Bench,
) -> None:
    book(bench.database)
    here, there = bench.box, FakeBox(OTHER_CABINET)
    bench.take_key(**UNDER_1)
    bench.box = there
    bench.return_key(slot=2)
    order(bench.database, cabinet_id=OTHER_CABINET, slot=2)
    bench.take_key(slot=2, command="order-1")
    bench.box = here
    bench.return_key(**UNDER_1)  # as its box remembers it
    last = bench.rows(handovers)[-1]
    assert (last["kind"], last["booking_id"], last["badge_ref"]) == ("returned", None, None)
    assert stored(bench.database).returned_ms == NOW_MS
    assert incidents(bench.database) == [(IncidentKind.KEY_AT_WRONG_STATION, "key-1", False)]


def test_a_return_of_nothing_known_ends_nobodys_rental(bench: Bench) -> None:
    bench.take_key()
    bench.box = FakeBox(OTHER_CABINET)
    bench.tell(KeyReturned, slot=2, identity=Identity.UNKNOWN)
    assert bench.row(rentals)["returned_ms"] is None


def test_a_key_nothing_had_read_is_back_also_in_another_slot(bench: Bench) -> None:
    bench.take_key(slot=1, key=None)
    bench.return_key(slot=3)
    assert incidents(bench.database)[0] == (IncidentKind.UNIDENTIFIED_KEY_OUT, "cab-a/1", False)
