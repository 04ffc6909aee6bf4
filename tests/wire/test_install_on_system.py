"""The installer on a system that starts from an image: this machine's own, under an overlay, with a manager played.

What a real systemd makes of the unit is not seen here: deploy/README.md says how that was tried.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wire.installing import (
    CABINET,
    ROOT,
    System,
    add_secrets,
    base_python,
    clone_of_sources,
    filled_in,
    own_system,
    picture,
    run_installer,
)

pytestmark = [
    pytest.mark.long,
    pytest.mark.xdist_group("install"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may lay one system over another"),
]

NEWER = Path("/srv/newer")
SERVICE_MANAGER = """\
#!/bin/sh
# Plays systemctl: what it is told is written down; a service becomes ready unless its program says `never_ready`.
for word in "$@"; do case $word in -*) ;; *) verb=${verb:-$word} ;; esac; done
echo "$verb" >>/run/told
case $verb in
is-enabled) [ -e /run/is-enabled ] ;;
is-active) [ -e /run/is-active ] ;;
enable) touch /run/is-enabled ;;
disable) rm -f /run/is-enabled ;;
stop) rm -f /run/is-active ;;
start | restart)
    ! ls /opt/carshare/bin/../lib/python3*/site-packages/station_agent/never_ready >/dev/null 2>&1 &&
        touch /run/is-active ;;
esac
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For many boxes: without keys, its configuration not filled in."""
    root = tmp_path_factory.mktemp("image") / "root"
    root.mkdir()
    done = run_installer("--root", str(root))
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def system(image: Path, tmp_path: Path) -> Iterator[System]:
    """Started from the image, with a service manager that does as it is told."""
    with own_system(image, tmp_path / "system") as made:
        manager = made.root / "usr/local/sbin/systemctl"
        manager.write_text(SERVICE_MANAGER)
        manager.chmod(0o755)
        (made.root / "run/systemd/system").mkdir(parents=True)
        yield made


@pytest.fixture
def running(system: System) -> System:
    """A box in service."""
    assert system.install().returncode == 0
    configure(system)
    done = system.install()
    assert done.returncode == 0, done.stderr
    assert (system.root / "run/is-active").exists()
    (system.root / "run/told").unlink()
    return system


def configure(system: System) -> None:
    """What the installer asks a person for."""
    config = system.etc / "station.toml"
    config.write_text(filled_in(config.read_text()))
    add_secrets(system.etc, system.user_ids())


def told(system: System) -> list[str]:
    """What the service manager was told; questions left out."""
    log = system.root / "run/told"
    words = log.read_text().split() if log.exists() else []
    return [word for word in words if not word.startswith("is-")]


def test_the_first_start_from_an_image_needs_no_network_and_makes_the_key(system: System) -> None:
    release = system.release.name
    done = system.run(str(ROOT / "deploy/install-station.sh"), "--python", str(base_python()))
    assert done.returncode == 0, done.stderr
    assert f"{release} was installed already" in done.stdout
    key = (system.etc / "signing-key.pem").stat()
    assert (stat.S_IMODE(key.st_mode), (key.st_uid, key.st_gid)) == (0o600, system.user_ids())
    assert "The service is not started: the configuration is not good yet." in done.stdout
    assert "identity.dispatchers[0].public_key: missing" in done.stdout
    assert "What to do next, as root:" in done.stdout
    assert "restart" not in told(system)


def test_a_good_configuration_is_checked_as_the_services_user_and_started(system: System) -> None:
    assert system.install().returncode == 0
    configure(system)
    unreadable = system.etc / "return.scbk"
    os.chown(unreadable, 0, 0)
    done = system.install()
    assert "return.scbk': cannot be read: Permission denied" in done.stdout
    assert "restart" not in told(system)
    os.chown(unreadable, *system.user_ids())
    done = system.install()
    assert done.returncode == 0, done.stderr
    assert "The service runs" in done.stdout
    assert f'{{"id": "{CABINET}", ..., "public_key": ' in done.stdout
    assert told(system)[-2:] == ["enable", "restart"]


def test_a_box_in_service_is_left_alone_by_a_second_run(running: System) -> None:
    done = running.install()
    assert done.returncode == 0, done.stderr
    assert told(running) == []


def test_a_version_that_refuses_the_configuration_is_not_switched_to(running: System) -> None:
    newer = clone_of_sources(running.root / NEWER.relative_to("/"))
    cli = newer / "station_agent/cli.py"
    cli.write_text(cli.read_text().replace("check_drivers(config, keys)", "raise ConfigError('needed: missing')"))
    before = picture(running.etc), running.release, running.releases
    done = running.install(source=NEWER)
    assert done.returncode == 1
    assert (
        "this version refuses the configuration that the one before it takes:\nstation-agent: needed" in done.stderr
    )
    assert (picture(running.etc), running.release, running.releases) == before
    assert set(told(running)) <= {"daemon-reload", "start"}, "it was never stopped"


def test_a_version_that_does_not_become_ready_is_taken_back_with_its_unit(running: System) -> None:
    newer = clone_of_sources(running.root / NEWER.relative_to("/"))
    (newer / "station_agent/never_ready").write_text("planted")
    unit = newer / "deploy/systemd/station-agent.service"
    unit.write_text(unit.read_text() + "# a newer one\n")
    before = picture(running.etc), running.release, running.releases, running.unit.read_text()
    done = running.install(source=NEWER)
    assert done.returncode == 1
    assert "the service did not become ready" in done.stderr
    assert (picture(running.etc), running.release, running.releases, running.unit.read_text()) == before
    assert told(running) == ["daemon-reload", "restart", "stop", "daemon-reload", "start"]
    assert (running.root / "run/is-active").exists()


def test_an_upgrade_restarts_the_service_once(running: System) -> None:
    newer = clone_of_sources(running.root / NEWER.relative_to("/"))
    module = newer / "station_agent/__init__.py"
    module.write_text(module.read_text() + "\n")
    first = running.release.name
    done = running.install(source=NEWER)
    assert done.returncode == 0, done.stderr
    assert running.releases == {first, running.release.name}
    assert told(running) == ["daemon-reload", "restart"]
