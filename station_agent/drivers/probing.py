"""Questions that find out what is on a silent line: asked by `station-agent doctor`, never while the agent runs.

No question moves a lock, and none starts a session: each asks a device what any device of its kind tells anybody.
"""

from collections.abc import Callable, Iterable, Iterator
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


def likeliest_first(
    ask: Callable[[int, int], Question],
    configured: tuple[int, tuple[int, ...]],
    baud_rates: Iterable[int],
    addresses_tried: Iterable[int],
) -> Iterator[Question]:
    """Configured addresses at other speeds, then other addresses at the configured speed.

    `ask` makes the question for a speed and an address; `configured` is the speed and the addresses of a line.
    """
    baud_rate, addresses = configured
    for rate in (other for other in baud_rates if other != baud_rate):
        for address in addresses:
            yield ask(rate, address)
    for address in (other for other in addresses_tried if other not in addresses):
        yield ask(baud_rate, address)
