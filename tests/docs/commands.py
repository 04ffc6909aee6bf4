"""What the documents tell people to type: every command of every block, with where it stands."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
SHELL = frozenset({"sh", "console"})
"""How a block is marked that somebody types: a script, or a dialogue with what is answered."""
PROMPT = "$ "
CABINET_PROMPT = "cabinet> "
BY_HAND = "no test runs this"
"""Stands in the paragraph before commands that need root, systemd or hardware."""
PROGRAMS = ("dispatcher", "station-agent", "simulator", "make", "sudo", "systemctl", "python3?")
TYPED = re.compile(rf"(?:\$ )?(?:\S*/)?(?:{'|'.join(PROGRAMS)}) \S")
INLINE = re.compile(r"`((?:dispatcher|station-agent|simulator|make) (?:[a-z]|--)[^`\n]*)`")
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
BETWEEN = frozenset({"|", "&&", "||", ";", "&"})


@dataclass(frozen=True, slots=True)
class Block:
    """What stands between two fences."""

    document: Path
    line: int
    """Of its first fence, from 1."""
    kind: str
    text: str
    before: str
    """The paragraph before it."""

    @property
    def is_shell(self) -> bool:
        return self.kind.split(" ")[0] in SHELL

    @property
    def is_by_hand(self) -> bool:
        return BY_HAND in self.before


@dataclass(frozen=True, slots=True)
class Command:
    """One program with its words."""

    words: tuple[str, ...]
    line: int
    """In the block, from 0."""


class NotShell(Exception):
    """A block that no shell would read; the text says where."""


def documents() -> list[Path]:
    """All that is read by people, but the changelog: that tells of what was, too."""
    return [ROOT / "README.md", ROOT / "deploy" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(document: Path, text: str) -> Iterator[Block]:
    for found in BLOCK.finditer(text):
        before = text[: found.start()]
        paragraph = before.rstrip("\n").rpartition("\n\n")[2]
        yield Block(document, before.count("\n") + 1, found["kind"].strip(), found["text"], paragraph)


def commands(block: Block) -> list[Command]:
    """Every program that a block starts, in order. Names of functions that it defines are none."""
    found: list[Command] = []
    own: set[str] = set()
    for number, line in _logical_lines(block):
        for part in _split(line):
            if part[1:2] == ["()"]:
                own.add(part[0])
            body = part[2:] if part[1:2] == ["()"] else part
            words = list(dropwhile(ASSIGNMENT.match, [word for word in body if word not in {"{", "}"}]))
            if words and words[0] not in own:
                found.append(Command(tuple(words), number))
    return found


def cabinet_lines(block: Block) -> list[str]:
    """What is typed to a simulated cabinet, without what the manual says beside it (two spaces away)."""
    typed = (line for line in block.text.splitlines() if line.startswith(CABINET_PROMPT))
    return [line.removeprefix(CABINET_PROMPT).split("  ")[0] for line in typed]


def inline(text: str) -> list[list[str]]:
    """Commands that are named within a sentence. They may be of words in capitals, and end in dots."""
    prose = BLOCK.sub("", text)
    return [shlex.split(found) for found in INLINE.findall(prose) if found.count('"') % 2 == 0]


def unmarked(text: str) -> list[str]:
    """Lines that somebody types, in blocks that do not say so: fenced otherwise, or set in by four spaces."""
    others = [found["text"] for found in BLOCK.finditer(text) if found["kind"].split(" ")[0] not in SHELL]
    indented = [line[4:] for line in BLOCK.sub("", text).splitlines() if line.startswith("    ")]
    lines = [line for other in others for line in other.splitlines()] + indented
    return [line for line in lines if TYPED.match(line)]


def _logical_lines(block: Block) -> Iterator[tuple[int, str]]:
    """Lines with those that they go on in: behind a backslash, or within quotes."""
    begun, whole = 0, ""
    dialogue = block.kind.startswith("console")
    for number, line in enumerate(block.text.splitlines()):
        if not whole:
            if dialogue and not line.startswith(PROMPT):
                continue
            begun = number
        whole += line if whole or not dialogue else line.removeprefix(PROMPT)
        if whole.endswith("\\"):
            whole = f"{whole[:-1]} "
        elif _is_whole(whole):
            yield begun, whole
            whole = ""
        else:
            whole += "\n"
    if whole:
        raise NotShell(f"{block.document.name}:{block.line + begun + 1}: has no end: {whole.splitlines()[0]}")


def _is_whole(line: str) -> bool:
    try:
        shlex.split(line, comments=True)
    except ValueError:  # a quotation mark without its other
        return False
    return True


def _split(line: str) -> Iterator[list[str]]:
    """The simple commands of a line, without where their output goes."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    redirected = False
    for word in lexer:
        if redirected:
            redirected = False
        elif word in BETWEEN:
            yield words
            words = []
        elif word in {">", ">>", "<", "2>"}:
            redirected = True
        else:
            words.append(word)
    if words:
        yield words
