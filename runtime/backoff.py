"""How long to wait before trying again: soon at first, then ever longer up to a bound, never in step."""

from random import Random

SPREAD = 0.5  # each delay lies between half and all of its bound: 30 boxes do not come back at one instant


class Backoff:
    """Delays of `first_s`, twice that, and so on up to `longest_s`, each shortened by chance."""

    def __init__(self, first_s: float, longest_s: float, random: Random) -> None:
        assert 0 < first_s <= longest_s
        self._first_s = first_s
        self._longest_s = longest_s
        self._random = random
        self._bound_s = first_s

    def next_s(self) -> float:
        """The delay before the next attempt, in seconds."""
        bound_s = self._bound_s
        self._bound_s = min(bound_s * 2, self._longest_s)
        return bound_s * self._random.uniform(SPREAD, 1)

    def reset(self) -> None:
        """What was tried worked, and stood long enough: the next delay is a first one."""
        self._bound_s = self._first_s
