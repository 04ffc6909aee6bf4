"""The commands that ask the API, as a program: without database and message contract, so that it starts at once."""

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from dispatcher.client.http import ApiAway, ApiFailed
from dispatcher.client.nouns import MEMBER_VERBS, NOUNS, add_nouns
from runtime.config import ConfigError

REFUSED = 1  # the API said no
USAGE_ERROR = 2  # as argparse itself ends
AWAY = 3  # the API did not answer, or cannot now: to be tried again
INTERRUPTED = 130  # as shells say it: 128 and the number of SIGINT

LEADING_HYPHEN = re.compile(r"-[A-Za-z0-9_-]{19}")  # one random id in 64 begins so


class Parser(argparse.ArgumentParser):
    """Tells errors in one line, and knows an id when it sees one."""

    def _parse_optional(self, arg_string: str) -> Any:
        """A random id is none of the options, whatever it begins with."""
        is_id = LEADING_HYPHEN.fullmatch(arg_string) and arg_string not in self._option_string_actions
        return None if is_id else super()._parse_optional(arg_string)

    def error(self, message: str) -> NoReturn:
        """One line instead of the usage and the line."""
        self.exit(USAGE_ERROR, f"{self.prog}: {message}; see {self.prog} --help\n")


def asks_api(arguments: Sequence[str]) -> bool:
    """Whether a command line is one of these. `member` has others, and its help tells them all."""
    noun, verb = [*arguments, "", ""][:2]
    return noun in NOUNS if noun != "member" else verb in MEMBER_VERBS


def main(arguments: Sequence[str]) -> int:
    """The exit status. `SystemExit`: the command line is wrong, or asked for help."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options, None)
    except (ConfigError, ApiFailed) as error:
        return failed(error)
    except KeyboardInterrupt:
        return fail("interrupted", INTERRUPTED)
    return 0


def failed(error: ConfigError | ApiFailed) -> int:
    """Tell it; the exit status."""
    if isinstance(error, ConfigError):
        return fail(str(error))
    return fail(str(error), AWAY if isinstance(error, ApiAway) else REFUSED)


def _parser() -> Parser:
    parser = Parser(prog="dispatcher")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    members = commands.add_parser("member").add_subparsers(required=True, metavar="COMMAND")
    add_nouns(commands, members, say)
    return parser


def fail(text: str, status: int = USAGE_ERROR) -> int:
    sys.stderr.write("".join(f"dispatcher: {line}\n" for line in text.splitlines()))
    return status


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
