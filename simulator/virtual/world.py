"""A whole network in virtual time, from one seed: cabinets, boxes, dispatchers, broker, members and vehicles."""

import random
from collections.abc import Iterator
from pathlib import Path

from dispatcher.core.rules import FleetRules
from simulator.network.draws import stream
from simulator.virtual.box import Runner, VirtualBox
from simulator.virtual.broker import MemoryBroker
from simulator.virtual.centre import VirtualCentre
from simulator.virtual.clocks import BoxClock, TrueClock
from simulator.virtual.people import Person, Surroundings
from simulator.virtual.phone import Answered, Question
from simulator.virtual.premises import NAMESPACE, PLACES_SEED, Premises, open_database
from simulator.virtual.site import VirtualSite
from simulator.virtual.timers import Timers
from simulator.virtual.traffic import VirtualTraffic
from simulator.world.demand import GRID_MS, LEAD_MAX_MS, MORNING_MS, Demand
from simulator.world.members import Member
from simulator.world.moment import Moment
from simulator.world.plan import Plan
from simulator.world.record import WorldRecord

WITHIN_A_MINUTE_US = 60_000_000  # plans are made on the minute, people are not


class VirtualWorld:
    """Make it, `begin`, let the timers run, `stop_acting`, let them run on, judge."""

    def __init__(
        self, premises: Premises, seed: int, timers: Timers, runner: Runner, directory: Path, rules: FleetRules
    ) -> None:
        self.premises = premises
        self.network = premises.network
        self.seed = seed
        self.timers = timers
        self.clock = TrueClock(timers, MORNING_MS)
        self.rules = rules
        self.record = WorldRecord()
        self.broker = MemoryBroker(timers, NAMESPACE)
        self.database = open_database(premises.database)
        self.sites = {station.cabinet: self._site(station.cabinet, station.id) for station in self.network.stations}
        self.boxes = {
            cabinet: VirtualBox(
                cabinet,
                site,
                premises=premises,
                seed=seed,
                timers=timers,
                clock=BoxClock(timers, MORNING_MS),
                broker=self.broker,
                runner=runner,
                journal=directory / f"{cabinet}.sqlite",
            )
            for cabinet, site in self.sites.items()
        }
        self.centre = VirtualCentre(
            "dispatcher",
            self.database,
            premises=premises,
            rules=rules,
            seed=seed,
            timers=timers,
            clock=self.clock,
            broker=self.broker,
            runner=runner,
        )
        traffic = VirtualTraffic(self.network, seed, timers, self.clock, self._tracker, NAMESPACE)
        self.around = Surroundings(timers, self.clock, self.sites, traffic, self)

    def now(self) -> Moment:
        return Moment(self.clock.now_ms(), self.timers.now_us())

    def begin(self) -> None:
        """Everything starts, and people begin to live."""
        self.centre.boot()
        for box in self.boxes.values():
            box.boot()
        self.around.traffic.begin()
        start_ms = -(-MORNING_MS // GRID_MS) * GRID_MS
        demand = Demand(self.network, self.seed, start_ms, GRID_MS)
        for vehicle in self.network.vehicles:
            rng = stream(self.seed, f"people/{vehicle.id}")
            self._follow(demand.plans(vehicle), rng)

    def stop_acting(self) -> None:
        self.around.acting = False

    def answer(self, question: Question, answered: Answered) -> None:
        """A phone asks: whichever dispatcher is there answers."""
        self.centre.answer(question, answered)

    def _follow(self, plans: Iterator[Plan], rng: random.Random) -> None:
        """Let each of a vehicle's members appear in time to book."""
        plan = next(plans)
        at_us = self.clock.at_us(plan.start_ms - LEAD_MAX_MS) + rng.randrange(WITHIN_A_MINUTE_US)

        def appear() -> None:
            if not self.around.acting:
                return
            member = Member(plan)
            Person(member.name, member.live(), self.around, stream(self.seed, f"person/{plan.name}")).begin()
            self._follow(plans, rng)

        self.timers.call_at(at_us, appear)

    def _site(self, cabinet: str, station: str) -> VirtualSite:
        return VirtualSite(
            cabinet,
            {vehicle.key.home_slot: vehicle.key for vehicle in self.network.vehicles_at(station)},
            seed=PLACES_SEED,
            rng=stream(self.seed, f"line/{cabinet}"),
            timers=self.timers,
            moment=self.now,
            record=self.record,
        )

    def _tracker(self, topic: str, payload: bytes) -> None:
        if self.broker.is_up:
            self.broker.spread(topic, payload)
