"""Packages with drivers, written into a folder as an installer leaves them: a module and its metadata."""

from pathlib import Path

READER = '''
from typing import Literal

from station_agent.drivers.base import LineStatistics, NeverRests, Output
from station_agent.drivers.declaration import Fault, ReadersDriver
from station_agent.drivers.tables import ReadersTable
from station_agent.drivers.talkers import TalkerAnnotator
from contract.values import OpaqueId


class AcmeTable(ReadersTable):
    driver: Literal["acme"]
    """What it speaks."""
    name: OpaqueId
    """As in facts and metrics."""
    volume_percent: Literal[0, 50, 100] = 50
    """How loud it is."""

    @property
    def roles(self):
        return ((self.name, "badge"),)


class Acme(NeverRests):
    wake_at_us = None

    def __init__(self, table):
        if table.name == "mute":
            raise ValueError("name: expected a reader that is heard")
        self.statistics = LineStatistics()

    def opened(self, now_us):
        return Output()

    received = elapsed = closed = opened

    def indicate(self, reader, signal):
        pass


DRIVER = ReadersDriver(
    name="acme",
    table=AcmeTable,
    codec=lambda table, tools: Acme(table),
    line="a wire",
    annotator=lambda: TalkerAnnotator("reader"),
    faults=(Fault("cut wire", "is lost", ("tests/test_acme.py::test_it",)),),
)
'''


def install(folder: Path, package: str, code: str, *, name: str = "acme", attribute: str = "DRIVER") -> None:
    """A package of version 1.2 whose module declares the driver `name`."""
    module = package.replace("-", "_")
    (folder / f"{module}.py").write_text(code)
    metadata = folder / f"{module}-1.2.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
    (metadata / "entry_points.txt").write_text(f"[carshare.station_drivers]\n{name} = {module}:{attribute}\n")
