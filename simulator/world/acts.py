"""What a member can do, and what comes of it: the words between a member's mind and whoever moves the world.

A member is a generator that yields one act at a time and is resumed with its outcome (`members.py`), so the
same member lives behind an asyncio shell on real lines and on an event heap in virtual time.
"""

from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from simulator.network.model import Card, Key
from simulator.world.api import BookingRequest
from simulator.world.record import Intent

Outcome = TypeVar("Outcome")


class ReaderLight(StrEnum):
    """A reader's answer without an open door, as a person takes it. Green is no answer: a door is to follow."""

    AMBER = "amber"  # not now, or once more
    RED = "red"  # no
    PIN = "pin"  # key in your PIN


# --- anywhere


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Live until the wall clock reads `at_ms`. Outcome: the wall time, int."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class Book:
    """Outcome: `ApiAnswer`, or None where nobody answered."""

    request: BookingRequest


@dataclass(frozen=True, slots=True)
class LookUp:
    """Look at a booking on the phone. Outcome: `ApiAnswer`, or None where nobody answered."""

    booking: str


@dataclass(frozen=True, slots=True)
class CallOff:
    """Cancel a booking. Outcome: `ApiAnswer`, or None where nobody answered."""

    booking: str


@dataclass(frozen=True, slots=True)
class DriveOff:
    """Outcome: None."""

    vehicle: str
    back_at_ms: int
    distance_m: int


@dataclass(frozen=True, slots=True)
class Park:
    """Outcome: None."""

    vehicle: str


@dataclass(frozen=True, slots=True)
class ComeBack:
    """Arrive with a key, about to bring it back. Outcome: the `Slip` that is made of it, or None."""

    cabinet: str
    key: Key


@dataclass(frozen=True, slots=True)
class Slip:
    """What somebody does otherwise than they mean to when they bring a key back."""

    key: Key | None = None
    """The key that is in the hand; None: the one that was taken."""
    cabinet: str | None = None
    """Where it is brought; None: where it was taken."""
    left_in_car_us: int | None = None
    """The key is in the car when a slot opens for it, and is brought so much later; None: it is in the hand."""
    comes_again_us: int | None = None
    """Where no slot takes the key: after so long it is tried once more; None: never."""


@dataclass(frozen=True, slots=True)
class StepUp:
    """Queue at a cabinet and be the next one there. Outcome: the wall time, int."""

    cabinet: str


# --- at the cabinet


@dataclass(frozen=True, slots=True)
class StepAway:
    """Let the next one come. Outcome: None."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Hands move. Outcome: None."""

    line_us: int


@dataclass(frozen=True, slots=True)
class ShowCard:
    """Hold a card against a reader. Outcome: False where the reader is dark or ignores it, bool."""

    reader: str
    card: Card
    intent: Intent
    booking: str | None = None
    on_box: bool = False


@dataclass(frozen=True, slots=True)
class KeyIn:
    """Key in a PIN after a card. Outcome: False where the reader's memory is full, bool."""

    tap: ShowCard
    """The card that was shown before."""
    digits: str
    is_right: bool


@dataclass(frozen=True, slots=True)
class Watch:
    """Look at doors and reader since the last card was shown, for at most `line_us`.

    Outcome: the slot whose door sprang open, int; or the `ReaderLight` that says no; or None.
    """

    line_us: int


@dataclass(frozen=True, slots=True)
class LookAround:
    """Outcome: the slots whose doors stand open and whose hooks are free, tuple of int."""


@dataclass(frozen=True, slots=True)
class TakeKey:
    """Outcome: the `Key`, or None where there is none within reach."""

    slot: int


@dataclass(frozen=True, slots=True)
class HangKey:
    """Outcome: False where the hook is not within reach or taken, bool."""

    slot: int
    key: Key


@dataclass(frozen=True, slots=True)
class CloseDoor:
    """Outcome: None; a door that is shut already stays shut."""

    slot: int


Act = (
    WaitUntil
    | Book
    | LookUp
    | CallOff
    | DriveOff
    | Park
    | ComeBack
    | StepUp
    | StepAway
    | Pause
    | ShowCard
    | KeyIn
    | Watch
    | LookAround
    | TakeKey
    | HangKey
    | CloseDoor
)

Script = Generator[Act, Any, Outcome]
"""A part of a member's life: yields acts, is resumed with their outcomes, ends with an `Outcome`."""
