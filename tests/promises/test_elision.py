"""Leaving out polls that bring nothing changes no history, not by a millisecond; nor does the agent's real line."""

from functools import partial

import pytest

from simulator.virtual.history import first_difference
from simulator.virtual.line import Cable
from simulator.virtual.runs import on_heap, on_loop, people_act
from simulator.virtual.timers import HOUR_US, MINUTE_US
from simulator.virtual.world import VirtualWorld
from simulator.world.record import What
from tests.promises.histories import told

BUSY_SEED = 3  # its one station has six keys taken and five returned within the first hour
EARLY_SEED = 1  # three people come within the first ten minutes


def cables(world: VirtualWorld) -> list[Cable]:
    return [cable for site in world.sites.values() for cable in site.cables.values()]


def poll_all(world: VirtualWorld) -> None:
    for cable in cables(world):
        cable.polls_all = True


@pytest.mark.long
def test_an_hour_with_every_poll_is_the_same_as_one_without_those_that_bring_nothing() -> None:
    sparing = on_heap(1, BUSY_SEED, people_act(HOUR_US))
    polled = on_heap(1, BUSY_SEED, people_act(HOUR_US, poll_all))
    assert first_difference(told(sparing), told(polled)) == ""
    assert sparing.record.count(What.KEY_REMOVED, What.KEY_INSERTED) >= 10
    assert polls(polled) > 10 * polls(sparing)


def polls(world: VirtualWorld) -> int:
    (box,) = world.boxes.values()
    assert box.agent is not None
    return sum(line.frames_sent for line in box.agent.hardware.statistics.values())


@pytest.mark.long
def test_the_agents_real_serial_line_writes_the_same_history() -> None:
    course = people_act(10 * MINUTE_US)
    sparing = on_heap(1, EARLY_SEED, course)
    real = on_loop(1, EARLY_SEED, course, real_lines=True)
    assert first_difference(told(sparing), told(real)) == ""
    assert sparing.record.count(What.KEY_REMOVED) >= 3


def test_the_agents_real_serial_line_comes_back_from_a_pulled_cable_at_the_same_instants() -> None:
    """Pulled at rest, in the middle of a handover, and for so long that it is tried ever later; and a kill."""

    def set_up(world: VirtualWorld) -> None:
        timers = world.stage.timers
        (site,), (box,) = world.sites.values(), world.boxes.values()
        for cable, at_us, for_us in (
            (site.locks, 40_000_000, 1_000_000),
            (site.locks, 68_500_000, 20_123_456),
            (site.readers, 30_000_000, 350_000),
            (site.readers, 157_500_000, 45_000_000),
            (site.locks, 300_000_000, 5_000_000),
        ):
            timers.call_at(at_us, partial(pull, cable, out=True))
            timers.call_at(at_us + for_us, partial(pull, cable, out=False))
        timers.call_at(303_000_000, box.kill)

    course = people_act(6 * MINUTE_US, set_up)
    sparing = on_heap(1, EARLY_SEED, course)
    real = on_loop(1, EARLY_SEED, course, real_lines=True)
    assert first_difference(told(sparing), told(real)) == ""
    facts = [line for line in told(sparing) if "device_lost" in line and "box" in line]
    assert len(facts) >= 5


def pull(cable: Cable, *, out: bool) -> None:
    cable.faults.pulls = int(out)
    cable.changed()
