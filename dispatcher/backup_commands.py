"""`dispatcher backup` and `dispatcher restore`: what an operator does, and what `docs/backup.md` explains."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection

from dispatcher.config import DispatcherConfig, load_config, read_database_url, read_origin
from dispatcher.core.windows import DAY_MS, utc_text
from dispatcher.store.backup import BackupFailed, make_backup, prune, put_back
from dispatcher.store.database import Database
from dispatcher.store.erasure_list import BadErasureList, ErasureList
from dispatcher.store.migrate import migrate
from dispatcher.store.restored import Restored, settle_restored
from dispatcher.store.vouching import OtherOrigin, check_origin
from runtime.clocks import Clock
from runtime.config import ConfigError
from runtime.executor import InlineExecutor

Say = Callable[[str], None]


def add_backup_commands(backup: argparse.ArgumentParser, restore: argparse.ArgumentParser, say: Say) -> None:
    backup.add_argument(
        "--prune", action="store_true", help="then remove backups in the file's folder past retention.backups_days"
    )
    backup.set_defaults(run=lambda options, clock: _backup(options, clock, say))
    restore.set_defaults(run=lambda options, clock: _restore(options, clock, say))
    for command in (backup, restore):
        command.add_argument("--config", type=Path, required=True, metavar="FILE", help="TOML file")
        command.add_argument("file", type=Path, metavar="FILE", help="the backup; its manifest lies beside it")


def _backup(options: argparse.Namespace, clock: Clock, say: Say) -> None:
    config = load_config(options.config)
    now_ms = clock.now_ms()
    try:
        made = make_backup(read_database_url(config.database), options.file, now_ms)
        say(f"wrote {options.file}: {made.bytes} bytes, schema {made.schema}, ledger {made.ledger}")
        if options.prune:
            folder = options.file.absolute().parent
            for path in prune(folder, config.retention.backups_days, now_ms):
                say(f"removed {path.name}: past {config.retention.backups_days} days")
    except BackupFailed as error:
        raise ConfigError(str(error)) from None


def _restore(options: argparse.Namespace, clock: Clock, say: Say) -> None:
    """All of it, or a word on what is left: an SQLite file that was not settled is taken away again."""
    config = load_config(options.config)
    url = read_database_url(config.database)
    try:
        manifest = put_back(url, options.file)
    except BackupFailed as error:
        raise ConfigError(str(error)) from None
    age_ms = clock.now_ms() - manifest.made_ms
    try:
        for revision in migrate(url):
            say(f"applied {revision}")
        _settle(config, manifest.made_ms, clock, say)
    except BaseException:
        if url.get_backend_name() == "sqlite":
            Path(str(url.database)).unlink(missing_ok=True)
        raise
    say(f"restored what was there at {utc_text(manifest.made_ms)}, {age_ms // 3_600_000} h ago")
    if age_ms > config.retention.backups_days * DAY_MS:
        say("warning: older than a box's journal: what boxes have forgotten since is lost")
    say("start the dispatcher: the boxes tell again what is missing; see docs/backup.md for bookings made since")


def _settle(config: DispatcherConfig, made_ms: int, clock: Clock, say: Say) -> None:
    list_file = config.database.erasures_file
    database = Database(read_database_url(config.database), InlineExecutor(), origin=read_origin(config.keys))
    try:
        erasures = () if list_file is None else ErasureList(list_file).since(made_ms)
        who_held_ms = config.retention.who_held_days * DAY_MS

        def work(connection: Connection) -> Restored:
            check_origin(connection)
            return settle_restored(connection, erasures, who_held_ms, os.urandom, clock.now_ms())

        done = database.write_now(work)
    except BadErasureList as error:
        raise ConfigError(f"database.erasures_file: {error}") from None
    except OtherOrigin as error:
        raise ConfigError(f"keys.origin_key_file: {error}") from None
    finally:
        database.close()
    if list_file is None:
        say("warning: no database.erasures_file: whoever was erased since the backup is back")
    say(f"ledger {done.ledger}; {done.erased} members erased again; {done.live_bookings} bookings hold")
