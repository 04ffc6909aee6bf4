"""What a language has to say at the operators' desk: of shift notes, and of a caller."""

from collections.abc import Mapping
from dataclasses import dataclass

from contract.reasons import Reason as StationReason
from dispatcher.pages.views.told import Phrase, Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskWords:
    # --- shift notes
    notes: str
    no_notes: str
    note_about: str
    note_done_by: str
    mark_done: str
    new_note: str
    note_help: str
    note_station: str
    no_station: str
    leave_note: str

    # --- who is on the phone
    caller: str
    find_caller: str
    find_help: str
    find: str
    at_station: str
    nobody_there: str
    standings: Mapping[str, str]
    badge_states: Mapping[str, str]
    no_badge: str
    no_phone: str
    no_booking: str
    other_bookings: str
    key: str
    key_in_slot: str
    cabinet: str

    # --- what the cabinet told
    told: str
    nothing_told: str
    phrases: Mapping[Phrase, str]
    inputs: Mapping[str, str]
    signals: Mapping[Signal, str]
    station_reasons: Mapping[StationReason, str]
    reader_showed: str
    why: str
    again: str
    callers: str
    no_car: str

    # --- what is done for the caller
    check: str
    identity_checked: str
    why_help: str
    release: str
    release_help: str
    code: str
    code_help: str
    make_code: str
    other_car: str
    no_other_car: str
    give_this: str
    metres: str
    here: str
    call_back: str
    call_back_help: str
