"""Steps: done when asked for or when due, once at a time, and in line where nothing waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from runtime.clocks import SystemLineClock
from runtime.executor import InlineExecutor
from runtime.steps import LoopSteps, run_inline
from tests.runtime.waiting import eventually


@asynccontextmanager
async def running(steps: LoopSteps) -> AsyncIterator[None]:
    task = asyncio.create_task(steps.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_step_asked_for_before_the_run_is_done_at_its_start() -> None:
    done: list[str] = []

    async def work() -> None:
        done.append("once")

    steps = LoopSteps(SystemLineClock())
    step = steps.step("work", work)
    step.soon()
    step.soon()
    async with running(steps):
        await eventually(lambda: done)
        await asyncio.sleep(0)
    assert done == ["once"]


async def test_a_step_is_done_when_its_time_has_come_and_the_newest_wish_counts() -> None:
    clock = SystemLineClock()
    done_us: list[int] = []

    async def work() -> None:
        done_us.append(clock.now_us())

    steps = LoopSteps(clock)
    step = steps.step("work", work)
    wanted_us = clock.now_us() + 30_000
    async with running(steps):
        step.at_us(wanted_us + 60_000_000)
        step.at_us(wanted_us)
        await eventually(lambda: done_us)
        step.at_us(clock.now_us() + 20_000)
        step.at_us(None)
        other = steps.step("later", work)
        other.at_us(None)
        await eventually(lambda: clock.now_us() > wanted_us + 60_000)
    assert len(done_us) == 1
    assert done_us[0] >= wanted_us


async def test_a_step_that_is_asked_for_while_it_works_is_done_once_more_afterwards() -> None:
    gate = asyncio.Event()
    begun, at_once = 0, 0

    async def work() -> None:
        nonlocal begun, at_once
        begun += 1
        at_once += 1
        assert at_once == 1
        await gate.wait()
        at_once -= 1

    steps = LoopSteps(SystemLineClock())
    step = steps.step("work", work)
    step.soon()
    async with running(steps):
        await eventually(lambda: begun == 1)
        step.soon()
        step.soon()
        gate.set()
        await eventually(lambda: begun == 2)


async def test_what_a_step_raises_ends_the_run() -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    steps = LoopSteps(SystemLineClock())
    steps.step("broken", broken).soon()
    with pytest.raises(ExceptionGroup) as caught:
        await steps.run()
    assert caught.group_contains(ZeroDivisionError)


async def test_together_each_may_wait_for_another() -> None:
    gate = asyncio.Event()

    async def first() -> None:
        await gate.wait()

    async def second() -> None:
        gate.set()

    async with asyncio.timeout(5):
        await LoopSteps(SystemLineClock()).together((first(), second()))
    assert gate.is_set()


def test_a_coroutine_that_waits_for_nothing_is_done_in_line() -> None:
    executor = InlineExecutor()

    async def work() -> int:
        return await executor.run(lambda: 6) * await executor.run(lambda: 7)

    assert run_inline(work()) == 42


def test_what_it_raises_in_line_is_raised() -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_inline(broken())


def test_one_that_waits_cannot_be_done_in_line() -> None:
    with pytest.raises(AssertionError, match="waits for something"):
        run_inline(asyncio.sleep(0))
