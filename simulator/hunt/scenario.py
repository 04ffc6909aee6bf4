"""One seed's world: which faults come when, how long people act, and how it comes to rest before it is judged."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from simulator.hunt.faults.cards import CARDS
from simulator.hunt.faults.hardware import HARDWARE
from simulator.hunt.faults.liars import LIARS
from simulator.hunt.faults.machines import MACHINES
from simulator.hunt.faults.memory import MEMORY
from simulator.hunt.faults.menu import Cast, Fault
from simulator.hunt.faults.mistakes import MISTAKES
from simulator.hunt.faults.once_true import ONCE_TRUE
from simulator.hunt.faults.orders import ORDERS
from simulator.hunt.faults.parking import PARKING
from simulator.hunt.faults.taps import TAPS
from simulator.hunt.faults.versions import VERSIONS
from simulator.hunt.faults.ways import WAYS
from simulator.hunt.watch import Watch
from simulator.network.draws import stream
from simulator.virtual.spells import Spell, Spells
from simulator.virtual.timers import HOUR_US, MINUTE_US, SECOND_US, Heap
from simulator.virtual.world import VirtualWorld, heap_world

_ALL = (
    *WAYS, *MACHINES, *HARDWARE, *LIARS, *ORDERS, *MEMORY, *ONCE_TRUE, *MISTAKES, *CARDS, *TAPS, *VERSIONS,
    *PARKING,
)  # fmt: skip
MENU: dict[str, Fault] = {fault.name: fault for fault in _ALL}

QUIET_AT_START_US = 2 * MINUTE_US  # a network that starts is not at fault for what it does not know yet
FINISH_US = 90 * SECOND_US  # whoever stands at a cabinet finishes: the slowest member needs about a minute
PRESENT_SHARE = 0.5  # of the menu, in a seed that draws from it
SETTLE_US = 2 * MINUTE_US  # promise 5: two minutes after faults stop, the picture is right


@dataclass(frozen=True, slots=True)
class Options:
    """What is the same for every seed of a hunt."""

    hours: float = 6.0
    stations: int = 30
    faults: tuple[str, ...] = tuple(MENU)
    drawn: bool = True
    """Each seed has about half of these faults, each at a rate of its own: what one hides another seed shows
    (decision 0020). Otherwise all of them, at the menu's rates."""

    @property
    def end_us(self) -> int:
        return round(self.hours * HOUR_US)


@dataclass
class Run:
    """A world that was lived through."""

    seed: int
    options: Options
    heap: Heap
    world: VirtualWorld
    watch: Watch
    calm_us: int = 0
    """When the last fault had ended and nobody began anything new."""

    @property
    def spells(self) -> Spells:
        return self.world.spells


def live(seed: int, options: Options) -> Run:
    """Live through one seed: faults and people, then calm, then rest."""
    heap, world = heap_world(options.stations, seed)
    run = Run(seed, options, heap, world, Watch(world))
    for name in options.faults:
        fault, times = MENU[name], 1.0
        if options.drawn:
            times = _times_as_often(stream(seed, f"fault/{name}"))
        if times:
            for cabinet in (None,) if fault.everywhere else tuple(world.boxes):
                _schedule(run, fault, cabinet, fault.every_h / times)
    world.begin()
    heap.run_until(options.end_us)
    world.stop_acting()
    run.calm_us = heap.now_us()
    heap.run_until(options.end_us + FINISH_US + SETTLE_US)
    return run


def _times_as_often(rng: random.Random) -> float:
    """How often a fault comes in one seed, beside its usual rate: not at all, or half to twice as often."""
    return 2 ** rng.uniform(-1, 1) if rng.random() < PRESENT_SHARE else 0.0


def _schedule(run: Run, fault: Fault, cabinet: str | None, every_h: float) -> None:
    """All of one kind at one place, one after the other, none beyond the end."""
    rng = stream(run.seed, f"fault/{fault.name}/{cabinet}")
    at_us = QUIET_AT_START_US
    while True:
        at_us += round(rng.expovariate(1 / every_h) * HOUR_US)
        lasts_us = round(rng.uniform(*fault.lasts_s) * SECOND_US)
        if at_us + lasts_us >= run.options.end_us:
            return
        run.heap.call_at(at_us, partial(_begin, run, fault, cabinet, lasts_us, random.Random(rng.random())))
        at_us += lasts_us


def _begin(run: Run, fault: Fault, cabinet: str | None, lasts_us: int, rng: random.Random) -> None:
    now_us = run.heap.now_us()
    here = None if cabinet is None else frozenset({cabinet})
    spell = run.spells.add(Spell(fault.name, fault.touches, here, now_us, now_us + lasts_us))
    end = fault.begin(Cast(run.world, cabinet, rng, spell, lasts_us))
    if end is not None:
        run.heap.call_at(now_us + lasts_us, end)


def named(names: Iterable[str]) -> tuple[str, ...]:
    """Faults by name, in the order of the menu."""
    wanted = set(names)
    return tuple(name for name in MENU if name in wanted)
