"""A program's steps on either driver: done in the same order, over when its life is, and its errors are its end."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import Protocol

import pytest

from contract.topics import Author
from runtime.link import LinkOwner
from runtime.steps import Step, Steps
from simulator.virtual.broker import Account, MemoryBroker, MemoryLink
from simulator.virtual.loop import LoopTimers, VirtualTimeLoop
from simulator.virtual.routes import RouteFaults
from simulator.virtual.runners import HeapRunner, LoopRunner
from simulator.virtual.stage import Runner
from simulator.virtual.steps import Life
from simulator.virtual.switch import Killed, KillSwitch
from simulator.virtual.timers import Heap, Stuck, Timers

END_US = 10_000_000


class Program:
    """Some steps: `begin` makes the first of them due. Notes what is done, and when."""

    def __init__(self, steps: Steps, timers: Timers, link: Callable[[LinkOwner], MemoryLink]) -> None:
        self.done: list[str] = []
        self.steps = steps
        self._timers = timers
        self.link = link(LinkOwner((), lambda _message: None, self._connected))
        self.by_name: dict[str, Step] = {}
        self.works: dict[str, Callable[[], None]] = {}

    def step(self, name: str, work: Callable[[], None] = lambda: None) -> Step:
        async def noted() -> None:
            self.done.append(f"{self._timers.now_us()} {name}")
            work()

        self.by_name[name] = self.steps.step(name, noted)
        return self.by_name[name]

    async def begin(self) -> None:
        self.done.append("begin")
        for step in self.by_name.values():
            step.soon()

    async def run(self) -> None:
        await self.begin()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.steps.run())
            tasks.create_task(self.link.run())

    async def _connected(self, _count: int) -> None:
        self.done.append("connected")


class Lived(Protocol):
    """Makes a program with its life, sets it up, and lets it live."""

    def __call__(
        self, set_up: Callable[[Program, Life, Timers], object]
    ) -> tuple[Program, list[BaseException]]: ...


def _program(runner: Runner, timers: Timers, errors: list[BaseException]) -> tuple[Program, Life]:
    life = Life(errors.append)

    def link(owner: LinkOwner) -> MemoryLink:
        account = Account("program", Author.DISPATCHER, "program")
        return MemoryLink(
            MemoryBroker(timers, "test"),
            account,
            owner,
            faults=RouteFaults(),
            rng=Random(1),
            life=life,
            switch=KillSwitch(),
        )

    return Program(runner.steps(life), timers, link), life


def lived_on_heap(set_up: Callable[[Program, Life, Timers], object]) -> tuple[Program, list[BaseException]]:
    heap, errors = Heap(), list[BaseException]()
    runner = HeapRunner(heap)
    program, life = _program(runner, heap, errors)
    set_up(program, life, heap)
    runner.start(program, life, program.link, ())
    heap.run_until(END_US)
    return program, errors


def lived_on_loop(set_up: Callable[[Program, Life, Timers], object]) -> tuple[Program, list[BaseException]]:
    errors: list[BaseException] = []
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as asyncs:
        loop = asyncs.get_loop()
        assert isinstance(loop, VirtualTimeLoop)
        timers = LoopTimers(loop)
        runner = LoopRunner(loop, timers, real_lines=False)

        async def live() -> Program:
            program, life = _program(runner, timers, errors)
            set_up(program, life, timers)
            runner.start(program, life, program.link, ())
            await loop.reach(END_US)
            loop.forget_timers()
            await runner.stop()
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return program

        return asyncs.run(live()), errors


both = pytest.mark.parametrize("lived", [lived_on_heap, lived_on_loop])


@both
def test_steps_are_done_once_when_asked_for_and_when_due(lived: Lived) -> None:
    def set_up(program: Program, _life: Life, timers: Timers) -> None:
        first, second = program.step("first"), program.step("second")

        def ask() -> None:
            second.soon()
            first.soon()
            second.soon()
            first.at_us(3_000_000)
            first.at_us(4_000_000)
            second.at_us(5_000_000)
            second.at_us(None)

        timers.call_at(1_000_000, ask)

    program, errors = lived(set_up)
    assert program.done == [
        "begin",
        "0 first",
        "0 second",
        "connected",
        "1000000 second",
        "1000000 first",
        "4000000 first",
    ]
    assert not errors


@both
def test_a_step_that_asks_for_itself_goes_before_those_that_it_asked_for(lived: Lived) -> None:
    def set_up(program: Program, _life: Life, _timers: Timers) -> None:
        left = 3

        def work() -> None:
            nonlocal left
            left -= 1
            if left:
                other.soon()
                eager.soon()

        eager, other = program.step("eager", work), program.step("other")

    program, _ = lived(set_up)
    assert program.done == ["begin", "0 eager", "0 eager", "0 eager", "0 other", "connected"]


@both
def test_nothing_of_a_program_is_done_after_its_life(lived: Lived) -> None:
    """Not even what was due at the very instant."""

    def set_up(program: Program, life: Life, timers: Timers) -> None:
        step = program.step("step")

        def end() -> None:
            step.soon()
            step.at_us(2_000_000)
            life.end()

        timers.call_at(1_000_000, end)
        timers.call_at(1_000_000, step.soon)

    program, errors = lived(set_up)
    assert program.done == ["begin", "0 step", "connected"]
    assert not errors


@both
@pytest.mark.parametrize("error", [ValueError("a mistake"), Killed()])
def test_what_a_step_raises_is_the_end_of_its_life_at_once(lived: Lived, error: BaseException) -> None:
    def set_up(program: Program, _life: Life, timers: Timers) -> None:
        def work() -> None:
            if timers.now_us():
                raise error

        broken, other = program.step("broken", work), program.step("other")
        timers.call_at(1_000_000, broken.soon)
        timers.call_at(1_000_000, other.soon)
        timers.call_at(2_000_000, other.soon)

    program, errors = lived(set_up)
    assert program.done == ["begin", "0 broken", "0 other", "connected", "1000000 broken"]
    assert errors == [error]


@both
def test_what_a_start_raises_is_the_end_of_its_life(lived: Lived) -> None:
    error = ValueError("no journal")

    def set_up(program: Program, _life: Life, _timers: Timers) -> None:
        async def begin() -> None:
            raise error

        program.begin = begin  # type: ignore[method-assign]

    program, errors = lived(set_up)
    assert (program.done, errors) == ([], [error])


def test_heap_and_loop_do_a_random_tangle_of_steps_in_the_same_order() -> None:
    for seed in range(30):
        on_heap, _ = lived_on_heap(_tangle(seed))
        on_loop, _ = lived_on_loop(_tangle(seed))
        assert on_heap.done == on_loop.done
        assert len(on_heap.done) > 50


def _tangle(seed: int) -> Callable[[Program, Life, Timers], object]:
    """Steps that ask for each other and for themselves, now and at instants that many of them share."""

    def set_up(program: Program, _life: Life, timers: Timers) -> None:
        rng = Random(seed)

        def work() -> None:
            for _ in range(rng.choice((0, 1, 1))):
                rng.choice(steps).soon()
            if rng.random() < 0.5:
                later_us = timers.now_us() + rng.choice((-1, 0, 0, 100_000, 200_000))
                rng.choice(steps).at_us(later_us)

        steps = [program.step(str(number), work) for number in range(6)]
        for tenth in range(90):
            timers.call_at(tenth * 100_000, lambda: rng.choice(steps).soon())

    return set_up


def test_a_step_that_asks_for_itself_for_ever_is_stuck() -> None:
    def set_up(program: Program, _life: Life, _timers: Timers) -> None:
        def again() -> None:
            step.soon()

        step = program.step("endless", again)

    with pytest.raises(Stuck, match="endless"):
        lived_on_heap(set_up)
