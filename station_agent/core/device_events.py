"""What devices say, in one vocabulary whatever the protocol: past tense, frozen, no times but a device's own.

The shell stamps an event when it hands it to the core. A driver reports what its device shows and
nothing it concluded: "no answer" is an event of its own, never "not opened".
"""

from dataclasses import dataclass
from enum import StrEnum

from contract.facts import CabinetInput, VehicleReading
from contract.places import Position


@dataclass(frozen=True, slots=True)
class SlotSeen:
    """The contacts of one slot, as two equal reads in a row showed them."""

    slot: int
    key_present: bool
    door_open: bool


@dataclass(frozen=True, slots=True)
class InputSeen:
    """One input of the cabinet itself, as two equal reads in a row showed it."""

    input: CabinetInput
    active: bool


@dataclass(frozen=True, slots=True)
class CabinetSeen:
    """The whole cabinet, in the order of its slots: after each (re)connection and whenever a contact changed."""

    slots: tuple[SlotSeen, ...]
    inputs: tuple[InputSeen, ...] = ()
    """Those that are wired."""


@dataclass(frozen=True, slots=True)
class CabinetLost:
    """The cabinet stopped answering, or its line is gone. What is in it is unknown until it is seen again."""

    why: str


class PulseResult(StrEnum):
    """What the lock board answered to the order to pulse."""

    CONFIRMED = "confirmed"  # the board echoed the order: the lock had current
    REFUSED = "refused"  # the board answered with an exception: no current
    UNANSWERED = "unanswered"  # nothing valid came: the lock may have opened or not


@dataclass(frozen=True, slots=True)
class LockPulsed:
    """The outcome of one release order. What the slot did is seen by its contacts, not told here."""

    slot: int
    result: PulseResult


@dataclass(frozen=True, slots=True)
class CardRead:
    """A card or a fob's tag was shown to a reader: the bits as they came, first bit in the highest place."""

    reader: str
    bit_count: int
    data: bytes


@dataclass(frozen=True, slots=True)
class KeypadPressed:
    """Keys pressed at a reader: ASCII digits, `*` and `#`."""

    reader: str
    keys: str


@dataclass(frozen=True, slots=True)
class ReaderSeen:
    """A reader came online over a secure channel, or its tamper or power state changed."""

    reader: str
    tampered: bool
    power_failed: bool


@dataclass(frozen=True, slots=True)
class ReaderLost:
    """A reader does not answer or its secure channel cannot be made. `why` is for the operator."""

    reader: str
    why: str


@dataclass(frozen=True, slots=True)
class VehicleTold:
    """A vehicle's tracker spoke on a line of this box: its signals, without age, and where the vehicle stands."""

    vehicle: str
    reading: VehicleReading
    tracker_ms: int | None
    """The tracker's own time as it said it, None where it has none: a line has no wall clock to judge it by."""
    position: Position | None = None
    """With the engine known to be off (`trackers.parked_position`); with the engine on there is none."""


DeviceEvent = (
    CabinetSeen | CabinetLost | LockPulsed | CardRead | KeypadPressed | ReaderSeen | ReaderLost | VehicleTold
)


class ReaderSignal(StrEnum):
    """The five answers of a reader to a member (domain.md, rule 6), and the one question."""

    TAKEN = "taken"  # your slot is open
    ANOTHER_SLOT = "another_slot"  # another slot is lit
    WAIT = "wait"
    AGAIN = "again"
    CALL = "call"
    PIN = "pin"  # key in your PIN
