"""Judges a command without running it: by the parser of the very program, by the Makefile, by what files there are.

A judge answers None, or a sentence that says what is wrong.
"""

import argparse
import ast
import contextlib
import functools
import importlib
import io
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from dispatcher import cli as dispatcher_cli
from runtime.config import ConfigError
from simulator import cli as simulator_cli
from simulator.demo.options import demo_options
from station_agent import cli as agent_cli
from tests.docs.commands import ROOT

Words = Sequence[str]
Main = Callable[[list[str]], object]

FOLDERS: Final = ("benchmarks", "contract", "deploy", "dispatcher", "docs", "requirements", "simulator", "tests")
A_PATH: Final = re.compile(rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/[\w./-]*\w")
RULE: Final = re.compile(r"^(?P<names>[a-z-]+(?: [a-z-]+)*):[^=\n]*\n(?P<recipe>(?:\t[^\n]*\n)*)", re.MULTILINE)
UNITS: Final = {
    "prometheus": "Debian's, by its package",
    "prometheus-alertmanager": "Debian's, by its package",
}
"""Beside those in `deploy/systemd`."""
PACKAGES: Final = frozenset({"postgresql", "prometheus", "prometheus-alertmanager"})
"""Of Debian 12, as they were installed when the page was written: apt itself is asked by nobody here."""
SYSTEM: Final = frozenset({"sudo", "systemctl", "journalctl", "apt-get"})
"""Only in blocks that say that no test runs them."""
UNJUDGED: Final = {
    "amtool": "Debian's; its file is judged by tests/deploy/test_alerts.py",
    "createdb": "PostgreSQL's",
    "createuser": "PostgreSQL's",
    "echo": "the shell's",
    "export": "the shell's",
    "gbfs-validator": "run by tests/wire/test_open_data_peer.py",
    "grep": "reads what comes before it",
    "ln": "of files on the machine itself",
    "mosquitto_sub": "Debian's; what it writes is read by tests/dispatcher/test_lost_rights.py",
    "prometheus": "Debian's; run by tests/wire/test_prometheus.py",
    "promtool": "Debian's; its file is judged by tests/deploy/test_alerts.py",
    "sed": "of a file on the machine itself",
    "cp": "its sources are looked for",
}
"""Programs of others, each with why nothing but its paths is looked at."""
PARSERS: Final[Mapping[str, tuple[Main, str]]] = {
    "dispatcher": (dispatcher_cli.main, "serve"),
    "simulator": (simulator_cli.main, "hunt"),
    "station-agent": (agent_cli.main, "run"),
}
"""Each program, and a command with which it makes the parser of all its commands."""
MODULES: Final = {"dispatcher": "dispatcher", "simulator": "simulator", "station_agent": "station-agent"}


class _Reached(Exception):
    """A program has come to its command line."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser


def judge(words: Words, routes: frozenset[str]) -> str | None:
    """What is wrong with a command. `routes`: paths that a dispatcher answers, `{}` for what varies."""
    program = Path(words[0]).name
    if words[0].startswith("deploy/"):
        return _script(words)
    missing = [word for word in words for path in A_PATH.findall(word) if not list(ROOT.glob(path))]
    if missing:
        return f"{missing[0]}: expected something that is there"
    if program in PARSERS:
        return parses(program, words[1:])
    if program == "sudo":
        rest = words[3:] if words[1] == "-u" else words[1:]
        return judge(rest, routes)
    if program == "curl":
        return _curl(words, routes)
    known: Mapping[str, Callable[[Words], str | None]] = {
        "apt-get": _apt,
        "journalctl": _journal,
        "make": _make,
        "python": _python,
        "python3": _python,
        "systemctl": _systemctl,
    }
    if program in known:
        return known[program](words)
    return None if program in UNJUDGED else f"{program}: expected a program that can be judged here"


def parses(program: str, words: Words) -> str | None:
    """Whether a program takes this command line, as its own parser sees it."""
    fault = knows(program, words) or _refusal(_parser_of(program), words)
    if fault is None and words[0] == "demo" and "--help" not in words:
        try:
            demo_options(_parser_of(program).parse_args(words))
        except ConfigError as error:
            return str(error)
    return fault


def knows(program: str, words: Words) -> str | None:
    """Whether a program has these commands and options, by their whole names; other words may be of any kind."""
    at: Any = _parser_of(program)
    for word in words:
        commands = [action for action in at._actions if isinstance(action, argparse._SubParsersAction)]
        if word.startswith("-") and word.strip("-."):
            if word.partition("=")[0] not in at._option_string_actions:
                return f"{word}: expected an option of `{at.prog}`"
        elif commands and re.fullmatch(r"[a-z][a-z-]+", word):
            if word not in commands[0].choices:
                return f"{word}: expected a command of `{at.prog}`"
            at = commands[0].choices[word]
    return None


def make_targets() -> dict[str, str]:
    """Each target of the Makefile, with its recipe."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return {name: rule["recipe"] for rule in RULE.finditer(text) for name in rule["names"].split()}


def _make(words: Words) -> str | None:
    targets = make_targets()
    settings = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    for word in words[1:]:
        if "=" not in word and word not in targets:
            return f"{word}: expected a target of the Makefile"
    for name, value in settings.items():
        recipe = targets.get(words[1], "")
        line = next((line for line in recipe.splitlines() if f"$({name})" in line), None)
        if line is None:
            return f"{name}: expected what `make {words[1]}` takes"
        if name == "ARGS":
            called = line.replace("$(ARGS)", value).replace("$(RUN)", ".venv/bin/python").strip("\t @")
            return judge(called.removeprefix("exec ").partition(" ||")[0].split(), frozenset())
    return None


def _python(words: Words) -> str | None:
    if words[1] != "-m":
        return None if Path(ROOT / words[1]).exists() else f"{words[1]}: expected a script that is there"
    module, rest = words[2], words[3:]
    if module in MODULES:
        return parses(MODULES[module], rest)
    if module in {"pip", "venv"}:
        return None
    file = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    if not file.exists():
        file = ROOT.joinpath(*module.split("."), "__main__.py")
    if not file.exists():
        return f"{module}: expected a module of this project"
    source = file.read_text(encoding="utf-8")
    if "__main__" not in source and file.name != "__main__.py":
        return f"{module}: expected a program"
    if not _calls(source, "parse_args"):
        return f"{rest[0]}: {module} takes no words" if rest else None
    main: Callable[[], object] = importlib.import_module(module).main
    return _refusal(_reached(lambda _words: main(), rest), rest)


def _calls(source: str, name: str) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr == name for node in ast.walk(ast.parse(source)))


