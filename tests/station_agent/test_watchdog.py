"""What counts as progress: the watchdog looks at an agent that is stuck in one of its parts."""

import asyncio
import threading
from dataclasses import dataclass, field
from typing import cast

from runtime.clocks import SystemLineClock
from runtime.executor import ThreadExecutor
from runtime.service_manager import ServiceManager
from station_agent.agent import Agent
from station_agent.serial_line import SerialLine
from station_agent.watchdog import Watchdog
from tests.runtime.waiting import eventually
from tests.station_agent.test_serial_line import running
from tests.wire.ptys import RawPty

PATIENCE_S = 0.2


@dataclass
class Lines:
    lines: dict[str, SerialLine] = field(default_factory=dict)


@dataclass
class Stuck:
    """The parts of an agent that a watchdog looks at."""

    waits_since_us: int | None = None
    hardware: Lines = field(default_factory=Lines)


def watchdog(agent: Stuck, executor: ThreadExecutor) -> Watchdog:
    return Watchdog(cast("Agent", agent), executor, SystemLineClock(), ServiceManager(), PATIENCE_S)


async def test_an_agent_that_has_nothing_to_do_makes_progress() -> None:
    executor = ThreadExecutor("journal")
    assert await watchdog(Stuck(), executor).stuck() == ""
    await executor.close()


async def test_a_card_that_waits_too_long_is_a_core_that_is_stuck() -> None:
    executor = ThreadExecutor("journal")
    now_us = SystemLineClock().now_us()
    assert await watchdog(Stuck(now_us - 100_000), executor).stuck() == ""
    assert await watchdog(Stuck(now_us - 300_000), executor).stuck() == "core"
    await executor.close()


async def test_a_disk_that_does_not_answer_is_a_journal_that_is_stuck() -> None:
    executor, disk = ThreadExecutor("journal"), threading.Event()
    task = asyncio.create_task(executor.run(disk.wait))
    await asyncio.sleep(0)  # it begins
    try:
        assert await watchdog(Stuck(), executor).stuck() == "journal"
    finally:
        disk.set()
        await task
    assert await watchdog(Stuck(), executor).stuck() == ""
    await executor.close()


async def test_a_line_that_does_not_do_what_is_due_is_stuck_and_one_that_is_closed_is_not() -> None:
    executor, pty = ThreadExecutor("journal"), RawPty()
    async with running(pty.path) as bench:
        agent = Stuck(hardware=Lines({"locks": bench.line}))
        await eventually(lambda: bench.line.is_open)
        assert await watchdog(agent, executor).stuck() == ""
        bench.codec.wake_at_us = SystemLineClock().now_us() - 300_000
        assert await watchdog(agent, executor).stuck() == "locks"
        bench.codec.wake_at_us = None
        pty.close()
        await eventually(lambda: not bench.line.is_open)
        assert await watchdog(agent, executor).stuck() == ""
    await executor.close()
