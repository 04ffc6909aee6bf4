"""Configurations that name drivers of other packages: read by their models, and clear where one cannot be used."""

import subprocess
import sys
from pathlib import Path

import pytest

from runtime.config import ConfigError
from station_agent.config import StationConfig
from station_agent.config_file import load_config
from station_agent.hardware import check_drivers
from station_agent.secrets_on_disk import load_keys
from tests.station_agent.drivers.packages import READER, install
from tests.wire.station import Station

ACME = '\n[[readers]]\ndriver = "acme"\nname = "gate"\ndevice = "socket://127.0.0.1:9"\n'


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which what is installed is found."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    for module in [name for name in sys.modules if name.startswith("acme")]:
        monkeypatch.delitem(sys.modules, module)
    return folder


def written(folder: Path, more: str = ACME, change: tuple[str, str] = ("", "")) -> Path:
    """A good file of this program's own drivers, with more at its end and one change."""
    config = Station(folder, 1).config
    text = config.read_text()
    assert change[0] in text + more
    config.write_text((text + more).replace(change[0], change[1], 1) if change[0] else text + more)
    return config


def read(folder: Path, more: str = ACME, change: tuple[str, str] = ("", "")) -> StationConfig:
    return load_config(written(folder, more, change))


def faults(folder: Path, more: str = ACME, change: tuple[str, str] = ("", "")) -> list[str]:
    """What is wrong with it, without the file's name, which is before each fault."""
    config = written(folder, more, change)
    with pytest.raises(ConfigError) as caught:
        load_config(config)
    return [fault.removeprefix(f"{config}: ") for fault in caught.value.faults]


def test_a_table_of_another_packages_driver_is_read_by_its_model(tmp_path: Path, packages: Path) -> None:
    install(packages, "acme-station", READER)
    config = read(tmp_path)
    ours, theirs = config.readers
    assert (ours.driver, theirs.driver) == ("osdp", "acme")
    assert type(theirs).__name__ == "AcmeTable"
    assert config.driver_of(theirs).name == "acme"
    assert config.reader_roles[-1] == ("gate", "badge")
    check_drivers(config, load_keys(config))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (('name = "gate"\n', ""), "readers[1].name: missing ("),
        (('"gate"', '"gate"\nvolume_percent = 70'), "readers[1].volume_percent = 70: expected 0, 50 or 100"),
        (('"gate"', '"gate"\nvolume = 50'), "readers[1].volume: unknown field; did you mean volume_percent?"),
        (('"gate"', '"gate"\nbaud_rate = 9601'), "readers[1].baud_rate = 9601: expected 1200, 2400, "),
        (("socket://", "sockets://"), "readers[1].device = 'sockets://127.0.0.1:9': expected a pyserial URL: "),
        (('"gate"', '"entrance"'), "two readers of one name: ['entrance', 'entrance', 'return']"),
    ],
)
def test_what_is_wrong_in_its_table_is_told_as_well_as_in_any_other(
    tmp_path: Path, packages: Path, change: tuple[str, str], expected: str
) -> None:
    install(packages, "acme-station", READER)
    (fault,) = faults(tmp_path, change=change)
    assert fault.startswith(expected)


def test_faults_of_all_tables_are_told_at_once(tmp_path: Path, packages: Path) -> None:
    install(packages, "acme-station", READER)
    told = faults(tmp_path, ACME.replace("gate", "no good name") + "volume = 1\n" + ACME.replace("acme", "acne"))
    assert [fault.split(" ")[0] for fault in told] == ["readers[1].name", "readers[1].volume:", "readers[2].driver"]


def test_an_unknown_driver_is_told_with_all_that_are_known_and_where_they_come_from(
    tmp_path: Path, packages: Path
) -> None:
    install(packages, "acme-station", READER)
    assert faults(tmp_path, change=('driver = "acme"', 'driver = "acne"')) == [
        "readers[1].driver = 'acne': expected one of 'osdp', 'acme' (from acme-station 1.2)"
    ]
    assert faults(tmp_path, "", ("[locks]", '[locks]\ndriver = "kerong"')) == [
        "locks.driver = 'kerong': expected one of 'modbus-io', 'kerong-cu16'"
    ]


