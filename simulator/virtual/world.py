"""A whole network in virtual time, from one seed: cabinets, boxes, dispatchers, broker, members and vehicles."""

import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select

from dispatcher.core.rules import FleetRules
from dispatcher.importing.files import read_document
from dispatcher.store.commands import RELEASE_SLOT, StoredCommand, insert_command, next_counter
from dispatcher.store.desired import told
from dispatcher.store.importing import import_rows
from dispatcher.store.schema import badges
from simulator.network.draws import stream
from simulator.network.model import Card
from simulator.verdict.evidence import Booking
from simulator.virtual.box import VirtualBox
from simulator.virtual.broker import MemoryBroker
from simulator.virtual.centre import VirtualCentre
from simulator.virtual.clocks import TrueClock
from simulator.virtual.loop import LoopTimers, VirtualTimeLoop
from simulator.virtual.overheard import Overheard
from simulator.virtual.people import Person, Surroundings
from simulator.virtual.phone import Answered, Question
from simulator.virtual.premises import NAMESPACE, PLACES_SEED, open_database, premises
from simulator.virtual.runners import HeapRunner, LoopRunner
from simulator.virtual.site import VirtualSite
from simulator.virtual.spells import Spells
from simulator.virtual.stage import Runner, Stage
from simulator.virtual.timers import Heap, Timers
from simulator.virtual.traffic import VirtualTraffic
from simulator.world.demand import GRID_MS, LEAD_MAX_MS, MORNING_MS, Demand
from simulator.world.members import Member
from simulator.world.moment import Moment
from simulator.world.plan import Plan
from simulator.world.record import WorldRecord

ORDER_MS = 60_000  # how long an operator's order is good for: whoever asked for it stands there
WITHIN_A_MINUTE_US = 60_000_000  # plans are made on the minute, people are not


@dataclass(frozen=True, slots=True)
class Order:
    """An operator's order to release a slot. Line times in microseconds."""

    cabinet: str
    slot: int
    issued_us: int
    expires_us: int


