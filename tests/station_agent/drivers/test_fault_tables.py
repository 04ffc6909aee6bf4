"""What the drivers say of their faults and peers is shown by tests that exist."""

import ast
from functools import cache
from pathlib import Path

import pytest

from station_agent.core import device_events
from station_agent.drivers.declaration import AnyDriver
from station_agent.drivers.registry import Drivers

ROOT = Path(__file__).parents[3]
DRIVERS = Drivers()


@cache
def names_in(path: str) -> frozenset[str]:
    """Names of the test functions that pytest finds in a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def exists(test: str) -> bool:
    path, _, name = test.partition("::")
    is_collected = path.startswith("tests/") and Path(path).name.startswith("test_")
    return is_collected and (ROOT / path).is_file() and name in names_in(path)


def named(driver: AnyDriver) -> list[str]:
    lists = [fault.tests for fault in driver.faults] + [peer.tests for peer in driver.peers]
    return [test for tests in lists for test in tests]


@pytest.mark.parametrize("name", DRIVERS.names)
def test_every_test_that_a_driver_names_exists(name: str) -> None:
    assert [test for test in named(DRIVERS.load(name)) if not exists(test)] == []


@pytest.mark.parametrize("name", DRIVERS.names)
def test_every_fault_has_a_name_of_its_own_what_the_agent_does_and_a_test(name: str) -> None:
    faults = DRIVERS.load(name).faults
    assert len({fault.name for fault in faults}) == len(faults)
    assert all(fault.name and fault.does and fault.tests for fault in faults)


@pytest.mark.parametrize("name", DRIVERS.names)
def test_every_driver_was_run_against_something_that_this_project_did_not_write(name: str) -> None:
    peers = DRIVERS.load(name).peers
    assert peers
    assert all(peer.tests for peer in peers)


def test_a_test_that_is_not_there_is_noticed() -> None:
    here = "tests/station_agent/drivers/test_fault_tables.py"
    assert exists(f"{here}::test_a_test_that_is_not_there_is_noticed")
    assert not exists(f"{here}::test_that_nobody_wrote")
    assert not exists(f"{here}::exists")
    assert not exists("tests/station_agent/drivers/test_nothing.py::test_it")
    assert not exists("tests/station_agent/drivers/packages.py::test_it")


SOURCES = {
    "modbus-io": ("modbus", "lock_bus.py", "belief.py"),
    "kerong-cu16": ("kerong", "lock_bus.py", "belief.py"),
    "osdp": ("osdp",),
    "rdm6300": ("rdm6300.py",),
    "teltonika": ("teltonika",),
}
"""Where the codecs are that make events: a file or a folder of `station_agent/drivers`."""


@pytest.mark.parametrize("name", SOURCES)
def test_a_driver_makes_the_events_that_it_declares_and_no_others(name: str) -> None:
    events = {event.__name__ for event in device_events.DeviceEvent.__args__}
    made = set()
    for source in SOURCES[name]:
        path = ROOT / "station_agent" / "drivers" / source
        for file in [path] if path.is_file() else path.glob("*.py"):
            calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
            made |= {call.func.id for call in calls if isinstance(call.func, ast.Name)} & events
    assert made == {event.__name__ for event in DRIVERS.load(name).tells}
