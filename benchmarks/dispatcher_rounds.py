"""What the dispatcher's repeated work costs when there is nothing to do: a tick of timed work, a publisher's round.

    python -m benchmarks.dispatcher_rounds [--calls N]

On an in-memory database with the Lilas network (30 cabinets, 75 vehicles), every box online and told, 60 bookings
that hold and a third of their keys out. A simulated day runs each of them tens of thousands of times.
"""

import argparse
import asyncio
import gc
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random

from contract.envelope import Signer, private_key_from_pem
from contract.facts import Identity, KeyTaken
from contract.messages import SlotState
from contract.topics import Author
from dispatcher.core.booking_states import BookingState
from dispatcher.core.hearing import Hearing
from dispatcher.core.rules import FleetRules
from dispatcher.importing.files import read_document
from dispatcher.link.courier import Courier
from dispatcher.link.publisher import Publisher
from dispatcher.store.bookings import Booking, insert_booking
from dispatcher.store.database import Database
from dispatcher.store.desired import DesiredMaker, told
from dispatcher.store.importing import import_rows
from dispatcher.store.ingest import Intake
from dispatcher.store.links import keep_presence, keep_reported
from dispatcher.store.migrate import migrate_engine
from dispatcher.store.reports import apply_reports
from dispatcher.store.timed import run_timed
from runtime.executor import InlineExecutor
from runtime.steps import LoopSteps
from simulator.network.import_document import import_document
from simulator.network.lilas import lilas_network
from simulator.network.model import SLOTS, Network
from tests.contract.keys import pem
from tests.dispatcher.fake_box import FakeBox
from tests.dispatcher.fake_link import HandClock
from tests.dispatcher.small_fleet import HOUR, LEDGER, MINUTE, NOW_MS, ORIGIN

RULES = FleetRules()
BOOKED = 60
OUT = 20
TAKEN_MS = NOW_MS + 5 * MINUTE
LATER_MS = NOW_MS + 10 * MINUTE


def fleet(network: Network, url: str = "sqlite://") -> tuple[Database, list[FakeBox]]:
    database = Database(url, InlineExecutor(), origin=ORIGIN)
    migrate_engine(database.engine)
    rows, faults = read_document(import_document(network, {}), "lilas.json")
    assert not faults
    database.write_now(lambda c: import_rows(c, rows, NOW_MS, Random("benchmark").randbytes))
    boxes = [FakeBox(cabinet, f"{number:032x}") for number, cabinet in enumerate(network.cabinets, start=1)]
    for number, vehicle in enumerate(network.vehicles[:BOOKED]):
        booking = _booking(network, number)
        assert database.write_now(lambda c, b=booking: insert_booking(c, b)), vehicle
    for number, vehicle in enumerate(network.vehicles[:OUT]):
        box = next(box for box in boxes if box.cabinet == vehicle.key.cabinet)
        key = {"slot": vehicle.key.home_slot, "identity": Identity.PRESUMED, "key": vehicle.key.id}
        box.note(KeyTaken, **key, grant=f"grant-{number}", badge="ref-benchmark")
    for box in boxes:
        _heard(database, network, box)
    return database, boxes


def _booking(network: Network, number: int) -> Booking:
    vehicle = network.vehicles[number]
    plain = Booking(
        id=f"booking-{number}", grant_id=f"grant-{number}", member_id=network.members[number].id,
        organisation_id=None, vehicle_id=vehicle.id, category=None, station_id=vehicle.station,
        cabinet_id=vehicle.key.cabinet, key_id=vehicle.key.id, start_ms=NOW_MS, end_ms=NOW_MS + 2 * HOUR,
        original_start_ms=NOW_MS, take_by_ms=NOW_MS + 30 * MINUTE, state=BookingState.BOOKED, taken_ms=None,
        returned_ms=None, hold_until_ms=None, ended_ms=None, created_ms=NOW_MS, changed_ms=NOW_MS, version=1,
    )  # fmt: skip
    if number < OUT:
        return plain
    start_ms = NOW_MS + (1 + number % 24) * HOUR
    return replace(plain, start_ms=start_ms, end_ms=start_ms + 2 * HOUR, take_by_ms=start_ms + 30 * MINUTE)


