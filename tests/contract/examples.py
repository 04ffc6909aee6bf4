"""One message and one fact of each kind, with its optional parts, in the order of the contract."""

from contract.chain import chain_hashes, genesis_hash
from contract.facts import (
    AccessGranted,
    AccessRefused,
    AgentStarted,
    CabinetInput,
    CabinetInputChanged,
    ClockTrustChanged,
    CommandDecided,
    DeviceBack,
    DeviceLost,
    DoorClosed,
    DoorOpened,
    EpochStarted,
    Fact,
    FactsNotDurable,
    GrantCompleted,
    Identity,
    InventoryDue,
    KeyReturned,
    KeyTaken,
    PinAsked,
    PinGuessing,
    Purpose,
    ReleaseDropped,
    ReleaseFailed,
    VehicleNoticed,
    VehicleReading,
    VehicleSign,
)
from contract.messages import (
    Acknowledged,
    BadgeEntry,
    Command,
    CommandReply,
    Desired,
    DeviceState,
    DispatcherPresence,
    FactBatch,
    Grant,
    KeyEntry,
    Message,
    Pool,
    Presence,
    ReplyOutcome,
    Reported,
    SlotState,
    StationSettings,
    TimeReply,
    TimeRequest,
    VehicleState,
)
from contract.reasons import Reason

CABINET = "gare-1"
EPOCH = "e" * 32
NONCE = "0" * 32
HASH = "f" * 64
AT_MS = 1_790_000_000_000
READING = VehicleReading(
    age_s=4, odometer_m=12, energy_percent=80, charging=False, ignition=False, moving=False, low_voltage_mv=12_600,
    doors_open=False, plugged_in=True,
)  # fmt: skip


FACTS: tuple[Fact, ...] = (
    EpochStarted(seq=1, at_ms=AT_MS, clock_trusted=True, why="new_journal"),
    AgentStarted(seq=2, at_ms=AT_MS, clock_trusted=True, boot_nonce=NONCE, version="1"),
    PinAsked(seq=3, at_ms=AT_MS, clock_trusted=True, reader="entrance", badge="badge-1", grant="grant-1"),
    AccessGranted(
        seq=4, at_ms=AT_MS, clock_trusted=True, reader="entrance", slot=2, purpose=Purpose.TAKE,
        grant="grant-1", badge="badge-1", key="key-1",
    ),
    AccessRefused(seq=5, at_ms=AT_MS, clock_trusted=True, reader="entrance", reason=Reason.UNKNOWN_BADGE),
    PinGuessing(seq=6, at_ms=AT_MS, clock_trusted=True, reader="entrance", tries=10),
    GrantCompleted(seq=7, at_ms=AT_MS, clock_trusted=True, reader="entrance", grant="grant-1", badge="badge-1"),
    CommandDecided(
        seq=8, at_ms=AT_MS, clock_trusted=True, command="command-1", outcome="refused", reason=Reason.BUSY,
        slot=2, key="key-1", not_durable=True,
    ),
    ReleaseFailed(
        seq=9, at_ms=AT_MS, clock_trusted=True, slot=2, purpose=Purpose.RETAKE,
        pulses=3, last_result="unanswered", grant="grant-1", command="command-1",
    ),
    ReleaseDropped(seq=10, at_ms=AT_MS, clock_trusted=True, slot=2, purpose=Purpose.TAKE, grant="grant-1"),
    DoorOpened(seq=11, at_ms=AT_MS, clock_trusted=True, slot=2, released=True),
    DoorClosed(seq=12, at_ms=AT_MS, clock_trusted=True, slot=2, seen_late=True),
    KeyTaken(
        seq=13, at_ms=AT_MS, clock_trusted=True, slot=2, identity=Identity.READ,
        key="key-1", grant="grant-1", command="command-1", badge="badge-1", vehicle=READING,
    ),
    KeyReturned(
        seq=14, at_ms=AT_MS, clock_trusted=True, slot=3, identity=Identity.PRESUMED,
        key="key-1", grant="grant-1", badge="badge-1", lit_slot=2, vehicle=VehicleReading(age_s=0),
    ),
    CabinetInputChanged(seq=15, at_ms=AT_MS, clock_trusted=True, input=CabinetInput.MAINS_LOST, active=True),
    InventoryDue(seq=16, at_ms=AT_MS, clock_trusted=True, why="override", keys_present=6),
    VehicleNoticed(
        seq=17, at_ms=AT_MS, clock_trusted=True, vehicle="car-1", sign=VehicleSign.LOW_ENERGY, active=True,
        reading=READING,
    ),
    DeviceLost(seq=18, at_ms=AT_MS, clock_trusted=True, device="locks", why="it does not answer"),
    DeviceBack(seq=19, at_ms=AT_MS, clock_trusted=True, device="locks"),
    FactsNotDurable(seq=20, at_ms=AT_MS, clock_trusted=True, count=7, lost=2),
    ClockTrustChanged(seq=21, at_ms=AT_MS, clock_trusted=False, source="none"),
)  # fmt: skip

