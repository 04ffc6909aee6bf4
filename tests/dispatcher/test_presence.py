"""Which word of a cabinet is the newest, and what its reports change."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from contract.facts import DoorOpened, EpochStarted, Identity, KeyTaken, VehicleReading
from contract.messages import Presence, Reported, SlotState, VehicleState
from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import IncidentKind
from dispatcher.core.presence import KnownBoot, is_stale_presence, is_stale_report
from dispatcher.store import reports
from dispatcher.store.database import Database
from dispatcher.store.links import keep_presence, keep_reported, registered_keys
from dispatcher.store.reports import apply_reports
from dispatcher.store.schema import (
    cabinet_links,
    desired_states,
    key_states,
    rentals,
    slot_states,
    vehicle_readings,
)
from tests.contract.keys import public_text
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.small_fleet import (
    BOX_SEED,
    CABINET,
    NOW_MS,
    OTHER_BOX_SEED,
    OTHER_CABINET,
    RULES,
    book,
    incidents,
    new_database,
    stored,
    take,
)

FIRST, SECOND = "b1" * 16, "b2" * 16


def presence(*, online: bool, nonce: str = FIRST, boot_ms: int = 100, connection: int = 1) -> Presence:
    return Presence(
        cabinet=CABINET, online=online, boot_nonce=nonce, boot_ms=boot_ms, connection=connection, version="1"
    )


@pytest.mark.parametrize(
    ("message", "stale"),
    [
        (presence(online=False, connection=3), False),  # the will of the connection that is known
        (presence(online=False, connection=2), True),  # of an earlier one
        (presence(online=True, connection=2), True),
        (presence(online=True, connection=4), False),
        (presence(online=False, nonce=SECOND, boot_ms=99), True),  # of an earlier boot
        (presence(online=False, nonce=SECOND, boot_ms=101), True),  # of one whose clock was ahead
        (presence(online=True, nonce=SECOND, boot_ms=101), False),
        (presence(online=True, nonce=SECOND, boot_ms=5), False),  # a box whose clock was set back
    ],
)
def test_a_will_of_an_older_boot_or_connection_is_stale(message: Presence, stale: bool) -> None:
    assert is_stale_presence(message, KnownBoot(FIRST, 100, 3)) is stale


@pytest.mark.parametrize(
    ("nonce", "boot_ms", "revision", "present", "stale"),
    [
        (FIRST, 100, 6, FIRST, True),
        (FIRST, 100, 7, FIRST, False),
        (FIRST, 100, 8, FIRST, False),
        (SECOND, 101, 1, FIRST, False),
        (SECOND, 99, 9, FIRST, True),
        (SECOND, 99, 1, SECOND, False),  # the clock went back, the boot is the present one
    ],
)
def test_a_report_is_judged_by_its_boot_and_revision(
    nonce: str, boot_ms: int, revision: int, present: str, *, stale: bool
) -> None:
    message = FakeBox().report(boot_nonce=nonce, boot_ms=boot_ms, revision=revision)
    assert is_stale_report(message, KnownBoot(FIRST, 100, 7), present) is stale


def test_what_was_never_heard_is_not_stale() -> None:
    assert not is_stale_presence(presence(online=False), None)
    assert not is_stale_report(FakeBox().report(), None, None)


def tell(database: Database, *messages: Presence | Reported, now_ms: int = NOW_MS) -> list[bool]:
    """What was kept."""
    kept = []
    for message in messages:
        if isinstance(message, Presence):
            kept.append(database.write_now(partial(keep_presence, presence=message, now_ms=now_ms)))
        else:
            kept.append(database.write_now(partial(keep_reported, reported=message, now_ms=now_ms)).is_newest)
            database.write_now(lambda c: apply_reports(c, RULES, now_ms))
    return kept


def rows(database: Database, table: Any) -> list[dict[str, Any]]:
    statement = select(table).order_by(*table.primary_key)
    return database.read_now(lambda c: [row._asdict() for row in c.execute(statement)])


def test_a_late_will_does_not_take_a_cabinet_offline() -> None:
    database, box = new_database(), FakeBox()
    old_will = box.presence(online=False)
    box.connection = 2
    assert tell(database, box.presence(), old_will) == [True, False]
    assert rows(database, cabinet_links)[0]["online"] is True


def test_how_long_it_is_offline_counts_from_the_first_word_of_it() -> None:
    database, box = new_database(), FakeBox()
    tell(database, box.presence())
    tell(database, box.presence(online=False), now_ms=NOW_MS + 1000)
    tell(database, box.presence(online=False), now_ms=NOW_MS + 9000)
    assert rows(database, cabinet_links)[0]["presence_ms"] == NOW_MS + 1000


def test_a_new_boot_makes_its_desired_state_dirty_for_the_echo() -> None:
    database, box = new_database(), FakeBox()
    tell(database, box.presence())
    assert rows(database, desired_states)[0]["dirty"]


def test_an_older_report_changes_nothing() -> None:
    database, box = new_database(), FakeBox()
    first, second = box.report(desired_version=1), box.report(desired_version=2)
    assert tell(database, second, first) == [True, False]
    assert rows(database, cabinet_links)[0]["desired_version_held"] == 2


def hanging(slot: int, key: str | None, *, present: bool | None = True) -> SlotState:
    return SlotState(
        slot=slot,
        key_present=present,
        door_open=None if present is None else False,
        key=key,
        identity="presumed" if key else None,
    )


def boxed(database: Database, slots: tuple[SlotState, ...]) -> FakeBox:
    """A box with one fact applied and these slots reported."""
    box = FakeBox()
    box.note(DoorOpened, slot=3, released=True)
    take(database, box.batch())
    box.slots = slots
    tell(database, box.report())
    return box


def test_keys_that_hang_since_before_the_first_fact_are_known_by_the_report() -> None:
    database = new_database()
    boxed(database, (hanging(1, "key-1"), hanging(2, None), hanging(3, None, present=False)))
    (key,) = rows(database, key_states)
    assert (key["key_id"], key["state"], key["slot"], key["identity"]) == ("key-1", "in_slot", 1, "presumed")
    slots = {row["slot"]: row["key_present"] for row in rows(database, slot_states)}
    assert slots == {1: True, 2: True, 3: False}
    assert incidents(database) == []


def test_a_report_waits_for_the_facts_that_it_includes() -> None:
    database, box = new_database(), FakeBox()
    box.note(DoorOpened, slot=3, released=True)
    box.slots = (hanging(1, "key-1"),)
    tell(database, box.report())
    assert rows(database, key_states) == []
    take(database, box.batch())
    database.write_now(lambda c: apply_reports(c, RULES, NOW_MS))
    assert len(rows(database, key_states)) == 1


def test_a_report_that_facts_have_overtaken_says_nothing() -> None:
    database, box = new_database(), FakeBox()
    box.slots = (hanging(1, "key-1"),)
    before = box.report(seq=0)
    box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", grant="grant-x")
    take(database, box.batch())
    tell(database, before)
    assert rows(database, key_states)[0]["state"] == "taken"


def test_slots_that_the_cabinet_has_not_seen_yet_say_nothing() -> None:
    database = new_database()
    box = boxed(database, (hanging(1, "key-1"),))
    box.slots = (hanging(1, None, present=None),)
    tell(database, box.report())
    assert rows(database, key_states)[0]["state"] == "in_slot"


def test_a_key_that_is_gone_though_no_fact_says_so_is_missing_until_it_hangs_again() -> None:
    database = new_database()
    box = boxed(database, (hanging(1, "key-1"),))
    box.slots = (hanging(1, None, present=False),)
    tell(database, box.report())
    assert rows(database, key_states)[0]["state"] == "missing"
    assert incidents(database) == [(IncidentKind.KEY_MISSING, "key-1", True)]
    box.slots = (hanging(1, "key-1"),)
    tell(database, box.report())
    assert rows(database, key_states)[0]["state"] == "in_slot"
    assert incidents(database) == [(IncidentKind.KEY_MISSING, "key-1", False)]


def test_a_key_that_moved_between_slots_is_not_missing_on_the_way() -> None:
    database = new_database()
    box = boxed(database, (hanging(2, "key-1"),))
    box.slots = (hanging(1, "key-1"), hanging(2, None, present=False))
    tell(database, box.report())
    assert rows(database, key_states)[0]["slot"] == 1
    assert incidents(database) == [(IncidentKind.KEY_IN_WRONG_SLOT, "key-1", False)]


def test_a_presumption_does_not_contradict_a_fact_but_a_tag_that_was_read_does() -> None:
    database, box = new_database(), FakeBox()
    box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", grant="grant-x")
    take(database, box.batch())
    box.slots = (hanging(1, "key-1"),)
    tell(database, box.report())
    assert rows(database, key_states)[0]["state"] == "taken"
    box.slots = (hanging(1, "key-1").model_copy(update={"identity": "read"}),)
    tell(database, box.report())
    assert rows(database, key_states)[0]["state"] == "in_slot"


def test_a_box_has_no_say_on_vehicles_of_other_cabinets() -> None:
    database, box = new_database(), FakeBox()
    state = VehicleState(vehicle="car-3", reading=VehicleReading(age_s=3, odometer_m=7))
    tell(database, box.report(vehicles=(state,)))
    assert rows(database, vehicle_readings) == []


def test_reported_signals_of_vehicles_are_kept() -> None:
    database, box = new_database(), FakeBox()
    state = VehicleState(vehicle="car-1", reading=VehicleReading(age_s=3, odometer_m=7))
    tell(database, box.report(vehicles=(state,)))
    (row,) = rows(database, vehicle_readings)
    assert (row["vehicle_id"], row["odometer_m"], row["at_ms"]) == ("car-1", 7, NOW_MS - 3000)


def test_registered_keys_are_those_of_cabinets_in_use() -> None:
    assert new_database().read_now(registered_keys) == {
        CABINET: public_text(BOX_SEED),
        OTHER_CABINET: public_text(OTHER_BOX_SEED),
    }


def test_a_key_that_is_reported_in_its_slot_ends_its_booking() -> None:
    database, box = new_database(), FakeBox()
    book(database)
    box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", grant="grant-1", badge="ref-1")
    take(database, box.batch())
    new = FakeBox(epoch="e2" * 16, now_ms=NOW_MS + 60_000)  # its journal was lost with the return in it
    new.boot_nonce = SECOND
    new.note(EpochStarted, why="new_journal")
    take(database, new.batch(), now_ms=new.now_ms)
    new.slots = (SlotState(slot=1, key_present=True, door_open=False, key="key-1", identity="read"),)
    tell(database, new.report(), now_ms=new.now_ms)
    after = stored(database)
    assert (after.state, after.returned_ms) == (BookingState.RETURNED, new.now_ms)
    assert rows(database, rentals)[0]["returned_ms"] == new.now_ms


def test_a_reading_under_a_clock_that_is_not_trusted_blocks_no_later_one() -> None:
    database, box = new_database(), FakeBox()
    for at_ms, odometer_m in ((NOW_MS + 10**12, 1000), (NOW_MS, 2000)):
        box.clock_trusted, box.now_ms = at_ms == NOW_MS, at_ms
        state = VehicleState(vehicle="car-1", reading=VehicleReading(age_s=0, odometer_m=odometer_m))
        tell(database, box.report(vehicles=(state,)), now_ms=NOW_MS + odometer_m)
        box.now_ms = NOW_MS + odometer_m
    tell(database, box.report(at_ms=NOW_MS + 2001, vehicles=(state,)), now_ms=NOW_MS + 2001)
    assert rows(database, vehicle_readings)[0]["odometer_m"] == 2000


def test_a_report_that_cannot_be_applied_stops_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise OverflowError("nobody foresaw this")

    database = new_database()
    monkeypatch.setattr(reports, "_apply_report", broken)
    boxed(database, (hanging(1, "key-1"),))
    assert rows(database, cabinet_links)[0]["reported_applied"] is True
    assert rows(database, key_states) == []


def test_a_report_of_a_later_connection_says_that_the_cabinet_is_online_though_its_presence_was_lost() -> None:
    database = new_database()

    def tell(message: Presence | Reported) -> bool:
        keep = keep_presence if isinstance(message, Presence) else keep_reported
        database.write_now(lambda connection: keep(connection, message, NOW_MS))  # type: ignore[arg-type]  # its own kind
        return bool(database.read_now(lambda c: c.execute(select(cabinet_links.c.online)).scalar_one()))

    assert tell(presence(online=True, connection=3))
    assert not tell(presence(online=False, connection=3))
    assert not tell(FakeBox().report(boot_nonce=FIRST, boot_ms=100, connection=3, revision=7))
    assert tell(FakeBox().report(boot_nonce=FIRST, boot_ms=100, connection=4, revision=8))
    assert not tell(presence(online=False, connection=4))
    assert tell(FakeBox().report(boot_nonce=SECOND, boot_ms=101, connection=1, revision=1))
