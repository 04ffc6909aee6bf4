"""Every message of the wire contract: one frozen model each.

Each message names its kind and its subject in the signed payload, so that a signature made for one
topic proves nothing on another.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from contract.chain import chain_hashes
from contract.facts import VehicleReading
from contract.places import Bay, Position
from contract.reasons import Reason
from contract.values import (
    CabinetId,
    Count,
    Digest,
    EpochId,
    Frozen,
    Hash,
    Nonce,
    Number,
    OpaqueId,
    Slot,
    Text,
    UnixMs,
)

Category = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,32}$", description="such as city, van")]

FACT_BYTES_MAX = 4 * 1024  # the largest kind is under 1 KiB; the rest is room for newer fields
BATCH_BYTES_MAX = 64 * 1024  # 8 s on a 64 kbit/s uplink
FACTS_PER_BATCH_MAX = 100  # about 30 KB: a few seconds on a 2G uplink, half the batch limit of limits.py


class CabinetMessage(Frozen):
    cabinet: CabinetId


# --- from the agent


class Presence(CabinetMessage):
    """Online, or offline by farewell or last will.

    A will of an older (boot, connection) than the newest known is stale and ignored.
    """

    kind: Literal["presence"] = "presence"
    online: bool
    boot_nonce: Nonce
    boot_ms: UnixMs
    connection: Number
    """Connections of this boot so far, this one included."""
    version: Text


class SlotState(Frozen):
    slot: Slot
    key_present: bool | None = None
    """None: the cabinet was not seen since boot."""
    door_open: bool | None = None
    key: OpaqueId | None = None
    identity: Literal["read", "presumed", "unknown"] | None = None


class VehicleState(Frozen):
    vehicle: OpaqueId
    reading: VehicleReading
    position: Position | None = None
    """Where it was left outside its bay at its last return; absent from the next take on, and after a reboot."""


CABINET_DEVICE = "cabinet"  # the lock bus, and the cabinet around it, among a report's devices


class DeviceState(Frozen):
    device: OpaqueId
    online: bool
    why: Text | None = None
    tampered: bool | None = None
    power_failed: bool | None = None


class Reported(CabinetMessage):
    """The whole observed state. May be lost: the next one repeats it."""

    kind: Literal["reported"] = "reported"
    boot_nonce: Nonce
    boot_ms: UnixMs
    connection: Number
    revision: Number
    """Counts up within one boot."""
    at_ms: UnixMs
    epoch: EpochId
    seq: Count
    """Last fact that this state includes."""
    desired_version: Count
    """0: none held."""
    desired_high_water: Count
    journal_depth: Count
    """Facts not yet acknowledged."""
    clock_trusted: bool
    slots: Annotated[tuple[SlotState, ...], Field(max_length=128)]
    devices: Annotated[tuple[DeviceState, ...], Field(max_length=32)] = ()
    vehicles: Annotated[tuple[VehicleState, ...], Field(max_length=128)] = ()


class FactBatch(CabinetMessage):
    """Facts `first_seq`, `first_seq + 1`, ... of one epoch, as the texts that were journalled."""

    kind: Literal["facts"] = "facts"
    epoch: EpochId
    epoch_created_ms: UnixMs
    first_seq: Number
    hash_before: Hash
    facts: Annotated[tuple[str, ...], Field(min_length=1, max_length=FACTS_PER_BATCH_MAX)]
    last_hash: Hash

    @property
    def last_seq(self) -> int:
        return self.first_seq + len(self.facts) - 1

    @model_validator(mode="after")
    def _within_limits(self) -> Self:
        sizes = [len(text.encode()) for text in self.facts]
        if max(sizes) > FACT_BYTES_MAX or sum(sizes) > BATCH_BYTES_MAX:
            raise ValueError(f"expected facts of {FACT_BYTES_MAX} bytes at most, {BATCH_BYTES_MAX} in all")
        return self

    @model_validator(mode="after")
    def _chain_holds(self) -> Self:
        if chain_hashes(self.hash_before, self.facts)[-1] != self.last_hash:
            raise ValueError("last_hash is not the hash over hash_before and the facts")
        return self


class TimeRequest(CabinetMessage):
    kind: Literal["time_request"] = "time_request"
    nonce: Nonce


class ReplyOutcome(StrEnum):
    RECEIVED = "received"
    COMPLETED = "completed"
    REFUSED = "refused"
    EXPIRED = "expired"


class CommandReply(CabinetMessage):
    """What became of a command. The final outcome is repeated unchanged on every resend.

    `completed` for a slot: the release is durable and the lock is pulsed. What the slot then did, facts tell.
    """

    kind: Literal["reply"] = "reply"
    command: OpaqueId
    outcome: ReplyOutcome
    reason: Reason | None = None


# --- from the dispatcher


class BadgeEntry(Frozen):
    ref: OpaqueId
    """Random reference, the only name of a badge in facts."""
    digest: Digest
    pin_digest: Digest | None = None
    """`contract.credentials.pin_digest`; None: it has no PIN, and opens only where none is asked for."""


class KeyEntry(Frozen):
    """A key of the fleet: those that live here have a home slot, the others are recognised at a return."""

    key: OpaqueId
    vehicle: OpaqueId
    tag_digests: Annotated[tuple[Digest, ...], Field(max_length=4)] = ()
    home_slot: Slot | None = None
    category: Category | None = None
    """Of its vehicle; None: it stands in for no other."""
    bay: Bay | None = None
    """Where its vehicle is at home; None: nobody asks whether it stands there."""


class Grant(Frozen):
    """A booking or a service order as a right on this box."""

    grant: OpaqueId
    order: Literal["booking", "service_order"] = "booking"
    badges: Annotated[tuple[OpaqueId, ...], Field(max_length=200)]
    pools: Annotated[tuple[OpaqueId, ...], Field(max_length=8)] = ()
    key: OpaqueId
    category: Category | None = None
    stand_in: bool = False
    """Whether another key of the category may be handed out."""
    start_ms: UnixMs
    end_ms: UnixMs
    """Half-open: [start_ms, end_ms)."""
    take_by_ms: UnixMs
    """After it the box refuses the first take: the booking is a no-show."""

    @model_validator(mode="after")
    def _window_is_forward(self) -> Self:
        if not self.start_ms < self.take_by_ms <= self.end_ms:
            raise ValueError("expected start_ms < take_by_ms <= end_ms")
        return self


class Pool(Frozen):
    """Drivers of an organisation, listed once; grants refer to the list."""

    pool: OpaqueId
    badges: Annotated[tuple[OpaqueId, ...], Field(max_length=2000)]


class StationSettings(Frozen):
    """The fleet's rules as this box applies them."""

    opening_allowance_s: Annotated[int, Field(ge=0, le=3600)] = 300
    """How long before its start a booking already opens."""
    retake_hold_s: Annotated[int, Field(ge=0, le=7200)] = 600
    """How long after a return the same right opens the slot again, never past its end."""
    second_tap_s: Annotated[int, Field(ge=0, le=120)] = 20
    """A second tap this soon after the return completes the booking at once."""
    uncertain_clock: Literal["refuse", "earliest_with_pin"] = "earliest_with_pin"
    """What a box does whose clock is not trusted: nothing, or hand out a key once per grant, with PIN, where the
    grant is the key's next: it ends after the earliest that it can be now, and starts within 12 h of that."""
    max_offline_age_s: Annotated[int, Field(ge=3600, le=90 * 86_400)] = 7 * 86_400
    """How long after it last heard its dispatcher a box hands out keys: as far ahead as grants are sent."""
    pin_digits: Annotated[int, Field(ge=4, le=8)] = 4
    """A PIN is complete with so many; `#` ends it as well."""
    pin_tries: Annotated[int, Field(ge=1, le=10)] = 3
    """Wrong PINs in a row that block a badge at this cabinet."""
    pin_block_s: Annotated[int, Field(ge=60, le=30 * 86_400)] = 3600
    """How long a badge is blocked then: three guesses an hour at 10,000 PINs need half a year on average."""
    handed_back_within_s: Annotated[int, Field(ge=0, le=3600)] = 600
    """A key that is back so soon after it was first taken..."""
    handed_back_under_m: Annotated[int, Field(ge=0, le=10_000)] = 1000
    """... and after fewer metres was not used: dirty, damaged, or the wrong one."""
    after_return_s: Annotated[int, Field(ge=60, le=3600)] = 300
    """From when on after a return doors stand open, and a cable lies there, because somebody forgot them."""
    low_voltage_mv: Annotated[int, Field(ge=0, le=30_000)] = 12_000
    """A 12 V battery at rest below it may not start the engine any more; 0: it is not looked at."""
    low_energy_percent: Annotated[int, Field(ge=0, le=100)] = 10
    """Of tank or traction battery, below which the vehicle is no good for the next member; 0: never."""


