"""Two dispatchers on one PostgreSQL and one broker: one works, the other takes over; nothing is lost or doubled."""

import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, column, func, select, table

from contract.facts import DoorClosed, DoorOpened
from dispatcher.core.incidents import IncidentKind
from dispatcher.store.bookings import insert_booking
from dispatcher.store.schema import booking_history, bookings, incidents
from tests.dispatcher.backends import postgresql_url, running_on
from tests.dispatcher.small_fleet import HOUR, ORIGIN, booking, fill
from tests.runtime.waiting import eventually
from tests.wire.brokers import Mosquitto, mosquitto
from tests.wire.dispatcher_bench import Program, WireBox, wire_box

pytestmark = pytest.mark.long

ROUNDS = 4
FACTS = 150
"""Told in each round, while the active one is killed."""
NO_SHOWS = 12
"""Due in each round."""
TAKEN_OVER_S = 10


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    folder = tmp_path / "broker"
    folder.mkdir()
    async with mosquitto(folder) as running:
        yield running


@pytest.fixture
def pair(tmp_path: Path, broker: Mosquitto) -> Iterator[tuple[Program, Program]]:
    """Two programs on one database, not yet started."""
    with running_on("postgresql"), ExitStack() as stack:
        url = postgresql_url(fill, ORIGIN)
        made = []
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            program = Program(tmp_path / name, broker.port, url)
            stack.callback(program.close)
            made.append(program)
        yield made[0], made[1]


async def test_one_stands_by_until_the_other_ends(pair: tuple[Program, Program]) -> None:
    active, standby = pair
    active.start()
    await active.started()
    standby.start()
    await standby.started("healthz")
    status, page = standby.get("readyz")
    assert (status, "standing by: another dispatcher is active" in page) == (503, True)
    assert (active.metric("dispatcher_active"), standby.metric("dispatcher_active")) == (1, 0)
    assert active.end(signal.SIGTERM) == 0
    await standby.started()
    active.start()
    await active.started("healthz")
    assert active.get("readyz")[0] == 503


async def test_one_that_hung_while_the_other_took_over_ends_when_it_wakes(pair: tuple[Program, Program]) -> None:
    active, standby = pair
    active.start()
    await active.started()
    standby.start()
    await standby.started("healthz")
    active.send(signal.SIGSTOP)
    with closing(
        active.database()
    ) as database:  # what the server does by itself when nothing answers its keepalives
        database.write_now(_end_claims)
    await standby.started()
    active.send(signal.SIGCONT)
    assert active.wait() == 1
    assert "another dispatcher is active" in active.log.read_text()
    await standby.started()


def _end_claims(connection: Connection) -> None:
    claims = select(func.pg_terminate_backend(column("pid"))).select_from(table("pg_stat_activity"))
    connection.execute(claims.where(column("application_name") == "carshare-dispatcher claim"))


async def test_killed_under_load_the_other_goes_on_and_nothing_is_lost_or_doubled(
    broker: Mosquitto, pair: tuple[Program, Program]
) -> None:
    active, standby = pair
    active.start()
    await active.started()
    standby.start()
    await standby.started("healthz")
    took_s = []
    async with wire_box(broker.port) as cabinet:
        for number in range(ROUNDS):
            await standby.started("healthz")
            sending = asyncio.create_task(_tell_more(cabinet, active, number))
            await eventually(partial(cabinet.has_acknowledged, number * FACTS + FACTS // 5), within_s=30)
            active.end(signal.SIGKILL)
            killed_s = time.monotonic()
            await standby.started()
            took_s.append(time.monotonic() - killed_s)
            active.start()
            await sending
            active, standby = standby, active
        await eventually(partial(_is_decided, active), within_s=30)
    assert [fact.text for fact in active.ledger()] == cabinet.box.texts
    assert [fact.hash for fact in active.ledger()] == cabinet.box.hashes[1:]
    _assert_decided_once(active)
    assert max(took_s) < TAKEN_OVER_S
    shown = ", ".join(f"{seconds:.1f} s" for seconds in took_s)
    sys.stdout.write(f"{ROUNDS} kills, {len(cabinet.box.texts)} facts, taken over after {shown}\n")


async def _tell_more(cabinet: WireBox, program: Program, number: int) -> None:
    """More facts, half of them a slot that opens by itself and is shut again; and bookings whose time is over."""
    now_ms = time.time_ns() // 1_000_000
    cabinet.box.now_ms = now_ms
    with closing(program.database()) as database:
        for count in range(NO_SHOWS):
            unique = number * NO_SHOWS + count
            start_ms = now_ms - (3 + 2 * unique) * HOUR
            wanted = booking(unique, start_ms=start_ms, end_ms=start_ms + HOUR)
            assert database.write_now(partial(insert_booking, booking=wanted))
    for _ in range(FACTS // 2):
        cabinet.box.note(DoorOpened, slot=1, released=False)
        cabinet.box.note(DoorClosed, slot=1)
    await cabinet.send_until_acknowledged((number + 1) * FACTS)


def _is_decided(program: Program) -> bool:
    with closing(program.database()) as database:
        count = select(func.count()).select_from(bookings).where(bookings.c.state == "no_show")
        return database.read_now(lambda c: c.execute(count).scalar_one()) == ROUNDS * NO_SHOWS


def _assert_decided_once(program: Program) -> None:
    with closing(program.database()) as database:
        said = database.read_now(
            lambda c: c.execute(select(booking_history.c.booking_id, booking_history.c.what)).all()
        )
        kind = IncidentKind.SLOT_OPENED_WITHOUT_DECISION
        opened = database.read_now(
            lambda c: c.execute(select(incidents.c.closed_ms).where(incidents.c.kind == kind)).scalars().all()
        )
    assert Counter(row.booking_id for row in said if row.what == "no_show_declared") == {
        f"booking-{number}": 1 for number in range(ROUNDS * NO_SHOWS)
    }
    assert (len(opened), None in opened) == (ROUNDS * FACTS // 2, False)
