"""Every kind of incident in one table: how urgent it is, what finds it, what the system and what a person can do.

Longer than other files for that table: whoever adds a kind sees those that are near to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from dispatcher.core.windows import DAY_MS, HOUR_MS

Severity = Literal["info", "warning", "urgent"]

REOPENED_WITHIN_MS = (
    HOUR_MS  # what comes back within an hour of its end was not mended: a loose cable, a bad uplink
)


class IncidentKind(StrEnum):
    KEY_OUT_WITHOUT_RIGHT = "key_out_without_right"
    UNIDENTIFIED_KEY_OUT = "unidentified_key_out"
    WRONG_KEY_TAKEN = "wrong_key_taken"
    KEY_IN_WRONG_SLOT = "key_in_wrong_slot"
    KEY_AT_WRONG_STATION = "key_at_wrong_station"
    KEY_MISSING = "key_missing"
    KEY_OVERDUE = "key_overdue"
    SERVICE_ORDER_OVERDUE = "service_order_overdue"
    BOOKING_BLOCKED = "booking_blocked"
    BOOKING_ACTIVE_KEY_IN_SLOT = "booking_active_key_in_slot"
    KEY_PROBABLY_IN_CAR = "key_probably_in_car"
    SLOT_OPENED_NOTHING_TAKEN = "slot_opened_nothing_taken"
    CABINET_SILENT = "cabinet_silent"
    CABINETS_SILENT_STORM = "cabinets_silent_storm"
    CABINET_CLOCK_NOT_TRUSTED = "cabinet_clock_not_trusted"
    DESIRED_NOT_TAKEN = "desired_not_taken"
    FACTS_MISSING = "facts_missing"
    DEVICE_LOST = "device_lost"
    READER_TAMPERED = "reader_tampered"
    READER_REPLACED = "reader_replaced"
    MAINS_LOST = "mains_lost"
    BATTERY_LOW = "battery_low"
    CABINET_TAMPERED = "cabinet_tampered"
    CABINET_OVERRIDE = "cabinet_override"
    INVENTORY_DUE = "inventory_due"
    LOCK_STUCK = "lock_stuck"
    DOOR_LEFT_OPEN = "door_left_open"
    CABINET_NEARLY_FULL = "cabinet_nearly_full"
    SLOT_OPENED_WITHOUT_DECISION = "slot_opened_without_decision"
    BADGE_AT_TWO_STATIONS = "badge_at_two_stations"
    PIN_GUESSING = "pin_guessing"
    VEHICLE_HANDED_BACK = "vehicle_handed_back"
    RETURN_DOUBTFUL = "return_doubtful"
    VEHICLE_DOORS_OPEN = "vehicle_doors_open"
    VEHICLE_NOT_PLUGGED_IN = "vehicle_not_plugged_in"
    VEHICLE_LOW_VOLTAGE = "vehicle_low_voltage"
    VEHICLE_LOW_ENERGY = "vehicle_low_energy"
    VEHICLE_NOT_READY = "vehicle_not_ready"
    VEHICLE_SILENT = "vehicle_silent"
    CAR_OUTSIDE_BAY = "car_outside_bay"
    ODOMETER_WITHOUT_RENTAL = "odometer_without_rental"
    JOURNAL_NOT_DURABLE = "journal_not_durable"
    FACTS_CONFLICT = "facts_conflict"
    FACT_UNREADABLE = "fact_unreadable"
    ROW_WITHOUT_ORIGIN = "row_without_origin"


class IncidentReason(StrEnum):
    """Why an incident is not closed by hand: `reason` in the API."""

    ALREADY_CLOSED = "incident_closed"
    ENDS_BY_ITSELF = "incident_ends_by_itself"  # what it names is seen to be over, or still shows


class Found(StrEnum):
    """What says that an incident should be open."""

    BY_STATE = "by_state"  # the reconciler, from the picture as it is; computed again at any time
    BY_FACT = "by_fact"  # one fact or report opens it, another closes it
    BY_RIGHTS = "by_rights"  # found where rights are computed; closed there once its row is gone or good


@dataclass(frozen=True, slots=True)
class KindRule:
    severity: Severity
    found: Found
    advice: str
    """What a person can do."""
    lasts_ms: int | None = None
    """It closes by itself when nothing more was heard of it for this long; None: something has to close it."""
    by_itself: str = field(kw_only=True)
    """What the system does without anybody, and when it closes."""
    by_hand: bool = field(default=False, kw_only=True)
    """Whether an operator may say that it is over, since no sensor can. Of those alone that a fact opens: what the
    picture shows would be opened again by the next look at it."""


KINDS: Mapping[IncidentKind, KindRule] = MappingProxyType(
    {
        IncidentKind.KEY_OUT_WITHOUT_RIGHT: KindRule(
            "urgent",
            Found.BY_STATE,
            "Call who was there last; if nobody has the key, treat it as stolen.",
            by_itself="No booking that begins now gets the vehicle; closes when the key hangs in a slot again.",
        ),
        IncidentKind.UNIDENTIFIED_KEY_OUT: KindRule(
            "urgent",
            Found.BY_FACT,
            "Look at the cabinet: a key that nothing had read left without a right.",
            by_itself="Waits for a key to come into that slot, or another of the cabinet: that closes it.",
            by_hand=True,
        ),
        IncidentKind.WRONG_KEY_TAKEN: KindRule(
            "urgent",
            Found.BY_STATE,
            "Call the member: the key in hand belongs to another vehicle.",
            by_itself=(
                "Keeps the booking running on the vehicle that was booked; closes when the key hangs in a "
                "slot again."
            ),
        ),
        IncidentKind.KEY_IN_WRONG_SLOT: KindRule(
            "info",
            Found.BY_STATE,
            "Hang the key into its own slot at the next visit; it works where it is.",
            by_itself=(
                "The box has noted where the key hangs, and opens that slot for whoever has the vehicle next."
            ),
        ),
        IncidentKind.KEY_AT_WRONG_STATION: KindRule(
            "warning",
            Found.BY_STATE,
            "See who has booked the vehicle next, and have it driven home.",
            by_itself=(
                "No booking that begins now gets the vehicle; closes when the key is taken, or hangs at home."
            ),
        ),
        IncidentKind.KEY_MISSING: KindRule(
            "urgent",
            Found.BY_STATE,
            "Look for the key: its slot is empty and no fact says who took it.",
            by_itself="Closes when a fact or a tag that is read says where the key is.",
        ),
        IncidentKind.KEY_OVERDUE: KindRule(
            "warning",
            Found.BY_STATE,
            "Call the member, and see whose booking of this vehicle comes next.",
            by_itself="Waits for the return, which needs no right and always works; closes with it.",
        ),
        IncidentKind.SERVICE_ORDER_OVERDUE: KindRule(
            "warning",
            Found.BY_STATE,
            "Ask who has the key (custody says who) whether it takes longer; move the end.",
            by_itself="Waits for the return, or a later end of the order; closes with either.",
        ),
        IncidentKind.BOOKING_BLOCKED: KindRule(
            "warning",
            Found.BY_STATE,
            "Give the booking another vehicle or cancel it with its member; end the block if the vehicle is fit.",
            by_itself=(
                "The box does not hand out the vehicle's key under it; closes when it is planned anew or over, "
                "or the block ends."
            ),
        ),
        IncidentKind.BOOKING_ACTIVE_KEY_IN_SLOT: KindRule(
            "warning",
            Found.BY_STATE,
            (
                "Look whether that key hangs there (its tag was not read); if so, have it read at the "
                "return reader, or shown to you."
            ),
            by_itself=(
                "Believes a tag that is read, and no key that is only presumed; closes when the booking "
                "ends, or the key is seen elsewhere."
            ),
        ),
        IncidentKind.KEY_PROBABLY_IN_CAR: KindRule(
            "warning",
            Found.BY_FACT,
            "Call the member: a slot was opened for the key and shut empty. Most find it in the car.",
            by_itself="The badge opens a slot again, as often as it asks; closes when the key hangs in a slot.",
        ),
        IncidentKind.SLOT_OPENED_NOTHING_TAKEN: KindRule(
            "info",
            Found.BY_FACT,
            "Nothing, unless the member calls: then see whether the key can be taken off its hook.",
            HOUR_MS,
            by_itself=(
                "Keeps the right as it was, so the badge opens it again; closes when the key is taken "
                "there, or after an hour."
            ),
            by_hand=True,
        ),
        IncidentKind.CABINET_SILENT: KindRule(
            "urgent",
            Found.BY_STATE,
            "Check power and uplink; members with a right on the box still get keys.",
            by_itself="Asks it for a word every 30 s, and decides no no-show there; closes with the first word.",
        ),
        IncidentKind.CABINETS_SILENT_STORM: KindRule(
            "urgent",
            Found.BY_STATE,
            (
                "Look for what they share: provider, broker, power. Members with a right on their box "
                "still get keys."
            ),
            by_itself=(
                "Opens no incident for each; asks all of them every 30 s. Closes when a few are left, "
                "which get their own then."
            ),
        ),
        IncidentKind.CABINET_CLOCK_NOT_TRUSTED: KindRule(
            "urgent",
            Found.BY_STATE,
            "Check the box's clock and time service: until then it hands out few keys.",
            by_itself=(
                "The box asks for the time every second, and is answered; closes when somebody vouches "
                "for its clock."
            ),
        ),
        IncidentKind.DESIRED_NOT_TAKEN: KindRule(
            "urgent",
            Found.BY_STATE,
            "Restart the box; new bookings do not reach it, cancelled ones still open.",
            by_itself="Tells it again every 10 s; closes when the box says that it holds the version told.",
        ),
        IncidentKind.FACTS_MISSING: KindRule(
            "urgent",
            Found.BY_STATE,
            (
                "Find out what its facts are lost on; until they come, no no-show and no overdue key is "
                "declared there."
            ),
            by_itself=(
                "Says with each batch from where on facts are missing, and the box sends them again; "
                "closes when they are here."
            ),
        ),
        IncidentKind.DEVICE_LOST: KindRule(
            "urgent",
            Found.BY_FACT,
            "Check the device's power and cable in the cabinet.",
            by_itself=(
                "The box opens the line again, and asks for the device, within 10 s each; closes when it answers."
            ),
        ),
        IncidentKind.READER_TAMPERED: KindRule(
            "urgent",
            Found.BY_FACT,
            "Look at the reader: its housing was opened or it was taken off the wall.",
            by_itself=(
                "Nothing is switched off: the reader still takes badges; closes when it says that it is shut."
            ),
        ),
        IncidentKind.READER_REPLACED: KindRule(
            "urgent",
            Found.BY_FACT,
            "Look at the reader: another one answers in its place. Pair it only if you know who put it there.",
            by_itself=(
                "The box takes no badge from it, and tries the key of this place every few seconds; "
                "closes when that is proved."
            ),
        ),
        IncidentKind.MAINS_LOST: KindRule(
            "warning",
            Found.BY_FACT,
            "Find out how long the supply is away: the battery lasts some hours.",
            by_itself="The cabinet runs on its battery, all works as ever; closes when the supply is back.",
        ),
        IncidentKind.BATTERY_LOW: KindRule(
            "urgent",
            Found.BY_FACT,
            "Bring power to the cabinet now: without it no slot opens, for nobody.",
            by_itself=(
                "Works on until the battery is empty; locks then stay shut. Closes when the battery is charged."
            ),
        ),
        IncidentKind.CABINET_TAMPERED: KindRule(
            "urgent",
            Found.BY_FACT,
            "Send somebody: the housing is open, its electronics are within reach.",
            by_itself="Works on; closes when the housing is shut.",
        ),
        IncidentKind.CABINET_OVERRIDE: KindRule(
            "urgent",
            Found.BY_FACT,
            "Ask who has the mechanical key: every slot of the cabinet is open.",
            by_itself=(
                "Notes every key that goes meanwhile; closes when the override is over, and an inventory "
                "is due then."
            ),
        ),
        IncidentKind.INVENTORY_DUE: KindRule(
            "warning",
            Found.BY_FACT,
            "Count the keys and compare their tags: the cabinet was opened with the mechanical key.",
            7 * DAY_MS,
            by_itself=(
                "Takes what had been read there for presumed until tags are read again; closes after seven days."
            ),
            by_hand=True,
        ),
        IncidentKind.LOCK_STUCK: KindRule(
            "urgent",
            Found.BY_FACT,
            "Help the member to another vehicle; have the lock of this slot repaired.",
            by_itself=(
                "The box lit another slot where the grant allows it; closes when this slot opens, or its key moves."
            ),
        ),
        IncidentKind.DOOR_LEFT_OPEN: KindRule(
            "urgent",
            Found.BY_STATE,
            "Have somebody shut it: whoever passes can take the key that hangs there.",
            by_itself="Notes every key that goes, and lights shut slots first for returns; closes when it is shut.",
        ),
        IncidentKind.CABINET_NEARLY_FULL: KindRule(
            "warning",
            Found.BY_STATE,
            "Take a key home that lives elsewhere, before one that lives here finds no slot.",
            by_itself=(
                "Still opens the slots that are free, for whoever comes first; closes when one is to spare again."
            ),
        ),
        IncidentKind.SLOT_OPENED_WITHOUT_DECISION: KindRule(
            "urgent",
            Found.BY_FACT,
            "Count the keys there: the slot was forced, opened by hand or by itself.",
            by_itself="Notes whether the key went; closes when the slot is shut.",
        ),
        IncidentKind.BADGE_AT_TWO_STATIONS: KindRule(
            "urgent",
            Found.BY_FACT,
            "Call the member: if one of the two was somebody else, revoke the badge.",
            DAY_MS,
            by_itself="Nothing is refused for it; closes after a day without another such sight.",
            by_hand=True,
        ),
        IncidentKind.PIN_GUESSING: KindRule(
            "urgent",
            Found.BY_FACT,
            "Somebody tries PINs there: look at this cabinet's refusals, and revoke badges that are not in hand.",
            HOUR_MS,
            by_itself=(
                "The cabinet answers PINs slowly, and blocks each badge that had too many wrong; closes "
                "after an hour."
            ),
            by_hand=True,
        ),
        IncidentKind.VEHICLE_HANDED_BACK: KindRule(
            "info",
            Found.BY_FACT,
            "Look at the vehicle, or ask the member: it was brought back at once, unused.",
            by_itself="The member keeps the right to the end of the booking; closes when the key is taken again.",
            by_hand=True,
        ),
        IncidentKind.RETURN_DOUBTFUL: KindRule(
            "urgent",
            Found.BY_FACT,
            "Look where the vehicle is and what hangs in its slot: it drove though all its keys hang at home.",
            by_itself="Nothing is refused for it; closes when the key is taken again.",
            by_hand=True,
        ),
        IncidentKind.VEHICLE_DOORS_OPEN: KindRule(
            "warning",
            Found.BY_FACT,
            "Ask who brought it back, or somebody nearby, to shut the vehicle.",
            by_itself="Closes when the vehicle says that it is shut, or when its key is taken.",
        ),
        IncidentKind.VEHICLE_NOT_PLUGGED_IN: KindRule(
            "warning",
            Found.BY_FACT,
            "Ask who brought it back to plug it in, if the next member needs the range.",
            by_itself="Closes when a cable is in, or when its key is taken.",
        ),
        IncidentKind.VEHICLE_LOW_VOLTAGE: KindRule(
            "warning",
            Found.BY_FACT,
            "Have the 12 V battery charged or replaced: the next start may fail.",
            by_itself="Closes when it has 300 mV more than the limit at rest.",
        ),
        IncidentKind.VEHICLE_LOW_ENERGY: KindRule(
            "info",
            Found.BY_FACT,
            "See whether its next booking needs more than it has; have it charged or filled.",
            by_itself="Closes when it has some percent more than the limit.",
        ),
        IncidentKind.VEHICLE_NOT_READY: KindRule(
            "warning",
            Found.BY_STATE,
            "Have it charged or filled before the booking begins, or offer the member another vehicle.",
            by_itself="Keeps the booking; closes when it charges, has enough, or the booking has begun or gone.",
        ),
        IncidentKind.VEHICLE_SILENT: KindRule(
            "warning",
            Found.BY_STATE,
            "Look whether the tracker has power: start with vehicles that have just been in a workshop.",
            by_itself=(
                "Keys go in and out as ever, without odometer, energy and bay; closes with the first "
                "word of the tracker."
            ),
        ),
        IncidentKind.CAR_OUTSIDE_BAY: KindRule(
            "warning",
            Found.BY_FACT,
            "Tell the next driver where it stands (the vehicle shows it until its key is taken), or have it moved.",
            by_itself="Shows where it stands to whoever drives it next; closes when its key is taken.",
        ),
        IncidentKind.ODOMETER_WITHOUT_RENTAL: KindRule(
            "warning",
            Found.BY_FACT,
            "Find out who drove it: ask the workshop, look for a spare key, and compare with `return_doubtful`.",
            7 * DAY_MS,
            by_itself="Counts the kilometres for no rental; closes after seven days.",
            by_hand=True,
        ),
        IncidentKind.JOURNAL_NOT_DURABLE: KindRule(
            "warning",
            Found.BY_FACT,
            "Replace the box's card soon: for a while it could not be written.",
            by_itself=(
                "While it could not write, the box opened for grants only, once each; it is over when this is told."
            ),
        ),
        IncidentKind.FACTS_CONFLICT: KindRule(
            "urgent",
            Found.BY_FACT,
            "Find out whether the box was restored from a copy, or was cloned.",
            by_itself="The box begins a new epoch and tells on from there; that closes it.",
        ),
        IncidentKind.FACT_UNREADABLE: KindRule(
            "warning",
            Found.BY_FACT,
            "Give the fact at this number to the developers: the ledger holds its text.",
            by_itself=(
                "Keeps the text in the ledger and goes on with the next fact; closes when the box starts again."
            ),
            by_hand=True,
        ),
        IncidentKind.ROW_WITHOUT_ORIGIN: KindRule(
            "urgent",
            Found.BY_RIGHTS,
            "Find out who writes to the database; cancel the booking, or import the row from your own records.",
            by_itself="Makes no right of the row; closes when it is gone, over, or written by this program.",
        ),
    }
)


def runbook(kind: IncidentKind) -> str:
    """The page for whoever is called because of it, below `docs/`."""
    return f"runbooks/{kind}.md"


def check_closing(kind: IncidentKind, *, is_open: bool) -> IncidentReason | None:
    """Whether an operator may close an incident of this kind."""
    if not KINDS[kind].by_hand:
        return IncidentReason.ENDS_BY_ITSELF
    return None if is_open else IncidentReason.ALREADY_CLOSED


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """What should be and what is. `kind` and `subject` together are its identity while it lasts."""

    kind: IncidentKind
    subject: str
    expected: str
    seen: str
    cabinet_id: str | None = None
    vehicle_id: str | None = None
    booking_id: str | None = None
