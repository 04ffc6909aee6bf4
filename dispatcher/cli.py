"""The command `dispatcher`.

dispatcher serve --config dispatcher.toml
dispatcher migrate --config dispatcher.toml
dispatcher import --config dispatcher.toml [--check] FILE...
dispatcher vouch --config dispatcher.toml [--check]
dispatcher new-keys DIRECTORY
dispatcher token new NAME --scopes SCOPE,... [--expires TIME] --config dispatcher.toml
dispatcher token list --config dispatcher.toml
dispatcher token revoke NAME --config dispatcher.toml
dispatcher badge-key --config dispatcher.toml --cabinet ID
dispatcher backup --config dispatcher.toml [--prune] FILE
dispatcher restore --config dispatcher.toml FILE
dispatcher lost --config dispatcher.toml FILE
dispatcher member export --config dispatcher.toml --reason TEXT ID
dispatcher badge|block|booking|cabinet|incident|member|order|report|station|vehicle COMMAND
    --api URL --token-file FILE [--json]

Whatever is wrong is a line on stderr. Exit status: 0 done; 1 refused; 2 the input is wrong; 3 the API of a running
dispatcher, which the last line asks, did not answer or cannot now.
"""

import argparse
import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from contract.credentials import cabinet_digest_key
from dispatcher.backup_commands import add_backup_commands
from dispatcher.client.http import ApiFailed
from dispatcher.client.nouns import add_nouns
from dispatcher.client.program import Parser, fail, failed, say
from dispatcher.config import DispatcherConfig, load_config, read_database_url, read_digest_secret, read_origin
from dispatcher.duty import ClaimLost
from dispatcher.importing.faults import ImportRefused
from dispatcher.importing.files import read_files
from dispatcher.lost_command import LOST, lost
from dispatcher.new_keys import write_new_keys
from dispatcher.store.audit import AuditAction, record
from dispatcher.store.database import Database, in_one_line
from dispatcher.store.export import Document, as_json, export_member
from dispatcher.store.importing import ImportReport, import_rows
from dispatcher.store.isolation import kept_if
from dispatcher.store.migrate import WrongSchema, migrate, pending
from dispatcher.store.origin import Origin
from dispatcher.store.postgresql import UnfitServer
from dispatcher.store.schema import cabinets
from dispatcher.store.vouching import OtherOrigin, Vouched, check_origin, vouch
from dispatcher.token_commands import add_token_commands
from runtime.clocks import Clock, SystemClock
from runtime.config import ConfigError
from runtime.executor import InlineExecutor

CLAIM_LOST = 1  # nothing is wrong with the input

VOUCH = """\
Sign every row that could become a right (bookings, members, badges, keys, tags) and that this program did not
sign: you say that it is right as it stands, whoever wrote it. Run it once, after the migration that brought
signatures or after the origin key was lost, and only on a database that you trust. At any other time an unsigned
row is one that somebody wrote past the program: then find out who, cancel the booking, import the rest again.
"""

COMMAND_LINE = "command-line"  # the author, in the audit record

Command = Callable[[argparse.Namespace, Clock], None]
T = TypeVar("T")


def main(arguments: Sequence[str] | None = None, *, clock: Clock | None = None) -> int:
    """Entry point; `clock` is the simulator's way to run the very same program at another speed."""
    options = _parser().parse_args(arguments)
    command: Command = options.run
    try:
        command(options, clock or SystemClock())
    except (WrongSchema, UnfitServer) as error:
        return fail(str(error))
    except (ConfigError, ApiFailed) as error:
        return failed(error)
    except ImportRefused as refused:
        return fail(f"{refused}\nnothing was imported; faults: {len(refused.faults)}")
    except ClaimLost as error:
        return fail(str(error), CLAIM_LOST)
    except DBAPIError as error:
        return fail(f"the database refuses: {in_one_line(error)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="dispatcher", description="The centre of a station-based car-sharing network.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: Command, text: str, more: str = "", *, config: bool = True) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=more or text)
        command.set_defaults(run=run)
        if config:
            command.add_argument("--config", type=Path, required=True, metavar="FILE", help="TOML file")
        return command

    add("serve", _serve, "run the dispatcher until it is told to stop")
    add("migrate", _migrate, "bring the database to the tables of this version")
    importing = add("import", _import, "import a network, its vehicles and members; all or nothing")
    importing.add_argument("--check", action="store_true", help="say what would be done, write nothing")
    importing.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a JSON document or CSV files")
    vouching = add("vouch", _vouch, "sign the rows that nobody signed, as they stand", VOUCH)
    vouching.add_argument("--check", action="store_true", help="name the rows, sign nothing")
    new_keys = add("new-keys", _new_keys, "make keys, secrets and a first API token", config=False)
    new_keys.add_argument("directory", type=Path, metavar="DIRECTORY", help="where to write them")
    token = commands.add_parser("token", help="make, list and revoke tokens of the API")
    add_token_commands(token, say)
    member = commands.add_parser("member", help="look for members, give out what is known of one")
    member_commands = member.add_subparsers(dest="member_command", required=True, metavar="COMMAND")
    exporting = member_commands.add_parser("export", help="print all that is known of a member, as JSON")
    add_nouns(commands, member_commands, say)
    exporting.set_defaults(run=_export_member)
    exporting.add_argument("--config", type=Path, required=True, metavar="FILE", help="TOML file")
    exporting.add_argument("--reason", required=True, metavar="TEXT", help="why, for the audit record; no names")
    exporting.add_argument("id", metavar="ID", help="id of the member")
    backup = commands.add_parser("backup", help="copy the database into a file, also while it is served")
    restore = commands.add_parser("restore", help="put a backup into a database that is not there, or empty")
    add_backup_commands(backup, restore, say)
    losing = add("lost", _lost, "name bookings that a restored database lacks", LOST)
    losing.add_argument("file", type=Path, metavar="FILE", help="what the broker retained; -: stdin")
    badge_key = add("badge-key", _badge_key, "print the badge digest key of a cabinet, for its box")
    badge_key.add_argument("--cabinet", required=True, metavar="ID", help="id of an imported cabinet")
    return parser


