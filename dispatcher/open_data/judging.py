"""What is public of a vehicle's calendar, judged by the very rules that judge a booking."""

from collections.abc import Iterator

from dispatcher.core.availability import (
    NotFree,
    VehicleView,
    free_intervals,
    key_can_be_there,
    latest_end_ms,
    occupied,
)
from dispatcher.core.booking_states import BookingState
from dispatcher.core.grants import horizon_ms
from dispatcher.core.rules import BookingReason, FleetRules
from dispatcher.core.windows import DAY_MS, HOUR_MS, MINUTE_MS, Window, round_down, round_up
from dispatcher.open_data.snapshot import Energy, Presence

LOOK_AHEAD_MS = 7 * DAY_MS  # as far as a search looks (decision 0052)
WALK_MS = (
    10 * MINUTE_MS
)  # from the bay to the cabinet: what was told when the engine stopped is from this side of it


def next_window(rules: FleetRules, now_ms: int) -> Window:
    """What a private person asks for who wants a vehicle now: the shortest booking, from the next grid point on."""
    start_ms = round_up(now_ms, rules.grid_ms)
    return Window(start_ms, start_ms + rules.minimum_ms)


def looked_at(rules: FleetRules, now_ms: int) -> Window:
    """The time that is told about."""
    start_ms = round_up(now_ms, rules.grid_ms)
    end_ms = min(start_ms + LOOK_AHEAD_MS, now_ms + rules.horizon_ms)
    return Window(start_ms, round_down(end_ms, rules.grid_ms))


def presence_of(view: VehicleView, verdict: NotFree | None, *, is_silent: bool) -> Presence:
    """`verdict`: for `next_window`. `is_silent`: its cabinet cannot be told of a new right."""
    in_rental = any(holding.state is BookingState.ACTIVE for holding in view.holdings)
    if in_rental or view.key_place not in {"in_slot", "unknown"}:
        return Presence.AWAY
    if is_silent:
        return Presence.DISABLED
    if verdict is None:
        return Presence.AVAILABLE
    is_booked = verdict.reason is BookingReason.VEHICLE_NOT_FREE
    return Presence.RESERVED if is_booked else Presence.DISABLED


def available_until_ms(view: VehicleView, rules: FleetRules, now_ms: int) -> int | None:
    """When a vehicle that is available has to be back; None: nothing that holds it is known up to the horizon."""
    horizon_end_ms = round_down(now_ms + rules.horizon_ms, rules.grid_ms)
    until_ms = latest_end_ms(
        view.holdings, next_window(rules, now_ms).start_ms, now_ms + rules.horizon_ms, rules.grid_ms
    )
    return None if until_ms >= horizon_end_ms else until_ms


def bookable(view: VehicleView, rules: FleetRules, now_ms: int, *, is_silent: bool) -> Iterator[Window]:
    """When it can be booked without asking further, within `looked_at`."""
    if not (view.in_service and view.key_in_service):
        return
    within = looked_at(rules, now_ms)
    earliest_ms = within.start_ms
    if not key_can_be_there(view):
        earliest_ms = now_ms + rules.grid_ms
    if is_silent:
        earliest_ms = max(earliest_ms, horizon_ms(rules, now_ms) + 1)
    for gap in free_intervals(occupied(view.holdings, now_ms), within):
        start_ms = round_up(max(gap.start_ms, earliest_ms), rules.grid_ms)
        slot = Window(start_ms, round_down(gap.end_ms, rules.grid_ms))
        if slot.length_ms >= rules.minimum_ms:
            yield slot


def fresh_energy(
    percent: int | None, told_ms: int | None, since_ms: int | None, rules: FleetRules, now_ms: int
) -> Energy | None:
    """What a vehicle told of its energy, unless that is old, or from before its key came home.

    Args:
        percent: of tank or traction battery.
        told_ms: when it told so.
        since_ms: since when its key hangs where it hangs.
        rules: `vehicle_silent_h` says what is old.
        now_ms: the present.
    """
    if percent is None or told_ms is None:
        return None
    is_old = now_ms - told_ms > rules.vehicle_silent_h * HOUR_MS
    is_of_before = since_ms is not None and told_ms < since_ms - WALK_MS
    return None if is_old or is_of_before else Energy(percent, told_ms)
