"""The bare heap and the programs' own tasks under a virtual loop write the same history, line by line."""

from functools import partial

import pytest

from simulator.hunt.faults.menu import Cast, Fault
from simulator.hunt.scenario import MENU
from simulator.network.draws import stream
from simulator.virtual.history import first_difference
from simulator.virtual.routes import RouteFaults
from simulator.virtual.runs import Course, on_heap, on_loop, people_act
from simulator.virtual.spells import Spell
from simulator.virtual.timers import HOUR_US, MINUTE_US
from simulator.virtual.world import VirtualWorld
from simulator.world.record import What
from tests.promises.histories import told

STATIONS = 3
PEOPLE_ACT_US = 2 * HOUR_US


def assert_same_history(seed: int, course: Course) -> VirtualWorld:
    """Lives the course on both drivers; returns the heap's world."""
    heap = on_heap(STATIONS, seed, course)
    loop = on_loop(STATIONS, seed, course)
    assert first_difference(told(heap), told(loop)) == ""
    return heap


def test_both_drivers_write_the_same_history_without_faults() -> None:
    world = assert_same_history(1, people_act(PEOPLE_ACT_US))
    assert world.record.count(What.KEY_REMOVED) >= 5
    assert world.record.count(What.KEY_INSERTED) >= 5


@pytest.mark.long
def test_both_drivers_write_the_same_history_over_bad_ways() -> None:
    """Each way is bad in turn, in every way, the dispatcher's too: as many random draws on either driver."""

    def set_up(world: VirtualWorld) -> None:
        at_us = 5 * MINUTE_US
        for way in (*(box.way for box in world.boxes.values()), world.centre.way):
            for name, value in (("lost", 0.3), ("doubled", 0.5), ("overtakes", 0.5), ("slow_us", 1_500_000)):
                world.stage.timers.call_at(at_us, partial(setattr, way, name, value))
                world.stage.timers.call_at(at_us + 10 * MINUTE_US, partial(setattr, way, name, 0))
                at_us += 6 * MINUTE_US

    world = assert_same_history(2, people_act(PEOPLE_ACT_US, set_up))
    assert all(box.way == RouteFaults() for box in world.boxes.values())
    assert any(box.link is not None and box.link.statistics.unconfirmed for box in world.boxes.values())


@pytest.mark.long
@pytest.mark.parametrize("seed", [3, 4])
def test_both_drivers_write_the_same_history_with_every_fault_of_the_hunt(seed: int) -> None:
    """Each of them once at every cabinet: kills between any two effects, power, clocks, lines, devices, ways."""

    def set_up(world: VirtualWorld) -> None:
        for fault in MENU.values():
            for cabinet in (None,) if fault.everywhere else tuple(world.boxes):
                once(world, seed, fault, cabinet)

    world = assert_same_history(seed, people_act(PEOPLE_ACT_US, set_up))
    assert sum(box.fate.kills for box in world.boxes.values()) >= STATIONS


def once(world: VirtualWorld, seed: int, fault: Fault, cabinet: str | None) -> None:
    """One fault at a time of its own."""
    rng = stream(seed, f"fault/{fault.name}/{cabinet}")
    timers = world.stage.timers
    lasts_us = min(round(rng.uniform(*fault.lasts_s) * 1_000_000), PEOPLE_ACT_US // 2)
    from_us = rng.randrange(MINUTE_US, PEOPLE_ACT_US - lasts_us)
    here = None if cabinet is None else frozenset({cabinet})

    def begin() -> None:
        spell = world.spells.add(Spell(fault.name, fault.touches, here, from_us, from_us + lasts_us))
        end = fault.begin(Cast(world, cabinet, rng, spell, lasts_us))
        if end is not None:
            timers.call_at(from_us + lasts_us, end)

    timers.call_at(from_us, begin)
