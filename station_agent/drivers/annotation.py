"""What passes on a line, in words: for `station-agent trace`. Codes of cards and PINs are masked here already."""

from dataclasses import dataclass
from typing import Final, Protocol

MASK: Final = "··"  # instead of a byte that says which card it is, or which PIN


@dataclass(frozen=True, slots=True)
class Shown:
    """One frame, or bytes that are none. `octets` are hexadecimal, with a blank between two."""

    octets: str
    words: str


class Annotator(Protocol):
    """Reads along on one line. Never raises, and holds less than two frames of each direction."""

    def feed(self, data: bytes, *, sent: bool) -> list[Shown]:
        """Bytes in the order in which they passed; `sent`: by the agent."""


def octets(data: bytes) -> str:
    """Hexadecimal, as in `01 FF`."""
    return data.hex(" ").upper()


def masked(data: bytes, first: int, last: int) -> str:
    """As `octets`, with those from `first` up to before `last` hidden."""
    shown = [f"{byte:02X}" for byte in data]
    shown[first:last] = [MASK] * len(shown[first:last])
    return " ".join(shown)
