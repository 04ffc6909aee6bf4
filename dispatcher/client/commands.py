"""What all nouns share: how their commands are declared, run and shown."""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from dispatcher.client.http import Api
from dispatcher.client.tables import fields, table
from runtime.config import ConfigError

Say = Callable[[str], None]
Ask = Callable[[Api, argparse.Namespace], Any]


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

    def verb(self, name: str, text: str, ask: Ask, columns: Sequence[str] = ()) -> argparse.ArgumentParser:
        """Declare one; `columns`: of the table that its list is shown as."""
        parser: argparse.ArgumentParser = self._verbs.add_parser(name, help=text, description=text)
        parser.add_argument("--api", required=True, metavar="URL", help="such as http://127.0.0.1:8080")
        parser.add_argument("--token-file", type=Path, required=True, metavar="FILE", help="holds the token alone")
        parser.add_argument("--json", action="store_true", help="the API's own answer, for programs")
        parser.set_defaults(run=lambda options, _clock: self._run(ask, columns, options))
        return parser

    def _run(self, ask: Ask, columns: Sequence[str], options: argparse.Namespace) -> None:
        try:
            token = options.token_file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            raise ConfigError(f"--token-file {options.token_file}: expected a file that holds a token") from None
        answer = ask(Api(options.api, token), options)
        if options.json:
            self._say(json.dumps(answer, indent=2, ensure_ascii=False))
        elif columns:
            self._say(table(rows_of(answer), columns))
        else:
            self._say(fields(answer))


def rows_of(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rows of a list or of a report."""
    return next(list(answer[name]) for name in ("items", "lines", "under_used") if name in answer)