def _heard(database: Database, network: Network, box: FakeBox) -> None:
    """Presence, facts and report of one box, as they come after its start."""
    out = {vehicle.key.id for vehicle in network.vehicles[:OUT]}
    at_home = {
        vehicle.key.home_slot: vehicle.key.id
        for vehicle in network.vehicles
        if vehicle.key.cabinet == box.cabinet and vehicle.key.id not in out
    }
    box.slots = tuple(
        SlotState(
            slot=slot,
            key_present=slot in at_home,
            door_open=False,
            key=at_home.get(slot),
            identity="presumed" if slot in at_home else None,
        )
        for slot in range(1, SLOTS + 1)
    )
    database.write_now(lambda c: keep_presence(c, box.presence(), TAKEN_MS))
    if box.seq:
        database.write_now(lambda c: Intake(LEDGER, RULES, TAKEN_MS).take(c, [box.batch()]))
    else:
        box.note_text('{"seq":1,"at_ms":1,"clock_trusted":true,"kind":"door_closed","slot":1}')
        database.write_now(lambda c: Intake(LEDGER, RULES, TAKEN_MS).take(c, [box.batch()]))
    database.write_now(lambda c: keep_reported(c, box.report(), TAKEN_MS))
    database.write_now(lambda c: apply_reports(c, RULES, TAKEN_MS))


def us_per_call(call: Callable[[], object], calls: int) -> float:
    """The best of ten series: a neighbour on this machine only adds."""
    for _ in range(50):
        call()
    gc.collect()
    series = []
    for _ in range(10):
        start = time.perf_counter()
        for _ in range(calls // 10):
            call()
        series.append((time.perf_counter() - start) / (calls // 10) * 1e6)
    return min(series)


def main() -> None:
    parser = argparse.ArgumentParser(description="the dispatcher's repeated work with nothing to do")
    parser.add_argument("--calls", type=int, default=2000)
    options = parser.parse_args()
    network = lilas_network(1)
    database, boxes = fleet(network)
    clock = HandClock()
    clock.ms = LATER_MS
    signer = Signer(Author.DISPATCHER, "main", private_key_from_pem(pem(13)))
    maker = DesiredMaker(RULES, b"m" * 32, signer.sign)
    steps = LoopSteps(clock)
    courier = Courier("bench", signer, clock, steps)
    publisher = Publisher(database, maker, courier, LEDGER, (clock, clock), steps)
    publisher.connected()
    loop = asyncio.new_event_loop()

    def publish() -> None:
        loop.run_until_complete(publisher._round())  # noqa: SLF001  # the round itself, not the waiting around it

    publish()
    for box in boxes:
        box.desired_version = next(t.version for t in database.read_now(told) if t.cabinet_id == box.cabinet)
        database.write_now(lambda c, b=box: keep_reported(c, b.report(), LATER_MS))
    hearing = Hearing(
        listening=True, listening_since_ms=NOW_MS, listening_s=600, quiet_s={box.cabinet: 5 for box in boxes}
    )
    timed = partial(run_timed, rules=RULES, hearing=hearing, now_ms=LATER_MS)
    timed_us = us_per_call(lambda: database.write_now(timed), options.calls)
    round_us = us_per_call(publish, options.calls)
    nothing_us = us_per_call(lambda: loop.run_until_complete(asyncio.sleep(0)), options.calls)
    print(f"run_timed: {timed_us:.0f} us; publisher's round: {round_us - nothing_us:.0f} us")
    loop.close()
    database.close()


if __name__ == "__main__":
    main()
