"""Every kind of incident in one table: how urgent it is, what finds it, and what a person can do."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from dispatcher.core.windows import DAY_MS, HOUR_MS

Severity = Literal["info", "warning", "urgent"]


class IncidentKind(StrEnum):
    KEY_OUT_WITHOUT_RIGHT = "key_out_without_right"
    UNIDENTIFIED_KEY_OUT = "unidentified_key_out"
    WRONG_KEY_TAKEN = "wrong_key_taken"
    KEY_IN_WRONG_SLOT = "key_in_wrong_slot"
    KEY_AT_WRONG_STATION = "key_at_wrong_station"
    KEY_MISSING = "key_missing"
    KEY_OVERDUE = "key_overdue"
    CABINET_SILENT = "cabinet_silent"
    CABINET_CLOCK_NOT_TRUSTED = "cabinet_clock_not_trusted"
    DESIRED_NOT_TAKEN = "desired_not_taken"
    DEVICE_LOST = "device_lost"
    READER_TAMPERED = "reader_tampered"
    MAINS_LOST = "mains_lost"
    BATTERY_LOW = "battery_low"
    CABINET_TAMPERED = "cabinet_tampered"
    CABINET_OVERRIDE = "cabinet_override"
    INVENTORY_DUE = "inventory_due"
    LOCK_STUCK = "lock_stuck"
    SLOT_OPENED_WITHOUT_DECISION = "slot_opened_without_decision"
    BADGE_AT_TWO_STATIONS = "badge_at_two_stations"
    PIN_GUESSING = "pin_guessing"
    VEHICLE_HANDED_BACK = "vehicle_handed_back"
    RETURN_DOUBTFUL = "return_doubtful"
    VEHICLE_DOORS_OPEN = "vehicle_doors_open"
    VEHICLE_NOT_PLUGGED_IN = "vehicle_not_plugged_in"
    VEHICLE_LOW_VOLTAGE = "vehicle_low_voltage"
    VEHICLE_LOW_ENERGY = "vehicle_low_energy"
    CAR_OUTSIDE_BAY = "car_outside_bay"
    JOURNAL_NOT_DURABLE = "journal_not_durable"
    FACTS_CONFLICT = "facts_conflict"
    FACT_UNREADABLE = "fact_unreadable"
    ROW_WITHOUT_ORIGIN = "row_without_origin"


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


KINDS: Mapping[IncidentKind, KindRule] = MappingProxyType(
    {
        IncidentKind.KEY_OUT_WITHOUT_RIGHT: KindRule(
            "urgent", Found.BY_STATE, "Call who was there last; if nobody has the key, treat it as stolen."
        ),
        IncidentKind.UNIDENTIFIED_KEY_OUT: KindRule(
            "urgent", Found.BY_FACT, "Look at the cabinet: a key that nothing had read left without a right."
        ),
        IncidentKind.WRONG_KEY_TAKEN: KindRule(
            "urgent", Found.BY_STATE, "Call the member: the key in hand belongs to another vehicle."
        ),
        IncidentKind.KEY_IN_WRONG_SLOT: KindRule(
            "info", Found.BY_STATE, "Hang the key into its own slot at the next visit; it works where it is."
        ),
        IncidentKind.KEY_AT_WRONG_STATION: KindRule(
            "warning", Found.BY_STATE, "See who has booked the vehicle next, and have it driven home."
        ),
        IncidentKind.KEY_MISSING: KindRule(
            "urgent", Found.BY_STATE, "Look for the key: its slot is empty and no fact says who took it."
        ),
        IncidentKind.KEY_OVERDUE: KindRule(
            "warning", Found.BY_STATE, "Call the member, and see whose booking of this vehicle comes next."
        ),
        IncidentKind.CABINET_SILENT: KindRule(
            "urgent", Found.BY_STATE, "Check power and uplink; members with a right on the box still get keys."
        ),
        IncidentKind.CABINET_CLOCK_NOT_TRUSTED: KindRule(
            "urgent", Found.BY_STATE, "Check the box's clock and time service: until then it hands out few keys."
        ),
        IncidentKind.DESIRED_NOT_TAKEN: KindRule(
            "urgent", Found.BY_STATE, "Restart the box; new bookings do not reach it, cancelled ones still open."
        ),
        IncidentKind.DEVICE_LOST: KindRule(
            "urgent", Found.BY_FACT, "Check the device's power and cable in the cabinet."
        ),
        IncidentKind.READER_TAMPERED: KindRule(
            "urgent", Found.BY_FACT, "Look at the reader: its housing was opened or it was taken off the wall."
        ),
        IncidentKind.MAINS_LOST: KindRule(
            "warning", Found.BY_FACT, "Find out how long the supply is away: the battery lasts some hours."
        ),
        IncidentKind.BATTERY_LOW: KindRule(
            "urgent", Found.BY_FACT, "Bring power to the cabinet now: without it no slot opens, for nobody."
        ),
        IncidentKind.CABINET_TAMPERED: KindRule(
            "urgent", Found.BY_FACT, "Send somebody: the housing is open, its electronics are within reach."
        ),
        IncidentKind.CABINET_OVERRIDE: KindRule(
            "urgent", Found.BY_FACT, "Ask who has the mechanical key: every slot of the cabinet is open."
        ),
        IncidentKind.INVENTORY_DUE: KindRule(
            "warning",
            Found.BY_FACT,
            "Count the keys and compare their tags: the cabinet was opened with the mechanical key.",
            7 * DAY_MS,
        ),
        IncidentKind.LOCK_STUCK: KindRule(
            "urgent", Found.BY_FACT, "Help the member to another vehicle; have the lock of this slot repaired."
        ),
        IncidentKind.SLOT_OPENED_WITHOUT_DECISION: KindRule(
            "urgent", Found.BY_FACT, "Count the keys there: the slot was forced, opened by hand or by itself."
        ),
        IncidentKind.BADGE_AT_TWO_STATIONS: KindRule(
            "urgent",
            Found.BY_FACT,
            "Call the member: if one of the two was somebody else, revoke the badge.",
            DAY_MS,
        ),
        IncidentKind.PIN_GUESSING: KindRule(
            "urgent",
            Found.BY_FACT,
            "Somebody tries PINs there: look at this cabinet's refusals, and revoke badges that are not in hand.",
            HOUR_MS,
        ),
        IncidentKind.VEHICLE_HANDED_BACK: KindRule(
            "info", Found.BY_FACT, "Look at the vehicle, or ask the member: it was brought back at once, unused."
        ),
        IncidentKind.RETURN_DOUBTFUL: KindRule(
            "urgent",
            Found.BY_FACT,
            "Look where the vehicle is and what hangs in its slot: it drove though all its keys hang at home.",
        ),
        IncidentKind.VEHICLE_DOORS_OPEN: KindRule(
            "warning", Found.BY_FACT, "Ask who brought it back, or somebody nearby, to shut the vehicle."
        ),
        IncidentKind.VEHICLE_NOT_PLUGGED_IN: KindRule(
            "warning", Found.BY_FACT, "Ask who brought it back to plug it in, if the next member needs the range."
        ),
        IncidentKind.VEHICLE_LOW_VOLTAGE: KindRule(
            "warning", Found.BY_FACT, "Have the 12 V battery charged or replaced: the next start may fail."
        ),
        IncidentKind.VEHICLE_LOW_ENERGY: KindRule(
            "info", Found.BY_FACT, "See whether its next booking needs more than it has; have it charged or filled."
        ),
        IncidentKind.CAR_OUTSIDE_BAY: KindRule(
            "warning",
            Found.BY_FACT,
            "Tell the next driver where it stands (the vehicle shows it until its key is taken), or have it moved.",
        ),
        IncidentKind.JOURNAL_NOT_DURABLE: KindRule(
            "warning", Found.BY_FACT, "Replace the box's card soon: for a while it could not be written."
        ),
        IncidentKind.FACTS_CONFLICT: KindRule(
            "urgent", Found.BY_FACT, "Find out whether the box was restored from a copy, or was cloned."
        ),
        IncidentKind.FACT_UNREADABLE: KindRule(
            "warning", Found.BY_FACT, "Give the fact at this number to the developers: the ledger holds its text."
        ),
        IncidentKind.ROW_WITHOUT_ORIGIN: KindRule(
            "urgent",
            Found.BY_RIGHTS,
            "Find out who writes to the database; cancel the booking, or import the row from your own records.",
        ),
    }
)


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
