"""What a station saw and decided: numbered without gaps, chained by hash, told once and in order.

A fact carries grant ids and random badge references, never a UID, a name or a member id. Kinds that a
reader does not know are kept in the ledger and skipped by its projections.
"""

import json
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from contract.reasons import Reason
from contract.values import Count, Frozen, Nonce, Number, OpaqueId, Slot, Text, UnixMs


class Purpose(StrEnum):
    """What a slot was opened for."""

    TAKE = "take"
    RETAKE = "retake"  # again within the retake hold: a stop-over, a forgotten bag
    RETURN = "return"
    COMMAND = "command"  # an operator's order; no badge, no reader
    RELEASE_CODE = "release_code"  # an offline release code, keyed in at a reader; no badge


class CabinetInput(StrEnum):
    """What the cabinet itself can say of how it fares, beside its slots."""

    MAINS_LOST = "mains_lost"  # the supply is gone, the battery feeds the cabinet
    BATTERY_LOW = "battery_low"
    TAMPERED = "tampered"  # the housing is open: electronics and cables are within reach
    OVERRIDE = "override"  # the mechanical key opened all slots at once


class VehicleSign(StrEnum):
    """What a vehicle's signals mean, where they mean something."""

    MOVED_AFTER_RETURN = "moved_after_return"  # ignition or movement while all its keys hang at home
    DOORS_OPEN_AT_RETURN = "doors_open_at_return"  # minutes after its key came home
    UNPLUGGED_AT_RETURN = "unplugged_at_return"  # it has a plug, and no cable is in it minutes after its key came
    PLUGGED_IN = "plugged_in"
    CHARGING = "charging"
    LOW_VOLTAGE = "low_voltage"  # of the 12 V battery at rest
    LOW_ENERGY = "low_energy"  # of the tank or the traction battery


class Identity(StrEnum):
    """How the key in a slot is known."""

    READ = "read"  # its tag was read at the return reader
    PRESUMED = "presumed"  # it must be that one, nothing read it
    UNKNOWN = "unknown"


class VehicleReading(Frozen):
    """A vehicle's last signals, each absent where it is not known. "Not known" is never 0."""

    age_s: Annotated[int, Field(ge=0, le=10_000_000_000)]
    """Seconds between the tracker's time and this fact."""
    odometer_m: Annotated[int, Field(ge=0, le=2_000_000_000)] | None = None
    """Up to two million km."""
    energy_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    charging: bool | None = None
    ignition: bool | None = None
    moving: bool | None = None
    low_voltage_mv: Annotated[int, Field(ge=1, le=100_000)] | None = None
    doors_open: bool | None = None
    """Whether any door, the bonnet or the boot stands open."""
    plugged_in: bool | None = None
    """Whether the charging cable is connected, charging or not."""


class FactBase(Frozen):
    seq: Number
    at_ms: UnixMs
    """By the box's clock."""
    clock_trusted: bool
    not_durable: Literal[True] | None = None
    """True: it was written down only later than what followed from it, because nothing could be written then."""


class EpochStarted(FactBase):
    """The first fact of every epoch."""

    kind: Literal["epoch_started"] = "epoch_started"
    why: Literal["new_journal", "acknowledged_beyond_sent", "hash_conflict", "facts_forgotten", "journal_damaged"]
    after_epoch: Nonce | None = None
    """The epoch that it goes on from; None: nothing before it is kept, or can be told."""
    after_seq: Count = 0
    """How many facts of `after_epoch` count: a ledger that lacks some of them asks for these first."""


class AgentStarted(FactBase):
    kind: Literal["agent_started"] = "agent_started"
    boot_nonce: Nonce
    version: Text


class PinAsked(FactBase):
    """A badge was shown that opens a slot with its PIN only. What came of it is the next fact of that reader."""

    kind: Literal["pin_asked"] = "pin_asked"
    reader: OpaqueId
    badge: OpaqueId
    grant: OpaqueId | None = None


