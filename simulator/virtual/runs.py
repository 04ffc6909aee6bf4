"""One run of a world from its first instant to its last, on either driver: two ways to the same history.

    world = run_on_heap(Run(stations=3, seed=7, acting_us=2 * HOUR_US), directory)
    print(history(world))
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dispatcher.core.rules import FleetRules
from simulator.virtual.loop import VirtualTimeLoop
from simulator.virtual.world import VirtualWorld, heap_world, loop_world

MINUTE_US: Final = 60_000_000
HOUR_US: Final = 3_600_000_000
SETTLING_US: Final = 3 * MINUTE_US  # the picture converges within two minutes; one for who still walks away


@dataclass(frozen=True, slots=True)
class Run:
    """What is run: how much of the network, from which seed, for how long."""

    stations: int
    seed: int
    acting_us: int
    """How long people act."""
    settling_us: int = SETTLING_US
    """How long everything runs on after that."""
    rules: FleetRules | None = None

    @property
    def end_us(self) -> int:
        return self.acting_us + self.settling_us


Prepare = Callable[[VirtualWorld], object]
"""Sets a world up before it begins: its faults, at their times."""


def as_it_is(_world: VirtualWorld) -> None:
    """Nothing is set up."""


def run_on_heap(run: Run, directory: Path, prepare: Prepare = as_it_is) -> VirtualWorld:
    """The world after the run; its programs are gone, its record and database can be read."""
    heap, world = heap_world(run.stations, run.seed, directory, run.rules)
    prepare(world)
    world.begin()
    heap.run_until(run.acting_us)
    world.stop_acting()
    heap.run_until(run.end_us)
    world.end()
    return world


def run_on_loop(
    run: Run, directory: Path, prepare: Prepare = as_it_is, *, real_lines: bool = False
) -> VirtualWorld:
    """The same with the programs' own tasks. Leaves no task behind. Raises what nobody caught, and Stuck."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualTimeLoop)
        return runner.run(_live(run, directory, prepare, loop, real_lines=real_lines))


async def _live(
    run: Run, directory: Path, prepare: Prepare, loop: VirtualTimeLoop, *, real_lines: bool
) -> VirtualWorld:
    programs, world = loop_world(loop, run.stations, run.seed, directory, run.rules, real_lines=real_lines)
    prepare(world)
    world.begin()
    await loop.reach(run.acting_us)
    world.stop_acting()
    await loop.reach(run.end_us)
    loop.forget_timers()
    world.end()
    await programs.ended()
    assert asyncio.all_tasks() == {asyncio.current_task()}, "a task outlives its program"
    return world
