"""What a run costs: processor time and memory of this process and of those it started."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass

import psutil

from simulator.demo.programs import Running

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cost:
    cores: float
    """Processor seconds per real second."""
    memory_mib: float
    """Resident memory of this process and of all that it started."""
    agent_mib: float | None
    """The largest agent process, where agents are processes."""

    def __str__(self) -> str:
        agent = "" if self.agent_mib is None else f", largest agent process {self.agent_mib:.0f} MiB"
        return f"{self.cores:.2f} cores, {self.memory_mib:.0f} MiB in all{agent}"


class Meter:
    """Measures between `start` and `read`. Children that ended in between are not counted."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._cpu_s = _cpu_seconds()
        self._began_s = time.perf_counter()

    def read(self) -> Cost:
        wall_s = time.perf_counter() - self._began_s
        agents = [process.memory_info().rss / MIB for process in self._running.agents if process.is_running()]
        return Cost(
            cores=(_cpu_seconds() - self._cpu_s) / max(wall_s, 0.001),
            memory_mib=_memory_bytes() / MIB,
            agent_mib=max(agents, default=None),
        )


def _family() -> list[psutil.Process]:
    own = psutil.Process(os.getpid())
    return [own, *own.children(recursive=True)]


def _cpu_seconds() -> float:
    seconds = 0.0
    for process in _family():
        with suppress(psutil.NoSuchProcess):  # a database's workers come and go
            times = process.cpu_times()
            seconds += times.user + times.system
    return seconds


def _memory_bytes() -> int:
    total = 0
    for process in _family():
        with suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total