class AccessGranted(FactBase):
    """A slot is about to be released. Durable before the lock moves.

    The key is another than the grant's where the grant allows a stand-in.
    """

    kind: Literal["access_granted"] = "access_granted"
    reader: OpaqueId
    slot: Slot
    purpose: Purpose
    grant: OpaqueId | None = None
    badge: OpaqueId | None = None
    key: OpaqueId | None = None
    code: Number | None = None
    """Number of the offline release code."""
    with_pin: Literal[True] | None = None
    """True: the right PIN was keyed in after the badge."""
    lower_bound_ms: UnixMs | None = None
    """The clock was not trusted: the window was judged by this, the earliest that it can have been."""


class AccessRefused(FactBase):
    """The member's badge, PIN or code opened nothing."""

    kind: Literal["access_refused"] = "access_refused"
    reader: OpaqueId
    reason: Reason
    grant: OpaqueId | None = None
    badge: OpaqueId | None = None
    key: OpaqueId | None = None
    with_pin: Literal[True] | None = None
    """True: it was decided when a PIN was keyed in."""
    repeats: Count = 0
    """How often the same was refused since the fact before this one of it: a card that is held to a reader."""


class PinGuessing(FactBase):
    """So many wrong PINs at this cabinet that it answers slowly from now on."""

    kind: Literal["pin_guessing"] = "pin_guessing"
    reader: OpaqueId
    tries: Number
    """Wrong PINs within the last ten minutes."""


class GrantCompleted(FactBase):
    """The member tapped again right after the return: done, no retake wanted."""

    kind: Literal["grant_completed"] = "grant_completed"
    reader: OpaqueId
    grant: OpaqueId
    badge: OpaqueId


class CommandDecided(FactBase):
    """The final answer to a command that releases a slot; `completed` is durable before the lock moves."""

    kind: Literal["command_decided"] = "command_decided"
    command: OpaqueId
    outcome: Literal["completed", "refused", "expired"]
    reason: Reason | None = None
    slot: Slot | None = None
    key: OpaqueId | None = None
    """Key that hangs there, as far as it is known."""


class ReleaseFailed(FactBase):
    """The lock was pulsed as often as allowed and the slot did not open."""

    kind: Literal["release_failed"] = "release_failed"
    slot: Slot
    purpose: Purpose
    pulses: Number
    last_result: Literal["confirmed", "refused", "unanswered"]
    grant: OpaqueId | None = None
    command: OpaqueId | None = None
    code: Number | None = None


class ReleaseDropped(FactBase):
    """A release was decided before the power went, and its slot was not seen to open: it is not done any more."""

    kind: Literal["release_dropped"] = "release_dropped"
    slot: Slot
    purpose: Purpose
    grant: OpaqueId | None = None
    command: OpaqueId | None = None
    code: Number | None = None


class DoorOpened(FactBase):
    kind: Literal["door_opened"] = "door_opened"
    slot: Slot
    released: bool
    """False: no release of this agent explains it."""
    seen_late: bool = False
    """True: it happened while the agent could not see the cabinet; `at_ms` is when it was noticed."""


class DoorClosed(FactBase):
    kind: Literal["door_closed"] = "door_closed"
    slot: Slot
    seen_late: bool = False


class KeyTaken(FactBase):
    """A key left its slot: under a grant, a command or a release code, or (none is named) without a right."""

    kind: Literal["key_taken"] = "key_taken"
    slot: Slot
    identity: Identity
    key: OpaqueId | None = None
    grant: OpaqueId | None = None
    command: OpaqueId | None = None
    """The command under which the slot was released."""
    code: Number | None = None
    """The offline release code under which it was."""
    badge: OpaqueId | None = None
    vehicle: VehicleReading | None = None
    seen_late: bool = False


