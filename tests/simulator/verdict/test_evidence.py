"""The verdict over real tables: what the story tells is written as a dispatcher writes it, then read back."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import Connection, delete, insert, update

from contract.facts import FactBase
from dispatcher.importing.files import read_document
from dispatcher.store import schema
from dispatcher.store.database import Database
from dispatcher.store.importing import import_rows
from dispatcher.store.migrate import migrate_engine
from dispatcher.store.origin import Origin
from runtime.executor import InlineExecutor
from simulator.network.draws import stream
from simulator.network.import_document import import_document
from simulator.network.wiring import slot_numbers
from simulator.verdict import read_evidence
from tests.simulator.verdict.story import (
    CABINET,
    KEY,
    NETWORK,
    OWNER,
    START_MS,
    Story,
    good_rental,
    only_broken,
)

END_S = 2700


@pytest.fixture
def database() -> Iterator[Database]:
    """The network, imported as `dispatcher import` does it, and a good rental."""
    database = Database("sqlite://", InlineExecutor(), origin=Origin(b"o" * 32))
    migrate_engine(database.engine)
    rows, faults = read_document(import_document(NETWORK, {}), "lilas.json")
    assert not faults
    random_bytes = stream(1, "test").randbytes
    database.write_now(lambda connection: import_rows(connection, rows, START_MS, random_bytes))
    database.write_now(lambda connection: write(connection, good_rental()))
    yield database
    database.close()


def write(connection: Connection, story: Story) -> None:
    """The tables as a dispatcher would have them after this story."""
    for booking in story.bookings:
        times = {"taken_ms": None, "returned_ms": None, "hold_until_ms": None, "ended_ms": booking.ended_ms}
        row = {
            "id": booking.id,
            "grant_id": f"grant-{booking.id}",
            "member_id": OWNER.id,
            "vehicle_id": booking.vehicle,
            "station_id": NETWORK.stations[0].id,
            "cabinet_id": booking.cabinet,
            "key_id": booking.key,
            "start_ms": booking.start_ms,
            "end_ms": booking.end_ms,
            "original_start_ms": booking.start_ms,
            "take_by_ms": booking.take_by_ms,
            "state": booking.state,
            "created_ms": booking.created_ms,
            "changed_ms": booking.created_ms,
            "version": 1,
        }
        connection.execute(insert(schema.bookings).values(row | times))
    for told in story.ledger:
        assert isinstance(told.fact, FactBase)
        row = {
            "cabinet_id": told.cabinet,
            "epoch": told.epoch,
            "seq": told.seq,
            "at_ms": told.fact.at_ms,
            "received_ms": told.fact.at_ms,
            "kind": getattr(told.fact, "kind", "?"),
            "text": told.fact.to_json(),
            "hash": "0" * 64,
        }
        connection.execute(insert(schema.facts).values(row))
    write_picture(connection, story)


def write_picture(connection: Connection, story: Story) -> None:
    for slot in slot_numbers():
        key = story.hooks.get(slot)
        row = {"cabinet_id": CABINET, "slot": slot, "key_present": key is not None, "key_id": key}
        door = {"door_open": slot in story.open_slots, "changed_ms": START_MS}
        connection.execute(insert(schema.slot_states).values(row | door))
        if key is not None:
            place = {"key_id": key, "state": "in_slot", "cabinet_id": CABINET, "slot": slot}
            connection.execute(insert(schema.key_states).values(place | {"identity": "read", "since_ms": START_MS}))


def test_what_is_read_from_the_tables_is_what_the_story_told(database: Database) -> None:
    evidence = database.read_now(read_evidence)
    story = good_rental()
    told = story.evidence()
    assert tuple(replace(booking, returned_ms=None) for booking in evidence.bookings) == told.bookings
    assert tuple(replace(row, hash="") for row in evidence.ledger) == told.ledger
    assert all(row.hash for row in evidence.ledger)
    assert evidence.slots == told.slots
    assert evidence.keys == told.keys
    assert {it: (badge.member, badge.is_active) for it, badge in evidence.badges.items()} == {
        it: (badge.member, badge.is_active) for it, badge in told.badges.items()
    }
    assert story.verdict(END_S, evidence).held


def test_drivers_are_read_with_their_booking(database: Database) -> None:
    driver = next(member for member in NETWORK.members if member.id != OWNER.id)
    row = {"booking_id": "booking-1", "member_id": driver.id}
    database.write_now(lambda connection: connection.execute(insert(schema.booking_drivers).values(row)))
    (booking,) = database.read_now(read_evidence).bookings
    assert booking.people == {OWNER.id, driver.id}


def test_a_fact_deleted_from_the_ledger_is_missed(database: Database) -> None:
    lost = delete(schema.facts).where(schema.facts.c.kind == "key_returned")
    database.write_now(lambda connection: connection.execute(lost))
    found = only_broken(good_rental().verdict(END_S, database.read_now(read_evidence)), "no_fact_lost_or_doubled")
    assert any("missing in the ledger" in text and "key_inserted" in text for text in found)


def test_a_fact_whose_text_was_spoilt_is_missed_and_named(database: Database) -> None:
    spoilt = update(schema.facts).where(schema.facts.c.kind == "key_taken").values(text='{"kind":"key_taken"}')
    database.write_now(lambda connection: connection.execute(spoilt))
    found = only_broken(good_rental().verdict(END_S, database.read_now(read_evidence)), "no_fact_lost_or_doubled")
    assert any("missing in the ledger" in text for text in found)
    assert any("unreadable at position" in text for text in found)


def test_incidents_refusals_and_handovers_are_read(database: Database) -> None:
    def plant(connection: Connection) -> None:
        incident = {"kind": "device_lost", "subject": f"{CABINET}/locks", "severity": "urgent", "seen": "silence"}
        times = {"opened_ms": START_MS, "updated_ms": START_MS, "expected": "answers"}
        connection.execute(insert(schema.incidents).values(incident | times))
        place = {"position": 1, "cabinet_id": CABINET, "at_ms": START_MS}
        connection.execute(insert(schema.refusals).values(place | {"reason": "too_early"}))
        handover = {"kind": "taken", "slot": 1, "key_id": KEY.id, "identity": "read", "wrong_slot": False}
        connection.execute(insert(schema.handovers).values(place | handover))

    database.write_now(plant)
    verdict = good_rental().verdict(END_S, database.read_now(read_evidence))
    (found,) = only_broken(verdict, "picture_converges")
    assert "device_lost" in found
    assert "silence" in found
    assert verdict.refusals == {"too_early": 1}
    assert verdict.handovers == {"taken": 1, "returned": 0}
