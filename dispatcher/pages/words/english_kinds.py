"""Incidents in English: what each kind is called. What to do stands in the table of kinds itself."""

from collections.abc import Mapping
from types import MappingProxyType

from dispatcher.core.incidents import KINDS, IncidentKind
from dispatcher.pages.words.catalogue import KindWords

_K = IncidentKind

_NAMES: Mapping[IncidentKind, str] = {
    _K.KEY_OUT_WITHOUT_RIGHT: "Key out without a right",
    _K.UNIDENTIFIED_KEY_OUT: "Unidentified key out",
    _K.WRONG_KEY_TAKEN: "Wrong key taken",
    _K.KEY_IN_WRONG_SLOT: "Key in the wrong slot",
    _K.KEY_AT_WRONG_STATION: "Key at the wrong station",
    _K.KEY_MISSING: "Key missing",
    _K.KEY_OVERDUE: "Key overdue",
    _K.SERVICE_ORDER_OVERDUE: "Service order overdue",
    _K.BOOKING_BLOCKED: "Booking of a blocked vehicle",
    _K.BOOKING_ACTIVE_KEY_IN_SLOT: "Rental running, key in its slot",
    _K.KEY_PROBABLY_IN_CAR: "Key probably left in the car",
    _K.SLOT_OPENED_NOTHING_TAKEN: "Slot opened, nothing taken",
    _K.CABINET_SILENT: "Cabinet silent",
    _K.CABINETS_SILENT_STORM: "Many cabinets silent at once",
    _K.CABINET_CLOCK_NOT_TRUSTED: "Cabinet's clock not trusted",
    _K.DESIRED_NOT_TAKEN: "Cabinet lacks the latest rights",
    _K.FACTS_MISSING: "Facts missing in a cabinet's sequence",
    _K.DEVICE_LOST: "Device lost",
    _K.READER_TAMPERED: "Reader opened or torn off",
    _K.READER_REPLACED: "Reader replaced",
    _K.MAINS_LOST: "Mains lost",
    _K.BATTERY_LOW: "Cabinet's battery low",
    _K.CABINET_TAMPERED: "Cabinet's housing open",
    _K.CABINET_OVERRIDE: "Cabinet opened with the mechanical key",
    _K.INVENTORY_DUE: "Inventory due",
    _K.LOCK_STUCK: "Lock stuck",
    _K.DOOR_LEFT_OPEN: "Slot left open",
    _K.CABINET_NEARLY_FULL: "Cabinet nearly full",
    _K.SLOT_OPENED_WITHOUT_DECISION: "Slot opened without a decision",
    _K.BADGE_AT_TWO_STATIONS: "One badge at two stations",
    _K.PIN_GUESSING: "PINs being guessed",
    _K.VEHICLE_HANDED_BACK: "Vehicle handed back at once",
    _K.RETURN_DOUBTFUL: "Return doubtful",
    _K.VEHICLE_DOORS_OPEN: "Vehicle left open",
    _K.VEHICLE_NOT_PLUGGED_IN: "Vehicle not plugged in",
    _K.VEHICLE_LOW_VOLTAGE: "12 V battery low",
    _K.VEHICLE_LOW_ENERGY: "Vehicle low on energy",
    _K.VEHICLE_NOT_READY: "Too little energy for the next booking",
    _K.VEHICLE_SILENT: "Vehicle silent",
    _K.CAR_OUTSIDE_BAY: "Car outside its bay",
    _K.ODOMETER_WITHOUT_RENTAL: "Kilometres without a rental",
    _K.JOURNAL_NOT_DURABLE: "Journal not durable",
    _K.FACTS_CONFLICT: "Facts contradict each other",
    _K.FACT_UNREADABLE: "Fact unreadable",
    _K.ROW_WITHOUT_ORIGIN: "Record without origin",
}

ENGLISH_KINDS: Mapping[IncidentKind, KindWords] = MappingProxyType(
    {kind: KindWords(_NAMES[kind], rule.by_itself, rule.advice) for kind, rule in KINDS.items()}
)
