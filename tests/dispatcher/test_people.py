"""PINs, release codes and keys handed back: what boxes are told of them, and what their facts change."""

from typing import Any

import pytest
from sqlalchemy import insert, select, update

from contract.credentials import cabinet_digest_key, credential_digest, pin_digest
from contract.facts import AccessGranted, Identity, KeyReturned, KeyTaken, PinGuessing, Purpose
from contract.messages import BadgeEntry
from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import IncidentKind
from dispatcher.store.commands import RELEASE_CODE, CommandOutcome, close_over, command_by_id
from dispatcher.store.pins import PinSeal
from dispatcher.store.schema import badge_pins, badges, booking_history, handovers, key_states
from tests.dispatcher.orders_bench import order
from tests.dispatcher.origin_bench import Bench as OriginBench
from tests.dispatcher.small_fleet import CABINET, HOUR, MINUTE, NOW_MS, book, incidents, stored
from tests.dispatcher.test_projections import UNDER_1, Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def rights() -> OriginBench:
    """Member 1 has a booking, and so a badge that cab-a is told."""
    rights = OriginBench()
    rights.booked()
    return rights


# --- PINs


def badge_row(rights: OriginBench, badge_id: str = "badge-1") -> dict[str, Any]:
    row = rights.row(badges, badge_id)
    return {name: row[name] for name in ("id", "member_id", "credential", "state")}


def told_badge(rights: OriginBench) -> BadgeEntry:
    (entry,) = rights.told().badges
    return entry


def test_an_imported_pin_reaches_the_box_as_a_digest_under_the_boxs_own_key(rights: OriginBench) -> None:
    rights.imports(badges=[{**badge_row(rights), "pin": "4711"}])
    entry, key = told_badge(rights), cabinet_digest_key(b"m" * 32, CABINET)
    digest = credential_digest(key, badge_row(rights)["credential"])
    assert entry.pin_digest == pin_digest(key, digest, "4711")


def test_a_badge_whose_row_says_nothing_of_a_pin_keeps_the_one_it_has(rights: OriginBench) -> None:
    rights.imports(badges=[{**badge_row(rights), "pin": "4711"}])
    before = told_badge(rights)
    rights.imports(badges=[badge_row(rights)])
    assert told_badge(rights) == before
    rights.imports(badges=[{**badge_row(rights), "pin": None}])
    assert told_badge(rights).pin_digest is None


def test_the_same_pin_again_writes_nothing(rights: OriginBench) -> None:
    rights.imports(badges=[{**badge_row(rights), "pin": "4711"}])
    before = rights.row(badge_pins, "badge-1")
    rights.imports(badges=[{**badge_row(rights), "pin": "4711"}])
    assert rights.row(badge_pins, "badge-1") == before
    assert "4711" not in str(before)


def test_a_pin_that_somebody_wrote_past_the_program_is_none_and_is_named(rights: OriginBench) -> None:
    row = {"badge_id": "badge-1", "sealed": PinSeal(b"x" * 32).seal("badge-1", "0000"), "origin": "0" * 64}
    rights.forge(insert(badge_pins).values(row))
    assert told_badge(rights).pin_digest is None
    assert rights.rows_named() == [("badge_pins/badge-1", True)]


def test_a_pin_that_was_put_beside_another_badge_opens_nothing(rights: OriginBench) -> None:
    rights.imports(badges=[{**badge_row(rights, "badge-2"), "pin": "4711"}])
    rights.forge(update(badge_pins).values(badge_id="badge-1"))
    assert told_badge(rights).pin_digest is None


def test_a_sealed_pin_opens_for_its_badge_under_its_key_only() -> None:
    seal = PinSeal(b"a" * 32)
    sealed = seal.seal("badge-1", "4711")
    assert seal.open("badge-1", sealed) == "4711"
    assert seal.open("badge-2", sealed) is None
    assert PinSeal(b"b" * 32).open("badge-1", sealed) is None
    for nonsense in ("", "!", "AAAA", sealed[:-4], "é"):
        assert seal.open("badge-1", nonsense) is None


def test_guessed_pins_are_an_incident_of_that_reader(bench: Bench) -> None:
    for _ in range(2):
        bench.tell(PinGuessing, reader="entrance", tries=10)
    assert incidents(bench.database) == [(IncidentKind.PIN_GUESSING, "cab-a/entrance", True)]


# --- release codes


def test_a_key_that_left_under_a_code_names_the_order_and_is_no_theft(bench: Bench) -> None:
    made = order(bench.database, action=RELEASE_CODE)
    bench.tell(AccessGranted, reader="entrance", slot=1, purpose=Purpose.RELEASE_CODE, code=made.counter)
    bench.tell(KeyTaken, slot=1, identity=Identity.PRESUMED, key="key-1", code=made.counter)
    after = bench.database.read_now(lambda c: command_by_id(c, CABINET, made.id))
    assert after is not None
    assert (after.outcome, after.answered_ms) == (CommandOutcome.COMPLETED, NOW_MS)
    assert bench.row(handovers)["command_id"] == made.id
    assert bench.row(key_states)["command_id"] == made.id
    assert incidents(bench.database) == []


def test_a_code_that_is_used_hours_later_by_a_box_without_a_clock_is_completed_all_the_same(bench: Bench) -> None:
    made = order(bench.database, action=RELEASE_CODE)
    bench.database.write_now(lambda c: close_over(c, NOW_MS + HOUR))
    bench.tell(AccessGranted, reader="entrance", slot=1, purpose=Purpose.RELEASE_CODE, code=made.counter)
    after = bench.database.read_now(lambda c: command_by_id(c, CABINET, made.id))
    assert after is not None
    assert after.outcome is CommandOutcome.COMPLETED


def test_a_key_that_left_under_a_code_that_nobody_made_is_out_without_a_right(bench: Bench) -> None:
    bench.tell(KeyTaken, slot=1, identity=Identity.PRESUMED, key="key-1", code=77)
    assert incidents(bench.database) == [(IncidentKind.KEY_OUT_WITHOUT_RIGHT, "key-1", True)]


def test_a_key_that_nothing_had_read_and_that_left_under_a_code_is_known_to_be_ordered(bench: Bench) -> None:
    made = order(bench.database, action=RELEASE_CODE)
    bench.tell(KeyTaken, slot=1, identity=Identity.UNKNOWN, code=made.counter)
    assert incidents(bench.database) == []


# --- handed back


def test_a_booking_whose_key_was_handed_back_keeps_its_right_until_its_end(bench: Bench) -> None:
    book(bench.database)
    bench.take_key(**UNDER_1)
    bench.later(5 * MINUTE)
    bench.tell(KeyReturned, slot=1, identity=Identity.READ, key="key-1", handed_back=True, **UNDER_1)
    after = stored(bench.database)
    assert (after.state, after.hold_until_ms) == (BookingState.RETURNED, after.end_ms)
    told = bench.database.read_now(lambda c: c.execute(select(booking_history.c.what)).scalars().all())
    assert told[-1] == "handed_back"


def test_the_vehicle_is_to_be_looked_at_until_somebody_takes_it(bench: Bench) -> None:
    book(bench.database)
    bench.take_key(**UNDER_1)
    bench.tell(KeyReturned, slot=1, identity=Identity.READ, key="key-1", handed_back=True, **UNDER_1)
    assert incidents(bench.database) == [(IncidentKind.VEHICLE_HANDED_BACK, "car-1", True)]
    bench.take_key(**UNDER_1)
    assert incidents(bench.database) == [(IncidentKind.VEHICLE_HANDED_BACK, "car-1", False)]
    assert stored(bench.database).state is BookingState.ACTIVE