def test_a_driver_for_another_kind_of_device_is_not_taken(tmp_path: Path, packages: Path) -> None:
    install(packages, "acme-station", READER)
    assert faults(tmp_path, "", ("[locks]", '[locks]\ndriver = "acme"')) == [
        "locks.driver = 'acme': expected one of 'modbus-io', 'kerong-cu16'"
    ]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import no_such_module", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("class", "cannot be loaded: SyntaxError: "),
        ("raise SystemError('not on this box')", "cannot be loaded: SystemError: not on this box"),
        ("", "cannot be loaded: AttributeError: module 'acme_station' has no attribute 'DRIVER'"),
        (
            "def DRIVER(): ...",
            "expected one of the declarations of station_agent.drivers.declaration, found function",
        ),
        (READER + "DRIVER = ReadersDriver", "expected one of the declarations"),
        (READER.replace('"acme"', '"acme-2"'), "expected the entry point to be named as its driver, 'acme-2'"),
        (
            READER.replace('Literal["acme"]', "str"),
            "cannot be loaded: ValueError: table: AcmeTable.driver: ",
        ),
    ],
)
def test_a_driver_that_cannot_be_used_is_named_with_its_package_and_entry_point(
    tmp_path: Path, packages: Path, code: str, why: str
) -> None:
    install(packages, "acme-station", code)
    (fault,) = faults(tmp_path)
    begins = "readers[1]: driver 'acme': entry point 'acme' of acme-station 1.2 (acme_station:DRIVER): "
    assert fault.startswith(begins + why), fault


def test_a_driver_that_cannot_be_used_is_among_the_known_ones_and_stops_nobody_who_does_not_name_it(
    tmp_path: Path, packages: Path
) -> None:
    install(packages, "acme-station", "import no_such_module")
    assert len(read(tmp_path, more="").readers) == 1
    (fault,) = faults(tmp_path, change=('driver = "acme"', 'driver = "acne"'))
    assert fault.endswith("'osdp', 'acme' (from acme-station 1.2, which cannot be loaded)")


@pytest.mark.parametrize(
    ("other", "named", "first"),
    [
        ("acme-again", "acme", "entry point 'acme' of acme-again 1.2 (acme_again:DRIVER)"),
        ("acme-osdp", "osdp", "entry point 'osdp' of this program (station_agent.drivers.built_in.osdp:DRIVER)"),
    ],
)
def test_two_drivers_of_one_name_stop_the_program_whoever_is_named(
    tmp_path: Path, packages: Path, other: str, named: str, first: str
) -> None:
    install(packages, "acme-station", READER)
    install(packages, other, READER, name=named)
    (fault,) = faults(tmp_path, more="")
    assert fault.startswith(f"two drivers are named {named!r}: ")
    assert first in fault
    assert fault.endswith("; uninstall one of them")


def test_what_a_driver_cannot_be_made_of_is_told_with_its_line(tmp_path: Path, packages: Path) -> None:
    install(packages, "acme-station", READER)
    config = read(tmp_path, change=('"gate"', '"mute"'))
    with pytest.raises(ConfigError, match=r"readers-2: name: expected a reader that is heard"):
        check_drivers(config, load_keys(config))


def test_a_codec_that_lacks_what_its_kind_needs_is_told_before_it_is_needed(tmp_path: Path, packages: Path) -> None:
    install(packages, "acme-station", READER.replace("def indicate", "def point"))
    config = read(tmp_path)
    with pytest.raises(ConfigError, match=r"readers-2: Acme: expected a ReadersCodec, it lacks indicate$"):
        check_drivers(config, load_keys(config))


def test_drivers_that_no_table_names_are_not_imported(tmp_path: Path, packages: Path) -> None:
    install(packages, "acme-station", READER)
    config = written(tmp_path, more="")
    code = (
        "import sys; from pathlib import Path; from station_agent.config_file import load_config\n"
        f"load_config(Path({str(config)!r}))\n"
        "print([name for name in sys.modules if 'acme' in name or 'kerong' in name or 'rdm6300' in name])\n"
        "print([name for name in sys.modules if name.endswith('modbus_io')])\n"
    )
    environment = {"PYTHONPATH": f"{Path.cwd()}:{packages}"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines() == ["[]", "['station_agent.drivers.built_in.modbus_io']"]


INPUT = '\n[[locks.inputs]]\ninput = "{}"\nunit = 3\nchannel = {}\ninverted = true\n'


def test_inputs_of_the_cabinet_are_wired_by_name(tmp_path: Path) -> None:
    config = read(tmp_path, INPUT.format("mains_lost", 1) + INPUT.format("tampered", 2))
    check_drivers(config, load_keys(config))
    assert [wired.input for wired in config.locks.inputs] == ["mains_lost", "tampered"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        (INPUT.format("mains", 1), "locks.inputs"),
        (INPUT.format("tampered", 1) * 2, "expected each of the cabinet's inputs once"),
        (INPUT.format("tampered", 1) + INPUT.format("override", 1), "a place that no other contact is wired to"),
    ],
)
def test_inputs_that_cannot_be_are_named(tmp_path: Path, more: str, complaint: str) -> None:
    assert any(complaint in fault for fault in faults(tmp_path, more))
