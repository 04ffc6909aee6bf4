"""`dispatcher token new|list|revoke`: who may call the API, kept in the file that the configuration names."""

import argparse
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from dispatcher.api.scopes import MEANING, Scope
from dispatcher.api.token_file import OWNER_ONLY, change_tokens, read_tokens
from dispatcher.api.tokens import Token, new_token, parse_expiry, parse_name, parse_scopes
from dispatcher.config import load_config
from dispatcher.core.windows import DAY_MS
from runtime.clocks import Clock
from runtime.config import ConfigError

DAYS_DEFAULT = 365  # a token that nobody renews is one that nobody remembers
Say = Callable[[str], None]

NEW = "Make a token. It is shown or written this once; a running dispatcher takes it within a second.\n\nScopes:\n"
SCOPES = "\n".join(f"  {scope:<15} {MEANING[scope]}" for scope in Scope)


def add_token_commands(parser: argparse.ArgumentParser, say: Say) -> None:
    commands = parser.add_subparsers(dest="token_command", required=True, metavar="COMMAND")
    as_written = argparse.RawDescriptionHelpFormatter
    new = commands.add_parser("new", help="make one", description=NEW + SCOPES, formatter_class=as_written)
    new.add_argument("name", metavar="NAME", help="of the program that calls: the author of all that it does")
    new.add_argument("--scopes", required=True, metavar="SCOPE,...", help="what it may do")
    new.add_argument(
        "--expires", metavar="TIME", help=f"RFC 3339, or never; {DAYS_DEFAULT} days from now unless told otherwise"
    )
    new.add_argument("--write", type=Path, metavar="FILE", help="a new file to keep it in, instead of showing it")
    new.set_defaults(run=lambda options, clock: _new(options, clock, say))
    listing = commands.add_parser("list", help="tell which there are", description="Tell which tokens there are.")
    listing.set_defaults(run=lambda options, clock: _list(options, clock, say))
    revoke = commands.add_parser("revoke", help="end one", description="End a token, within a second.")
    revoke.add_argument("name", metavar="NAME")
    revoke.set_defaults(run=lambda options, _clock: _revoke(options, say))
    for command in (new, listing, revoke):
        command.add_argument("--config", type=Path, required=True, metavar="FILE", help="TOML file")


def _new(options: argparse.Namespace, clock: Clock, say: Say) -> None:
    now_ms = clock.now_ms()
    try:
        name, scopes = parse_name(options.name), parse_scopes(options.scopes)
        expires_ms = now_ms + DAYS_DEFAULT * DAY_MS if options.expires is None else parse_expiry(options.expires)
    except ValueError as error:
        raise ConfigError(f"token new: {error}") from None
    text, token = new_token(name, scopes, expires_ms, os.urandom)
    if token.expired(now_ms):
        raise ConfigError(f"token new: expiry = {token.expiry}: expected a time to come, or `never`")

    def change(tokens: list[Token]) -> list[Token]:
        if name in _names(tokens):
            raise ConfigError(f"token new: name = {name!r}: expected a new one; `token revoke` ends the old token")
        return [*tokens, token]

    if options.write is None:
        change_tokens(_file(options), change)
        say(f"token of {name}, shown this once: {text}")
    else:
        _write_new(options.write, text, lambda: change_tokens(_file(options), change))
        say(f"token of {name}, in {options.write}")
    say(f"it may do: {', '.join(sorted(scopes))}; until: {token.expiry}")


def _write_new(file: Path, token: str, register: Callable[[], None]) -> None:
    """Write the file and register the token, or do neither. Raises `ConfigError`."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except OSError as error:
        raise ConfigError(f"token new: write = {file}: expected a new file: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            opened.write(f"{token}\n")
        register()
    except BaseException:
        file.unlink()
        raise


def _list(options: argparse.Namespace, clock: Clock, say: Say) -> None:
    tokens = read_tokens(_file(options))
    width = max((len(token.name) for token in tokens), default=0)
    for token in tokens:
        ended = " (expired)" if token.expired(clock.now_ms()) else ""
        say(f"{token.name:<{width}}  {token.expiry}{ended}  {', '.join(sorted(token.scopes))}")
    if not tokens:
        say("none: nobody can call the API")


def _revoke(options: argparse.Namespace, say: Say) -> None:
    def change(tokens: list[Token]) -> list[Token]:
        if options.name not in _names(tokens):
            known = ", ".join(sorted(_names(tokens))) or "none"
            raise ConfigError(f"token revoke: name = {options.name!r}: expected one that is there: {known}")
        return [token for token in tokens if token.name != options.name]

    change_tokens(_file(options), change)
    say(f"revoked: {options.name}")


def _names(tokens: Iterable[Token]) -> set[str]:
    return {token.name for token in tokens}


def _file(options: argparse.Namespace) -> Path:
    return load_config(options.config).http.tokens_file
