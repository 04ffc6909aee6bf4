"""The installer in tests: run for real, staged into a folder, or on this machine's own system under an overlay."""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
WHEELS = ROOT / ".wheels"
"""Made by `deploy/setup.sh dev`: what a box without a network would bring along."""
INSTALL_S = 240.0  # pip on a busy machine; it takes fifteen seconds alone
SOURCES = (
    "contract",
    "runtime",
    "station_agent",
    "dispatcher",
    "simulator",
    "deploy",
    "requirements",
    "docs/runbooks",
)
CABINET = "lille-gare-flandres-1"


def base_python() -> Path:
    """The Python under the environment of the tests, for which the wheels are."""
    return Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"


def clone_of_sources(folder: Path) -> Path:
    """This project as somebody has it who is about to break it."""
    folder.mkdir()
    for name in SOURCES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def run_installer(
    *options: str, source: Path = ROOT, wheels: Path = WHEELS, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """With this test's Python and its wheels. What it says is on stdout, faults on stderr."""
    command = [str(source / "deploy" / "install-station.sh"), *options]
    if "--uninstall" not in options:
        command += ["--wheelhouse", str(wheels), "--python", str(base_python())]
    return subprocess.run(
        command, input=typed, capture_output=True, text=True, check=False, timeout=INSTALL_S, cwd="/"
    )


def picture(root: Path) -> dict[str, tuple[object, ...]]:
    """All that can be seen of a tree: mode, owner, time of change, content."""
    seen: dict[str, tuple[object, ...]] = {}
    for path in (root, *root.rglob("*")):
        found = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(found.st_mode) else ""
        target = str(path.readlink()) if path.is_symlink() else ""
        time_ns = 0 if path.is_dir() else found.st_mtime_ns  # a file that came and went is not seen
        seen[str(path.relative_to(root))] = (found.st_mode, found.st_uid, found.st_gid, time_ns, content, target)
    return seen


@dataclass(frozen=True)
class Box:
    """A system with the station on it, or where it shall be."""

    root: Path

    @property
    def link(self) -> Path:
        return self.root / "opt" / "carshare" / "bin"

    @property
    def release(self) -> Path:
        """What the link leads to."""
        target = self.link.readlink()
        assert not target.is_absolute(), "a staged link must not lead out of the staged system"
        return self.link.parent / target.parent

    @property
    def releases(self) -> set[str]:
        return {path.name for path in (self.root / "opt" / "carshare" / "releases").iterdir()}

    @property
    def python(self) -> str:
        return str(self.release / "bin" / "python")

    @property
    def etc(self) -> Path:
        return self.root / "etc" / "carshare"

    @property
    def unit(self) -> Path:
        return self.root / "etc" / "systemd" / "system" / "station-agent.service"

    def agent(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The staged agent, which finds none of this project's sources on its way."""
        command = [self.python, "-I", "-m", "station_agent", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")

    def user_ids(self) -> tuple[int, int]:
        """Of the service: those of the staged system, or whoever stages it where that is not root."""
        if os.geteuid() != 0:
            return os.geteuid(), os.getegid()
        for line in (self.root / "etc" / "passwd").read_text().splitlines():
            name, _, uid, gid, *_ = line.split(":")
            if name == "station-agent":
                return int(uid), int(gid)
        raise AssertionError("no user station-agent")


def filled_in(template: str) -> str:
    """The template as a person leaves it who did what its comments say."""
    public_key = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"  # RFC 8037, appendix A.2
    replaced = {
        '# id = "centre"': 'id = "centre"',
        '# public_key = "..."': f'public_key = "{public_key}"',
        'host = ""': 'host = "broker.example.org"',
    }
    for old, new in replaced.items():
        assert template.count(old) == 1, old
        template = template.replace(old, new)
    for port in ("locks", "readers"):
        template = template.replace("# device = ", f'device = "/dev/{port}" # ', 1)
    return template.replace('cabinet = ""', f'cabinet = "{CABINET}"')


def add_secrets(etc: Path, owner: tuple[int, int]) -> None:
    """What only the centre, the broker and the readers could give."""
    secrets = {"badge-digest.key": "1f" * 32, "entrance.scbk": "2e" * 16, "return.scbk": "3d" * 16}
    for name, text in (secrets | dict.fromkeys(("broker-ca.pem", "box.pem", "box.key"), "")).items():
        path = etc / name
        path.write_text(text)
        path.chmod(0o600)
        os.chown(path, *owner)


def toml(path: Path) -> dict[str, object]:
    return tomllib.loads(path.read_text())


@dataclass(frozen=True)
class System(Box):
    """This machine's own system, which takes whatever is written to it and forgets it."""

    mounted: Path
    """The same as `root`, where only its own namespace sees it."""
    namespace: int

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """As root in it."""
        inside = ["nsenter", f"--mount=/proc/{self.namespace}/ns/mnt", "chroot", str(self.mounted), *command]
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        return subprocess.run(
            inside, capture_output=True, text=True, check=False, timeout=INSTALL_S, env=environment
        )

    def install(self, *options: str, source: Path = ROOT) -> subprocess.CompletedProcess[str]:
        """With `source` as this system calls it."""
        installer = str(source / "deploy" / "install-station.sh")
        return self.run(installer, "--wheelhouse", str(WHEELS), "--python", str(base_python()), *options)


# The layers of an overlay may not lie in one another: what is written goes into memory.
MOUNT_ALL = """
mount -t tmpfs -o mode=755 tmpfs "$2" && mkdir "$2/work" "$2/root" && cp -a "$1" "$2/upper" &&
mount -t overlay overlay -o "lowerdir=/,upperdir=$2/upper,workdir=$2/work" "$2/root" &&
mount --rbind /proc "$2/root/proc" && mount --rbind /dev "$2/root/dev" || exit 1
for path in "$3" "$4"; do
    [ -e "$2/root$path" ] || { mkdir -p "$2/root$path" && mount --bind "$path" "$2/root$path"; } || exit 1
done
echo mounted && read -r _
"""


@contextmanager
def own_system(staged: Path, folder: Path) -> Iterator[System]:
    """This system with `staged` laid over it, as a box that was started from an image. Only root can have it."""
    folder.mkdir()
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", MOUNT_ALL, "sh"]
    command += [str(staged), str(folder), str(ROOT), sys.base_prefix]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == "mounted\n", "the overlay could not be mounted"
            system = System(Path(f"/proc/{holder.pid}/root{folder}/root"), folder / "root", holder.pid)
            _open_ways(system, base_python())
            yield system
        finally:
            holder.stdin.close()


def _open_ways(system: System, path: Path) -> None:
    """A Python in somebody's home is of no use to the service's user, unless it may walk there."""
    shut = [str(folder) for folder in path.resolve().parents if not folder.stat().st_mode & stat.S_IXOTH]
    assert not shut or system.run("chmod", "o+x", *shut).returncode == 0
