"""Facts from the broker to committed, projected and acknowledged, beside a consumer that only commits them.

    python -m benchmarks.ingest [--rounds N] [--database sqlite|postgresql]

Members take a car and bring it back: eight facts a round, in two batches, signed by one box and sent as fast as the
broker takes them. The dispatcher is a process as it runs in production; the control is another, on a broker and a
database of the same kind, on this disk with all that makes a commit durable.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Connection, select

from benchmarks.report import Row, status_of, table
from contract.facts import AccessGranted, DoorClosed, DoorOpened, Identity, KeyReturned, KeyTaken, Purpose
from contract.topics import FACTS
from dispatcher.store.bookings import insert_booking
from dispatcher.store.database import Database
from dispatcher.store.incidents import open_incidents
from dispatcher.store.ledger import facts_of
from dispatcher.store.migrate import migrate
from dispatcher.store.schema import rentals
from dispatcher.store.vouching import vouch
from runtime.executor import InlineExecutor
from runtime.link import Publication
from simulator.postgres import cluster
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.fake_link import NAMESPACE, box_signer
from tests.dispatcher.small_fleet import CABINET, ORIGIN, booking, fill, new_database
from tests.runtime.waiting import eventually
from tests.wire.brokers import Mosquitto, mosquitto
from tests.wire.dispatcher_bench import Program, WireBox

ROOT = Path(__file__).parents[1]
SHARE = 0.3
"""Of the control's facts per second: a projection may cost twice what a ledger does."""
TURNS = 5
FACTS_A_BATCH = 4
FACTS_A_ROUND = 8
WARM_UP = 10  # of so many facts one is sent before the clock starts: what is done first compiles its statements
LONGEST_S = 240.0
DAY_MS = 86_400_000
PREFIX = "carshare-ingest-"


def handovers(rounds: int) -> FakeBox:
    """A box whose journal holds so many rentals of one booking, each within its retake hold."""
    box = FakeBox(now_ms=int(time.time() * 1000))
    box.now_ms += 1  # nothing of it can be from before its epoch
    door: dict[str, Any] = {"slot": 1}
    who: dict[str, Any] = {"grant": "grant-1", "badge": "ref-1", "key": "key-1"}
    for _ in range(rounds):
        for purpose, moved in ((Purpose.TAKE, KeyTaken), (Purpose.RETURN, KeyReturned)):
            box.note(AccessGranted, reader="entrance", purpose=purpose, **door, **who)
            box.note(DoorOpened, released=True, **door)
            box.note(moved, identity=Identity.READ, **door, **who)
            box.note(DoorClosed, **door)
    return box


def book_now(database: Database, now_ms: int) -> None:
    start_ms = now_ms // DAY_MS * DAY_MS
    wanted = booking(1, start_ms=start_ms, end_ms=start_ms + 3 * DAY_MS, take_by_ms=start_ms + 3 * DAY_MS)
    assert database.write_now(partial(insert_booking, booking=wanted))