def _curl(words: Words, routes: frozenset[str]) -> str | None:
    for word in words:
        if "://" in word:
            path = urlsplit(word).path
            if not any(_is_of(path, route) for route in routes):
                return f"{path}: expected a path that the dispatcher, or the demo beside it, answers"
    return None


def _is_of(path: str, route: str) -> bool:
    return re.fullmatch(re.escape(route).replace(r"\{\}", "[^/]+"), path) is not None


def _script(words: Words) -> str | None:
    script = ROOT / words[0]
    if not script.exists():
        return f"{words[0]}: expected a script that is there"
    text = script.read_text(encoding="utf-8")
    taken = re.sub(r" \| ", ") ", text)  # the labels of its cases, each with a bracket
    options = [word for word in words[1:] if word.startswith("--")]
    return next((f"{one}: expected an option of {words[0]}" for one in options if f"{one})" not in taken), None)


def _apt(words: Words) -> str | None:
    return next((f"{one}: expected a package known here" for one in words[2:] if one not in PACKAGES), None)


def _systemctl(words: Words) -> str | None:
    units = {file.stem for file in (ROOT / "deploy" / "systemd").glob("*.service")} | UNITS.keys()
    named = [word for word in words[2:] if not word.startswith("-")]
    return next((f"{one}: expected a unit of deploy/systemd" for one in named if one not in units), None)


def _journal(words: Words) -> str | None:
    return _systemctl(["journalctl", "", words[words.index("-u") + 1]])


def _refusal(parser: argparse.ArgumentParser, words: Words) -> str | None:
    """What a program says of a command line."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            parser.parse_args(words)
        except SystemExit as end:
            return None if end.code == 0 else said.getvalue().strip().rpartition("\n")[2]
    return None


@functools.cache
def _parser_of(program: str) -> argparse.ArgumentParser:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DISPATCHER_API", "http://127.0.0.1:8080")  # docs/client.md has them set once
        patch.setenv("DISPATCHER_TOKEN_FILE", "claire.token")
        main, command = PARSERS[program]
        return _reached(main, [command])


def _reached(main: Main, words: Words) -> argparse.ArgumentParser:
    """The parser with which a program reads its command line: nothing behind that is done."""

    def stop(parser: argparse.ArgumentParser, *_arguments: Any, **_named: Any) -> Any:
        raise _Reached(parser)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        patch.setattr(sys, "argv", ["program", *words])  # some read the process's own
        try:
            main(list(words))
        except _Reached as reached:
            return reached.parser
    raise AssertionError(f"{words}: reads no command line")
