"""Answers for eyes: aligned, as wide as the terminal and at most 100 columns, times in the zone of this machine.

Ids and times are never cut. A column of times says their offset in its head; where it changes, on each line.
"""

import re
import shutil
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

WIDTH_MAX = 100
WIDTH_MIN = 40  # what a narrower one wraps is still to be read
NARROWEST = 8  # of a column that is cut
WRAPPED_MIN = 16  # of a text that is wrapped: some three words
GAP = 2  # between columns; 1 where that saves a text from being cut
INDENT = "  "
KEPT = re.compile(r"(^|[_.])(id|at|start|end|number)$")  # ids are copied, and half a time is none
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
LOCAL = "%Y-%m-%d %H:%M"
NOTHING = "none"
UNKNOWN = "-"

Row = Mapping[str, Any]


def width() -> int:
    return max(WIDTH_MIN, min(WIDTH_MAX, shutil.get_terminal_size((WIDTH_MAX, 24)).columns))


def table(rows: Sequence[Row], columns: Sequence[str], extra: Sequence[str] = ()) -> str:
    """One line per row under a line of names.

    A column is a field, headed by its name without `_id`, or `HEAD=PATH`, such as `key=key.state`.
    Where there is no room, `extra` columns are cut, then left out from the last one on, before any other is cut.
    Where even that is too wide, each row is shown as its fields.
    """
    if not rows:
        return NOTHING
    room = width()
    for count in range(len(extra), -1, -1):
        heads, names = _heads([*columns, *extra[:count]])
        lines = _lines(rows, heads, names)
        may_be_cut = range(len(columns) if count else 0, len(names))
        gap = GAP if count or _total(_widths(lines)) <= room else 1
        widths = _narrowed(heads, names, _widths(lines), may_be_cut, room, gap)
        if _total(widths, gap) <= room:
            return "\n".join(_line(cells, widths, gap) for cells in lines)
    heads, names = _heads(columns)
    wanted = dict(zip(heads, names, strict=True))
    return "\n\n".join(fields({head: _value(row, name) for head, name in wanted.items()}) for row in rows)


def story(rows: Sequence[Row], room: int | None = None) -> str:
    """A table of all columns, nothing cut: the last one is wrapped. Where that has no room either: as fields."""
    if not rows:
        return NOTHING
    room = room or width()
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = _lines(rows, names, names)
    widths = _widths(lines)
    left = room - _total(widths[:-1]) - 2
    if widths[-1] > left and (left < WRAPPED_MIN or KEPT.search(names[-1])):
        return "\n\n".join(fields(row, room) for row in rows)
    return "\n".join(_wrapped(_head(cells, widths), last, room) for *cells, last in lines)


def fields(row: Row, room: int | None = None) -> str:
    """One line per field that is known, what is nested by its path; then each list of rows as its own table."""
    room = room or width()
    flat = {name: value for name, value in _flat(row).items() if value is not None}
    plain = {name: text(value) for name, value in flat.items() if not _is_rows(value)}
    widest = max(map(len, plain), default=0)
    lines = [_wrapped(f"{name.ljust(widest)}  ", value, room) for name, value in plain.items()]
    for name, value in flat.items():
        if _is_rows(value):
            lines += ["", name, textwrap.indent(story(value, room - len(INDENT)), INDENT)]
    return "\n".join(lines)


def text(value: Any) -> str:
    """A value in one line; `-` where nothing is known. What would move the cursor is shown as a mark."""
    if value is None or value == {}:
        return UNKNOWN
    match value:
        case []:
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case str():
            shown = local(value) if INSTANT.fullmatch(value) else " ".join(value.split())
            return "".join(letter if letter.isprintable() else "\ufffd" for letter in shown)
        case list():
            return ", ".join(map(text, value))
        case dict():
            return ", ".join(f"{name}: {text(inner)}" for name, inner in value.items())
    return str(value)


def local(instant: str, form: str = f"{LOCAL}%z") -> str:
    """An instant of the API in the zone of this machine."""
    return datetime.fromisoformat(instant).astimezone().strftime(form)


def _heads(columns: Sequence[str]) -> tuple[list[str], list[str]]:
    """Of each column its head, and the path of its field."""
    pairs = [
        (head.removesuffix("_id"), path or head) for head, _, path in (name.partition("=") for name in columns)
    ]
    return [head for head, _ in pairs], [path for _, path in pairs]


def _lines(rows: Sequence[Row], heads: Sequence[str], names: Sequence[str]) -> list[list[str]]:
    columns = [_column(head, [_value(row, name) for row in rows]) for head, name in zip(heads, names, strict=True)]
    return [list(cells) for cells in zip(*columns, strict=True)]


def _column(head: str, values: Sequence[Any]) -> list[str]:
    """Its head and its cells; numbers stand at the right."""
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, str) and INSTANT.fullmatch(value) for value in known):
        offsets = {local(instant, "%z") for instant in known}
        if len(offsets) == 1:
            shown = [UNKNOWN if value is None else local(value, LOCAL) for value in values]
            return [f"{head} {offsets.pop().removesuffix('00')}", *shown]
    cells = [head, *map(text, values)]
    if known and all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        return [cell.rjust(max(map(len, cells))) for cell in cells]
    return cells


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*lines, strict=True)]


def _narrowed(
    heads: Sequence[str],
    names: Sequence[str],
    widths: Sequence[int],
    may_be_cut: Iterable[int],
    room: int,
    gap: int,
) -> list[int]:
    """The widths with the widest of some columns cut until all has room, or none of them can be cut any more."""
    narrowed = list(widths)
    least = {at: max(NARROWEST, len(heads[at])) for at in may_be_cut if not KEPT.search(names[at])}
    while _total(narrowed, gap) > room and (cut := [at for at, width in least.items() if narrowed[at] > width]):
        narrowed[max(cut, key=narrowed.__getitem__)] -= 1
    return narrowed


def _total(widths: Sequence[int], gap: int = GAP) -> int:
    return sum(widths) + gap * (len(widths) - 1)


def _line(cells: Iterable[str], widths: Sequence[int], gap: int) -> str:
    return (" " * gap).join(_cut(cell, at).ljust(at) for cell, at in zip(cells, widths, strict=True)).rstrip()


def _head(cells: Iterable[str], widths: Sequence[int]) -> str:
    return "".join(f"{cell.ljust(at)}  " for cell, at in zip(cells, widths[:-1], strict=True))


def _cut(cell: str, at: int) -> str:
    return cell if len(cell) <= at else cell[: at - 1] + "…"


def _value(row: Row, name: str) -> Any:
    value: Any = row
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _is_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, Mapping) for each in value)


def _flat(row: Row) -> dict[str, Any]:
    """What is nested under its path: `key.state`."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping) and value:
            flat |= {f"{name}.{inner}": each for inner, each in _flat(value).items()}
        else:
            flat[name] = value
    return flat


def _wrapped(head: str, value: str, room: int) -> str:
    """`value` behind `head`, its further lines below its first."""
    at_most = max(room - len(head), WRAPPED_MIN)
    lines = textwrap.wrap(value, at_most, break_long_words=False, break_on_hyphens=False) or [""]
    return f"\n{' ' * len(head)}".join([f"{head}{lines[0]}".rstrip(), *lines[1:]])
