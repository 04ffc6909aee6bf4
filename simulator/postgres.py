"""A PostgreSQL of our own for as long as it is wanted: made by `initdb` in a folder of its own, and gone with it.

For demos and tests. It listens on no port, only on a socket in its folder, and dies with who started it.
"""

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import URL

PREFIX = "carshare-postgres-"
OWNER = "carshare"  # the superuser, trusted on the socket
LOCK = "lock"
LOOK_S = 0.05
START_S = 60  # a recovery is never needed: only a busy machine takes so long
END_S = 60
DEBIAN = Path("/usr/lib/postgresql")
FLEETING = ("fsync=off", "full_page_writes=off", "autovacuum=off", "max_wal_size=4GB")
"""For a cluster whose content nobody wants after a power cut."""
SETTINGS = ("listen_addresses=", "wal_level=minimal", "max_wal_senders=0", "shared_buffers=64MB")


class NoPostgres(Exception):
    """PostgreSQL cannot be started here; the text says what is missing, or what its log says."""


class Cluster:
    """A running PostgreSQL. Start it with `cluster`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def url(self, database: str, user: str = OWNER) -> URL:
        """A database of this cluster, as `database.url` takes it."""
        return URL.create("postgresql+psycopg", user, database=database, query={"host": str(self.folder)})

    def create(self, database: str, template: str = "template0") -> URL:
        """A new database, a copy of another one that nobody is connected to."""
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(database), sql.Identifier(template)
        )
        self.execute(statement)
        return self.url(database)

    def execute(self, statement: sql.Composed) -> None:
        """One statement as the superuser, on no database in particular."""
        with psycopg.connect(host=str(self.folder), user=OWNER, dbname="postgres", autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def cluster(*, fleeting: bool = True, settings: Sequence[str] = ()) -> Iterator[Cluster]:
    """A cluster, stopped at the end of the block, and also where this process is killed.

    Args:
        fleeting: what is committed need not survive a power cut, which is five times as fast.
        settings: more of `postgresql.conf`, each as `name=value`.

    Raises:
        NoPostgres: it is not installed, or does not start.
    """
    programs = _programs()
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        with (folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # while this process lives
            options = (*SETTINGS, f"unix_socket_directories={folder}", *(FLEETING if fleeting else ()), *settings)
            with _server(folder, programs, options, signal.SIGQUIT if fleeting else signal.SIGINT):
                yield Cluster(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _server(folder: Path, programs: Path, options: Sequence[str], end: signal.Signals) -> Iterator[None]:
    as_user = _as_user(folder)
    data = folder / "data"
    made: list[str | Path] = [
        programs / "initdb",
        "--no-sync",
        "--auth=trust",
        f"--username={OWNER}",
        "--encoding=UTF8",
    ]
    _run([*as_user, *made, "--locale=C.UTF-8", f"--pgdata={data}"])
    words = [word for option in options for word in ("-c", option)]
    with (folder / "log").open("wb") as log:
        arguments: list[str | Path] = [*as_user, programs / "postgres", "-D", data, *words]
        process = subprocess.Popen(arguments, cwd="/", stdout=log, stderr=log)  # noqa: S603  # our own words
    try:
        _wait_for(process, folder)
        yield
    finally:
        process.send_signal(end)
        process.wait(END_S)


def _wait_for(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    for _ in range(round(START_S / LOOK_S)):
        with suppress(subprocess.TimeoutExpired):
            process.wait(LOOK_S)
            break
        with suppress(psycopg.OperationalError):
            psycopg.connect(host=str(folder), user=OWNER, dbname="postgres").close()
            return
    raise NoPostgres(f"PostgreSQL does not start:\n{(folder / 'log').read_text(errors='replace')}")


def _programs() -> Path:
    """Where the newest installed version has its programs."""
    found = [path for path in DEBIAN.glob("*/bin") if (path / "initdb").exists()]
    if found:
        return max(found, key=lambda path: int(path.parent.name))
    initdb = shutil.which("initdb")
    if initdb is None:
        raise NoPostgres("PostgreSQL is not installed here: install the Debian package postgresql")
    return Path(initdb).parent


def _as_user(folder: Path) -> list[str]:
    """How its programs are started: ended with this process, and never as root, which they refuse."""
    words = ["setpriv", "--pdeathsig=QUIT"]
    if os.geteuid() == 0:
        user = _somebody()
        os.chown(folder, user.pw_uid, user.pw_gid)
        words += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return words


def _somebody() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _run(arguments: Sequence[str | Path]) -> None:
    done = subprocess.run(arguments, cwd="/", capture_output=True, check=False)  # noqa: S603  # our own words
    if done.returncode:
        raise NoPostgres(f"{arguments[-1]}: {done.stderr.decode(errors='replace')}")


def _sweep() -> None:
    """Remove what processes left that were killed: nobody holds its lock any more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError), (folder / LOCK).open() as lock:  # another user's, or just being removed
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
