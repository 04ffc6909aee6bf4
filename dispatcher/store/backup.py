"""Backups: one file of the whole database, made while it is served, and beside it what it is.

SQLite copies itself page by page inside one read transaction, which in WAL mode holds up no writer; PostgreSQL is
dumped by `pg_dump` in its custom format. Both files appear whole or not at all: the manifest last.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, inspect, select

from dispatcher.core.windows import DAY_MS
from dispatcher.store.database import open_engine
from dispatcher.store.ledger import LEDGER_ID
from dispatcher.store.migrate import revisions, schema_of
from dispatcher.store.schema import meta

FORMAT = 1
MANIFEST = ".manifest.json"
PIECE_BYTES = 1 << 20
TOOL_S = 3600  # a national network's database is some gigabytes: minutes


class BackupFailed(Exception):
    """A backup that cannot be made or used; the text says why, and what was expected."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is."""

    format: int
    database: str
    """`sqlite` or `postgresql`: a backup goes back into what it came from."""
    schema: str
    """The newest migration that was applied."""
    ledger: str | None
    """The ledger's name; None: it had none yet."""
    made_ms: int
    bytes: int
    sha256: str


def manifest_path(file: Path) -> Path:
    return file.with_name(file.name + MANIFEST)


def make_backup(url: URL, file: Path, now_ms: int) -> Manifest:
    """Copy the database at `url` into `file`, which must not be there yet.

    Raises:
        BackupFailed: the file is there, or a tool is missing or failed.
    """
    for path in (file, manifest_path(file)):
        if path.exists():
            raise BackupFailed(f"{path}: expected a file that is not there yet")
    if not file.absolute().parent.is_dir():
        raise BackupFailed(f"{file}: expected a path in a folder that exists")
    is_postgresql = url.get_backend_name() == "postgresql"
    if not is_postgresql and not Path(str(url.database)).exists():
        raise BackupFailed(f"{url.database}: expected the database; it is not there")
    part = _part_of(file)
    try:
        (_dump_postgresql if is_postgresql else _copy_sqlite)(url, part)
        schema, ledger = _of_database(url)
        size, digest = _digest(part)
        manifest = Manifest(FORMAT, url.get_backend_name(), schema, ledger, now_ms, size, digest)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    part = _part_of(manifest_path(file))
    part.write_text(json.dumps(asdict(manifest), indent=2) + "\n", encoding="ascii")
    _flush(part)
    part.replace(manifest_path(file))
    _flush(file.absolute().parent)
    return manifest


def read_manifest(file: Path) -> Manifest:
    """What a backup says that it is.

    Raises:
        BackupFailed: there is none, or it is not one of ours.
    """
    path = manifest_path(file)
    try:
        said: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
        manifest = Manifest(**said)
    except OSError as error:
        raise BackupFailed(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):
        raise BackupFailed(f"{path}: expected the manifest of a backup") from None
    if manifest.format != FORMAT:
        raise BackupFailed(f"{path}: format = {manifest.format}: expected {FORMAT}")
    return manifest


def put_back(url: URL, file: Path) -> Manifest:
    """Put a backup into a database that is absent (SQLite) or empty (PostgreSQL), as it was; what it is.

    Raises:
        BackupFailed: it is damaged, of another kind or a newer program's, or the place is taken.
    """
    manifest = read_manifest(file)
    kind = url.get_backend_name()
    if manifest.database != kind:
        raise BackupFailed(f"{file}: a backup of {manifest.database}: expected one of {kind}, as database.url says")
    if manifest.schema not in revisions():
        raise BackupFailed(f"{file}: schema = {manifest.schema!r}: made by a newer program, use that one")
    if not file.is_file() or _digest(file) != (manifest.bytes, manifest.sha256):
        raise BackupFailed(
            f"{file}: expected {manifest.bytes} bytes with the digest of its manifest: it is damaged"
        )
    if kind == "postgresql":
        _fill_postgresql(url, file)
    else:
        _place_sqlite(url, file)
    return manifest


def prune(folder: Path, keep_days: int, now_ms: int) -> tuple[Path, ...]:
    """Remove the backups in a folder that are older than that; which they were. Other files are left alone."""
    gone = []
    for path in sorted(folder.glob(f"*{MANIFEST}")):
        file = path.with_name(path.name.removesuffix(MANIFEST))
        if read_manifest(file).made_ms >= now_ms - keep_days * DAY_MS:
            continue
        file.unlink(missing_ok=True)  # the manifest last: what is left half-way is found again
        path.unlink()
        gone.append(file)
    return tuple(gone)


def _part_of(file: Path) -> Path:
    part = file.with_name(f".{file.name}.part")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))  # names and digests are in it
    return part


def _copy_sqlite(url: URL, part: Path) -> None:
    with closing(sqlite3.connect(str(url.database))) as source, closing(sqlite3.connect(part)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")  # one file, and no log beside it
        (verdict,) = target.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise BackupFailed(f"{url.database}: {verdict}")
    _flush(part)


def _dump_postgresql(url: URL, part: Path) -> None:
    _run(url, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={part}")
    _flush(part)


def _fill_postgresql(url: URL, file: Path) -> None:
    engine = open_engine(url)
    try:
        tables = inspect(engine).get_table_names()
    finally:
        engine.dispose()
    if tables:
        raise BackupFailed(f"{url.database}: expected an empty database; it has {len(tables)} tables")
    options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-comments")
    _run(url, "pg_restore", *options, str(file))


def _run(url: URL, tool: str, *arguments: str) -> None:
    """Run one of PostgreSQL's own tools; the password goes by the environment, which other users do not see."""
    target = url.set(drivername="postgresql", password=None).render_as_string()
    environment = dict(os.environ) if url.password is None else {**os.environ, "PGPASSWORD": str(url.password)}
    command: Sequence[str] = (tool, f"--dbname={target}", "--no-password", *arguments)
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TOOL_S, check=False)  # noqa: S603  # no shell, and every argument is ours or a path
    except FileNotFoundError:
        raise BackupFailed(
            f"{tool}: not found in PATH; expected the one of the server's version or newer"
        ) from None
    except subprocess.TimeoutExpired:
        raise BackupFailed(f"{tool}: expected it to end within {TOOL_S} s") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no word"])[0]
        raise BackupFailed(f"{tool} failed: {said}")


def _place_sqlite(url: URL, file: Path) -> None:
    target = Path(str(url.database))
    for path in (target, target.with_name(target.name + "-wal")):
        if path.exists():
            raise BackupFailed(f"{path}: expected no database there; move it away first")
    part = _part_of(target)
    try:
        shutil.copyfile(file, part)
        _flush(part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _of_database(url: URL) -> tuple[str, str | None]:
    """Its newest migration, and the name of its ledger."""
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            schema = schema_of(connection)
            if schema is None:
                raise BackupFailed(f"{url.database}: expected a database of this program; it has no tables")
            return schema, connection.execute(select(meta.c.value).where(meta.c.key == LEDGER_ID)).scalar()
    finally:
        engine.dispose()


def _digest(path: Path) -> tuple[int, str]:
    """Size and SHA-256."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()


def _flush(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
