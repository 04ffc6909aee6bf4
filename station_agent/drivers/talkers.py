"""Lines whose devices speak unasked, in words: only that something passed, and how much.

What a tag reader sends is the number of a tag, what a tracker sends holds where the vehicle is: neither is shown
(domain.md, P1).
"""

from station_agent.drivers.annotation import Shown, octets


class TalkerAnnotator:
    """`noun` names who speaks."""

    def __init__(self, noun: str) -> None:
        self._noun = noun

    def feed(self, data: bytes, *, sent: bool) -> list[Shown]:
        if sent:
            return [Shown(octets(data), f"an answer to the {self._noun}")]
        return [Shown("", f"{len(data)} bytes from the {self._noun}, not shown")]
