"""Questions that find out what is on a silent line: asked by `station-agent doctor`, never while the agent runs.

No question moves a lock, and none starts a session: each asks a device what any device of its kind tells anybody.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Question:
    """One question at one speed."""

    baud_rate: int
    address: int
    """As in the configuration: a Modbus unit, an OSDP address."""
    data: bytes
    is_answer: Callable[[bytes], bool]
    """Whether all that came since the question holds an answer to it."""


class Prober(Protocol):
    """What one protocol can ask."""

    noun: str
    """What is at an address: `unit`, `reader`."""

    def questions(self, baud_rate: int, addresses: tuple[int, ...]) -> Iterator[Question]:
        """The likeliest first: the configured addresses at other speeds, then other addresses.

        Args:
            baud_rate: as configured.
            addresses: as configured.
        """
