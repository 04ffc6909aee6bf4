"""When vehicles are free, and when one is not, why not. The database has the last word on overlaps."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from dispatcher.core.booking_states import HOLDING_STATES, BookingState, is_overdue
from dispatcher.core.rules import BookingReason, FleetRules
from dispatcher.core.windows import DAY_MS, Window, round_down, round_up

NEVER_MS = (1 << 62) - 1  # later than any time that a column holds
SOON_MS = DAY_MS  # where a key is today says little of where it will be tomorrow

FREE_LATER = (
    BookingReason.VEHICLE_NOT_FREE,
    BookingReason.IN_SERVICE_ORDER,
    BookingReason.VEHICLE_BLOCKED,
    BookingReason.VEHICLE_NOT_BACK,
)
"""Reasons that time alone ends."""

KeyPlace = Literal["in_slot", "taken", "missing", "elsewhere", "unknown"]


class Holding(NamedTuple):
    """A booking, an order or a block that keeps a vehicle for its window. A search makes hundreds: a tuple."""

    booking_id: str
    state: BookingState
    start_ms: int
    end_ms: int
    reason: BookingReason = BookingReason.VEHICLE_NOT_FREE
    """What whoever wants the vehicle meanwhile is told; of several, the first of `FREE_LATER`."""

    @property
    def window(self) -> Window:
        return Window(self.start_ms, self.end_ms)


@dataclass(frozen=True, slots=True)
class VehicleView:
    """A vehicle as far as it is asked whether it can be booked."""

    vehicle_id: str
    in_service: bool
    key_in_service: bool
    """It has a key in service that lives in a cabinet in service."""
    key_place: KeyPlace
    holdings: tuple[Holding, ...]
    known_until_ms: int = NEVER_MS
    """Holdings that start later than this are not among them; at this instant one starts."""


@dataclass(frozen=True, slots=True)
class NotFree:
    vehicle_id: str
    reason: BookingReason
    next_free: Window | None
    """The next interval that is long enough for what was asked, up to the next holding; None: not within
    the horizon, or time alone does not help."""


def is_free(holdings: Iterable[Holding], window: Window) -> bool:
    """What the database's constraint and triggers say: nothing that holds the vehicle overlaps."""
    return not any(holding.state in HOLDING_STATES and holding.window.overlaps(window) for holding in holdings)


def occupied(holdings: Iterable[Holding], now_ms: int) -> tuple[Window, ...]:
    """The windows that are taken, merged and in order. An overdue vehicle is away until it is back."""
    taken = sorted(
        (start_ms, now_ms + 1 if is_overdue(state, end_ms, now_ms) else end_ms)
        for _, state, start_ms, end_ms, _ in holdings
        if state in HOLDING_STATES
    )
    if not taken:
        return ()
    merged: list[Window] = []
    from_ms, until_ms = taken[0]
    for start_ms, end_ms in taken:
        if start_ms > until_ms:
            merged.append(Window(from_ms, until_ms))
            from_ms, until_ms = start_ms, end_ms
        elif end_ms > until_ms:
            until_ms = end_ms
    merged.append(Window(from_ms, until_ms))
    return tuple(merged)


def free_intervals(busy: Sequence[Window], within: Window) -> tuple[Window, ...]:
    """What `busy`, merged and in order, leaves of `within`."""
    free: list[Window] = []
    at_ms, until_ms = within
    for start_ms, end_ms in busy:
        if start_ms >= until_ms:
            break
        if start_ms > at_ms:
            free.append(Window(at_ms, start_ms))
        at_ms = max(at_ms, end_ms)
    if at_ms < until_ms:
        free.append(Window(at_ms, until_ms))
    return tuple(free)


def next_free(busy: Iterable[Window], within: Window, length_ms: int, grid_ms: int) -> Window | None:
    """The first interval of `within` that can hold a booking of `length_ms`, cut to the grid.

    `busy` is in order, its windows may overlap. A search asks it of a whole fleet: nothing is made on the way.
    """
    at_ms = within.start_ms
    for start_ms, end_ms in (*busy, Window(within.end_ms, within.end_ms)):
        until_ms = min(start_ms, within.end_ms)
        if until_ms - at_ms >= length_ms:
            on_grid = Window(round_up(at_ms, grid_ms), round_down(until_ms, grid_ms))
            if on_grid.length_ms >= length_ms:
                return on_grid
        if start_ms >= within.end_ms:
            break
        at_ms = max(at_ms, end_ms)
    return None


