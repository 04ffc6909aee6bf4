"""Whoever writes to the database past the program gets nothing into what is signed: table by table."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from contract.messages import Command, Desired, ReplyOutcome
from contract.reasons import Reason
from dispatcher.core.booking_states import BookingState
from dispatcher.core.rules import BookingReason
from dispatcher.store.bookings import update_booking
from dispatcher.store.commands import grant_of_command, keep_outcome, open_commands
from dispatcher.store.origin import COVERED_WHERE_SAID, SIGNED, with_origin
from dispatcher.store.schema import (
    badge_pins,
    badges,
    blocks,
    booking_drivers,
    bookings,
    cabinet_stations,
    commands,
    custody,
    key_tags,
    keys,
    members,
    organisations,
    pool_members,
    pools,
    slot_uses,
)
from tests.dispatcher.orders_bench import known, order
from tests.dispatcher.origin_bench import Bench, booking_columns
from tests.dispatcher.running import running
from tests.dispatcher.small_fleet import CABINET, HOUR, MINUTE, NOW_MS, OTHER_CABINET, book, stored
from tests.runtime.waiting import eventually

HARMLESS = {
    "bookings": {
        "organisation_id": "on whose account",
        "station_id": "a label",
        "original_start_ms": "for whoever bills",
        "taken_ms": "for whoever bills",
        "returned_ms": "when its hold began: at the box, the box knows",
        "ended_ms": "when it is forgotten",
        "created_ms": "a label",
        "changed_ms": "what a block compares with: takes away",
        "cost_centre_id": "on whose account",
    },
    "members": {
        "name": "a label",
        "organisation_id": "on whose account",
        "role": "lets the API give orders, which are signed",
        "erased_ms": "takes away",
    },
    "badges": {"revoked_ms": "a label; the state is covered"},
    "badge_pins": {},
    "keys": {},
    "key_tags": {},
    "pool_members": {},
    "commands": {
        "author": "a label",
        "reason": "a label",
        "outcome": "an order that is sent again has its old number, and its box repeats its word",
        "outcome_reason": "a label",
        "answered_ms": "as outcome",
    },
}
"""Columns that no code covers, and why nobody gets a key by them."""


@pytest.fixture
def bench() -> Bench:
    return Bench()


def both(bench: Bench) -> tuple[Any, ...]:
    """What the two boxes are told of rights, whatever its version."""
    return tuple(_rights(bench.told(cabinet)) for cabinet in (CABINET, OTHER_CABINET))


def _rights(told: Desired) -> tuple[Any, ...]:
    return told.grants, told.badges, told.pools, told.keys, told.revoked, told.suspended, told.blocked


def in_pool(bench: Bench, *numbers: int) -> None:
    """Members of a pool, as this program writes them."""

    def work(connection: Connection) -> None:
        connection.execute(insert(organisations).values(id="firm", name="A firm"))
        connection.execute(insert(pools).values(id="pool-1", organisation_id="firm", name="Drivers"))
        connection.execute(insert(pools).values(id="pool-2", organisation_id="firm", name="Others"))
        for number in numbers:
            row = {"pool_id": "pool-1", "member_id": f"member-{number}", "state": "active"}
            connection.execute(insert(pool_members).values(with_origin(connection, pool_members, row)))

    bench.database.write_now(work)


def test_each_column_of_a_row_that_is_a_right_is_covered_or_known_to_open_nothing() -> None:
    for table, names in SIGNED.items():
        covered = {*names, *COVERED_WHERE_SAID.get(table, ()), "origin"}
        assert covered | HARMLESS[table.name].keys() == set(table.c.keys()), table.name
        assert not covered & HARMLESS[table.name].keys(), table.name


FORGED: dict[str, list[Any]] = {
    "booking": [insert(bookings).values(booking_columns(member_id="member-2"))],
    "service order": [insert(bookings).values(booking_columns(member_id="member-2", purpose="towing"))],
    "booking of a category": [insert(bookings).values(booking_columns(member_id="member-2", category="city"))],
    "booking of a pool": [insert(bookings).values(booking_columns(member_id="member-2", pool_id="pool-1"))],
    "booking with a driver": [
        insert(bookings).values(booking_columns(member_id="member-2")),
        insert(booking_drivers).values(booking_id="booking-1", member_id="member-3"),
    ],
    "driver": [insert(booking_drivers).values(booking_id="booking-2", member_id="member-3")],
    "member of a pool": [insert(pool_members).values(pool_id="pool-1", member_id="member-3", state="active")],
    "badge": [insert(badges).values(id="b", ref="r", member_id="member-1", credential="fob:09", state="active")],
    "PIN": [insert(badge_pins).values(badge_id="badge-1", sealed="A" * 64)],
    "tag": [insert(key_tags).values(key_id="key-1", credential="fob:99", valid_from_ms=0)],
    "custody": [
        insert(custody).values(booking_id="booking-2", at_ms=NOW_MS, to_member_id="member-3", author="nobody")
    ],
    "use of a slot": [insert(slot_uses).values(cabinet_id=CABINET, slot=1, use="spare")],
    "station of a cabinet": [insert(cabinet_stations).values(cabinet_id=CABINET, station_id="st-b", serves=True)],
    "role": [update(members).where(members.c.id == "member-3").values(role="staff")],
}


@pytest.mark.parametrize("kind", FORGED)
def test_what_somebody_inserts_is_in_no_signed_word(bench: Bench, kind: str) -> None:
    """Beside a booking of a pool, with a code that holds: what is added to it may void it, and adds to no right."""
    in_pool(bench, 1, 2)
    book(bench.database, 2, start_ms=NOW_MS + 3 * HOUR, pool_id="pool-1")
    before = both(bench)
    assert before[0][0][0].pools == ("pool-1",)
    bench.forge(*FORGED[kind])
    grants, badges_told, pools_told, *others = both(bench)[0]
    assert set(grants) <= set(before[0][0])
    assert set(badges_told) <= set(before[0][1])
    assert set(pools_told) <= set(before[0][2])
    assert others == list(before[0][3:])
    assert both(bench)[1] == before[1]


def test_a_second_key_that_somebody_inserts_has_no_home(bench: Bench) -> None:
    row = {"id": "key-9", "vehicle_id": "car-1", "home_cabinet_id": CABINET, "home_slot": 3}
    bench.forge(insert(keys).values(row | {"life_cycle": "in_service"}))
    assert {entry.key: entry.home_slot for entry in bench.told().keys}["key-9"] is None


@pytest.mark.parametrize(
    ("made", "forged"),
    [
        ({}, {"purpose": "towing"}),
        ({"purpose": "towing"}, {"purpose": None}),
        ({"purpose": "towing"}, {"purpose": ""}),
        ({}, {"pool_id": "pool-1"}),
        ({"pool_id": "pool-1"}, {"pool_id": "pool-2"}),
        ({}, {"category": "city"}),
        ({"category": "van"}, {"category": "city"}),
        ({"state": BookingState.RETURNED}, {"hold_until_ms": NOW_MS + 2 * HOUR}),
    ],
    ids=str,
)
def test_a_booking_changed_in_what_it_may_open_opens_nothing_and_is_signed_no_more(
    bench: Bench, made: dict[str, Any], forged: dict[str, Any]
) -> None:
    in_pool(bench, 2)
    bench.forge(insert(pool_members).values(pool_id="pool-2", member_id="member-3", state="active"))
    book(bench.database, **made)
    assert len(bench.grants()) == 1
    bench.forge(update(bookings).values(forged))
    assert bench.grants() == ()
    assert bench.rows_named() == [("bookings/booking-1", True)]
    found = stored(bench.database)
    assert bench.database.write_now(lambda connection: update_booking(connection, found))
    assert bench.grants() == ()


def test_what_a_booking_says_of_its_category_and_hold_is_signed_with_it(bench: Bench) -> None:
    book(bench.database, category="city", state=BookingState.RETURNED, hold_until_ms=NOW_MS + 2 * HOUR)
    assert [grant.stand_in for grant in bench.grants()] == [True]


@pytest.mark.parametrize(
    "change",
    [{"pool_id": "pool-1"}, {"member_id": "member-3"}, {"state": "active"}],
    ids=lambda change: next(iter(change)),
)
def test_nobody_is_moved_into_a_pool_or_back_into_it(bench: Bench, change: dict[str, str]) -> None:
    in_pool(bench, 2)
    book(bench.database, pool_id="pool-1")

    def another(connection: Connection) -> None:
        """Of another pool, or one who left this one."""
        row = {"pool_id": "pool-2", "member_id": "member-1", "state": "active"}
        if "state" in change:
            row |= {"pool_id": "pool-1", "state": "removed"}
        connection.execute(insert(pool_members).values(with_origin(connection, pool_members, row)))

    bench.database.write_now(another)
    assert [pool.badges for pool in bench.told().pools] == [("ref-2",)]
    which = pool_members.c.member_id == ("member-2" if "member_id" in change else "member-1")
    bench.forge(update(pool_members).where(which).values(change))
    refs = [ref for pool in bench.told().pools for ref in pool.badges]
    assert set(refs) <= {"ref-2"}


def test_a_pin_is_of_the_badge_that_it_was_sealed_for(bench: Bench) -> None:
    bench.imports(badges=[_badge(1, pin="1111"), _badge(2, pin="2222")])
    book(bench.database, driver_ids=("member-2",))
    known_pins = {entry.ref: entry.pin_digest for entry in bench.told().badges}
    assert None not in known_pins.values()
    other = bench.row(badge_pins, "badge-2")
    bench.forge(update(badge_pins).where(badge_pins.c.badge_id == "badge-1").values(sealed=other["sealed"]))
    assert {entry.ref: entry.pin_digest for entry in bench.told().badges} == known_pins | {"ref-1": None}


def _badge(number: int, **more: Any) -> dict[str, Any]:
    credential = f"calypso:000000000000000{number}"
    return {"id": f"badge-{number}", "member_id": f"member-{number}", "credential": credential, **more}


# --- orders to a box


async def test_no_order_that_somebody_wrote_is_sent() -> None:
    """By a whole dispatcher: its own goes out, beside it nothing does."""
    async with running() as one:
        await one.told_everybody()
        forged = {"cabinet_id": CABINET, "author": "nobody", "reason": "", "issued_ms": NOW_MS, "counter": 7}
        forged |= {"slot": 2, "action": "release_slot", "expires_ms": NOW_MS + 9 * MINUTE}
        own = order(one.database)
        copied = one.database.read_now(lambda c: c.execute(select(commands.c.origin)).scalar_one())
        rows = [{"id": "order-8", **forged}, {"id": "order-9", **forged, "counter": 8, "origin": copied}]
        for row in rows:
            one.database.write_now(partial(Connection.execute, statement=insert(commands).values(row)))
        one.dispatcher.changed()
        await eventually(lambda: known(one.database, "order-9").outcome is not None)
        await eventually(lambda: one.link.heard(Command))
        sent = {message.command for message in one.link.heard(Command) if isinstance(message, Command)}
        assert sent == {own.id}
        assert known(one.database, "order-8").outcome_reason == BookingReason.ROW_WITHOUT_ORIGIN


def test_an_order_that_was_changed_under_way_is_not_signed_again_for_being_overtaken(bench: Bench) -> None:
    first = order(bench.database)
    order(bench.database, "order-2")
    bench.forge(update(commands).where(commands.c.id == first.id).values(slot=2))
    late = (CABINET, first.id, ReplyOutcome.REFUSED, Reason.OUT_OF_ORDER, NOW_MS + 1)
    bench.database.write_now(lambda connection: keep_outcome(connection, *late))
    found = bench.database.read_now(lambda connection: open_commands(connection, NOW_MS + 1))
    assert [command.id for command in found.waiting] == ["order-2"]


@pytest.mark.parametrize("was", [None, "booking-2"])
def test_a_key_that_an_order_let_out_starts_no_booking_that_somebody_wrote_into_it(
    bench: Bench, was: str | None
) -> None:
    book(bench.database, 1)
    book(bench.database, 2, start_ms=NOW_MS + 3 * HOUR)
    given = order(bench.database, booking_id=was)

    def named() -> str | None:
        return bench.database.read_now(lambda c: grant_of_command(c, CABINET, given.id, "key-1"))

    assert named() == (None if was is None else "grant-2")
    bench.forge(update(commands).values(booking_id="booking-1"))
    assert named() is None


# --- what is given back by taking away: known limits (docs/limits.md)


def test_a_block_that_somebody_deletes_gives_back_what_the_program_had_given(bench: Bench) -> None:
    """The right under it has a code of its own; whoever deletes the block gives it to its owner, to nobody else."""
    book(bench.database)
    block = {"id": "block-1", "vehicle_id": "car-1", "kind": "damage", "start_ms": NOW_MS, "begun": True}
    block |= {"created_ms": NOW_MS, "changed_ms": NOW_MS, "author": "api/test", "version": 1}
    granted = bench.grants()
    bench.forge(insert(blocks).values(block))
    assert bench.told().blocked == ("key-1",)
    bench.forge(delete(blocks))
    assert (bench.told().blocked, bench.grants()) == ((), granted)
