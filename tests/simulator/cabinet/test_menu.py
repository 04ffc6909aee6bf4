"""Every fault that is known of each device is there, can be switched on, and leaves nothing behind."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from runtime.clocks import SystemClock, SystemLineClock
from simulator.cabinet.bench import Bench, Event
from simulator.cabinet.box import hardware_text
from simulator.cabinet.commands import Commands
from simulator.cabinet.faults import Row
from simulator.cabinet.options import KERONG, MODBUS, OSDP, RDM6300, CabinetOptions
from simulator.cabinet.words import BadCommand
from simulator.devices.osdp_values import KeyFault
from simulator.devices.teltonika_tracker import CODEC_8

# Of each kind of device, as the design lists them, under the names that they have here
KNOWN = {
    "cabinet": {"stuck", "bounce"},
    "relays-1": {"late", "bad-crc", "silent", "exception", "reset", "twin"},
    "doors-1": {"late", "bad-crc", "silent", "exception", "reset", "twin"},
    "board-0": {
        "no-answer-to-unlock",
        "cut",
        "etx-inside",
        "wrong-sum",
        "garbage",
        "leftovers",
        "busy",
        "hooks-closed",
        "silent",
        "late",
        "reset",
        "twin",
    },
    "entrance": {
        "mute",
        "power-cycle",
        "wrong-key",
        "duplicate-swipe",
        "install-mode",
        "tamper",
        "twin",
        "no-keys",
    },
    "return": {"endless", "noise", "cut", "two-tags"},
    "tracker": {"wrong-crc", "cut", "deaf", "before-first-fix", "without-fix", "zero-volts"},
    "locks": {"pulled", "noise", "echo"},
    "readers": {"pulled", "noise", "second-panel"},
    "tags": {"pulled", "noise"},
    "vehicle": {"pulled", "noise"},
}
WORDS = {
    "<ms>": "70",
    "<code>": "4",
    "<bytes>": "3",
    "<hex>": "00ff",
    "<slot>": "2",
    "<percent>": "5",
    "[tag]": "",
    "<before|after>": "after",
    "[key|door]": "key",
}


def bench_of(folder: Path, locks: str, tag_reader: str) -> tuple[Bench, Commands, list[Event]]:
    events: list[Event] = []
    options = CabinetOptions(
        locks=locks,
        slots=8,
        tag_reader=tag_reader,
        tracker=CODEC_8,
        scbks={},
        directory=folder,
        write_config=None,
        as_json=False,
    )
    bench = Bench(options, SystemClock(), SystemLineClock(), os.urandom, events.append)
    return bench, Commands(bench, partial(hardware_text, bench)), events


@pytest.fixture(params=[(MODBUS, RDM6300), (KERONG, OSDP)])
def running(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Bench, Commands, list[Event]]:
    return bench_of(tmp_path, *request.param)


def words_of(row: Row) -> list[str]:
    return [word for place in row.fault.takes.split() if (word := WORDS[place])]


def switches(bench: Bench) -> Iterator[tuple[str, Any]]:
    """Everything that a fault may have touched, but for what time changes."""
    owners = [*bench.locks.boards.items(), *bench.readers.items(), *bench.reader_twins.items()]
    owners += [*bench.locks.twins.items(), ("tags", bench.tag_reader), ("tracker", bench.tracker)]
    for name, owner in owners:
        if owner is not None:
            for attribute, value in vars(owner).items():
                if isinstance(value, bool | int | bytes | KeyFault | None) and not attribute.startswith("_"):
                    yield f"{name}.{attribute}", value
    for line, port in bench.ports.items():
        yield line, (port.is_plugged, port.noisy, port.wire.echo)


def test_every_known_fault_is_in_the_menu(tmp_path: Path) -> None:
    listed: dict[str, set[str]] = {}
    for locks, tag_reader in ((MODBUS, RDM6300), (KERONG, OSDP)):
        _, commands, _ = bench_of(tmp_path, locks, tag_reader)
        for row in commands.faults.rows():
            listed.setdefault(row.device, set()).add(row.fault.name)
    assert {device: names - listed[device] for device, names in KNOWN.items()} == {
        device: set() for device in KNOWN
    }


async def test_every_fault_can_be_switched_on_and_leaves_nothing_behind(
    running: tuple[Bench, Commands, list[Event]],
) -> None:
    bench, commands, _ = running
    bench.open()
    before = dict(switches(bench))
    for row in list(commands.faults.rows()):
        commands.faults.begin(row.device, row.fault.name, words_of(row))
        now = next(
            one.active
            for one in commands.faults.rows()
            if (one.device, one.fault.name) == (row.device, row.fault.name)
        )
        if now and row.fault.name not in {"stuck", "second-panel", "tamper", "power-failed", "endless", "two-tags"}:
            assert dict(switches(bench)) != before, f"{row.device} {row.fault.name} changes something"
        commands.faults.clear(row.device)
        assert dict(switches(bench)) == before, f"{row.device} {row.fault.name} leaves something behind"
    bench.close()


async def test_a_fault_with_a_wrong_word_says_what_was_expected_and_switches_nothing(
    running: tuple[Bench, Commands, list[Event]],
) -> None:
    bench, commands, _ = running
    before = dict(switches(bench))
    for row in list(commands.faults.rows()):
        if "<" in row.fault.takes:
            with pytest.raises(BadCommand, match="expected"):
                commands.faults.begin(row.device, row.fault.name, ["wrong"])
    assert dict(switches(bench)) == before
    assert not any(row.active for row in commands.faults.rows())
