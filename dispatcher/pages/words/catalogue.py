"""What a language has to say. Each field is one phrase; the type checker sees to it that no language lacks one."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from dispatcher.api.problems import Reason
from dispatcher.core.blocks import BlockKind
from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import IncidentKind, Severity
from dispatcher.core.orders import Purpose
from dispatcher.pages.views.calendar import BarKind
from dispatcher.pages.views.network import Heard
from dispatcher.pages.views.slots import Shown
from dispatcher.pages.words.desk import DeskWords
from dispatcher.store.grant_status import GrantStatus
from dispatcher.store.incident_history import Happened


class Language(StrEnum):
    FR = "fr"
    EN = "en"


@dataclass(frozen=True, slots=True)
class KindWords:
    """One kind of incident."""

    name: str
    by_itself: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    # --- the frame of every page
    product: str
    skip_to_content: str
    board: str
    incidents: str
    sign_out: str
    preferences: str
    language_names: Mapping[Language, str]
    themes: Mapping[str, str]
    live_connecting: str
    no_script: str
    as_seen_at: str

    # --- signing in
    sign_in: str
    sign_in_help: str
    token: str

    # --- what is refused
    refused: str
    back_to_board: str
    reasons: Mapping[Reason, str]

    # --- times
    weekdays: tuple[str, ...]
    months: tuple[str, ...]
    day: str
    under_a_minute: str
    minutes: str
    hours: str
    days: str
    ago: str
    ahead: str

    # --- incidents
    kinds: Mapping[IncidentKind, KindWords]
    severities: Mapping[Severity, str]
    severity_counts: Mapping[Severity, str]
    all_well: str
    more_open: str
    since: str
    where: str
    whole_network: str
    unknown_place: str
    slot: str
    for_whom: str
    nobody_soon: str
    its_booking: str
    next_booking: str
    one_more_booking: str
    more_bookings: str
    by_itself: str
    what_to_do: str
    expected: str
    seen: str
    details: str
    came_back: str
    acknowledged_by: str
    not_acknowledged: str
    assigned_to: str
    unassigned: str
    acknowledge: str
    assign_to_me: str
    open_incident: str
    open_now: str
    closed_before: str
    older: str
    newest: str
    closed_at: str
    history: str
    happened: Mapping[Happened, str]
    by_program: str
    comment: str
    comment_help: str
    send: str
    assignee: str
    assign: str
    opened: str
    updated: str
    booking_states: Mapping[BookingState, str]
    close_incident: str
    close_help: str
    manual: str
    no_manual: str

    # --- the desk
    desk: DeskWords

    # --- stations and slots
    stations: str
    network_map: str
    map_help: str
    legend: str
    shown: Mapping[Shown, str]
    heard: Mapping[Heard, str]
    clock_doubtful: str
    free_cars: str
    no_cars: str
    free_slots: str
    back_at: str
    late_since: str
    blocked: str
    door_open: str
    keys_in: str
    no_cabinet: str
    with_problems: str

    # --- one station
    nothing_wrong_here: str
    agent_version: str
    journal_waiting: str
    rights_current: str
    rights_late: str
    device_ok: str
    device_lost: str
    device_tampered: str
    release_slot: str
    slot_label: str
    reason: str
    reason_help: str
    release: str
    keys_moved: str
    moved: Mapping[str, str]
    unknown_vehicle: str
    by_command: str
    nothing_moved: str

    # --- who has what when
    calendar: str
    calendar_help: str
    as_list: str
    bar_kinds: Mapping[BarKind, str]
    block_kinds: Mapping[BlockKind, str]
    end_unknown: str
    late: str
    until: str

    # --- one vehicle
    home_station: str
    energies: Mapping[str, str]
    keys_and_signals: str
    key_number: str
    key_places: Mapping[str, str]
    heard_of: str
    never: str
    not_said: str
    yes: str
    no: str
    energy: str
    charging: str
    plugged_in: str
    doors_open: str
    low_voltage: str
    odometer: str
    left_outside: str
    coming: str
    nobody_coming: str
    new_block: str
    block_kind: str
    block_note: str
    block_help: str
    lay_block: str
    end_block: str

    # --- one booking
    purposes: Mapping[Purpose, str]
    state: str
    window: str
    original_start: str
    member: str
    right: str
    grants: Mapping[GrantStatus, str]
    take_by: str
    taken: str
    returned: str
    hold_until: str
    ended: str
    booking_events: Mapping[str, str]
    late_by: str
    release_key: str
    extend: str
    new_end: str
    cancel: str
    cancel_help: str
    replace: str
    category: str
    complete: str
    key_held_by: str

    # --- what scripts say
    script: Mapping[str, str]
