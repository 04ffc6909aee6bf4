"""How long things have been so, without a break, as far as we could see.

Measured on the line clock, since what it waits for are networks and boxes that answer. Nothing of record: after
a restart everybody is given the whole time again.
"""

from collections.abc import Collection, Mapping

Thing = tuple[str, str, int]
"""What is so, of whom, and in which form: another form begins anew."""


class Patience:
    def __init__(self) -> None:
        self._since_s: dict[Thing, float] = {}

    def lasting_s(self, things: Collection[Thing], now_s: float) -> Mapping[Thing, float]:
        """Since when each thing has been so, in seconds. What is not among them any more is forgotten."""
        self._since_s = {thing: self._since_s.get(thing, now_s) for thing in things}
        return {thing: now_s - since_s for thing, since_s in self._since_s.items()}
