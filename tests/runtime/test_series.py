"""Metrics that are declared once: their names, their samples, and what Prometheus reads of them."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from runtime.histograms import Histogram
from runtime.series import Catalogue


def shown(*metrics: Metric) -> list[str]:
    class One(Collector):
        def collect(self) -> tuple[Metric, ...]:
            return metrics

    registry = CollectorRegistry(auto_describe=False)
    registry.register(One())
    return generate_latest(registry).decode().splitlines()


def test_a_counter_is_exported_under_the_very_name_that_the_catalogue_has() -> None:
    catalogue = Catalogue("it")
    refusals = catalogue.counter("refusals", "Refusals at the readers", "reason")
    lines = shown(refusals.by({"too_early": 2, "revoked": 0}))
    assert [line for line in lines if not line.startswith("#")] == [
        'it_refusals_total{reason="too_early"} 2.0',
        'it_refusals_total{reason="revoked"} 0.0',
    ]
    assert [one.name for one in catalogue] == ["it_refusals_total"]
    assert "# HELP it_refusals_total Refusals at the readers" in lines


def test_several_labels_are_named_in_their_order() -> None:
    slots = Catalogue("it").gauge("slots", "Its slots", "cabinet", "state")
    assert 'it_slots{cabinet="gare-1",state="open"} 3.0' in shown(slots.by({("gare-1", "open"): 3}))


def test_a_histogram_counts_each_bound_and_all_below_it() -> None:
    release = Catalogue("it").histogram("release_seconds", "How long it took")
    histogram = Histogram((0.1, 1))
    for seconds in (0.1, 0.5, 7, -2):  # of two clocks one may be behind
        histogram.observe(seconds)
    lines = shown(release.spread(histogram))
    assert [line.rsplit(" ", 1)[1] for line in lines if "_bucket" in line] == ["2.0", "3.0", "4.0"]
    assert "it_release_seconds_sum 7.6" in lines
    assert "it_release_seconds_count 4.0" in lines


@pytest.mark.parametrize(
    ("name", "text", "labels"),
    [
        ("Keys", "Keys", ()),
        ("keys-out", "Keys", ()),
        ("keys", "", ()),
        ("keys", "Keys.", ()),
        ("keys", "K", ("Who",)),
    ],
)
def test_what_breaks_the_conventions_is_our_own_mistake(name: str, text: str, labels: tuple[str, ...]) -> None:
    with pytest.raises(AssertionError):
        Catalogue("it").gauge(name, text, *labels)


def test_a_name_is_declared_once() -> None:
    catalogue = Catalogue("it")
    catalogue.gauge("keys", "Keys")
    with pytest.raises(AssertionError):
        catalogue.gauge("keys", "Other keys")
