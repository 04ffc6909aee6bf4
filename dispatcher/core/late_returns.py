"""Which bookings may find no vehicle since it comes back late, and what they are offered instead.

An offer moves nothing: its vehicle is held until the member says yes, or it is over. It gives no right meanwhile
(decision 0043).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dispatcher.core.booking_states import BookingState
from dispatcher.core.incidents import IncidentKind
from dispatcher.core.rules import FleetRules
from dispatcher.core.windows import MINUTE_MS, Window

KEEP_A_VEHICLE_AWAY = frozenset(
    {IncidentKind.KEY_OVERDUE, IncidentKind.SERVICE_ORDER_OVERDUE, IncidentKind.KEY_AT_WRONG_STATION}
)
"""Incidents of a vehicle that put its next bookings at risk. They are sure: a silent cabinet opens none of them."""
OF_ONE_BOOKING = frozenset({IncidentKind.BOOKING_BLOCKED})
"""Incidents of a booking whose vehicle is blocked in its window."""
PLAIN_STATES = frozenset({BookingState.BOOKED})
"""Bookings that can be moved to another vehicle by a yes alone."""


@dataclass(frozen=True, slots=True)
class Late:
    """What is at risk."""

    vehicles: frozenset[str]
    """All bookings of these."""
    bookings: frozenset[str]


class OfferState(StrEnum):
    OFFERED = "offered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    TAKEN = "taken"  # its key left the cabinet under the booking: the first key taken decides


class Why(StrEnum):
    """Why an offer is over."""

    SAID_YES = "said_yes"
    SAID_NO = "said_no"
    NOT_NEEDED = "not_needed"  # the vehicle is back in time, or the booking has another by now
    BOOKING_OVER = "booking_over"
    BOOKING_CHANGED = "booking_changed"
    KEY_TAKEN = "key_taken"
    BADGE_SHOWN = "badge_shown"  # the member stands at the cabinet: nothing is to change under their hand
    TOO_LATE = "too_late"
    NOT_THERE = "not_there"  # the key that was offered is gone, or its vehicle is not to be had any more
    SWITCHED_OFF = "switched_off"


@dataclass(frozen=True, slots=True)
class OfferView:
    """An open offer, as the picture has it."""

    state: BookingState
    """Of its booking."""
    window: Window
    held: Window
    """For which the other vehicle is held."""
    at_risk: bool
    """The booking may still find no vehicle."""
    badge_shown: bool
    """At the cabinet, under the booking's right, within the lead before its start."""
    key_there: bool
    """The key that is offered hangs in its cabinet."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A vehicle that is free for the booking's window."""

    vehicle_id: str
    distance_m: int
    """From the booking's station; 0: it is there."""
    key_there: bool
    """Its key hangs in its own cabinet: nobody has to bring it back first."""


def at_risk(open_incidents: Iterable[Sequence[str | None]]) -> Late:
    """What open incidents put at risk; kind, vehicle and booking of each."""
    vehicles, hit = set(), set()
    for kind, vehicle_id, booking_id in open_incidents:
        if kind in KEEP_A_VEHICLE_AWAY and vehicle_id is not None:
            vehicles.add(vehicle_id)
        elif kind in OF_ONE_BOOKING and booking_id is not None:
            hit.add(booking_id)
    return Late(frozenset(vehicles), frozenset(hit))


def due_window(rules: FleetRules, now_ms: int) -> Window:
    """The starts of the bookings that are looked at; what starts at its end counts too, at its start not."""
    return Window(now_ms + rules.swap_consent_min * MINUTE_MS, now_ms + rules.swap_lead_min * MINUTE_MS)


def ends_ms(rules: FleetRules, start_ms: int) -> int:
    """When an offer to a booking with this start ends by itself."""
    return start_ms - rules.swap_consent_min * MINUTE_MS


def choose(rules: FleetRules, candidates: Iterable[Candidate], refused: Collection[str]) -> Candidate | None:
    """The first that is near enough and surely there; `candidates` are the nearest first."""
    for candidate in candidates:
        near = candidate.distance_m <= rules.swap_within_m
        if near and candidate.key_there and candidate.vehicle_id not in refused:
            return candidate
    return None


def over(rules: FleetRules, offer: OfferView, now_ms: int) -> Why | None:
    """Why an open offer is to be withdrawn; None: it stands."""
    if not rules.swap_offers:
        return Why.SWITCHED_OFF
    if offer.state not in PLAIN_STATES:
        taken = offer.state in {BookingState.ACTIVE, BookingState.RETURNED}
        return Why.KEY_TAKEN if taken else Why.BOOKING_OVER
    if offer.window != offer.held:
        return Why.BOOKING_CHANGED
    if not offer.at_risk:
        return Why.NOT_NEEDED
    if offer.badge_shown:
        return Why.BADGE_SHOWN
    if now_ms >= ends_ms(rules, offer.window.start_ms):
        return Why.TOO_LATE
    return None if offer.key_there else Why.NOT_THERE