def _serve(options: argparse.Namespace, clock: Clock) -> None:
    from dispatcher.service import serve  # noqa: PLC0415  # the other commands start without broker and API

    asyncio.run(serve(load_config(options.config), clock))


def _lost(options: argparse.Namespace, clock: Clock) -> None:
    lost(options, clock, say)


def _migrate(options: argparse.Namespace, _clock: Clock) -> None:
    done = migrate(read_database_url(load_config(options.config).database))
    say(f"applied {', '.join(done)}" if done else "nothing to do: the database is up to date")


def _import(options: argparse.Namespace, clock: Clock) -> None:
    config = load_config(options.config)
    rows, faults = read_files(options.files)
    if faults:
        raise ImportRefused(faults)

    def work(connection: Connection) -> ImportReport:
        check_origin(connection)
        return import_rows(connection, rows, clock.now_ms(), os.urandom, config.rules.pin_digits)

    report = _write(config, lambda c: kept_if(c, lambda: work(c), lambda _report: not options.check))
    for kind, counts in report.by_kind.items():
        say(f"{kind}: {counts.added} added, {counts.changed} changed, {counts.unchanged} unchanged")
    say("checked, nothing was written" if options.check else "imported")


def _vouch(options: argparse.Namespace, _clock: Clock) -> None:
    def work(connection: Connection) -> dict[str, Vouched]:
        return kept_if(connection, lambda: vouch(connection), lambda _vouched: not options.check)

    for table, vouched in _write(load_config(options.config), work).items():
        say(f"{table}: {len(vouched.unsigned)} unsigned, {len(vouched.changed)} changed, {vouched.held} in order")
        for what, subjects in (("unsigned", vouched.unsigned), ("changed past its signature", vouched.changed)):
            for subject in subjects if options.check else ():
                say(f"  {subject} is {what}")
    say("checked, nothing was signed" if options.check else "signed: all of it counts as written by this program")


def _new_keys(options: argparse.Namespace, _clock: Clock) -> None:
    made = write_new_keys(options.directory, os.urandom)
    for path in made.files:
        say(f"wrote {path}")
    say(f"public key, for the boxes: {made.public_key}")
    say(f"API token, shown this once: {made.token}")
    say(f"its line in the tokens file: {made.token_line}")


def _badge_key(options: argparse.Namespace, _clock: Clock) -> None:
    config = load_config(options.config)
    secret = read_digest_secret(config.keys)
    database = _open_database(config)
    try:
        known = database.read_now(
            lambda connection: connection.execute(
                select(cabinets.c.id).where(cabinets.c.id == options.cabinet)
            ).one_or_none()
        )
    finally:
        database.close()
    if known is None:
        raise ConfigError(f"--cabinet {options.cabinet!r}: expected the id of an imported cabinet")
    say(cabinet_digest_key(secret, options.cabinet).hex())


def _export_member(options: argparse.Namespace, clock: Clock) -> None:
    now_ms = clock.now_ms()

    def work(connection: Connection) -> Document | None:
        action = AuditAction.MEMBER_EXPORTED
        record(connection, now_ms, COMMAND_LINE, action, options.id, reason=options.reason)
        return export_member(connection, options.id, now_ms)

    document = _write(load_config(options.config), lambda c: kept_if(c, lambda: work(c), lambda it: it is not None))
    if document is None:
        raise ConfigError(f"ID {options.id!r}: expected the id of a member")
    say(as_json(document))


def _write(config: DispatcherConfig, work: Callable[[Connection], T]) -> T:
    """Run `work` in one transaction of a database that can write rights."""
    database = _open_database(config, read_origin(config.keys))
    try:
        return database.write_now(work)
    except OtherOrigin as error:
        raise ConfigError(f"keys.origin_key_file: {error}") from None
    finally:
        database.close()


def _open_database(config: DispatcherConfig, origin: Origin | None = None) -> Database:
    url = read_database_url(config.database)
    no_file = url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists()
    if no_file or pending(url):
        raise ConfigError(f"{url.database}: the database is not there or not up to date: run `dispatcher migrate`")
    return Database(url, InlineExecutor(), origin=origin)