class KeyReturned(FactBase):
    kind: Literal["key_returned"] = "key_returned"
    slot: Slot
    identity: Identity
    key: OpaqueId | None = None
    grant: OpaqueId | None = None
    badge: OpaqueId | None = None
    lit_slot: Slot | None = None
    """The slot that was opened for this return; another than `slot` is a return into the wrong slot."""
    handed_back: Literal[True] | None = None
    """True: so soon after it was first taken, and after so short a way, that it was not used: the right stays."""
    vehicle: VehicleReading | None = None
    at_home: bool | None = None
    """Whether its vehicle stands in its bay, as its tracker told when the engine was turned off."""
    seen_late: bool = False


class CabinetInputChanged(FactBase):
    """An input of the cabinet, as two looks showed it; told at its first sight only where it is active."""

    kind: Literal["cabinet_input_changed"] = "cabinet_input_changed"
    input: CabinetInput
    active: bool
    seen_late: bool = False


class InventoryDue(FactBase):
    """Nobody can say any more which key hangs where: the cabinet was opened by hand, and somebody has to look.

    What had been read of tags is presumed from here on.
    """

    kind: Literal["inventory_due"] = "inventory_due"
    why: Literal["override"]
    keys_present: Count
    """Slots in which a key hangs, by their contacts."""


class VehicleNoticed(FactBase):
    """A sign of a vehicle whose keys live here began, or is over. In between nothing is told of it."""

    kind: Literal["vehicle_noticed"] = "vehicle_noticed"
    vehicle: OpaqueId
    sign: VehicleSign
    active: bool
    reading: VehicleReading | None = None
    """What showed it; None: its key was taken, or it lives here no more."""
    again: Literal[True] | None = None
    """True: it began before this epoch, as far as the box remembers, which may be an image of long ago."""


class DeviceLost(FactBase):
    kind: Literal["device_lost"] = "device_lost"
    device: OpaqueId
    why: Text


class DeviceBack(FactBase):
    kind: Literal["device_back"] = "device_back"
    device: OpaqueId


class FactsNotDurable(FactBase):
    """Writing works again: for a while facts were kept in memory alone, where a loss of power loses them."""

    kind: Literal["facts_not_durable"] = "facts_not_durable"
    count: Number
    """Facts of that while: those just before this one that say so, and the lost ones."""
    lost: Count = 0
    """Of them, those that there was no memory for."""


class ClockTrustChanged(FactBase):
    kind: Literal["clock_trust_changed"] = "clock_trust_changed"
    source: Literal["kernel", "dispatcher", "none"]


Fact = (
    EpochStarted
    | AgentStarted
    | PinAsked
    | AccessGranted
    | AccessRefused
    | PinGuessing
    | GrantCompleted
    | CommandDecided
    | ReleaseFailed
    | ReleaseDropped
    | DoorOpened
    | DoorClosed
    | KeyTaken
    | KeyReturned
    | CabinetInputChanged
    | InventoryDue
    | VehicleNoticed
    | DeviceLost
    | DeviceBack
    | FactsNotDurable
    | ClockTrustChanged
)

FACT_ADAPTER: TypeAdapter[Fact] = TypeAdapter(Annotated[Fact, Field(discriminator="kind")])


class UnknownFact(FactBase):
    """A kind from a newer agent: its number and time are known, its meaning is not."""

    kind: str


class BadFact(ValueError):
    """A fact's text that is no fact. The text of the error names field, value and what was expected."""


def parse_fact(text: str) -> Fact | UnknownFact:
    """Read one fact's text.

    Raises:
        BadFact: it is not JSON, lacks number, time or kind, or a field of a known kind is wrong.
    """
    try:
        return FACT_ADAPTER.validate_json(text)
    except ValidationError as error:
        if error.errors()[0]["type"] != "union_tag_invalid":
            raise BadFact(_first_error(error)) from error
    try:
        return UnknownFact.model_validate_json(text)
    except ValidationError as error:
        raise BadFact(_first_error(error)) from error


def _first_error(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "fact"
    return f"{where}: {first['msg']} (was {json.dumps(first['input'], default=str)[:80]})"
