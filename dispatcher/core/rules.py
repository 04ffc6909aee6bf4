"""The fleet's rules, and what they say of a booking that somebody wants. A refusal is a value."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dispatcher.core.booking_states import (
    FINAL_STATES,
    REFUSALS,
    BookingEvent,
    BookingState,
    TransitionRefused,
    advance,
)
from dispatcher.core.windows import DAY_MS, HOUR_MS, MINUTE_MS, Window, utc_text

Category = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Standing = Literal["active", "suspended", "licence_expired"]
Role = Literal["member", "staff", "third_party"]
"""Staff and third parties hold service orders; members and staff book."""


class FleetRules(BaseModel):
    """What one operator decides for the whole fleet."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    booking_grid_min: Annotated[int, Field(ge=1, le=60)] = 15
    """Minutes; every start and end lies on this grid (IXSI BookingGrid). It divides the hour."""
    horizon_days: Annotated[int, Field(ge=1, le=1100)] = 366
    """Days ahead that can be booked (IXSI BookingHorizon). Default: a year, a leap day included."""
    minimum_min: Annotated[int, Field(ge=1, le=1440)] = 60
    """Minutes; the shortest booking. Default: what round-trip operators sell as their smallest unit."""
    opening_allowance_s: Annotated[int, Field(ge=0, le=3600)] = 300
    """Seconds before its start that a booking already opens."""
    take_by_s: Annotated[int, Field(ge=60, le=86_400)] = 1800
    """Seconds after the start by which the key must be taken, never past the end; then a no-show."""
    retake_hold_s: Annotated[int, Field(ge=0, le=7200)] = 600
    """Seconds after a return that the same right opens again, never past the end: a forgotten bag."""
    second_tap_s: Annotated[int, Field(ge=0, le=120)] = 20
    """Seconds after a return within which a second tap completes the booking at once."""
    cabinet_silent_s: Annotated[int, Field(ge=30, le=86_400)] = 300
    """Seconds without a word after which a cabinet counts as silent. Default: several reconnections."""
    grace_s: Annotated[int, Field(ge=0, le=86_400)] = 600
    """Seconds past its end before an active booking becomes an incident."""
    grant_horizon_days: Annotated[int, Field(ge=1, le=31)] = 7
    """Days ahead that bookings are sent to their box (what Convadis sends)."""
    uncertain_clock: Literal["refuse", "earliest_with_pin"] = "earliest_with_pin"
    """What a box does whose clock nobody vouches for: refuse, or hand out a key once per booking, with PIN, where
    the booking is the key's next within 12 hours of the earliest time that it can be."""
    max_offline_age_s: Annotated[int, Field(ge=3600, le=90 * 86_400)] = 7 * 86_400
    """Seconds that a box hands out keys without hearing the dispatcher. Default: as long as its bookings last."""
    pin_digits: Annotated[int, Field(ge=4, le=8)] = 4
    """Digits of every PIN."""
    pin_tries: Annotated[int, Field(ge=1, le=10)] = 3
    """Wrong PINs in a row that block a badge at a cabinet."""
    pin_block_s: Annotated[int, Field(ge=60, le=30 * 86_400)] = 3600
    """Seconds that a badge is blocked then."""
    handed_back_within_s: Annotated[int, Field(ge=0, le=3600)] = 600
    """Seconds from taking a key to bringing it back within which the car counts as not used; the right stays."""
    handed_back_under_m: Annotated[int, Field(ge=0, le=10_000)] = 1000
    """Metres that it may have been driven meanwhile."""
    after_return_s: Annotated[int, Field(ge=60, le=3600)] = 300
    """Seconds after a return from which on open doors and a cable that is not plugged in were forgotten."""
    bay_radius_m: Annotated[int, Field(ge=10, le=10_000)] = 150
    """Metres around a station's coordinates within which its vehicles are at home. Default: bays along a street of
    100 m, and a fix that is wrong by 50 m between houses."""
    low_voltage_mv: Annotated[int, Field(ge=0, le=30_000)] = 12_000
    """Millivolts of a 12 V battery at rest below which it is named. Default: a lead battery that is a quarter full
    and may not start a cold engine. 0: never."""
    low_energy_percent: Annotated[int, Field(ge=0, le=100)] = 10
    """Percent of tank or traction battery below which a vehicle is named. Default: some 30 km of a small electric
    car. 0: never."""

    energy_percent_per_hour: dict[Category, Annotated[int, Field(ge=0, le=100)]] = {}
    """By category, the percent of its energy that an hour of a booking takes. A vehicle that has less than its next
    booking needs is named. Default: nothing is expected of any."""
    energy_lead_min: Annotated[int, Field(ge=0, le=1440)] = 60
    """Minutes before a booking from which its vehicle should have the energy for it. Default: time to charge, or to
    offer the member another one."""
    vehicle_silent_h: Annotated[int, Field(ge=1, le=720)] = 24
    """Hours without a word of its tracker after which a vehicle is named. Default: parked ones speak once an hour,
    and a day in an underground car park is no reason to call anybody."""
    door_open_s: Annotated[int, Field(ge=30, le=3600)] = 180
    """Seconds after which a slot that stands open was left open. Default: a slow person with a bag, twice over."""
    storm_cabinets: Annotated[int, Field(ge=2, le=1000)] = 5
    """More cabinets than these, or than a third of all where that is less, that fall silent together are one
    incident. Default: an uplink's provider or a broker fails for many, a power cut for two or three."""

    swap_offers: bool = True
    """Whether a booking that would find its vehicle not back is offered another one, which is held meanwhile."""
    swap_lead_min: Annotated[int, Field(ge=1, le=1440)] = 60
    """Minutes before a booking from which it is offered another vehicle, where its own is late, elsewhere or
    blocked. Default: time to hear of it, to say yes, and to walk to another station."""
    swap_consent_min: Annotated[int, Field(ge=0, le=120)] = 15
    """Minutes before its start at which an offer ends: whoever is on the way then finds what was planned last."""
    swap_within_m: Annotated[int, Field(ge=0, le=15_000)] = 1500
    """Metres to the farthest station from which a vehicle is offered. Default: twenty minutes on foot."""

    @model_validator(mode="after")
    def _swaps_fit(self) -> Self:
        if self.swap_lead_min <= self.swap_consent_min:
            raise ValueError(
                f"swap_lead_min {self.swap_lead_min}: expected more than swap_consent_min, {self.swap_consent_min}"
            )
        return self

    @model_validator(mode="after")
    def _grid_fits(self) -> Self:
        if 60 % self.booking_grid_min:
            raise ValueError(f"booking_grid_min {self.booking_grid_min}: expected a divisor of 60")
        if self.minimum_min % self.booking_grid_min:
            raise ValueError(
                f"minimum_min {self.minimum_min}: expected a multiple of booking_grid_min {self.booking_grid_min}"
            )
        if self.take_by_s <= self.booking_grid_min * 60:  # the step that is running may still be booked
            raise ValueError(
                f"take_by_s {self.take_by_s}: expected more than {self.booking_grid_min * 60}, the booking grid"
            )
        return self

    def energy_for(self, category: str, length_ms: int) -> int | None:
        """Percent that a booking of this length needs, with what must be left; None: nothing is expected."""
        an_hour = self.energy_percent_per_hour.get(category)
        if an_hour is None:
            return None
        return min(100, self.low_energy_percent + -(-an_hour * length_ms // HOUR_MS))

    @property
    def grid_ms(self) -> int:
        return self.booking_grid_min * MINUTE_MS

    @property
    def minimum_ms(self) -> int:
        return self.minimum_min * MINUTE_MS

    @property
    def horizon_ms(self) -> int:
        return self.horizon_days * DAY_MS


class BookingReason(StrEnum):
    """Why a booking is not made or changed: `reason` in the API, label in the metric."""

    END_NOT_AFTER_START = "end_not_after_start"
    OFF_GRID = "off_grid"
    TOO_SHORT = "too_short"
    NO_EXTENSION = "no_extension"
    IN_THE_PAST = "in_the_past"
    BEYOND_HORIZON = "beyond_horizon"
    SUSPENDED = "suspended"
    LICENCE_EXPIRED = "licence_expired"
    NOT_OF_ORGANISATION = "not_of_organisation"
    UNKNOWN_MEMBER = "unknown_member"
    UNKNOWN_COST_CENTRE = "unknown_cost_centre"
    UNKNOWN_POOL = "unknown_pool"
    THIRD_PARTY = "third_party"  # a firm books nothing, it is given orders
    NOT_STAFF = "not_staff"  # nor is a member given any
    UNKNOWN_VEHICLE = "unknown_vehicle"
    UNKNOWN_STATION = "unknown_station"
    VEHICLE_NOT_FREE = "vehicle_not_free"
    VEHICLE_NOT_IN_SERVICE = "vehicle_not_in_service"
    VEHICLE_BLOCKED = "vehicle_blocked"  # damaged, dirty, ...
    IN_SERVICE_ORDER = "in_service_order"  # at the garage, being cleaned, ...
    VEHICLE_NOT_BACK = "vehicle_not_back"  # its key is out past the end of a booking
    KEY_NOT_PRESENT = "key_not_present"  # the key is missing or elsewhere
    KEY_NOT_IN_SERVICE = "key_not_in_service"  # no key in service in a cabinet in service
    CABINET_UNREACHABLE = "cabinet_unreachable"  # nobody can tell whether the right gets there in time
    NO_SUCH_VEHICLE_HERE = "no_such_vehicle_here"  # the station has none of that category
    CABINET_RETIRED = "cabinet_retired"  # nothing more is told to it
    ROW_WITHOUT_ORIGIN = "row_without_origin"  # somebody wrote it past this program
    KEY_WAS_TAKEN = "key_was_taken"  # start and vehicle are fixed from then on
    TAKE_BY_PASSED = "take_by_passed"
    SLOT_RELEASED = "slot_released"  # under this booking; what came of it is not known yet
    KEY_NOT_TAKEN = "key_not_taken"
    BLOCK_BEGUN = "block_begun"
    BLOCK_ENDED = "block_ended"
    NOT_DURING_ORDER = "not_during_order"  # its key was not out then, or it is yet to come
    SAME_VEHICLE = "same_vehicle"  # as a replacement for itself
    OFFER_OVER = "offer_over"  # accepted, declined, withdrawn, or too late for it
    KEY_STILL_OUT = "key_still_out"
    KEY_ALREADY_BACK = "key_already_back"
    BOOKING_COMPLETED = "booking_completed"
    BOOKING_CANCELLED = "booking_cancelled"
    BOOKING_NO_SHOW = "booking_no_show"


@dataclass(frozen=True, slots=True)
class Refused:
    """Why not, for which field, and what would have been accepted."""

    reason: BookingReason
    field: str
    value: str
    expected: str


@dataclass(frozen=True, slots=True)
class Person:
    """A member as far as the rules ask."""

    member_id: str
    organisation_id: str | None
    standing: Standing
    has_origin: bool = True
    """This program wrote the row that says so."""
    role: Role = "member"


@dataclass(frozen=True, slots=True)
class BookingTimes:
    """A booking as far as a change of it is judged."""

    state: BookingState
    window: Window
    take_by_ms: int
    has_origin: bool = True
    """This program wrote the row that says so."""


def take_by_ms(rules: FleetRules, window: Window) -> int:
    """When the first take must have happened: after it the box refuses."""
    return min(window.start_ms + rules.take_by_s * 1000, window.end_ms)


def hold_until_ms(rules: FleetRules, returned_ms: int, end_ms: int) -> int:
    """Until when the same right opens again after a return. A late return has no hold."""
    return max(returned_ms, min(returned_ms + rules.retake_hold_s * 1000, end_ms))


def check_window(rules: FleetRules, window: Window, now_ms: int) -> Refused | None:
    """Whether a new booking may have this window."""
    return _shape(rules, window) or _start(rules, window, now_ms) or _end(rules, window, now_ms)


def check_people(owner: Person, drivers: tuple[Person, ...], organisation_id: str | None) -> Refused | None:
    """Whether these people may hold a right to a vehicle, on this organisation's account if one is named."""
    for field, person in (("member_id", owner), *(("driver_ids", driver) for driver in drivers)):
        if not person.has_origin:
            expected = "a member whose row this program wrote"
            return Refused(BookingReason.ROW_WITHOUT_ORIGIN, field, person.member_id, expected)
        if person.role == "third_party":
            expected = "a member, or one of the staff"
            return Refused(BookingReason.THIRD_PARTY, field, person.member_id, expected)
        if person.standing != "active":
            reason = BookingReason(person.standing)
            return Refused(reason, field, person.member_id, "a member whose standing is active")
        if organisation_id is not None and person.organisation_id != organisation_id:
            return Refused(
                BookingReason.NOT_OF_ORGANISATION,
                field,
                person.member_id,
                f"a driver of organisation {organisation_id}",
            )
    return None


def check_change(
    rules: FleetRules, booking: BookingTimes, wanted: Window, now_ms: int, *, other_vehicle: bool = False
) -> Refused | None:
    """Whether a booking may get this window, or another vehicle."""
    if booking.state in FINAL_STATES or booking.state is BookingState.RETURNED:
        return _over(booking.state, "a booking whose key has not come back")
    if not booking.has_origin:
        expected = "a booking whose row this program wrote; this one can only be cancelled"
        return Refused(BookingReason.ROW_WITHOUT_ORIGIN, "state", booking.state, expected)
    moved = wanted.start_ms != booking.window.start_ms
    if booking.state is BookingState.ACTIVE and (moved or other_vehicle):
        field, value = ("start", utc_text(wanted.start_ms)) if moved else ("vehicle_id", "another vehicle")
        return Refused(
            BookingReason.KEY_WAS_TAKEN, field, value, "a change of the end only: the key has been taken"
        )
    if booking.state is BookingState.BOOKED and now_ms >= booking.take_by_ms:
        return _take_by_passed(booking)
    return (
        _shape(rules, wanted) or (_start(rules, wanted, now_ms) if moved else None) or _end(rules, wanted, now_ms)
    )


def check_extension(booking: BookingTimes, end_ms: int) -> Refused | None:
    """Whether this is an extension at all; whether it may be is for `check_change` to say."""
    if end_ms > booking.window.end_ms:
        return None
    expected = f"later than the present end, {utc_text(booking.window.end_ms)}"
    return Refused(BookingReason.NO_EXTENSION, "end", utc_text(end_ms), expected)


def check_cancel(booking: BookingTimes, now_ms: int) -> Refused | None:
    """Whether a booking may be cancelled. Past `take_by` it is for the cabinet's facts to say what it was."""
    if booking.state is not BookingState.BOOKED:
        return _over(booking.state, "a booking whose key has not been taken")
    return _take_by_passed(booking) if now_ms >= booking.take_by_ms else None


def check_replacement(booking: BookingTimes, now_ms: int) -> Refused | None:
    """Whether an operator may give this booking another vehicle: also past `take_by`, never past the end."""
    if not booking.has_origin:
        expected = "a booking whose row this program wrote; this one can only be cancelled"
        return Refused(BookingReason.ROW_WITHOUT_ORIGIN, "state", booking.state, expected)
    refused = _by_the_table(booking.state, BookingEvent.REPLACED, "a booking whose key is not out")
    if refused is None and now_ms >= booking.window.end_ms:
        expected = f"later than now, {utc_text(now_ms)}"
        return Refused(BookingReason.IN_THE_PAST, "end", utc_text(booking.window.end_ms), expected)
    return refused


def check_completion(booking: BookingTimes) -> Refused | None:
    """Whether an operator may end this booking."""
    expected = "a booking whose key was taken, and that is not over"
    return _by_the_table(booking.state, BookingEvent.COMPLETED_BY_OPERATOR, expected)


def replaced_take_by_ms(rules: FleetRules, booking: BookingTimes, now_ms: int) -> int:
    """Whoever is given another vehicle has as long from now to take its key as from the start otherwise."""
    return max(booking.take_by_ms, min(now_ms + rules.take_by_s * 1000, booking.window.end_ms))


def _by_the_table(state: BookingState, event: BookingEvent, expected: str) -> Refused | None:
    moved = advance(state, event)
    if isinstance(moved, TransitionRefused):
        return Refused(BookingReason(moved.reason), "state", state, expected)
    return None


def _shape(rules: FleetRules, window: Window) -> Refused | None:
    if window.end_ms <= window.start_ms:
        expected = f"an instant after start, {utc_text(window.start_ms)}"
        return Refused(BookingReason.END_NOT_AFTER_START, "end", utc_text(window.end_ms), expected)
    for field, at_ms in (("start", window.start_ms), ("end", window.end_ms)):
        if at_ms % rules.grid_ms:
            expected = f"a multiple of {rules.booking_grid_min} minutes after the hour"
            return Refused(BookingReason.OFF_GRID, field, utc_text(at_ms), expected)
    if window.length_ms < rules.minimum_ms:
        expected = f"at least {rules.minimum_min} minutes after start"
        return Refused(BookingReason.TOO_SHORT, "end", utc_text(window.end_ms), expected)
    return None


def _start(rules: FleetRules, window: Window, now_ms: int) -> Refused | None:
    """The grid step that is running may still be booked: somebody stands at the station and wants to go."""
    earliest_ms = now_ms - now_ms % rules.grid_ms
    if window.start_ms >= earliest_ms:
        return None
    expected = f"{utc_text(earliest_ms)} or later"
    return Refused(BookingReason.IN_THE_PAST, "start", utc_text(window.start_ms), expected)


def _end(rules: FleetRules, window: Window, now_ms: int) -> Refused | None:
    end_text = utc_text(window.end_ms)
    if window.end_ms <= now_ms:
        return Refused(BookingReason.IN_THE_PAST, "end", end_text, f"later than now, {utc_text(now_ms)}")
    latest_ms = now_ms + rules.horizon_ms
    if window.end_ms > latest_ms:
        expected = f"{utc_text(latest_ms)} or earlier: {rules.horizon_days} days ahead"
        return Refused(BookingReason.BEYOND_HORIZON, "end", end_text, expected)
    return None


def _over(state: BookingState, expected: str) -> Refused:
    returned = state is BookingState.RETURNED
    reason = "key_already_back" if returned else REFUSALS[state, BookingEvent.CANCELLED]
    return Refused(BookingReason(reason), "state", state, expected)


def _take_by_passed(booking: BookingTimes) -> Refused:
    expected = f"a change before {utc_text(booking.take_by_ms)}: whether it was a no-show is being settled"
    return Refused(BookingReason.TAKE_BY_PASSED, "state", booking.state, expected)
