"""The metrics that a program promises: each is declared once, exported from there, documented from there.

    SERIES = Catalogue("station_agent")
    KEYS_OUT = SERIES.gauge("keys_out", "Keys of this cabinet that somebody has")
    REFUSALS = SERIES.counter("refusals", "Refusals at the readers", "reason")
    ...
    yield KEYS_OUT.of(station.keys_out())
    yield REFUSALS.by(counts)

Names are Prometheus' own: base units at the end of a name, `_total` behind a counter, labels with few values, each
of them there from the start. No label is a person, a badge, a plate or a booking.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from runtime.histograms import Histogram

Kind = Literal["gauge", "counter", "histogram"]
LabelValues = str | tuple[str, ...]
_Values = TypeVar("_Values", bound=LabelValues)

_WORD = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Series:
    """One metric."""

    name: str
    """As it is exported: a counter's ends in `_total`."""
    kind: Kind
    text: str
    labels: tuple[str, ...]

    def of(self, value: float) -> Metric:
        """The one sample of a metric without labels."""
        assert not self.labels, self.name
        return self._family({(): value})

    def by(self, values: Mapping[_Values, float]) -> Metric:
        """A sample for each value of the label, or for each tuple of values of several."""
        rows: dict[tuple[str, ...], float] = {}
        for key, value in values.items():
            rows[(key,) if isinstance(key, str) else key] = value
        return self._family(rows)

    def spread(self, histogram: Histogram) -> Metric:
        """The buckets of a histogram."""
        assert self.kind == "histogram", self.name
        return HistogramMetricFamily(self.name, self.text, buckets=histogram.buckets(), sum_value=histogram.sum_s)

    def _family(self, rows: Mapping[tuple[str, ...], float]) -> Metric:
        assert self.kind != "histogram", self.name
        make = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        family = make(self.name, self.text, labels=self.labels)
        for labels, value in rows.items():
            assert len(labels) == len(self.labels), (self.name, labels)
            family.add_metric([str(label) for label in labels], value)
        return family


class Catalogue:
    """All metrics of one program, in the order in which they were declared."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._series: dict[str, Series] = {}

    def gauge(self, name: str, text: str, *labels: str) -> Series:
        """What goes up and down."""
        return self._add(name, "gauge", text, labels)

    def counter(self, name: str, text: str, *labels: str) -> Series:
        """What only goes up, and begins at 0 with the program. `name` without `_total`."""
        return self._add(f"{name}_total", "counter", text, labels)

    def histogram(self, name: str, text: str) -> Series:
        """How long something took; `name` ends in `_seconds`."""
        assert name.endswith("_seconds"), name
        return self._add(name, "histogram", text, ())

    def __iter__(self) -> Iterator[Series]:
        return iter(self._series.values())

    def _add(self, name: str, kind: Kind, text: str, labels: tuple[str, ...]) -> Series:
        name = f"{self._prefix}_{name}"
        assert name not in self._series, name
        assert all(_WORD.fullmatch(word) for word in (name, *labels)), (name, labels)
        assert text, name
        assert not text.endswith("."), name
        self._series[name] = Series(name, kind, text, labels)
        return self._series[name]