class Desired(CabinetMessage):
    """The whole wanted state of a cabinet. It does not expire, its grants do."""

    kind: Literal["desired"] = "desired"
    version: Number
    """max(previous + 1, unix ms): a restored dispatcher never goes back."""
    boot_nonce: Nonce | None = None
    """Echo of the box's boot nonce: a box without a high-water mark takes no other."""
    badges: tuple[BadgeEntry, ...] = ()
    keys: tuple[KeyEntry, ...] = ()
    grants: tuple[Grant, ...] = ()
    """Nearest start first."""
    grants_left_out: Count = 0
    """Farther grants that did not fit the size limit."""
    complete_until_ms: UnixMs | None = None
    """Every grant of this cabinet's keys that starts before this is here; None: that is not said, and no key stands
    in for another."""
    pools: tuple[Pool, ...] = ()
    revoked: tuple[OpaqueId, ...] = ()
    """Badge references that open nothing."""
    suspended: tuple[OpaqueId, ...] = ()
    """Badge references of members who may not take a key now. A key that is out is never cut off."""
    blocked: tuple[OpaqueId, ...] = ()
    """Keys that are not handed out, but for service orders."""
    settings: StationSettings = StationSettings()


class Acknowledged(CabinetMessage):
    """Facts of `epoch` are durable in the ledger up to `seq`."""

    kind: Literal["acknowledged"] = "acknowledged"
    ledger: Nonce
    """Id of the ledger, new after each restore: only a new one may lower the watermark."""
    epoch: EpochId
    seq: Count
    hash: Hash
    """The ledger's hash after `seq`: a box that has another one there was restored or cloned."""
    conflict: bool = False
    """The ledger holds other content under numbers that this box sent."""


