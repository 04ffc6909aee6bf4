"""One seed, from its first event to its verdict; and many of them on all cores."""

import logging
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

import structlog

from runtime.clocks import LineClock, SystemLineClock
from simulator.hunt.checks.promises import Broken, broken_promises
from simulator.hunt.planted import planted
from simulator.hunt.scenario import Options, Run, live
from simulator.virtual.premises import premises

LATEST_MAX = 2  # seeds handed to each worker ahead of time


@dataclass(frozen=True, slots=True)
class SeedResult:
    """What became of one seed."""

    seed: int
    broken: tuple[Broken, ...]
    wall_s: float
    hours: float
    faults: int
    facts: int


@contextmanager
def lived(seed: int, options: Options, plant: str | None = None) -> Iterator[Run]:
    """A run that was lived through, with its bug still in the programs until the block ends."""
    _mute()
    with planted(plant):
        yield live(seed, options)


def _mute() -> None:
    """Programs in virtual time log as much as real ones, and much faster."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def hunt_one(seed: int, options: Options, plant: str | None = None, clock: LineClock | None = None) -> SeedResult:
    """Live and judge one seed. A world that cannot go on is a finding too, and ends no hunt."""
    clock = clock or SystemLineClock()
    began_us = clock.now_us()
    faults = facts = 0
    _mute()
    with planted(plant):
        try:
            run = live(seed, options)
            broken, faults = tuple(broken_promises(run)), len(run.spells)
            facts = sum(box.opened.journal.epoch.last_seq for box in run.world.boxes.values() if box.opened)
        except Exception as error:  # noqa: BLE001  # whatever it is: a replay tells it again, with its traceback
            broken = (Broken("liveness", f"the world stopped: {type(error).__name__}: {error}"),)
    return SeedResult(seed, broken, (clock.now_us() - began_us) / 1e6, options.hours, faults, facts)


def hunt_many(
    first: int, seeds: int | None, options: Options, jobs: int, plant: str | None = None
) -> Iterator[SeedResult]:
    """Results as they come, on so many processes; `seeds` None: until whoever asks has enough."""
    premises(options.stations)  # made once, before the workers are forked
    numbers = iter(range(first, first + seeds)) if seeds is not None else count(first)
    if jobs == 1:
        for seed in numbers:
            yield hunt_one(seed, options, plant)
        return
    with ProcessPoolExecutor(jobs) as pool:
        waiting: set[Future[SeedResult]] = set()
        try:
            for seed in numbers:
                waiting.add(pool.submit(hunt_one, seed, options, plant))
                if len(waiting) >= jobs * LATEST_MAX:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from _by_seed(done)
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from _by_seed(done)
        finally:
            pool.shutdown(cancel_futures=True)


def _by_seed(done: Iterable[Future[SeedResult]]) -> list[SeedResult]:
    return sorted((future.result() for future in done), key=lambda result: result.seed)


def cores() -> int:
    """How many processes this machine runs at once."""
    return len(os.sched_getaffinity(0))
