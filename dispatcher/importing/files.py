"""Reads JSON documents and CSV files into rows. What is wrong is collected, so that all of it is named at once."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dispatcher.importing.faults import Fault, Placed, fault_of_error, shown
from dispatcher.importing.rows import KINDS

FILE_BYTES_MAX = 64 * 1024 * 1024  # a national network's members are about 30 MB; beyond is no network
BOM = "\ufeff"  # spreadsheets put it in front
DELIMITERS = ",;"  # spreadsheets write semicolons where the decimal sign is a comma

Found = tuple[list[Placed], list[Fault]]


def read_files(paths: Sequence[Path]) -> Found:
    """All rows of all files, and all faults of reading them."""
    rows: list[Placed] = []
    faults: list[Fault] = []
    for path in paths:
        more_rows, more_faults = _read_file(path)
        rows += more_rows
        faults += more_faults
    return rows, faults


def read_document(document: object, name: str) -> Found:
    """The rows of one JSON document, as parsed: an object with a list for each kind."""
    lists = ", ".join(KINDS)
    if not isinstance(document, dict):
        return [], [Fault(name, None, None, f"an object with lists named {lists}")]
    rows: list[Placed] = []
    faults: list[Fault] = []
    for kind, entries in document.items():
        if kind not in KINDS:
            faults.append(Fault(name, str(kind), None, f"one of the lists {lists}"))
        elif not isinstance(entries, list):
            faults.append(Fault(name, kind, shown(entries), "a list of objects"))
        else:
            for index, entry in enumerate(entries):
                _collect(kind, entry, f"{name}: {kind}[{index}]", rows, faults)
    return rows, faults


def read_csv(kind: str, text: str, name: str) -> Found:
    """The rows of one CSV file: a header of field names, an empty cell where a field is absent."""
    rows: list[Placed] = []
    faults: list[Fault] = []
    try:
        for line, fields in _csv_rows(text.removeprefix(BOM)):
            if isinstance(fields, str):
                faults.append(Fault(f"{name}:{line}", None, None, fields))
            else:
                _collect(kind, fields, f"{name}:{line}", rows, faults)
    except csv.Error as error:
        faults.append(Fault(name, None, None, f"CSV (RFC 4180), found: {error}"))
    return rows, faults


def _read_file(path: Path) -> Found:
    kind, suffix = path.stem.lower(), path.suffix.lower()
    if suffix not in {".json", ".csv"} or (suffix == ".csv" and kind not in KINDS):
        names = ", ".join(f"{name}.csv" for name in KINDS)
        return [], [Fault(str(path), None, None, f"a file named *.json, or one of {names}")]
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            return [], [Fault(str(path), None, None, f"at most {FILE_BYTES_MAX} bytes")]
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        return [], [Fault(str(path), None, None, f"a file that can be read: {error.strerror}")]
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return [], [Fault(f"{path}:{line}", None, None, f"UTF-8, not the byte 0x{error.object[error.start]:02x}")]
    if suffix == ".csv":
        return read_csv(kind, text, str(path))
    try:
        document = json.loads(text.removeprefix(BOM), object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        return [], [Fault(str(path), None, None, f"a JSON document: {error}")]
    return read_document(document, str(path))


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets a name stand twice and Python keeps the last: half a list would silently be missing."""
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands twice")
    return found


def _csv_rows(text: str) -> Iterator[tuple[int, Mapping[str, str] | str]]:
    """Each row with the line that it ends on: its fields, or what was expected instead."""
    first_line = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header = next(reader, None)
    if header is None:
        yield 1, "a header of field names"
        return
    names = [name.strip() for name in header]
    if len(set(names)) != len(names):
        yield 1, "a header in which no name stands twice"
        return
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(names):
            yield reader.line_num, f"{len(names)} cells as in the header, found {len(cells)}"
        else:
            filled = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
            yield reader.line_num, {name: cell for name, cell in filled.items() if cell}


def _collect(kind: str, fields: object, place: str, rows: list[Placed], faults: list[Fault]) -> None:
    model = KINDS[kind]
    if not isinstance(fields, Mapping):
        faults.append(Fault(place, None, None, f"an object, found {shown(fields)}"))
        return
    try:
        rows.append(Placed(kind, model.model_validate(fields), place))
    except ValidationError as error:
        faults += [fault_of_error(place, model, each) for each in error.errors(include_url=False)]
