"""The station's installer, staged into a folder: what it puts where, what it never touches, what it says."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.network.model import CALYPSO, Card
from tests.wire.brokers import Mosquitto
from tests.wire.installing import (
    CABINET,
    ROOT,
    WHEELS,
    Box,
    add_secrets,
    clone_of_sources,
    filled_in,
    picture,
    run_installer,
)
from tests.wire.station import Station, at_broker

pytestmark = pytest.mark.xdist_group("install")  # one environment is built for all of them

UNITS_OF_DEBIAN = Path("/usr/lib/systemd/system")
BADGE = Card(CALYPSO.name, CALYPSO.bits, bytes(range(8)))
EXAMPLE_DRIVER = ROOT / "docs" / "examples" / "carshare-wiegand"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Box, str]:
    """A staged station that nobody touches, and what the installer said."""
    root = tmp_path_factory.mktemp("staged") / "root"
    root.mkdir()
    done = run_installer("--root", str(root), "--cabinet", CABINET)
    assert done.returncode == 0, done.stderr
    return Box(root), done.stdout


@pytest.fixture
def box(installed: tuple[Box, str], tmp_path: Path) -> Box:
    """One to change."""
    subprocess.run(["cp", "-a", str(installed[0].root), str(tmp_path / "box")], check=True)
    return Box(tmp_path / "box")


def test_every_file_has_its_place_its_mode_and_its_owner(installed: tuple[Box, str]) -> None:
    box, _ = installed
    root = (0, 0) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    agent = box.user_ids()
    expected = {
        "opt/carshare": (0o755, root),
        "etc/carshare": (0o750, (root[0], agent[1])),
        "etc/carshare/station.toml": (0o640, (root[0], agent[1])),
        "etc/carshare/signing-key.pem": (0o600, agent),
        "var/lib/carshare": (0o700, agent),
        "etc/systemd/system/station-agent.service": (0o644, root),
        "etc/udev/rules.d/70-carshare-serial.rules": (0o644, root),
        "etc/sysusers.d/carshare-station.conf": (0o644, root),
    }
    found = {}
    for name in expected:
        seen = (box.root / name).stat()
        found[name] = (stat.S_IMODE(seen.st_mode), (seen.st_uid, seen.st_gid))
    assert found == expected
    assert list((box.root / "var/lib/carshare").iterdir()) == []
    assert (box.root / "usr/local/bin/station-agent").readlink() == Path("/opt/carshare/bin/station-agent")
    assert box.releases == {box.release.name}
    writable = [path for path in box.release.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o022]
    assert writable == [], "the service must not be able to change its own program"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may stage users")
def test_the_service_has_a_user_nobody_logs_in_by_who_may_open_serial_ports(installed: tuple[Box, str]) -> None:
    box, _ = installed
    (user,) = (box.root / "etc/passwd").read_text().splitlines()
    assert user.startswith("station-agent:")
    assert user.endswith(":/var/lib/carshare:/usr/sbin/nologin")
    groups = (box.root / "etc/group").read_text().splitlines()
    assert [line.split(":")[3] for line in groups if line.startswith("dialout:")] == ["station-agent"]


def test_systemd_accepts_the_unit_as_it_is_installed(box: Box) -> None:
    shutil.copytree(UNITS_OF_DEBIAN, box.root / "usr/lib/systemd/system", symlinks=True)
    done = subprocess.run(
        ["systemd-analyze", "verify", f"--root={box.root}", "station-agent.service"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_program_is_called_by_its_name_on_the_box(installed: tuple[Box, str]) -> None:
    box, _ = installed
    first = (box.link / "station-agent").read_text().splitlines()[0]
    assert first == f"#!/opt/carshare/releases/{box.release.name}/bin/python"
    assert "ExecStart=/opt/carshare/bin/station-agent run" in box.unit.read_text()


async def test_the_staged_agent_opens_a_slot(installed: tuple[Box, str], tmp_path: Path) -> None:
    """With nothing but the packages of its own lock: neither FastAPI nor SQLAlchemy is there."""
    box, _ = installed
    broker = Mosquitto(tmp_path)
    await broker.start()
    async with at_broker(Station(tmp_path, broker.port, python=(box.python, "-I")), broker, BADGE) as station:
        await station.show(BADGE)
        await station.until_open(station.vehicles[0].key.home_slot)
    there = {path.name for path in box.release.glob("lib/python3*/site-packages/*")}
    assert there.isdisjoint({"fastapi", "sqlalchemy", "uvicorn", "uvloop"})


def test_a_second_run_changes_nothing(box: Box) -> None:
    (box.root / "var/lib/carshare/journal.sqlite").write_bytes(b"facts")
    before = picture(box.root)
    done = run_installer("--root", str(box.root), "--cabinet", CABINET)
    assert done.returncode == 0, done.stderr
    assert f"{box.release.name} was installed already." in done.stdout
    assert picture(box.root) == before


def test_it_says_what_the_centre_has_to_know_of_this_box(installed: tuple[Box, str]) -> None:
    box, said = installed
    told = box.agent("signing-key", str(box.etc / "signing-key.pem"))
    assert re.fullmatch(r"[\w-]{43}\n", told.stdout)
    assert f'{{"id": "{CABINET}", ..., "public_key": "{told.stdout.strip()}"}}' in said


def test_the_template_is_good_once_it_is_filled_in(box: Box) -> None:
    config = box.etc / "station.toml"
    text = config.read_text()
    assert f'\ncabinet = "{CABINET}"\n' in text
    config.write_text(filled_in(text).replace("/var/lib/carshare", "../../var/lib/carshare"))
    add_secrets(box.etc, (os.geteuid(), os.getegid()))
    done = box.agent("check-config", "--config", str(config))
    assert done.stdout == f"{config}: good: cabinet {CABINET}, 1 slots, 2 readers, 0 vehicles\n", done.stderr


@pytest.mark.long
def test_an_image_for_many_boxes_has_no_key(tmp_path: Path, installed: tuple[Box, str]) -> None:
    image = Box(tmp_path)
    shutil.copytree(installed[0].root / "opt", tmp_path / "opt", symlinks=True)
    done = run_installer("--root", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "public key" not in done.stdout
    assert [path.name for path in image.etc.iterdir()] == ["station.toml"]
    assert '\ncabinet = ""\n' in (image.etc / "station.toml").read_text()


def test_a_key_that_is_none_is_named_and_left(box: Box) -> None:
    key = box.etc / "signing-key.pem"
    key.write_text("lost")
    done = run_installer("--root", str(box.root))
    assert done.returncode == 1
    assert f"{key}: " in done.stderr
    assert "it was left as it is" in done.stderr
    assert key.read_text() == "lost"


def test_the_box_gets_the_versions_that_the_tests_run_with() -> None:
    station, tests = (pinned(ROOT / "requirements" / name) for name in ("station.txt", "dev.txt"))
    assert len(station) > 10
    assert {name: text for name, text in station.items() if tests.get(name) != text} == {}


def pinned(lock: Path) -> dict[str, str]:
    """By package: version and hashes."""
    entries = re.split(r"\n(?=\S)", lock.read_text().rstrip())
    return {entry.split("==")[0]: entry for entry in entries}


# --- upgrades


@pytest.mark.long
def test_an_upgrade_keeps_configuration_keys_journal_and_other_peoples_drivers(box: Box, tmp_path: Path) -> None:
    """The list of drivers is new, so that their environment is."""
    wheels = tmp_path / "wheels"
    shutil.copytree(WHEELS, wheels)
    command = [sys.executable, "-m", "pip", "wheel", "--no-index", "--no-build-isolation", "--no-deps", "--quiet"]
    shutil.copytree(EXAMPLE_DRIVER, tmp_path / "driver", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([*command, "--wheel-dir", str(wheels), str(tmp_path / "driver")], check=True)
    (box.etc / "drivers.txt").write_text("carshare-wiegand == 0.1.0\n")
    (box.root / "var/lib/carshare/journal.sqlite").write_bytes(b"facts")
    (box.root / "opt/carshare/releases/0.0.9-of-long-ago").mkdir()
    first, kept = box.release.name, picture(box.etc) | picture(box.root / "var")
    done = run_installer("--root", str(box.root), wheels=wheels)
    assert done.returncode == 0, done.stderr
    assert f"{first} is kept beside it" in done.stdout
    assert box.release.name != first
    assert box.releases == {first, box.release.name}, "this one and the one before it"
    assert picture(box.etc) | picture(box.root / "var") == kept
    asked = [box.python, "-I", "-c", "from station_agent.drivers.registry import Drivers as D; D.installed()"]
    asked[-1] += "; print('wiegand-ascii' in D.installed().names)"
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout == "True\n"


@pytest.mark.long
def test_a_version_that_does_not_start_is_not_switched_to(box: Box, tmp_path: Path) -> None:
    before = picture(box.root)
    broken = clone_of_sources(tmp_path / "broken")
    cli = broken / "station_agent" / "cli.py"
    cli.write_text(f"raise RuntimeError('planted')\n{cli.read_text()}")
    unit = broken / "deploy" / "systemd" / "station-agent.service"
    unit.write_text(unit.read_text() + "# a newer one\n")
    done = run_installer("--root", str(box.root), source=broken)
    assert done.returncode == 1
    assert "this version does not start" in done.stderr
    assert "RuntimeError: planted" in done.stderr
    assert picture(box.root) == before


@pytest.mark.long
def test_a_package_that_is_not_the_one_of_the_lock_is_refused(tmp_path: Path) -> None:
    wheels, root = tmp_path / "wheels", tmp_path / "root"
    shutil.copytree(WHEELS, wheels)
    root.mkdir()
    (changed,) = wheels.glob("h11-*.whl")
    changed.write_bytes(changed.read_bytes() + b"\0")
    done = run_installer("--root", str(root), wheels=wheels)
    assert done.returncode == 1
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr
    assert "the packages of requirements/station.txt could not be installed" in done.stderr
    assert list(root.iterdir()) == [], "things are as they were"


# --- what is refused before anything is changed


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--cabinet", "Lille 1"), "--cabinet Lille 1: expected 2 to 40 of a-z, 0-9 and -"),
        (("--cabinet",), "--cabinet: expected a value behind it"),
        (("--cabinet", "other-1"), f'says cabinet = "{CABINET}" and is not overwritten'),
        (("--config", "/nowhere.toml"), "--config /nowhere.toml: expected a file that can be read"),
        (("--config", __file__), f"--config {__file__}: "),
        (("--colour", "red"), "unknown option --colour"),
        (("--purge",), "--purge: expected --uninstall before it"),
        (("--root", "/nowhere"), "--root /nowhere: expected a folder"),
        (("--root", "/"), "--root /: that is this system"),
        (("--wheelhouse", "/etc"), "--wheelhouse /etc: expected a folder with wheels"),
    ],
)
def test_what_cannot_be_is_named_and_changes_nothing(box: Box, options: tuple[str, ...], said: str) -> None:
    before = picture(box.root)
    command = [str(ROOT / "deploy/install-station.sh"), "--root", str(box.root), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("install-station: ")
    assert said in done.stderr
    assert picture(box.root) == before


def test_a_folder_of_somebody_else_is_not_replaced_by_the_link(tmp_path: Path) -> None:
    (tmp_path / "opt/carshare/bin").mkdir(parents=True)
    done = run_installer("--root", str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "opt/carshare/bin: is there and was not made by this" in done.stderr
    assert not (tmp_path / "etc").exists()


# --- and away


@pytest.mark.long
def test_uninstalling_takes_the_program_and_leaves_what_only_this_box_has(box: Box) -> None:
    (box.root / "var/lib/carshare/journal.sqlite").write_bytes(b"facts")
    kept = picture(box.etc) | picture(box.root / "var")
    done = run_installer("--root", str(box.root), "--uninstall")
    assert done.returncode == 0, done.stderr
    assert picture(box.etc) | picture(box.root / "var") == kept
    for gone in (box.link, box.unit, box.root / "opt/carshare", box.root / "usr/local/bin/station-agent"):
        assert not os.path.lexists(gone), gone
    assert list((box.root / "etc/udev/rules.d").iterdir()) == []


@pytest.mark.parametrize("typed", ["", "yes\n", "lille\n"])
def test_keys_and_journal_are_not_purged_without_the_cabinets_name(box: Box, typed: str) -> None:
    before = picture(box.root)
    done = run_installer("--root", str(box.root), "--uninstall", "--purge", typed=typed)
    assert done.returncode == 1
    assert f"nothing was removed: expected {CABINET}" in done.stderr
    assert picture(box.root) == before


def test_keys_and_journal_are_purged_when_the_cabinets_name_is_typed(box: Box) -> None:
    done = run_installer("--root", str(box.root), "--uninstall", "--purge", typed=f"{CABINET}\n")
    assert done.returncode == 0, done.stderr
    assert "None of it can be brought back." in done.stdout
    assert not box.etc.exists()
    assert not (box.root / "var/lib/carshare").exists()
