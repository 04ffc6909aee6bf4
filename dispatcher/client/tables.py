"""Tables for eyes: aligned, at most 100 columns wide, times in the zone of this machine with their offset."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

WIDTH_MAX = 100
NARROWEST = 8  # of a column that is cut
KEPT = re.compile(r"(^|_)(id|at|start|end)$")  # ids are copied, and half a time is none
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """One line per row under a line of names. A name such as `key.state` looks into what is nested."""
    cells = [list(columns)] + [[text(_value(row, name)) for name in columns] for row in rows]
    widths = [max(len(line[at]) for line in cells) for at in range(len(columns))]
    cut = [at for at, name in enumerate(columns) if not KEPT.search(name)]
    while (
        sum(widths) + 2 * (len(widths) - 1) > WIDTH_MAX and max((widths[at] for at in cut), default=0) > NARROWEST
    ):
        widths[max(cut, key=widths.__getitem__)] -= 1
    return "\n".join(
        "  ".join(_cut(cell, width).ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def fields(row: Mapping[str, Any]) -> str:
    """One line per field."""
    width = max(len(name) for name in row)
    return "\n".join(f"{name.ljust(width)}  {text(value)}" for name, value in row.items())


def text(value: Any) -> str:
    """A value as it is shown; `-` where nothing is known."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return local(value) if INSTANT.fullmatch(value) else value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def local(instant: str) -> str:
    """An instant of the API in the zone of this machine."""
    return datetime.fromisoformat(instant).astimezone().strftime("%Y-%m-%d %H:%M%z")


def _value(row: Mapping[str, Any], name: str) -> Any:
    value: Any = row
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else cell[: width - 1] + "…"
