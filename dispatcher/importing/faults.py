"""A wrong row, named so that a person finds it: file, line or place in the document, field, value, expectation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.expectations import expectation
from dispatcher.importing.rows import Row

VALUE_CHARACTERS_MAX = 60  # enough to recognise a value, short enough for one line
SECRET_FIELDS = frozenset({"credential"})
"""A badge's number opens doors elsewhere too: it is not copied into terminals and logs."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A row and where it stands."""

    kind: str
    row: Row
    place: str
    """`members.csv:13`, or `network.json: members[12]`."""


@dataclass(frozen=True, slots=True)
class Fault:
    place: str
    field: str | None
    value: str | None
    """None: there is none, or it is not shown."""
    expected: str

    def __str__(self) -> str:
        if self.field is None:
            return f"{self.place}: expected {self.expected}"
        if self.field in SECRET_FIELDS:
            return f"{self.place}: {self.field} = (not shown): expected {self.expected}"
        value = f" = {self.value}" if self.value is not None else ""
        return f"{self.place}: {self.field}{value}: expected {self.expected}"


class ImportRefused(Exception):
    """Nothing was imported; every fault is in it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


def fault_at(placed: Placed, field: str, expected: str) -> Fault:
    """A fault of a row that is well-formed in itself."""
    return Fault(placed.place, field, _shown_of(field, getattr(placed.row, field)), expected)


def fault_of_error(place: str, model: type[Row], error: Mapping[str, Any]) -> Fault:
    """What pydantic found wrong with a row."""
    field = ".".join(str(part) for part in error["loc"]) or None
    if error["type"] == "extra_forbidden":
        return Fault(place, field, None, f"one of the fields {', '.join(model.model_fields)}")
    value = None if error["type"] == "missing" else _shown_of(field, error["input"])
    return Fault(place, field, value, expectation(error))


def _shown_of(field: str | None, value: object) -> str:
    """A PIN is told to nobody, a wrong one neither: it is the right one with a slip."""
    return "(hidden)" if field == "pin" else shown(value)


def shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= VALUE_CHARACTERS_MAX else f"{text[:VALUE_CHARACTERS_MAX]}..."
