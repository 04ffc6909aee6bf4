"""Service orders: what staff and third parties may hold a vehicle for, and what of a booking's rules binds them.

An order has no grid and no shortest time, may begin at once, and its right opens until its end, as often as asked.
"""

from enum import StrEnum

from dispatcher.core.booking_states import FINAL_STATES, REFUSALS, BookingEvent, BookingState
from dispatcher.core.rules import BookingReason, BookingTimes, FleetRules, Person, Refused
from dispatcher.core.windows import MINUTE_MS, Window, utc_text

STARTED_BEFORE_MS = 5 * MINUTE_MS
"""An order for now may name an instant that has just passed: a form takes as long to fill in."""


SWAP_HOLD = "swap_hold"
"""In the column of purposes: neither booking nor order, but what holds a vehicle that a booking is offered."""


class Purpose(StrEnum):
    """What a vehicle is held for; a booking of a member has none."""

    CLEANING = "cleaning"
    GARAGE = "garage"
    TOWING = "towing"
    INSPECTION = "inspection"
    RELOCATION = "relocation"
    ENERGY = "energy"  # to be filled up or charged elsewhere
    OTHER = "other"


def check_order_window(rules: FleetRules, window: Window, now_ms: int) -> Refused | None:
    """Whether a new order may have this window."""
    return _shape(window) or _start(window, now_ms) or _end(rules, window, now_ms)


def check_order_people(holder: Person, others: tuple[Person, ...]) -> Refused | None:
    """Whether these people may hold a vehicle for a purpose: staff and third parties, in standing."""
    for field, person in (("holder_id", holder), *(("driver_ids", other) for other in others)):
        if not person.has_origin:
            expected = "a member whose row this program wrote"
            return Refused(BookingReason.ROW_WITHOUT_ORIGIN, field, person.member_id, expected)
        if person.role == "member":
            expected = "a member whose role is staff or third_party"
            return Refused(BookingReason.NOT_STAFF, field, person.member_id, expected)
        if person.standing != "active":
            reason = BookingReason(person.standing)
            return Refused(reason, field, person.member_id, "a member whose standing is active")
    return None


def check_order_change(rules: FleetRules, order: BookingTimes, wanted: Window, now_ms: int) -> Refused | None:
    """Whether an order may get this window. Its end can be moved as long as it runs, also past an end that was
    missed; its start until the key is taken.
    """
    if order.state in FINAL_STATES:
        reason = BookingReason(REFUSALS[order.state, BookingEvent.CANCELLED])
        return Refused(reason, "state", order.state, "an order that is not over")
    if not order.has_origin:
        expected = "an order whose row this program wrote; this one can only be cancelled"
        return Refused(BookingReason.ROW_WITHOUT_ORIGIN, "state", order.state, expected)
    moved = wanted.start_ms != order.window.start_ms
    if moved and order.state is not BookingState.BOOKED:
        expected = "a change of the end only: the key has been taken"
        return Refused(BookingReason.KEY_WAS_TAKEN, "start", utc_text(wanted.start_ms), expected)
    return _shape(wanted) or (_start(wanted, now_ms) if moved else None) or _end(rules, wanted, now_ms)


def _shape(window: Window) -> Refused | None:
    if window.end_ms > window.start_ms:
        return None
    expected = f"an instant after start, {utc_text(window.start_ms)}"
    return Refused(BookingReason.END_NOT_AFTER_START, "end", utc_text(window.end_ms), expected)


def _start(window: Window, now_ms: int) -> Refused | None:
    if window.start_ms >= now_ms - STARTED_BEFORE_MS:
        return None
    expected = f"{utc_text(now_ms - STARTED_BEFORE_MS)} or later"
    return Refused(BookingReason.IN_THE_PAST, "start", utc_text(window.start_ms), expected)


def _end(rules: FleetRules, window: Window, now_ms: int) -> Refused | None:
    if window.end_ms <= now_ms:
        expected = f"later than now, {utc_text(now_ms)}"
        return Refused(BookingReason.IN_THE_PAST, "end", utc_text(window.end_ms), expected)
    latest_ms = now_ms + rules.horizon_ms
    if window.end_ms > latest_ms:
        expected = f"{utc_text(latest_ms)} or earlier: {rules.horizon_days} days ahead"
        return Refused(BookingReason.BEYOND_HORIZON, "end", utc_text(window.end_ms), expected)
    return None
