"""The world on real lines: cabinets on ptys, members and vehicles, behind asyncio.

    world = World(network, seed, clock, line_clock, directory, api, publish)
    world.open()            # ports exist: agents may start
    task = create_task(world.run())
    ...
    world.stop_acting()     # no new deeds; hand movements under way are finished
    await task
    ...                     # agents and dispatcher settle; the lines still answer
    world.close()

`world.record` is what physically happened; `world.sites` are the cabinets as they are.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runtime.clocks import Clock, LineClock
from simulator.network.model import Network, Vehicle
from simulator.world.api import BookingApi
from simulator.world.body import PHONES_AT_ONCE, Body, Surroundings
from simulator.world.demand import GRID_MS, LEAD_MAX_MS, Demand
from simulator.world.members import Member
from simulator.world.moment import Moment
from simulator.world.record import WorldRecord
from simulator.world.signals import Told
from simulator.world.site import Site
from simulator.world.traffic import Publish, Traffic

FIRST_BOOKING_LINE_S = 3.0  # bookings made now reach their boxes before the first of them starts


@dataclass
class _Life:
    """A member at large."""

    body: Body
    task: asyncio.Task[None] | None = None


class World:
    """Everything outside the programs. Make it inside a running event loop.

    `directory` gets one folder per cabinet with the ports `locks` and `readers`; keep its path short enough
    for a human and free of the agents' files. `record.on_fact` may be set to hear of each physical fact.
    Without members nobody comes by themselves.
    """

    def __init__(  # noqa: PLR0913  # the world touches everything: two clocks, a folder, an API, a broker
        self,
        network: Network,
        seed: int,
        clock: Clock,
        line_clock: LineClock,
        directory: Path,
        api: BookingApi,
        publish: Publish,
        *,
        namespace: str = "carshare",
        grid_ms: int = GRID_MS,
        has_members: bool = True,
    ) -> None:
        self.network = network
        self.record = WorldRecord()
        self.refused_bookings: Counter[str] = Counter()
        """What members asked for and the API refused, by reason."""
        self._seed = seed
        self._clock = clock
        self._line_clock = line_clock
        self._api = api
        self._publish = publish
        self._namespace = namespace
        self._grid_ms = grid_ms
        self._has_members = has_members
        self.sites = {
            station.cabinet: Site(
                station.cabinet,
                {vehicle.key.home_slot: vehicle.key for vehicle in network.vehicles_at(station.id)},
                seed=seed,
                directory=directory / station.cabinet,
                moment=self.now,
                line_clock=line_clock,
                record=self.record,
            )
            for station in network.stations
        }
        self.told: Mapping[str, Sequence[Told]] = {}
        """What each vehicle's tracker said, oldest first."""
        self._lives: list[_Life] = []
        self._stopping = asyncio.Event()

    def now(self) -> Moment:
        return Moment(self._clock.now_ms(), self._line_clock.now_us())

    def open(self) -> None:
        for site in self.sites.values():
            site.open()

    def close(self) -> None:
        for site in self.sites.values():
            site.close()

    async def run(self) -> None:
        """People and vehicles live until `stop_acting`, and until nobody stands at a cabinet any more."""
        traffic = Traffic(self.network, self._seed, self._clock, self._publish, self._namespace)
        self.told = traffic.told
        around = Surroundings(
            clock=self._clock,
            moment=self.now,
            sites=self.sites,
            traffic=traffic,
            api=self._api,
            phones=asyncio.Semaphore(PHONES_AT_ONCE),
            refused=self.refused_bookings,
        )
        demand = Demand(self.network, self._seed, self._first_start_ms(), self._grid_ms)
        async with asyncio.TaskGroup() as group:
            publishing = group.create_task(traffic.run())
            driven = self.network.vehicles if self._has_members else ()
            diaries = [group.create_task(self._follow(demand, vehicle, around, group)) for vehicle in driven]
            await self._stopping.wait()
            for task in (publishing, *diaries):
                task.cancel()

    def stop_acting(self) -> None:
        """Nobody begins anything new; whoever stands at a cabinet finishes there and goes."""
        self._stopping.set()
        for life in self._lives:
            if life.body.site is None and life.task is not None:
                life.task.cancel()

    def _first_start_ms(self) -> int:
        """The first grid step that leaves time for bookings to reach their boxes."""
        earliest_ms = self._clock.now_ms() + round(FIRST_BOOKING_LINE_S * 1000 * self._clock.speed)
        return -(-earliest_ms // self._grid_ms) * self._grid_ms

    async def _follow(
        self, demand: Demand, vehicle: Vehicle, around: Surroundings, group: asyncio.TaskGroup
    ) -> None:
        """Lets each of a vehicle's members appear in time to book."""
        for plan in demand.plans(vehicle):
            await self._clock.sleep_until_ms(plan.start_ms - LEAD_MAX_MS)
            member = Member(plan)
            life = _Life(Body(member.name, around))
            life.task = group.create_task(self._live(member, life), name=plan.name)
            self._lives.append(life)

    async def _live(self, member: Member, life: _Life) -> None:
        script = member.live()
        try:
            act = next(script)
            while life.body.site is not None or not self._stopping.is_set():
                outcome = await life.body.do(act)
                act = script.send(outcome)
        except StopIteration:
            return
        finally:
            life.body.leave()
            self._lives.remove(life)