_TEXTS = tuple(fact.to_json() for fact in FACTS)

MESSAGES: tuple[Message, ...] = (
    Presence(cabinet=CABINET, online=True, boot_nonce=NONCE, boot_ms=AT_MS, connection=1, version="1"),
    Reported(
        cabinet=CABINET, boot_nonce=NONCE, boot_ms=AT_MS, connection=1, revision=1, at_ms=AT_MS,
        epoch=EPOCH, seq=21, desired_version=AT_MS, desired_high_water=AT_MS, journal_depth=0, clock_trusted=True,
        slots=(
            SlotState(slot=1),
            SlotState(slot=2, key_present=True, door_open=False, key="key-1", identity="read"),
        ),
        devices=(DeviceState(device="locks", online=False, why="no answer", tampered=False, power_failed=False),),
        vehicles=(VehicleState(vehicle="car-1", reading=READING),),
    ),
    FactBatch(
        cabinet=CABINET, epoch=EPOCH, epoch_created_ms=AT_MS, first_seq=1, hash_before=genesis_hash(CABINET, EPOCH),
        facts=_TEXTS, last_hash=chain_hashes(genesis_hash(CABINET, EPOCH), _TEXTS)[-1],
    ),
    TimeRequest(cabinet=CABINET, nonce=NONCE),
    CommandReply(cabinet=CABINET, command="command-1", outcome=ReplyOutcome.REFUSED, reason=Reason.UNSUPPORTED),
    Desired(
        cabinet=CABINET, version=AT_MS, boot_nonce=NONCE,
        badges=(BadgeEntry(ref="badge-1", digest="d" * 43),),
        keys=(KeyEntry(key="key-1", vehicle="car-1", tag_digests=("t" * 43,), home_slot=2),),
        grants=(
            Grant(
                grant="grant-1", order="booking", badges=("badge-1",), pools=("pool-1",),
                key="key-1", category="city", start_ms=AT_MS, take_by_ms=AT_MS + 1, end_ms=AT_MS + 2,
            ),
        ),
        pools=(Pool(pool="pool-1", badges=("badge-1",)),),
        revoked=("badge-2",), blocked=("key-2",), settings=StationSettings(uncertain_clock="earliest_with_pin"),
    ),
    Acknowledged(cabinet=CABINET, ledger=NONCE, epoch=EPOCH, seq=13, hash=HASH),
    Command(
        cabinet=CABINET, command="command-1", counter=AT_MS, action="release_slot", slot=2,
        issued_ms=AT_MS, expires_ms=AT_MS + 1,
    ),
    TimeReply(cabinet=CABINET, nonce=NONCE, at_ms=AT_MS),
    DispatcherPresence(dispatcher="centre", online=True, version="1"),
)  # fmt: skip
