"""What goes into the station's core and what comes out: events in the past tense, effects as orders.

The order of effects is the order of execution: what was journalled is durable before the lock moves.
"""

from dataclasses import dataclass

from contract.facts import Fact, VehicleReading
from contract.messages import Command, CommandReply, Desired
from contract.places import Position
from station_agent.core.device_events import DeviceEvent, ReaderSignal


@dataclass(frozen=True, slots=True)
class Now:
    """The two times of an instant: windows are judged by the wall, hands and hardware by the line."""

    wall_ms: int
    line_ms: int


# --- events


@dataclass(frozen=True, slots=True)
class DesiredArrived:
    """A wanted state whose signature was checked; `wire` is what was signed, `digest` its SHA-256."""

    desired: Desired
    wire: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class CommandArrived:
    """A command whose signature was checked: new, repeated by its author, or replayed by somebody else."""

    command: Command


@dataclass(frozen=True, slots=True)
class VehicleRead:
    """A tracker spoke: its signals, without age, and where the vehicle stands."""

    vehicle: str
    reading: VehicleReading
    tracker_ms: int | None
    """The tracker's own time; None where it had none worth believing."""
    position: Position | None = None
    """Where it stands, with the engine known to be off."""


@dataclass(frozen=True, slots=True)
class ClockRead:
    """The kernel was asked about its clock."""

    synchronised: bool


@dataclass(frozen=True, slots=True)
class DurabilityChanged:
    """The last `Journal` says otherwise than the core believed.

    Where it could not be made durable, none of the effects after it was carried out: what follows from this
    event takes their place.
    """

    durable: bool


@dataclass(frozen=True, slots=True)
class Elapsed:
    """The time asked for with `wake_at_line_ms` has come."""


Event = DeviceEvent | DesiredArrived | CommandArrived | VehicleRead | ClockRead | DurabilityChanged | Elapsed


# --- effects


@dataclass(frozen=True, slots=True)
class Journal:
    """Make these facts and the picture after them durable, in one transaction."""

    facts: tuple[Fact, ...]
    picture: str


@dataclass(frozen=True, slots=True)
class KeepDesired:
    """Make the wanted state durable: it must open slots after a reboot without network."""

    wire: bytes
    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class ReleaseSlot:
    """Pulse the lock of a slot once."""

    slot: int
    again: bool = False
    """It was pulsed and did not seem to open: look once more before."""


@dataclass(frozen=True, slots=True)
class Indicate:
    """Tell the member at a reader."""

    reader: str
    signal: ReaderSignal


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer a command."""

    reply: CommandReply


@dataclass(frozen=True, slots=True)
class Report:
    """The observed state has changed: publish it."""

    at_once: bool = False
    """No fact tells of it, and somebody waits for it."""


Effect = Journal | KeepDesired | ReleaseSlot | Indicate | Reply | Report
