"""The loop in virtual time: asyncio as programs know it, and loud where something wants the real world."""

import asyncio
import socket
import threading
from collections.abc import Coroutine
from random import Random
from typing import Any, TypeVar

import pytest

from simulator.virtual.loop import VirtualTimeLoop
from simulator.virtual.timers import Stuck

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def now_s() -> float:
    return asyncio.get_running_loop().time()


def test_a_day_of_sleep_takes_no_time_and_ends_to_the_microsecond() -> None:
    async def main() -> float:
        await asyncio.sleep(86_400.123456)
        return now_s()

    assert run(main()) == 86_400.123456


def test_timers_of_one_instant_fire_in_the_order_they_were_set() -> None:
    """asyncio keeps a heap without a tie-break: with some hundred timers its order is another one."""

    async def main() -> list[int]:
        fired: list[int] = []
        delays_s = [0.1, 0.2, 0.3]
        Random(1).shuffle(delays_s)
        for number in range(500):
            asyncio.get_running_loop().call_later(delays_s[number % 3], fired.append, number)
        await asyncio.sleep(1)
        return fired

    fired = run(main())
    assert fired != sorted(fired)
    for phase in range(3):
        of_one_instant = [number for number in fired if number % 3 == phase]
        assert of_one_instant == sorted(of_one_instant)


def test_instants_named_with_rounding_errors_are_the_same_instant() -> None:
    async def main() -> list[str]:
        fired: list[str] = []
        loop = asyncio.get_running_loop()
        loop.call_at(0.1 + 0.2, fired.append, "first")  # 0.30000000000000004
        loop.call_at(0.3, fired.append, "second")
        await asyncio.sleep(1)
        return fired

    assert run(main()) == ["first", "second"]


def test_a_timeout_comes_when_it_should() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 30)
        return now_s()

    assert run(main()) == 30


def test_tasks_queues_and_groups_work_as_ever() -> None:
    async def main() -> list[tuple[float, int]]:
        queue: asyncio.Queue[int] = asyncio.Queue()
        got: list[tuple[float, int]] = []

        async def put() -> None:
            for number in range(3):
                await asyncio.sleep(10)
                await queue.put(number)

        async def take() -> None:
            for _ in range(3):
                got.append((0, await queue.get()))
                got[-1] = (now_s(), got[-1][1])

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(put())
            tasks.create_task(take())
        return got

    assert run(main()) == [(10, 0), (20, 1), (30, 2)]


def test_tasks_that_all_wait_for_each_other_are_stuck() -> None:
    async def main() -> None:
        await asyncio.sleep(2.5)
        await asyncio.Event().wait()

    with pytest.raises(Stuck, match=r"every task waits and no timer is set, at 2\.500000 s"):
        run(main())


def test_tasks_that_wake_each_other_for_ever_are_stuck() -> None:
    async def main() -> None:
        await asyncio.sleep(1)
        while True:  # noqa: ASYNC110  # no event: it is about a loop that spins
            await asyncio.sleep(0)

    with pytest.raises(Stuck, match=r"at 1\.000000 s, and still time does not move"):
        run(main())


def test_whoever_wants_a_thread_is_refused() -> None:
    async def main() -> None:
        await asyncio.to_thread(threading.get_ident)

    with pytest.raises(RuntimeError, match="threads have no place in virtual time"):
        run(main())


def test_a_thread_of_somebodys_own_that_reports_back_ends_the_run() -> None:
    """Such as anyio's, which a synchronous endpoint would get."""

    async def main() -> None:
        loop, refusals = asyncio.get_running_loop(), list[str]()

        def report() -> None:
            try:
                loop.call_soon_threadsafe(asyncio.Event().set)
            except RuntimeError as refusal:
                refusals.append(str(refusal))

        thread = threading.Thread(target=report)
        thread.start()
        thread.join()
        assert refusals
        await asyncio.sleep(1)

    with pytest.raises(RuntimeError, match="one wants to tell something"):
        run(main())


def test_whoever_wants_a_socket_is_refused() -> None:
    async def connect() -> None:
        await asyncio.open_connection("127.0.0.1", 1883)

    async def listen() -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            asyncio.get_running_loop().add_reader(ours, print)

    with pytest.raises((RuntimeError, NotImplementedError)):
        run(connect())
    with pytest.raises(NotImplementedError):
        run(listen())


def test_what_a_callback_raises_ends_the_run() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_later(1, [].pop)
        await asyncio.sleep(2)
        raise AssertionError("nobody should get here")

    with pytest.raises(IndexError):
        run(main())


def test_what_a_forgotten_task_raises_ends_the_run() -> None:
    async def broken() -> None:
        raise LookupError("nobody looks at this task")

    async def main() -> None:
        asyncio.get_running_loop().create_task(broken())
        await asyncio.sleep(1)
        await asyncio.sleep(1)

    with pytest.raises(LookupError):
        run(main())


def test_reaching_an_instant_comes_before_all_that_is_due_at_it() -> None:
    async def main() -> list[str]:
        done: list[str] = []
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        loop.call_at(4.999999, done.append, "before")
        loop.call_at(5, done.append, "at it")
        await loop.reach(5_000_000)
        done.append("reached")
        assert now_s() == 5
        await loop.reach(6_000_000)
        done.append("reached again")
        return done

    assert run(main()) == ["before", "reached", "at it", "reached again"]


def test_an_instant_is_reached_though_no_timer_is_set() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        await loop.reach(1_000_000)
        return now_s()

    assert run(main()) == 1


def test_after_the_end_of_time_nothing_is_done_any_more() -> None:
    async def main() -> list[str]:
        done: list[str] = []
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        loop.call_at(1, done.append, "never")
        loop.call_soon(done.append, "ready already")
        loop.forget_timers()
        await asyncio.sleep(0)
        await loop.reach(2_000_000)
        return done

    assert run(main()) == ["ready already"]
