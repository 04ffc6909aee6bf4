"""What all nouns share: how their commands are declared, run and shown."""

import argparse
import json
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from pathlib import Path
from typing import Any, Self

from dispatcher.client.http import ROWS_MAX, Api, Thing
from dispatcher.client.tables import fields, table
from runtime.config import ConfigError

Say = Callable[[str], None]
Ask = Callable[[Api, argparse.Namespace], Any]
Show = Callable[[Any], str]

API = "DISPATCHER_API"
TOKEN_FILE = "DISPATCHER_TOKEN_FILE"  # noqa: S105  # a name, no secret
TOKEN_BYTES_MAX = 200  # what is longer is another file


class Does(Enum):
    READS = auto()
    WRITES = auto()
    CHANGES = auto()  # what is there already: as it was read, where a tag is given


class Noun:
    """One noun of the command line, such as `booking`, with its verbs."""

    def __init__(self, verbs: Any, say: Say) -> None:
        self._verbs = verbs
        self._say = say

    @classmethod
    def new(cls, commands: Any, name: str, text: str, say: Say) -> Self:
        """One that has no other commands."""
        parser = commands.add_parser(name, help=text, description=text)
        return cls(parser.add_subparsers(dest="verb", required=True, metavar="COMMAND"), say)

    def verb(
        self, name: str, text: str, ask: Ask, show: Show = fields, does: Does = Does.READS
    ) -> argparse.ArgumentParser:
        """Declare one; `show` turns the API's answer into what a person reads, and may raise `ApiFailed`."""
        parser: argparse.ArgumentParser = self._verbs.add_parser(name, help=text, description=text)
        api, token_file = os.environ.get(API), os.environ.get(TOKEN_FILE)
        where = parser.add_argument_group("whom to ask, and how")
        where.add_argument(
            "--api",
            required=api is None,
            default=api,
            metavar="URL",
            help=f"such as http://127.0.0.1:8080; or {API}",
        )
        where.add_argument(
            "--token-file",
            type=Path,
            required=token_file is None,
            default=token_file,
            metavar="FILE",
            help=f"holds the token alone; or {TOKEN_FILE}",
        )
        where.add_argument("--json", action="store_true", help="the API's own answer, for programs")
        if does is not Does.READS:
            where.add_argument("--again", metavar="KEY", help="as the command before said: nothing is done twice")
        if does is Does.CHANGES:
            parser.add_argument("--tag", metavar="TAG", help="of `show`: only if nobody has changed it since")
        parser.set_defaults(run=lambda options, _clock: self._run(ask, show, options), again=None, tag=None)
        return parser

    def one(
        self, name: str, text: str, ask: Ask, show: Show = fields, does: Does = Does.READS
    ) -> argparse.ArgumentParser:
        """As `verb`, of the thing that the id names."""
        parser = self.verb(name, text, ask, show, does)
        parser.add_argument("id", metavar="ID")
        return parser

    def _run(self, ask: Ask, show: Show, options: argparse.Namespace) -> None:
        api = Api(options.api, read_token(options.token_file), options.tag)
        answer = ask(api if options.again is None else replace(api, key=options.again), options)
        told = answer.fields if isinstance(answer, Thing) else answer
        if options.json:
            self._say(json.dumps(told, indent=2, ensure_ascii=False))
        shown = show({**told, "tag": answer.tag} if isinstance(answer, Thing) else told)
        if not options.json:
            self._say(shown)


def read_token(file: Path) -> str:
    """Raises `ConfigError`: it cannot be read, others can, or it is no token."""
    try:
        with file.open("rb") as opened:
            others = stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & stat.S_IRWXO
            text = opened.read(TOKEN_BYTES_MAX + 1).decode("ascii").strip()
    except OSError as error:
        raise ConfigError(f"--token-file {file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        text, others = "", 0
    if others:
        raise ConfigError(f"--token-file {file}: everybody on this machine may read or change it: chmod o= {file}")
    if not text or len(text) > TOKEN_BYTES_MAX or len(text.splitlines()) != 1:
        raise ConfigError(f"--token-file {file}: expected a file that holds a token and nothing else")
    return text


def rows(*columns: str, extra: Sequence[str] = ()) -> Show:
    """A list of the API as a table."""

    def show(answer: Mapping[str, Any]) -> str:
        shown = table(next(answer[name] for name in ("items", "lines") if name in answer), columns, extra)
        more = answer.get("next") is not None
        return f"{shown}\n... and more: only the first {ROWS_MAX} are shown, ask for fewer" if more else shown

    return show


def brief(*names: str) -> Show:
    """Of something that was written, what tells that it was done; `show` tells the rest."""
    return lambda answer: fields({name: answer[name] for name in names if name in answer})
