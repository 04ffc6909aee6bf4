"""A driver of another package: the worked example of docs/drivers.md, installed and run as a third party would."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from contract.facts import AccessGranted, DeviceLost
from tests.runtime.waiting import eventually
from tests.wire.brokers import Mosquitto
from tests.wire.ptys import RawPty
from tests.wire.station import Station, at_broker, eventually_facts
from tests.wire.test_onsite import BADGE, listen, said_by, tool

pytestmark = pytest.mark.xdist_group("driver package")  # one installation for all of them

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "carshare-wiegand"
INSTALL_S = 120.0  # pip on a busy machine; it takes five seconds alone
READERS = '\n[[readers]]\ndriver = "wiegand-ascii"\ndevice = "{device}"\nname = "gate"\n'


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which pip has put the package: no network, and nothing else comes with it."""
    folder = tmp_path_factory.mktemp("package")
    source = folder / "source"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--no-build-isolation", "--no-deps"]
    command += ["--disable-pip-version-check", "--target", str(folder / "installed"), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "installed"


@pytest.fixture
def beside(installed: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The programs that a test starts find the package; the test itself does not."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(installed), str(ROOT))))
    return installed


@dataclass
class Converter:
    """The device, played by the test: answers, shows cards, and remembers how its lamp was lit."""

    port: RawPty
    answers: bool = True
    lamp: list[bytes] = field(default_factory=list)
    _held: bytes = b""

    def hear(self) -> None:
        *lines, self._held = (self._held + self.port.read()).split(b"\r\n")
        for line in lines:
            if line.startswith(b"L "):
                self.lamp.append(line)
            elif self.answers:
                self.port.write(b"OK\r\n")

    def show(self, bit_count: int, data: bytes) -> None:
        self.port.write(f"C{bit_count} {data.hex().upper()}\r\n".encode())


@asynccontextmanager
async def gate(folder: Path) -> AsyncIterator[tuple[Station, Converter]]:
    """A station with one more reader, on a pseudo-terminal of its own."""
    broker = Mosquitto(folder)
    await broker.start()
    station, converter = Station(folder, broker.port), Converter(RawPty())
    station.config.write_text(station.config.read_text() + READERS.format(device=converter.port.path))
    loop = asyncio.get_running_loop()
    loop.add_reader(converter.port.master, converter.hear)
    try:
        async with at_broker(station, broker, BADGE):
            yield station, converter
    finally:
        loop.remove_reader(converter.port.master)
        converter.port.close()
        broker.stop()


@pytest.mark.usefixtures("beside")
async def test_a_card_at_a_reader_of_another_packages_driver_opens_a_slot(tmp_path: Path) -> None:
    async with gate(tmp_path) as (station, converter):
        converter.show(BADGE.bits, BADGE.data)
        await station.until_open(1)
        await eventually(lambda: converter.lamp == [b"L G 50"])
        await eventually_facts(station.centre, lambda kinds: kinds[-1:] == ["door_opened"])
        (granted,) = [fact for fact in station.centre.facts() if isinstance(fact, AccessGranted)]
        assert (granted.reader, granted.slot) == ("gate", 1)


@pytest.mark.usefixtures("beside")
async def test_its_reader_is_lost_by_its_own_word_and_back_when_it_answers(tmp_path: Path) -> None:
    async with gate(tmp_path) as (station, converter):
        converter.answers = False
        await eventually_facts(station.centre, lambda kinds: kinds[-1:] == ["device_lost"], within_s=15)
        lost = station.centre.facts()[-1]
        assert isinstance(lost, DeviceLost)
        assert (lost.device, lost.why) == ("gate", "no answer")
        converter.answers = True
        await eventually_facts(station.centre, lambda kinds: kinds[-1:] == ["device_back"], within_s=15)


@pytest.mark.long
@pytest.mark.usefixtures("beside")
async def test_trace_monitor_and_doctor_know_it_and_no_card_is_shown(tmp_path: Path) -> None:
    async with gate(tmp_path) as (station, converter):
        listen(station, "readers-2")
        converter.show(BADGE.bits, BADGE.data)
        await station.until_open(1)
        _, traced, _ = await said_by(tool(station, "trace", "readers-2", "--seconds", "2", "--all"))
        assert f"<- a card of {BADGE.bits} bits" in traced
        assert "-> says L G 50" in traced
        assert BADGE.data.hex().upper()[:6] not in traced.replace(" ", "")
        command = tool(station, "doctor")
        _, shown, _ = await said_by(tool(station, "monitor", "--once"))
        assert "ok  gate " in shown
        station.terminate()
        _, examined, _ = await said_by(command)
        assert "ok  readers-2 / gate: answers\n" in examined


@pytest.mark.usefixtures("beside")
async def test_without_its_package_the_driver_is_unknown_and_with_it_an_unknown_one_is_told_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    station = Station(tmp_path, 1)
    good = station.config.read_text() + READERS.format(device="socket://127.0.0.1:9")
    command = [sys.executable, "-m", "station_agent", "check-config", "--config", str(station.config)]
    station.config.write_text(good)
    status, told, errors = await said_by(command)
    assert (status, errors) == (0, "")
    assert "3 readers" in told
    station.config.write_text(good.replace("wiegand-ascii", "wiegand"))
    status, _, errors = await said_by(command)
    assert status == 2
    known = "'osdp', 'wiegand-ascii' (from carshare-wiegand 0.1.0)"
    assert errors.endswith(f"readers[1].driver = 'wiegand': expected one of {known}\n")
    station.config.write_text(good)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    status, _, errors = await said_by(command)
    assert status == 2
    assert errors.endswith("readers[1].driver = 'wiegand-ascii': expected one of 'osdp'\n")


def test_the_packages_own_tests_pass_against_what_was_installed(beside: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(EXAMPLE)]
    command += ["-c", os.devnull, str(EXAMPLE / "tests")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=INSTALL_S, cwd=beside)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
