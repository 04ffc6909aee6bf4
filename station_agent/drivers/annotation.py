"""What passes on a line, in words: for `station-agent trace`. Codes of cards and PINs are masked here already."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

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


class BusAnnotator(ABC):
    """One bus on which only what was asked answers.

    What comes is held until it is a whole answer, or until the next request shows that it is none.
    """

    ANSWER: ClassVar[str] = "answer"
    """What a protocol calls it."""
    HELD_MAX: ClassVar[int]
    """Bytes of the longest answer: more that is none is told at once."""

    def __init__(self) -> None:
        self.request = b""
        """What was asked last."""
        self._held = b""

    @abstractmethod
    def first_answer(self, data: bytes) -> tuple[int, int] | None:
        """Where the first whole answer in it begins and ends."""

    @abstractmethod
    def request_words(self, frame: bytes) -> str: ...

    @abstractmethod
    def answer_words(self, frame: bytes) -> str: ...

    def feed(self, data: bytes, *, sent: bool) -> list[Shown]:
        if sent:
            shown = self._rest()
            self.request = data
            return [*shown, Shown(octets(data), self.request_words(data))]
        self._held += data
        shown = []
        while (found := self.first_answer(self._held)) is not None:
            start, end = found
            if start:
                shown.append(self._noise(self._held[:start]))
            frame, self._held = self._held[start:end], self._held[end:]
            shown.append(Shown(octets(frame), self.answer_words(frame)))
        return [*shown, *(self._rest() if len(self._held) > self.HELD_MAX else ())]

    def _rest(self) -> list[Shown]:
        held, self._held = self._held, b""
        return [self._noise(held)] if held else []

    def _noise(self, data: bytes) -> Shown:
        return Shown(octets(data), f"{len(data)} bytes that are no {self.ANSWER}")
