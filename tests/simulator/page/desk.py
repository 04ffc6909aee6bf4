"""A stage around a cabinet of its own, without a program behind it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from runtime.clocks import SystemClock, SystemLineClock
from simulator.cabinet.bench import CABINET, Bench, Event
from simulator.cabinet.box import hardware_text
from simulator.cabinet.commands import Commands
from simulator.cabinet.options import MODBUS, OSDP, CabinetOptions
from simulator.page.around import Around
from simulator.page.stage import Stage


@contextmanager
def desk(
    folder: Path, around: Around | None = None, *, locks: str = MODBUS, tag_reader: str = OSDP
) -> Iterator[Stage]:
    """Inside a running event loop."""
    heard: list[Event] = []
    options = CabinetOptions(
        locks=locks,
        slots=8,
        tag_reader=tag_reader,
        tracker=None,
        scbks={},
        directory=folder,
        write_config=None,
        as_json=False,
    )
    stages: list[Stage] = []
    bench = Bench(
        options,
        SystemClock(),
        SystemLineClock(),
        os.urandom,
        lambda event: stages[0].noticed(event) if stages else heard.append(event),
    )
    commands = Commands(bench, partial(hardware_text, bench))
    stages.append(Stage(CABINET, "a desk", bench, commands, around or Around()))
    bench.open()
    try:
        yield stages[0]
    finally:
        bench.close()