def latest_end_ms(others: Iterable[Holding], start_ms: int, horizon_end_ms: int, grid_ms: int) -> int:
    """How long a booking from `start_ms` may last before the next one of the same vehicle begins."""
    following = [
        holding.start_ms for holding in others if holding.state in HOLDING_STATES and holding.end_ms > start_ms
    ]
    return round_down(min([*following, horizon_end_ms]), grid_ms)


def by_fit(vehicles: Iterable[VehicleView], window: Window, now_ms: int) -> list[VehicleView]:
    """The surest first, then the tightest gap: long gaps of other vehicles are left to long bookings.

    A vehicle that is overdue, or whose key is not where it should be, comes last. For a booking that starts
    soon, one whose key hangs at home comes before one that others are still to bring back.
    """
    soon = window.start_ms < now_ms + SOON_MS

    def doubt(vehicle: VehicleView) -> int:
        overdue = any(is_overdue(holding.state, holding.end_ms, now_ms) for holding in vehicle.holdings)
        if overdue or not key_can_be_there(vehicle):
            return 2
        return 1 if soon and vehicle.key_place != "in_slot" else 0

    def gap_ms(vehicle: VehicleView) -> float:
        busy = occupied(vehicle.holdings, now_ms)
        before_ms = max((taken.end_ms for taken in busy if taken.end_ms <= window.start_ms), default=now_ms)
        after_ms = min((taken.start_ms for taken in busy if taken.start_ms >= window.end_ms), default=math.inf)
        return after_ms - before_ms

    return sorted(vehicles, key=lambda vehicle: (doubt(vehicle), gap_ms(vehicle), vehicle.vehicle_id))


def judge(
    rules: FleetRules, vehicle: VehicleView, window: Window, now_ms: int, busy: Sequence[Window] | None = None
) -> NotFree | None:
    """Whether a vehicle can be booked for a window; if not, why, and when it is free next.

    `busy`: what its holdings occupy, where the caller knows it.
    """
    reason = _reason_against(rules, vehicle, window, now_ms)
    if reason is None:
        return None
    interval = None
    if reason in FREE_LATER:
        within = Window(window.start_ms, min(now_ms + rules.horizon_ms, vehicle.known_until_ms))
        busy = occupied(vehicle.holdings, now_ms) if busy is None else busy
        interval = next_free(busy, within, length_to_find_ms(rules, window), rules.grid_ms)
    return NotFree(vehicle.vehicle_id, reason, interval)


def length_to_find_ms(rules: FleetRules, window: Window) -> int:
    """How long an interval has to be to be told to who asked for a window."""
    return max(window.length_ms, rules.minimum_ms)


def _reason_against(rules: FleetRules, vehicle: VehicleView, window: Window, now_ms: int) -> BookingReason | None:
    if not vehicle.in_service:
        return BookingReason.VEHICLE_NOT_IN_SERVICE
    if not vehicle.key_in_service:
        return BookingReason.KEY_NOT_IN_SERVICE
    in_the_way = _in_the_way(vehicle.holdings, window, now_ms)
    if in_the_way:
        return min(in_the_way, key=FREE_LATER.index)
    if window.start_ms < now_ms + rules.grid_ms and not key_can_be_there(vehicle):
        return BookingReason.KEY_NOT_PRESENT
    return None


def _in_the_way(holdings: Iterable[Holding], window: Window, now_ms: int) -> set[BookingReason]:
    """Of what holds a vehicle and is in the way of a window, or keeps it away so long."""
    from_ms, until_ms = window
    found = set()
    for _, state, start_ms, end_ms, reason in holdings:
        if start_ms >= until_ms or state not in HOLDING_STATES:
            continue
        if from_ms < end_ms:
            found.add(reason)
        elif from_ms <= now_ms and is_overdue(state, end_ms, now_ms):
            found.add(BookingReason.VEHICLE_NOT_BACK)
    return found


def key_can_be_there(vehicle: VehicleView) -> bool:
    """Asked only for a booking that begins now: a key that is away today may be back next week."""
    if vehicle.key_place == "taken":
        return any(holding.state is BookingState.ACTIVE for holding in vehicle.holdings)
    return vehicle.key_place in {"in_slot", "unknown"}
