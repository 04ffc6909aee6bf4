"""How long a release takes inside the agent: from the card's event to the order on its way to the lock."""

from prometheus_client.core import HistogramMetricFamily

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""A blink is 100 ms; half of the bounds are below a tenth of it, where a healthy disk keeps us."""


class ReleaseLatency:
    """A histogram without a clock of its own."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0

    def observe(self, seconds: float) -> None:
        index = next((i for i, bound in enumerate(BOUNDS_S) if seconds <= bound), len(BOUNDS_S))
        self._counts[index] += 1
        self._sum_s += seconds

    def family(self) -> HistogramMetricFamily:
        """The metric as Prometheus wants it: cumulative buckets."""
        buckets, total = [], 0
        for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        return HistogramMetricFamily(
            "station_agent_release_seconds",
            "From a card's event to the order to pulse the lock",
            buckets=buckets,
            sum_value=self._sum_s,
        )
