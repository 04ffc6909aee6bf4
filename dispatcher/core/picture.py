"""What the reconciler looks at: the fleet as it is known, without a word of what is wrong with it."""

from dataclasses import dataclass
from typing import Literal

from dispatcher.core.blocks import BookingHit
from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import IncidentKind


@dataclass(frozen=True, slots=True)
class BookingView:
    """A booking as far as a key out under its grant is judged."""

    booking_id: str
    cabinet_id: str
    vehicle_id: str
    key_id: str
    state: BookingState
    end_ms: int
    is_order: bool = False
    hangs_in: tuple[str, int] | None = None
    """Cabinet and slot where its key hangs though it should be out; None: it does not, as far as is known."""


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key with its home, where it is, and the right under which it went. Home None: not of this fleet."""

    key_id: str
    vehicle_id: str | None
    home: tuple[str, int] | None
    """Cabinet and slot."""
    state: Literal["in_slot", "taken", "missing", "elsewhere"]
    place: tuple[str | None, int | None]
    """Where it hangs, or hung last."""
    grant_id: str | None = None
    booking: BookingView | None = None
    command_id: str | None = None
    ordered_by: str | None = None
    """Who gave the command; None: it is none of ours."""


@dataclass(frozen=True, slots=True)
class CabinetView:
    """What was heard of a cabinet."""

    cabinet_id: str
    online: bool | None
    """What its newest presence says; None: there never was one."""
    heard: bool
    """Whether anything came from it since this program listens."""
    offline_s: float
    """How long it has been offline as far as we could hear, by the wall clock."""
    quiet_s: float
    """How long nothing came while we were listening, by the line clock: networks run on that one."""
    open_already: frozenset[IncidentKind] = frozenset()
    """Its incidents: a word from the cabinet closes them, a restart of ours does not."""
    untrusted_s: float | None = None
    """How long nobody has vouched for its clock, while we could hear it; None: somebody does."""
    told_version: int = 0
    """Of our desired state; 0: there is none yet."""
    held_version: int | None = None
    """As its newest report says; None: there never was one."""
    unlike_s: float = 0.0
    """How long it has held this very version, which is not ours, while we could hear it."""
    told_seq: int = 0
    """The last fact that its newest report includes."""
    known_seq: int = 0
    """The last fact of the same epoch that the ledger has."""
    stuck_s: float = 0.0
    """How long the ledger has had this very number, and less than the report includes, while we could hear it."""
    slots: int = 0
    slots_known: int = 0
    """Of them, those of which the cabinet has said whether a key hangs there."""
    hanging: int = 0
    """Keys in them."""
    due_back: int = 0
    """Keys that live here and are out."""


@dataclass(frozen=True, slots=True)
class DoorView:
    """A slot that stands open."""

    cabinet_id: str
    slot: int
    open_ms: int
    """For how long, at least."""
    is_seen: bool
    """Whether the cabinet is heard and sees its slots: else nobody knows whether it still stands open."""
    open_already: bool = False
    """Its incident."""


@dataclass(frozen=True, slots=True)
class NeedView:
    """A booking that begins soon, and what its vehicle has for it."""

    booking_id: str
    cabinet_id: str
    vehicle_id: str
    category: str
    start_ms: int
    end_ms: int
    energy_percent: int
    """As it was told last."""
    charging: bool


@dataclass(frozen=True, slots=True)
class TrackerView:
    """A vehicle whose tracker has spoken before."""

    vehicle_id: str
    cabinet_id: str
    quiet_ms: int
    """For how long it has not."""
    is_heard: bool
    """Whether the cabinet is, through which it speaks: else nobody knows."""
    open_already: bool = False
    """Its incident."""


@dataclass(frozen=True, slots=True)
class Picture:
    """All that may disagree."""

    keys: tuple[KeyView, ...]
    """At least those that do not hang at home."""
    bookings: tuple[BookingView, ...]
    """At least those whose key is out."""
    cabinets: tuple[CabinetView, ...]
    hanging: tuple[BookingView, ...] = ()
    """At least those whose key hangs though it should be out."""
    doors: tuple[DoorView, ...] = ()
    """At least those that stand open for long."""
    needs: tuple[NeedView, ...] = ()
    """At least those of bookings that begin soon."""
    trackers: tuple[TrackerView, ...] = ()
    """At least those that were quiet for long."""
    storm: frozenset[str] = frozenset()
    """The cabinets of the storm that is open; empty: none is."""
    listening: bool = True
    """Whether we are connected to the broker: who does not listen cannot call others silent."""
    hits: tuple[BookingHit, ...] = ()
    """Bookings under blocks, that begin within the horizon."""