class Command(CabinetMessage):
    """Do this once, before it expires. Resent until answered or expired."""

    kind: Literal["command"] = "command"
    command: OpaqueId
    counter: Number
    """max(previous + 1, unix ms), survives reboots on both sides."""
    action: Literal["release_slot", "report_now"]
    slot: Slot | None = None
    issued_ms: UnixMs
    expires_ms: UnixMs


class TimeReply(CabinetMessage):
    kind: Literal["time_reply"] = "time_reply"
    nonce: Nonce
    at_ms: UnixMs


class DispatcherPresence(Frozen):
    kind: Literal["dispatcher_presence"] = "dispatcher_presence"
    dispatcher: OpaqueId
    online: bool
    version: Text


AgentMessage = Presence | Reported | FactBatch | TimeRequest | CommandReply
DispatcherMessage = Desired | Acknowledged | Command | TimeReply | DispatcherPresence
Message = AgentMessage | DispatcherMessage

MESSAGE_TYPES: tuple[type[Frozen], ...] = (
    Presence,
    Reported,
    FactBatch,
    TimeRequest,
    CommandReply,
    Desired,
    Acknowledged,
    Command,
    TimeReply,
    DispatcherPresence,
)

MESSAGE_ADAPTER: TypeAdapter[Any] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])
