"""A histogram without a clock of its own: whoever measures says how long it took."""

from collections.abc import Iterable


class Histogram:
    """Counts since start, read by the metrics collector at scrape time."""

    def __init__(self, bounds_s: Iterable[float]) -> None:
        self._bounds_s = tuple(bounds_s)
        assert list(self._bounds_s) == sorted(set(self._bounds_s)), self._bounds_s
        self._counts = [0] * (len(self._bounds_s) + 1)
        self.sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """One more; what is below 0, since two clocks differ, took no time."""
        seconds = max(seconds, 0.0)
        index = next((i for i, bound in enumerate(self._bounds_s) if seconds <= bound), len(self._bounds_s))
        self._counts[index] += 1
        self.sum_s += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """As Prometheus wants them: bound and how many took so long at most."""
        found, total = [], 0
        for bound, count in zip((*map(str, self._bounds_s), "+Inf"), self._counts, strict=True):
            total += count
            found.append((bound, float(total)))
        return found
