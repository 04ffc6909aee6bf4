import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from runtime.executor import Executor, ExecutorClosed, InlineExecutor, ThreadExecutor
from tests.runtime.waiting import eventually


@pytest.fixture(params=["thread", "inline"])
async def executor(request: pytest.FixtureRequest) -> AsyncIterator[Executor]:
    made: Executor = ThreadExecutor("test") if request.param == "thread" else InlineExecutor()
    yield made
    await made.close()


async def test_the_result_comes_back(executor: Executor) -> None:
    assert await executor.run(lambda: 6 * 7) == 42


async def test_an_exception_comes_back(executor: Executor) -> None:
    with pytest.raises(ZeroDivisionError):
        await executor.run(lambda: 1 / 0)
    assert await executor.run(lambda: "still working") == "still working"


async def test_work_is_done_in_the_order_it_was_given(executor: Executor) -> None:
    done: list[int] = []
    await asyncio.gather(*(executor.run(lambda n=n: done.append(n)) for n in range(100)))  # type: ignore[misc]  # n=n
    assert done == list(range(100))


async def test_after_closing_nothing_is_accepted(executor: Executor) -> None:
    await executor.close()
    await executor.close()
    with pytest.raises(ExecutorClosed):
        await executor.run(lambda: None)


async def test_a_thread_executor_has_one_thread_for_life() -> None:
    executor = ThreadExecutor("journal")
    names = {await executor.run(lambda: threading.current_thread().name) for _ in range(20)}
    await executor.close()
    assert names == {"journal_0"}


async def test_the_loop_runs_on_while_a_thread_works() -> None:
    executor = ThreadExecutor("test")
    release = threading.Event()
    work = asyncio.create_task(executor.run(release.wait))
    await asyncio.sleep(0)
    release.set()  # reached only if the loop is not blocked
    assert await work
    await executor.close()


async def test_what_was_accepted_is_done_though_its_caller_was_cancelled() -> None:
    executor = ThreadExecutor("test")
    release, done = threading.Event(), []
    running = asyncio.create_task(executor.run(release.wait))
    waiting = asyncio.create_task(executor.run(lambda: done.append("waiting")))
    await asyncio.sleep(0)
    running.cancel()
    waiting.cancel()
    outcomes = await asyncio.gather(running, waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * 2
    release.set()
    await executor.close()
    assert done == ["waiting"]


async def test_closing_waits_for_what_was_accepted() -> None:
    executor = ThreadExecutor("test")
    release = threading.Event()
    work = asyncio.create_task(executor.run(release.wait))
    await asyncio.sleep(0)
    closing = asyncio.create_task(executor.close())
    await asyncio.sleep(0)
    assert not closing.done()
    release.set()
    await closing
    assert work.done()


async def test_a_closed_thread_executor_leaves_no_thread() -> None:
    executor = ThreadExecutor("leaving")
    await executor.run(lambda: None)
    await executor.close()
    await eventually(lambda: not [t for t in threading.enumerate() if t.name.startswith("leaving")])
