"""A table of targets: what was measured, beside what was promised and beside a control of the same run."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

ROUND_FROM = 100  # three digits say enough


@dataclass(frozen=True, slots=True)
class Row:
    """One promise. It holds where `measured` is below `limit`, or not below it where `at_least`."""

    what: str
    measured: float
    limit: float
    unit: str
    at_least: bool = False
    beside: str = ""
    """Control or more figures, in words."""

    @property
    def holds(self) -> bool:
        return self.measured >= self.limit if self.at_least else self.measured < self.limit


def table(rows: Sequence[Row]) -> str:
    lines = [f"{'':<46}{'target':>14}{'measured':>14}"]
    for row in rows:
        sign = ">=" if row.at_least else "<"
        target = f"{sign} {row.limit:g} {row.unit}"
        verdict = "" if row.holds else "  MISSED"
        found = f"{row.measured:.0f}" if row.measured >= ROUND_FROM else f"{row.measured:.3g}"
        lines.append(f"{row.what:<46}{target:>14}{f'{found} {row.unit}':>14}  {row.beside}{verdict}")
    return "\n".join(lines)


def status_of(rows: Iterable[Row]) -> int:
    """Exit status: 1 where a promise was missed."""
    return 0 if all(row.holds for row in rows) else 1


def quantile(values: Iterable[float], share: float) -> float:
    """The smallest value that this share of all are not above."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def spread(values: Sequence[float], unit: str) -> str:
    return f"median {median(values):.3g}, p99 {quantile(values, 0.99):.3g}, max {max(values):.3g} {unit}"
