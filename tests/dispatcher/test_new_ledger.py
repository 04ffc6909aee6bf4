"""A network that begins on another database: what comes back by itself, what does not (docs/to-postgresql.md)."""

from random import Random

from sqlalchemy import select

from contract.facts import Identity, KeyReturned, KeyTaken
from dispatcher.store.bookings import booking_by_id
from dispatcher.store.ledger import facts_of, ledger_id
from dispatcher.store.schema import key_states, rentals
from tests.dispatcher.small_fleet import HOUR, NOW_MS, book, incidents, new_database
from tests.dispatcher.test_put_back import Box

__all__ = ["new_database"]  # by which conftest knows that these run on both databases


def test_boxes_tell_an_empty_ledger_what_they_keep_and_bookings_are_not_in_it() -> None:
    old = new_database()
    old.write_now(lambda connection: ledger_id(connection, Random(1).randbytes))
    book(old, start_ms=NOW_MS, end_ms=NOW_MS + 48 * HOUR)
    book(
        old, 2, vehicle_id="car-2", key_id="key-2", member_id="member-2", start_ms=NOW_MS, end_ms=NOW_MS + 24 * HOUR
    )
    box = Box()
    box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", grant="grant-1", badge="ref-1")
    box.note(KeyTaken, slot=2, identity=Identity.READ, key="key-2", grant="grant-2", badge="ref-2")
    box.note(KeyReturned, slot=1, identity=Identity.READ, key="key-1", lit_slot=1, grant="grant-1", badge="ref-1")
    box.send(old)

    new = new_database()
    new.write_now(lambda connection: ledger_id(connection, Random(2).randbytes))
    box.acknowledged_seq = 0  # what the new ledger says of itself
    box.send(new)
    assert new.read_now(facts_of) == old.read_now(facts_of)
    states = new.read_now(lambda c: c.execute(select(key_states.c.key_id, key_states.c.state)).all())
    assert {("key-1", "in_slot"), ("key-2", "taken")} <= {(row.key_id, row.state) for row in states}
    ended = new.read_now(lambda c: c.execute(select(rentals.c.key_id, rentals.c.booking_id)).all())
    assert ("key-1", None) in [(row.key_id, row.booking_id) for row in ended], "not what it was booked as"
    assert new.read_now(lambda connection: booking_by_id(connection, "booking-1")) is None
    assert ("key_out_without_right", "key-2", True) in incidents(new)