async def facts_per_s(port: int, box: FakeBox) -> float:
    """From the first batch published to the last one acknowledged, once a tenth has been taken in before."""
    cabinet = WireBox(port)
    cabinet.box = box
    topic, sign = FACTS.topic(NAMESPACE, CABINET), box_signer().sign
    firsts = range(1, box.seq + 1, FACTS_A_BATCH)
    wires = [sign(box.batch(first, first + FACTS_A_BATCH - 1)) for first in firsts]
    warm = max(len(wires) // WARM_UP, 1)
    async with cabinet.peer.running():
        await cabinet.say(box.presence())
        await send_all(cabinet, topic, wires[:warm], warm * FACTS_A_BATCH)
        began_s = time.perf_counter()
        await send_all(cabinet, topic, wires[warm:], box.seq)
        return (box.seq - warm * FACTS_A_BATCH) / (time.perf_counter() - began_s)


async def send_all(cabinet: WireBox, topic: str, wires: Sequence[bytes], last: int) -> None:
    for wire in wires:
        await cabinet.peer.link.publish(Publication(topic, wire, 1))
    await eventually(lambda: cabinet.has_acknowledged(last), within_s=LONGEST_S)


async def of_dispatcher(folder: Path, broker: Mosquitto, url: str, box: FakeBox) -> float:
    running = Program(folder, broker.port, url)
    running.start()
    try:
        await running.started()
        measured = await facts_per_s(broker.port, box)
    finally:
        running.close()
    database = running.database()
    database.read_now(partial(check_all, box=box))
    database.close()
    return measured


def check_all(connection: Connection, box: FakeBox) -> None:
    """Every fact is in the ledger of this very database, and none of them was a discrepancy."""
    assert len(facts_of(connection, CABINET)) == box.seq
    assert not open_incidents(connection)
    assert len(connection.execute(select(rentals)).all()) == box.seq // FACTS_A_ROUND


async def of_control(broker: Mosquitto, url: str, box: FakeBox) -> float:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.bare_consumer",
        str(broker.port),
        url,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        return await facts_per_s(broker.port, box)
    finally:
        process.kill()
        await process.wait()


@contextmanager
def databases(kind: str, folder: Path) -> Iterator[tuple[str, str]]:
    """URLs for the dispatcher and for the control, the former with the small fleet in it."""
    with ExitStack() as stack:
        if kind == "sqlite":
            ours, bare = (f"sqlite:///{folder}/{name}.sqlite" for name in ("ours", "bare"))
        else:
            server = stack.enter_context(cluster(fleeting=False))
            ours, bare = (server.create(name).render_as_string(hide_password=False) for name in ("ours", "bare"))
        yield ours, bare


@asynccontextmanager
async def fresh_broker() -> AsyncIterator[tuple[Mosquitto, Path]]:
    """A broker that keeps nothing of another run, and a folder beside its own."""
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        folder = Path(name)
        (folder / "broker").mkdir()
        async with mosquitto(folder / "broker") as broker:
            yield broker, folder


async def measure(kind: str, rounds: int) -> Row:
    """The median of several turns: what else the machine does meets the one or the other."""
    turns = [await one_turn(kind, rounds) for _ in range(TURNS)]
    measured, control = (median(which) for which in zip(*turns, strict=True))
    beside = f"{measured:,.0f} facts/s beside {control:,.0f} of a bare consumer, {FACTS_A_BATCH} facts a batch"
    share = median(ours / bare for ours, bare in turns)
    return Row(f"ingest, {kind}", share, SHARE, "times", at_least=True, beside=beside)


async def one_turn(kind: str, rounds: int) -> tuple[float, float]:
    """Facts a second of the dispatcher and of the control."""
    with (
        tempfile.TemporaryDirectory(prefix=PREFIX) as name,
        databases(kind, Path(name)) as (ours, bare),
    ):
        box = handovers(rounds)
        _prepare(kind, ours, box.now_ms)
        async with fresh_broker() as (broker, _):
            control = await of_control(broker, bare, box)
        async with fresh_broker() as (broker, folder):
            return await of_dispatcher(folder, broker, ours, box), control


def _prepare(kind: str, url: str, now_ms: int) -> None:
    if kind == "sqlite":
        database = new_database(url)
    else:
        migrate(url)
        database = Database(url, InlineExecutor(), origin=ORIGIN)
        database.write_now(fill)
    database.write_now(vouch)
    book_now(database, now_ms)
    database.close()


def main() -> int:
    parser = argparse.ArgumentParser(description="facts a second, beside a bare consumer")
    parser.add_argument("--rounds", type=int, default=200, help="of eight facts each")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], action="append")
    options = parser.parse_args()
    kinds = options.database or ["sqlite", "postgresql"]
    rows = [asyncio.run(measure(kind, options.rounds)) for kind in kinds]
    sys.stdout.write(table(rows) + "\n")
    return status_of(rows)


if __name__ == "__main__":
    raise SystemExit(main())
