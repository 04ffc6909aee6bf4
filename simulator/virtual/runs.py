"""A world from its first instant to its last, on either driver: two ways to the same history.

    world = on_heap(3, seed, people_act(2 * HOUR_US))
    for line in history(world): ...

What happens when is a course: it sets the world up, begins it, and yields until when to let it live on.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from dispatcher.core.rules import FleetRules
from simulator.virtual.loop import VirtualTimeLoop
from simulator.virtual.timers import MINUTE_US
from simulator.virtual.world import VirtualWorld, heap_world, loop_world

SETTLING_US: Final = 3 * MINUTE_US  # the picture converges within two minutes; one for who still walks away

Course = Callable[[VirtualWorld], Iterator[int]]


def people_act(for_us: int, set_up: Callable[[VirtualWorld], object] | None = None) -> Course:
    """People act for so long, then everything comes to rest. `set_up` puts faults at their times."""

    def course(world: VirtualWorld) -> Iterator[int]:
        if set_up is not None:
            set_up(world)
        world.begin()
        yield for_us
        world.stop_acting()
        yield for_us + SETTLING_US

    return course


def on_heap(stations: int, seed: int, course: Course, rules: FleetRules | None = None) -> VirtualWorld:
    """The world as it is at the end of the course."""
    heap, world = heap_world(stations, seed, rules)
    for until_us in course(world):
        heap.run_until(until_us)
    return world


def on_loop(
    stations: int,
    seed: int,
    course: Course,
    rules: FleetRules | None = None,
    *,
    real_lines: bool = False,
) -> VirtualWorld:
    """The same with the programs' own tasks, none of which is left behind. Raises what nobody caught, and Stuck."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as asyncs:
        loop = asyncs.get_loop()
        assert isinstance(loop, VirtualTimeLoop)
        programs, world = loop_world(loop, stations, seed, rules, real_lines=real_lines)

        async def live() -> None:
            for until_us in course(world):
                await loop.reach(until_us)
            loop.forget_timers()
            await programs.stop()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"tasks outlive their programs: {left}"

        asyncs.run(live())
    return world