class VirtualWorld:
    """Make it, `begin`, let the timers run, `stop_acting`, let them run on, judge."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.network = stage.premises.network
        self.record = WorldRecord()
        self.database = open_database(stage.premises.database)
        self.sites = {station.cabinet: self._site(station.cabinet, station.id) for station in self.network.stations}
        self.boxes = {cabinet: VirtualBox(cabinet, site, stage) for cabinet, site in self.sites.items()}
        self.centre = VirtualCentre("dispatcher", self.database, stage)
        self.other_centre = VirtualCentre("dispatcher-2", self.database, stage)
        """A second one on the same database, for as long as a fault lets it run."""
        self.spells = Spells()
        """What was wrong, where and when."""
        self.overheard = Overheard()
        """What somebody who owns the broker has seen pass."""
        stage.broker.on_message = self.overheard.note
        self._clones = 0
        self.forged: set[str] = set()
        """Bookings that were written into the database by hand."""
        self.orders: list[Order] = []
        """What operators ordered from afar."""
        self.revoked: dict[str, int] = {}
        """Badges that operators revoked, by credential, with the wall time of the first time."""
        self.lost: list[Booking] = []
        """Bookings that a restored database does not have any more."""
        traffic = VirtualTraffic(self.network, stage.seed, stage.timers, stage.clock, self._tracker, NAMESPACE)
        self.around = Surroundings(stage.timers, stage.clock, self.sites, traffic, self)

    def clone(self, cabinet: str) -> VirtualBox:
        """A second computer with a copy of this box's card as it is now, in a place without a cabinet."""
        self._clones += 1
        name = f"{cabinet}/clone {self._clones}"
        nowhere = VirtualSite(
            cabinet,
            {},
            seed=PLACES_SEED,
            rng=stream(self.stage.seed, f"line/{name}"),
            timers=self.stage.timers,
            moment=self.now,
            record=WorldRecord(),
        )
        for cable in nowhere.cables.values():
            cable.faults.pulls += 1
        box = VirtualBox(cabinet, nowhere, self.stage, name)
        box.disk.put_back(self.boxes[cabinet].disk.image())
        return box

    def now(self) -> Moment:
        return Moment(self.stage.clock.now_ms(), self.stage.timers.now_us())

    def begin(self) -> None:
        """Everything starts, and people begin to live."""
        self.centre.boot()
        for box in self.boxes.values():
            box.boot()
        self.around.traffic.begin()
        start_ms = -(-MORNING_MS // GRID_MS) * GRID_MS
        demand = Demand(self.network, self.stage.seed, start_ms, GRID_MS)
        for vehicle in self.network.vehicles:
            rng = stream(self.stage.seed, f"people/{vehicle.id}")
            self._follow(demand.plans(vehicle), rng)

    def stop_acting(self) -> None:
        self.around.acting = False

    def told_versions(self) -> dict[str, int]:
        """The version of each cabinet's wanted state that the database holds."""
        return {state.cabinet_id: state.version for state in self.database.read_now(told)}

    def order_release(self, cabinet: str, slot: int, author: str) -> bool:
        """As an operator does it: a command of the dispatcher's own; False while it does not answer."""
        dispatcher = self.centre.dispatcher
        if dispatcher is None or not self.centre.is_alive or self.centre.executor.is_locked:
            return False
        now_ms, now_us = self.stage.clock.now_ms(), self.stage.timers.now_us()

        def write(connection: Connection) -> None:
            counter = next_counter(connection, cabinet, now_ms)
            name = f"order-{cabinet}-{counter}"
            command = StoredCommand(
                name, cabinet, slot, counter, RELEASE_SLOT, author, "to be driven home", now_ms, now_ms + ORDER_MS
            )
            insert_command(connection, command)

        self.database.write_now(write)
        self.orders.append(Order(cabinet, slot, now_us, now_us + ORDER_MS * 1000))
        dispatcher.changed()
        return True

    def revoke(self, badge: Card) -> None:
        """As an operator does it: the badge's row is imported anew, and the dispatcher finds out."""
        self.revoked.setdefault(badge.credential, self.stage.clock.now_ms())
        self._import_revoked((badge.credential,))

    def revoke_again(self) -> None:
        """What a backup does not know operators know: they do it again."""
        if self.revoked:
            self._import_revoked(tuple(self.revoked))

    def _import_revoked(self, credentials: Collection[str]) -> None:
        now_ms = self.stage.clock.now_ms()
        lost = select(badges).where(badges.c.credential.in_(credentials)).order_by(badges.c.id)

        def write(connection: Connection) -> None:
            wanted = [
                {"id": row.id, "member_id": row.member_id, "credential": row.credential, "state": "revoked"}
                for row in connection.execute(lost)
            ]
            rows, faults = read_document({"badges": wanted}, "lost badges")
            assert not faults, faults
            import_rows(connection, rows, now_ms, _no_new_badge)

        self.database.write_now(write)

    def answer(self, question: Question, answered: Answered) -> None:
        """A phone asks: whichever dispatcher is there answers."""
        self.centre.answer(question, answered)

    def _follow(self, plans: Iterator[Plan], rng: random.Random) -> None:
        """Let each of a vehicle's members appear in time to book."""
        plan = next(plans)
        at_us = self.stage.clock.at_us(plan.start_ms - LEAD_MAX_MS) + rng.randrange(WITHIN_A_MINUTE_US)

        def appear() -> None:
            if not self.around.acting:
                return
            member = Member(plan)
            Person(member.name, member.live(), self.around, stream(self.stage.seed, f"person/{plan.name}")).begin()
            self._follow(plans, rng)

        self.stage.timers.call_at(at_us, appear)

    def _site(self, cabinet: str, station: str) -> VirtualSite:
        return VirtualSite(
            cabinet,
            {vehicle.key.home_slot: vehicle.key for vehicle in self.network.vehicles_at(station)},
            seed=PLACES_SEED,
            rng=stream(self.stage.seed, f"line/{cabinet}"),
            timers=self.stage.timers,
            moment=self.now,
            record=self.record,
        )

    def _tracker(self, topic: str, payload: bytes) -> None:
        if self.stage.broker.is_up:
            self.stage.broker.spread(topic, payload)


def _no_new_badge(_count: int) -> bytes:
    raise AssertionError("a badge that is revoked is there already")


def heap_world(stations: int, seed: int, rules: FleetRules | None = None) -> tuple[Heap, VirtualWorld]:
    """A world on the bare heap, not yet begun."""
    heap = Heap()
    return heap, _world(stations, seed, rules, heap, HeapRunner(heap))


def loop_world(
    loop: VirtualTimeLoop,
    stations: int,
    seed: int,
    rules: FleetRules | None = None,
    *,
    real_lines: bool = False,
) -> tuple[LoopRunner, VirtualWorld]:
    """The same world on a virtual loop. With `real_lines` the agents' own serial lines poll all the time."""
    timers = LoopTimers(loop)
    runner = LoopRunner(loop, timers, real_lines=real_lines)
    return runner, _world(stations, seed, rules, timers, runner)


def _world(stations: int, seed: int, rules: FleetRules | None, timers: Timers, runner: Runner) -> VirtualWorld:
    clock = TrueClock(timers, MORNING_MS)
    broker = MemoryBroker(timers, NAMESPACE)
    stage = Stage(premises(stations), seed, timers, clock, broker, runner, rules or FleetRules())
    return VirtualWorld(stage)
