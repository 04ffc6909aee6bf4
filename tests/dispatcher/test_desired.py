"""The stored desired state: computed when dirty, numbered when different, remembered grant by grant."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from contract.envelope import verify
from contract.facts import DoorOpened, Identity, KeyTaken
from contract.messages import Desired
from contract.topics import DESIRED, Author, ParsedTopic
from contract.values import COUNT_MAX
from dispatcher.core.booking_states import BookingState
from dispatcher.core.grants import Material
from dispatcher.store import desired as desired_store
from dispatcher.store.bookings import update_booking
from dispatcher.store.database import Database
from dispatcher.store.desired import DesiredMaker, mark_dirty, mark_unknown_dirty, told, wire_of
from dispatcher.store.grant_status import grant_statuses
from dispatcher.store.links import keep_presence, keep_reported
from dispatcher.store.material import material_of
from dispatcher.store.origin import with_origin
from dispatcher.store.schema import desired_grants, desired_states, keys
from tests.contract.keys import verify_key
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.fake_link import DISPATCHER, dispatcher_signer
from tests.dispatcher.small_fleet import (
    CABINET,
    DISPATCHER_SEED,
    HOUR,
    NOW_MS,
    OTHER_CABINET,
    RULES,
    book,
    new_database,
    stored,
    take,
)

MAKER = DesiredMaker(RULES, b"m" * 32, dispatcher_signer().sign)

REFUSED = select(desired_states.c.refused).order_by(desired_states.c.cabinet_id)


def refresh(database: Database, now_ms: int = NOW_MS, stale_ms: int = 0, limit: int = 10) -> int:
    return database.write_now(lambda connection: MAKER.refresh(connection, now_ms, stale_ms, limit))


def dirty(database: Database, cabinet: str = CABINET) -> None:
    database.write_now(lambda connection: mark_dirty(connection, cabinet))


def desired(database: Database, cabinet: str = CABINET) -> Desired:
    """The stored message, verified as its box verifies it."""
    version, wire = database.read_now(lambda connection: wire_of(connection, [cabinet]))[cabinet]
    key = verify_key(Author.DISPATCHER, DISPATCHER, DISPATCHER_SEED)
    message = verify(wire.encode(), ParsedTopic(DESIRED, cabinet), {f"dispatcher/{DISPATCHER}": key}.get)
    assert isinstance(message, Desired)
    assert message.version == version
    return message


def rewrite(database: Database, number: int, **changes: Any) -> None:
    changed = replace(stored(database, number), **changes)
    assert database.write_now(lambda connection: update_booking(connection, changed))


def move_key(connection: Connection, key_id: str, **columns: Any) -> None:
    """As an import does."""
    row = connection.execute(select(keys).where(keys.c.id == key_id)).mappings().one()
    values = with_origin(connection, keys, {**row, **columns})
    connection.execute(update(keys).where(keys.c.id == key_id).values(values))


def since(database: Database) -> dict[str, int]:
    statement = select(desired_grants.c.grant_id, desired_grants.c.since_version)
    return {row[0]: row[1] for row in database.read_now(lambda c: c.execute(statement).all())}


def test_every_cabinet_in_use_gets_a_desired_state() -> None:
    database = new_database()
    assert database.read_now(told) == []
    database.write_now(mark_unknown_dirty)
    assert refresh(database) == 2
    assert [state.cabinet_id for state in database.read_now(told)] == [CABINET, OTHER_CABINET]
    assert desired(database, OTHER_CABINET).grants == ()
    assert refresh(database) == 0


def test_a_booking_reaches_the_desired_state_of_its_cabinet() -> None:
    database = new_database()
    book(database)
    dirty(database)
    refresh(database)
    (grant,) = desired(database).grants
    assert (grant.grant, grant.badges, grant.key) == ("grant-1", ("ref-1",), "key-1")
    assert [key.key for key in desired(database).keys] == ["key-1", "key-2", "key-3"]


def test_a_drivers_badge_is_in_the_grant() -> None:
    database = new_database()
    book(database, driver_ids=("member-2",))
    dirty(database)
    refresh(database)
    assert desired(database).grants[0].badges == ("ref-1", "ref-2")


def test_the_version_is_the_time_and_moves_only_with_the_content() -> None:
    database = new_database()
    dirty(database)
    refresh(database, NOW_MS)
    dirty(database)
    assert refresh(database, NOW_MS + 5) == 1
    assert desired(database).version == NOW_MS
    book(database)
    dirty(database)
    refresh(database, NOW_MS)  # the clock stands still
    assert desired(database).version == NOW_MS + 1


def test_a_box_that_holds_more_than_we_remember_gets_a_newer_version() -> None:
    database, box = new_database(), FakeBox()
    box.desired_version = NOW_MS + HOUR
    database.write_now(lambda connection: keep_reported(connection, box.report(), NOW_MS))
    dirty(database)
    refresh(database)
    assert desired(database).version == NOW_MS + HOUR + 1


def test_a_grant_keeps_the_version_that_first_carried_it_until_it_changes() -> None:
    database = new_database()
    book(database, 1)
    dirty(database)
    refresh(database, NOW_MS)
    book(database, 2, start_ms=NOW_MS + 2 * HOUR)
    dirty(database)
    refresh(database, NOW_MS + 5)
    assert since(database) == {"grant-1": NOW_MS, "grant-2": NOW_MS + 5}
    rewrite(database, 1, end_ms=NOW_MS + HOUR)
    dirty(database)
    refresh(database, NOW_MS + 9)
    assert since(database) == {"grant-1": NOW_MS + 9, "grant-2": NOW_MS + 5}
    for number in (1, 2):
        rewrite(database, number, state=BookingState.CANCELLED)
    dirty(database)
    refresh(database, NOW_MS + 11)
    assert since(database) == {}


def test_a_new_boot_is_echoed_under_a_new_version() -> None:
    database, box = new_database(), FakeBox()
    dirty(database)
    refresh(database)
    database.write_now(lambda connection: keep_presence(connection, box.presence(), NOW_MS))
    refresh(database, NOW_MS + 5)
    assert (desired(database).boot_nonce, desired(database).version) == (box.boot_nonce, NOW_MS + 5)


def test_a_grant_enters_the_horizon_by_time_alone() -> None:
    database = new_database()
    far_ms = NOW_MS + 8 * 24 * HOUR
    book(database, start_ms=far_ms)
    dirty(database)
    refresh(database)
    assert desired(database).grants == ()
    later_ms = NOW_MS + 25 * HOUR
    assert refresh(database, later_ms, stale_ms=NOW_MS) == 0
    assert refresh(database, later_ms, stale_ms=NOW_MS + 1) == 1
    assert len(desired(database).grants) == 1


def test_a_round_takes_the_dirty_ones_first_and_no_more_than_it_may() -> None:
    database = new_database()
    dirty(database, OTHER_CABINET)
    refresh(database)
    dirty(database)
    assert refresh(database, stale_ms=NOW_MS + 1, limit=1) == 1
    assert desired(database, CABINET).version == NOW_MS


def test_a_row_that_the_contract_refuses_is_named_and_the_box_keeps_what_it_has() -> None:
    database = new_database()
    dirty(database)
    dirty(database, OTHER_CABINET)
    refresh(database)
    before = desired(database)
    database.write_now(lambda connection: move_key(connection, "key-1", home_slot=999))
    dirty(database)
    assert refresh(database, NOW_MS + 5) == 1
    assert desired(database) == before
    refused = select(desired_states.c.refused).where(desired_states.c.cabinet_id == CABINET)
    text = database.read_now(lambda connection: connection.execute(refused).scalar_one())
    assert "home_slot" in text
    assert refresh(database, NOW_MS + 5) == 0  # not tried again in a spin


def test_facts_do_not_make_a_desired_state_dirty_unless_a_right_ended() -> None:
    database, box = new_database(), FakeBox()
    box.note(DoorOpened, slot=1, released=True)
    take(database, box.batch())
    assert database.read_now(lambda connection: connection.execute(select(desired_states)).all()) == []


def version(database: Database) -> int:
    return next(state.version for state in database.read_now(told) if state.cabinet_id == CABINET)


def status(database: Database) -> str:
    return database.read_now(lambda c: grant_statuses(c, [stored(database)]))["booking-1"]


def holding(database: Database, held: int, now_ms: int = NOW_MS) -> FakeBox:
    """The box says that it holds a version."""
    box = FakeBox(now_ms=now_ms)
    box.desired_version = held
    database.write_now(lambda c: keep_reported(c, box.report(), now_ms))
    return box


def test_a_dispatcher_that_was_put_back_overrules_what_the_box_holds() -> None:
    database = new_database()
    book(database)
    dirty(database)
    refresh(database)
    newer = version(database) + 5000
    holding(database, newer)
    assert status(database) != "on_box"
    assert refresh(database) == 1  # the report made it dirty
    assert version(database) > newer
    assert status(database) != "on_box"
    holding(database, version(database))
    assert status(database) == "on_box"
    assert refresh(database) == 0


def test_a_right_that_could_not_be_told_anew_is_not_on_the_box() -> None:
    database = new_database()
    booked = book(database)
    dirty(database)
    refresh(database)
    holding(database, version(database))
    changed = replace(booked, end_ms=NOW_MS + HOUR, changed_ms=NOW_MS - 1)  # our clock stepped back
    database.write_now(lambda connection: move_key(connection, "key-2", home_slot=999))
    database.write_now(lambda connection: update_booking(connection, changed))
    assert status(database) != "on_box"
    dirty(database)
    refresh(database, NOW_MS + 1)
    assert status(database) != "on_box"


def test_a_key_that_was_taken_leaves_its_right_on_the_box() -> None:
    database, box = new_database(), FakeBox()
    book(database)
    dirty(database)
    refresh(database)
    holding(database, version(database))
    box.note(KeyTaken, slot=1, identity=Identity.READ, key="key-1", grant="grant-1", badge="ref-1")
    take(database, box.batch())
    refresh(database)
    assert status(database) == "on_box"


def test_a_box_that_holds_the_greatest_version_there_is_is_refused_alone() -> None:
    database = new_database()
    holding(database, COUNT_MAX)
    database.write_now(mark_unknown_dirty)
    assert refresh(database) == 2
    refused = database.read_now(lambda c: c.execute(REFUSED).scalars().all())
    assert [text is None for text in refused] == [False, True]


def test_a_mistake_about_one_cabinet_is_not_everybodys(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(connection: Connection, cabinet_id: str, until_ms: int) -> Material:
        if cabinet_id == CABINET:
            raise OverflowError("nobody foresaw this")
        return material_of(connection, cabinet_id, until_ms)

    database = new_database()
    monkeypatch.setattr(desired_store, "material_of", broken)
    database.write_now(mark_unknown_dirty)
    assert refresh(database) == 2
    refused = database.read_now(lambda c: c.execute(REFUSED).scalars().all())
    assert refused == ["OverflowError", None]
