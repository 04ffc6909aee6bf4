"""Which key signed a database, and an operator who vouches for rows that nobody signed."""

import base64
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from contract.facts import AccessGranted, Purpose
from dispatcher.core.booking_states import BookingState
from dispatcher.store.database import Database
from dispatcher.store.origin import SIGNED, Origin
from dispatcher.store.schema import bookings, desired_states, members
from dispatcher.store.vouching import OtherOrigin, check_origin, vouch
from runtime.executor import InlineExecutor
from tests.contract.keys import pem
from tests.dispatcher.origin_bench import Bench, booking_columns
from tests.dispatcher.small_fleet import (
    CABINET,
    DISPATCHER_SEED,
    ORIGIN,
    ORIGIN_KEY,
    OTHER_CABINET,
    book,
    empty_url,
    new_database,
)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def _unsigned() -> Bench:
    """The small fleet with a booking, as a migration finds it."""
    bench = Bench()
    book(bench.database, driver_ids=("member-2",))
    bench.forge(*(update(table).values(origin=None) for table in SIGNED))
    return bench


def test_rows_from_before_the_migration_open_nothing_until_somebody_vouches_for_them() -> None:
    bench = _unsigned()
    assert bench.grants() == ()
    with pytest.raises(OtherOrigin, match="dispatcher vouch"):
        bench.database.write_now(check_origin)
    vouched = bench.database.write_now(vouch)
    assert vouched["bookings"].unsigned == ("bookings/booking-1",)
    assert {table: len(of.unsigned) for table, of in vouched.items()} == {
        "bookings": 1,
        "members": 3,
        "badges": 3,
        "badge_pins": 0,
        "keys": 3,
        "key_tags": 3,
        "pool_members": 0,
    }
    bench.database.write_now(check_origin)
    told = bench.told()
    assert [grant.badges for grant in told.grants] == [("ref-1", "ref-2")]
    assert [(entry.home_slot, len(entry.tag_digests)) for entry in told.keys] == [(1, 1), (2, 1), (None, 1)]
    assert {is_open for _, is_open in bench.rows_named()} == {False}


def test_vouching_has_every_right_computed_again() -> None:
    bench = _unsigned()
    bench.grants()
    bench.database.write_now(vouch)
    dirty = select(desired_states.c.cabinet_id).where(desired_states.c.dirty).order_by(desired_states.c.cabinet_id)
    assert bench.database.read_now(lambda connection: connection.execute(dirty).scalars().all()) == [
        CABINET,
        OTHER_CABINET,
    ]


def test_vouching_again_signs_only_what_is_not_in_order(bench: Bench) -> None:
    book(bench.database, 1)
    book(bench.database, 2, state=BookingState.CANCELLED)
    bench.database.write_now(vouch)
    bench.forge(
        update(bookings).values(origin=None),
        update(members).where(members.c.id == "member-2").values(standing="suspended"),
    )
    vouched = bench.database.write_now(vouch)
    assert (vouched["bookings"].unsigned, vouched["bookings"].held) == (("bookings/booking-1",), 0)
    assert (vouched["members"].changed, vouched["members"].held) == (("members/member-2",), 2)


def test_an_empty_database_takes_the_first_key_and_no_other_afterwards(tmp_path: Path) -> None:
    url = empty_url(tmp_path)
    first, other = (Database(url, InlineExecutor(), origin=origin) for origin in (ORIGIN, Origin(b"x" * 32)))
    first.write_now(check_origin)
    first.write_now(check_origin)
    with pytest.raises(OtherOrigin, match="another one"):
        other.write_now(check_origin)
    other.write_now(vouch)  # the first key is lost
    other.write_now(check_origin)
    first.close()
    other.close()


@pytest.mark.only_sqlite  # it reads the file
def test_neither_the_signing_key_nor_the_origin_key_lies_in_the_database(tmp_path: Path) -> None:
    file = tmp_path / "d.sqlite"
    bench = Bench(new_database(f"sqlite:///{file}"))
    bench.database.write_now(vouch)
    bench.imports(members=[{"id": "m-new", "name": "New"}])
    made = bench.booked()
    bench.fact(
        AccessGranted,
        reader="reader-1",
        slot=1,
        purpose=Purpose.TAKE,
        grant=made.grant_id,
        badge="ref-1",
        key="key-1",
    )
    bench.forge(insert(bookings).values(booking_columns(vehicle_id="car-2", key_id="key-2")))
    assert len(bench.grants()) == 1
    bench.database.close()
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    with sqlite3.connect(file) as connection:
        content += "\n".join(connection.iterdump()).encode()
    assert made.grant_id.encode() in content
    private = bytes([DISPATCHER_SEED]) * 32
    for secret in (private, ORIGIN_KEY):
        for form in (
            secret,
            secret.hex().encode(),
            base64.b64encode(secret).rstrip(b"="),
            base64.urlsafe_b64encode(secret).rstrip(b"="),
        ):
            assert form not in content
    body = pem(DISPATCHER_SEED).splitlines()[1]
    assert body not in content
