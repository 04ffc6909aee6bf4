"""Why a port cannot be opened: known by the system's number or by words, told in a sentence, with what to do."""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


def _present() -> str:
    adapters = sorted(str(path) for path in Path("/dev/serial/by-id").glob("*"))
    return f"present now: {', '.join(adapters) or 'no serial adapter at all'}"


@dataclass(frozen=True, slots=True)
class PortTrouble:
    told: str
    """What the port does, as the end of a sentence."""
    numbers: frozenset[int]
    words: tuple[str, ...]
    """In what pyserial, a socket or the agent says of it."""
    steps: tuple[str | Callable[[], str], ...]

    def next_steps(self) -> tuple[str, ...]:
        """What to look at or do, the likeliest first."""
        return tuple(step if isinstance(step, str) else step() for step in self.steps)


TROUBLES = (
    PortTrouble(
        "is not there",
        frozenset({errno.ENOENT}),
        ("No such file",),
        ("is the adapter plugged in? its name is under /dev/serial/by-id", _present),
    ),
    PortTrouble(
        "may not be opened by this user",
        frozenset({errno.EACCES, errno.EPERM}),
        ("Permission denied",),
        ("add the user to the group that owns the port, usually dialout, and log in again",),
    ),
    PortTrouble(
        "is in use by another program",
        frozenset({errno.EBUSY}),
        ("exclusively lock", "busy"),
        ("is another agent or terminal program running? `fuser -v` with the path names it",),
    ),
    PortTrouble(
        "refuses the connection",
        frozenset({errno.ECONNREFUSED}),
        ("refused",),
        ("is the serial server on, and is this its port?",),
    ),
)


def port_trouble(text: str, number: int | None = None) -> PortTrouble:
    """What an error means, by its text and its number, if it has one; a kind that is not known is told as it is."""
    for trouble in TROUBLES:
        if number in trouble.numbers or any(words in text for words in trouble.words):
            return trouble
    return PortTrouble(f"cannot be opened: {text}", frozenset(), (), ())
