"""One client's way to the broker: how long a message takes, and what becomes of it on a bad day."""

import random
from dataclasses import dataclass

LATENCY_MIN_US = 12_000  # a good mobile line
LATENCY_MEAN_US = 40_000  # on top of it
LATENCY_MAX_US = 2_000_000  # what the architecture's bounds count on
DUPLICATE_WITHIN_US = 3_000_000  # a broker repeats what was not acknowledged within seconds


@dataclass(slots=True)
class RouteFaults:
    """What is wrong with a way now. Shares are of messages."""

    lost: float = 0.0
    doubled: float = 0.0
    overtakes: float = 0.0
    """Comes before those that were sent before it, or long after."""
    slow_us: int = 0
    """On top of the usual."""
    cuts: int = 0
    """While there are any, nothing passes, and nobody is told."""

    @property
    def is_cut(self) -> bool:
        return self.cuts > 0


class Route:
    """One direction of a connection. Messages keep their order but where a fault breaks it."""

    def __init__(self, rng: random.Random, faults: RouteFaults) -> None:
        self._rng = rng
        self.faults = faults
        self._last_us = 0
        self.sent = 0
        self.lost = 0

    def arrivals(self, now_us: int) -> tuple[int, ...]:
        """When the copies of a message sent now arrive; none where it is lost."""
        self.sent += 1
        rng, faults = self._rng, self.faults
        latency_us = LATENCY_MIN_US + min(int(rng.expovariate(1 / LATENCY_MEAN_US)), LATENCY_MAX_US)
        if faults.is_cut or (faults.lost and rng.random() < faults.lost):
            self.lost += 1
            return ()
        at_us = now_us + latency_us + faults.slow_us
        if faults.overtakes and rng.random() < faults.overtakes:
            at_us += rng.randrange(LATENCY_MAX_US)
        else:
            at_us = self._last_us = max(at_us, self._last_us + 1)
        if faults.doubled and rng.random() < faults.doubled:
            return at_us, at_us + rng.randrange(1, DUPLICATE_WITHIN_US)
        return (at_us,)
