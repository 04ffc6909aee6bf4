"""The manual's page for each kind of incident, shown beside it: nobody looks for a manual at two in the morning.

The pages of `docs/runbooks` lie in the package when it is installed (`pyproject.toml`), in the repository before.
What of Markdown they use is read here: headings, paragraphs, numbered lists, code.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from dispatcher.core.incidents import IncidentKind

HERE = Path(__file__).parent
FOLDERS = (HERE / "runbooks", HERE.parents[1] / "docs" / "runbooks")
_ITEM = re.compile(r"(?:\d+\.|[-*]) +(.*)")
_CODE = re.compile(r"`([^`]+)`")


class Span(NamedTuple):
    text: str
    is_code: bool


Line = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Block:
    what: Literal["heading", "paragraph", "list"]
    lines: tuple[Line, ...]
    """One of a heading or a paragraph; of a list its items."""


@cache
def runbook_of(kind: IncidentKind) -> tuple[Block, ...]:
    """The page without its title; empty where the manual is not installed."""
    for folder in FOLDERS:
        file = folder / f"{kind}.md"
        if file.is_file():
            return tuple(_blocks(file.read_text(encoding="utf-8")))
    return ()


def _blocks(text: str) -> Iterator[Block]:
    for part in re.split(r"\n\s*\n", text.strip()):
        lines = part.splitlines()
        if lines[0].startswith("# ") or (len(lines) == 1 and re.fullmatch(r"`\w+`", lines[0])):
            continue  # the title, and the kind itself: the page has said both
        if lines[0].startswith("## "):
            yield Block("heading", (_line(lines[0].removeprefix("## ")),))
        elif _ITEM.match(lines[0]):
            yield Block("list", tuple(_line(item) for item in _items(lines)))
        else:
            yield Block("paragraph", (_line(" ".join(lines)),))


def _items(lines: list[str]) -> list[str]:
    """Items that may go on over several lines."""
    found: list[str] = []
    for line in lines:
        item = _ITEM.match(line)
        if item:
            found.append(item[1])
        else:
            found[-1] += f" {line.strip()}"
    return found


def _line(text: str) -> Line:
    parts = _CODE.split(text)
    return tuple(Span(part, number % 2 == 1) for number, part in enumerate(parts) if part)
