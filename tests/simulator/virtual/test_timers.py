"""Timers: order at one instant, cancelling, and what never ends; the heap and the loop do it alike."""

import asyncio
from collections.abc import Callable
from random import Random

import pytest

from simulator.virtual.loop import LoopTimers, VirtualTimeLoop
from simulator.virtual.timers import Call, Heap, Stuck, Timers

Plan = Callable[[Timers, list[str]], object]
"""Sets timers; what they do is noted."""


def done_on_heap(plan: Plan, until_us: int) -> list[str]:
    heap, done = Heap(), list[str]()
    plan(heap, done)
    heap.run_until(until_us)
    assert heap.now_us() == until_us
    return done


def done_on_loop(plan: Plan, until_us: int) -> list[str]:
    done: list[str] = []
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualTimeLoop)
        timers = LoopTimers(loop)

        async def live() -> None:
            plan(timers, done)
            await loop.reach(until_us)
            assert timers.now_us() == until_us
            loop.forget_timers()

        runner.run(live())
    return done


both = pytest.mark.parametrize("done_by", [done_on_heap, done_on_loop])


@both
def test_what_is_due_at_one_instant_is_done_in_the_order_of_the_asking(
    done_by: Callable[[Plan, int], list[str]],
) -> None:
    def plan(timers: Timers, done: list[str]) -> None:
        def first() -> None:
            done.append("first")
            timers.call_soon(lambda: done.append("asked soon"))
            timers.call_at(5, lambda: done.append("asked for now"))
            timers.call_at(3, lambda: done.append("asked for the past"))
            timers.call_soon(lambda: done.append("asked soon, last"))

        timers.call_at(5, first)
        timers.call_at(7, lambda: done.append("later"))
        timers.call_at(5, lambda: done.append("second"))

    assert done_by(plan, 10) == [
        "first",
        "second",
        "asked soon",
        "asked for now",
        "asked for the past",
        "asked soon, last",
        "later",
    ]


@both
def test_only_what_is_due_before_the_end_is_done(done_by: Callable[[Plan, int], list[str]]) -> None:
    def plan(timers: Timers, done: list[str]) -> None:
        timers.call_at(10, lambda: done.append("at the end"))
        timers.call_at(9, lambda: done.append("before it"))

    assert done_by(plan, 10) == ["before it"]


@both
def test_a_cancelled_call_is_not_done_and_may_be_cancelled_again(
    done_by: Callable[[Plan, int], list[str]],
) -> None:
    def plan(timers: Timers, done: list[str]) -> None:
        cancelled = timers.call_at(5, lambda: done.append("cancelled"))
        over = timers.call_at(2, lambda: done.append("done"))

        def cancel() -> None:
            cancelled.cancel()
            cancelled.cancel()
            over.cancel()

        timers.call_at(3, cancel)

    assert done_by(plan, 10) == ["done"]


def test_heap_and_loop_do_a_random_tangle_of_calls_in_the_same_order() -> None:
    for seed in range(30):
        assert done_on_heap(_tangle(seed), 400) == done_on_loop(_tangle(seed), 400)


def _tangle(seed: int) -> Plan:
    """Calls that make, hurry and cancel calls, many of them at the same instants."""
    rng = Random(seed)

    def plan(timers: Timers, done: list[str]) -> None:
        calls: list[Call] = []

        def act(name: str) -> None:
            done.append(f"{timers.now_us()} {name}")
            for _ in range(rng.choice((0, 1, 1, 2))):
                if len(calls) < 300:
                    add(f"{name}.{len(calls)}")
            if rng.random() < 0.3:
                rng.choice(calls).cancel()

        def add(name: str) -> None:
            def do() -> None:
                act(name)

            if rng.random() < 0.3:
                calls.append(timers.call_soon(do))
            else:
                calls.append(timers.call_at(timers.now_us() + rng.choice((-5, 0, 1, 10, 10, 50)), do))

        for number in range(5):
            add(str(number))

    return plan


def test_a_heap_on_which_time_does_not_move_is_stuck() -> None:
    heap = Heap()

    def again() -> None:
        heap.call_soon(again)

    heap.call_at(3_000_000, again)
    with pytest.raises(Stuck, match=r"at 3\.000000 s, and still time does not move"):
        heap.run_until(4_000_000)


def test_a_run_that_is_continued_goes_on_where_it_ended() -> None:
    heap, done = Heap(), list[int]()
    heap.call_at(10, lambda: done.append(heap.now_us()))
    heap.run_until(5)
    heap.call_at(7, lambda: done.append(heap.now_us()))
    heap.run_until(10)
    assert done == [7]
    heap.run_until(11)
    assert done == [7, 10]


def test_what_an_event_raises_ends_the_run() -> None:
    heap = Heap()
    heap.call_at(1, list[int]().pop)
    with pytest.raises(IndexError):
        heap.run_until(2)
