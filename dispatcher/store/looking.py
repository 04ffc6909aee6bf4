"""Looks which vehicles are free around a window, and reads further ahead only for those that are not.

Who books is told the next free interval however far it is. A search asks of a whole fleet at once, whose year is
80,000 bookings: it looks a week past its window, and says so (`docs/decisions/0052-a-search-looks-a-week-on.md`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from sqlalchemy import Connection

from dispatcher.core.availability import (
    FREE_LATER,
    NotFree,
    VehicleView,
    judge,
    length_to_find_ms,
    next_free,
    occupied,
)
from dispatcher.core.rules import FleetRules
from dispatcher.core.windows import DAY_MS, Window
from dispatcher.store.holdings import gaps
from dispatcher.store.vehicles import Vehicle, views

NEAR_MS = 2 * DAY_MS  # of a fleet a third of whose time is taken, all but the longest windows find a gap by then
FURTHER_MS = 7 * DAY_MS  # of a car that is asked for, few weeks are full; and a calendar shows one
FURTHER_TIMES = 8  # a year takes three steps


@dataclass(frozen=True, slots=True)
class Looked:
    """A vehicle, what holds it around the window, and why it cannot be booked."""

    vehicle: Vehicle
    view: VehicleView
    busy: tuple[Window, ...]
    """What its holdings occupy: merged, and in order."""
    verdict: NotFree | None
    """None: it is free."""


def look(
    connection: Connection,
    rules: FleetRules,
    found: Sequence[Vehicle],
    window: Window,
    now_ms: int,
    *,
    ahead_ms: int = 0,
) -> list[Looked]:
    """Judge each vehicle for a window. What holds it is known until `ahead_ms` past the end of the window.

    The next free interval is told where it begins within `FURTHER_MS` past the end of the window; it is looked for
    within `NEAR_MS` first, which is a third of the rows.
    """
    around = Window(window.start_ms, window.end_ms + ahead_ms)
    looked = []
    for vehicle, view in zip(found, views(connection, found, now_ms, around=around), strict=True):
        busy = occupied(view.holdings, now_ms)
        looked.append(Looked(vehicle, view, busy, judge(rules, view, window, now_ms, busy)))
    waiting = {it.vehicle.id: it.busy for it in looked if _waits(it.verdict)}
    length_ms, horizon_ms = length_to_find_ms(rules, window), now_ms + rules.horizon_ms
    later: dict[str, Window | None] = {}
    from_ms = around.end_ms
    for until_ms in (window.end_ms + NEAR_MS, window.end_ms + FURTHER_MS):
        if waiting and from_ms < until_ms:
            later |= _next_free(connection, rules, waiting, Window(from_ms, until_ms), length_ms, horizon_ms)
            from_ms = until_ms
            waiting = {each: busy for each, busy in waiting.items() if later[each] is None}
    return [_told(it, later.get(it.vehicle.id), window.end_ms + FURTHER_MS) for it in looked]


def _told(it: Looked, later: Window | None, until_ms: int) -> Looked:
    """With the next free interval, near or later, unless it begins too late."""
    if it.verdict is None:
        return it
    interval = it.verdict.next_free or later
    if interval is not None and interval.start_ms >= until_ms:
        interval = None
    if interval == it.verdict.next_free:
        return it
    return Looked(it.vehicle, it.view, it.busy, NotFree(it.verdict.vehicle_id, it.verdict.reason, interval))


def with_next_free(
    connection: Connection,
    rules: FleetRules,
    found: Sequence[Vehicle],
    window: Window,
    now_ms: int,
    verdicts: Sequence[NotFree],
) -> tuple[NotFree, ...]:
    """The verdicts, each with the next interval that is long enough: read in steps, up to the horizon."""
    known = {verdict.vehicle_id: verdict for verdict in verdicts}
    busy_of: dict[str, tuple[Window, ...]] = {}
    for view in views(connection, [it for it in found if _waits(known.get(it.id))], now_ms, around=window):
        busy_of[view.vehicle_id] = busy = occupied(view.holdings, now_ms)
        near = judge(rules, view, window, now_ms, busy)
        known[view.vehicle_id] = replace(known[view.vehicle_id], next_free=near.next_free if near else None)
    within = Window(window.end_ms, window.end_ms + FURTHER_MS)
    length_ms, horizon_ms = length_to_find_ms(rules, window), now_ms + rules.horizon_ms
    while within.start_ms < horizon_ms:
        waiting = {each: busy for each, busy in busy_of.items() if _waits(known[each])}
        if not waiting:
            break
        for vehicle_id, interval in _next_free(connection, rules, waiting, within, length_ms, horizon_ms).items():
            known[vehicle_id] = replace(known[vehicle_id], next_free=interval)
        within = Window(within.end_ms, within.end_ms + within.length_ms * FURTHER_TIMES)
    return tuple(known[verdict.vehicle_id] for verdict in verdicts)


def _next_free(
    connection: Connection,
    rules: FleetRules,
    busy_of: Mapping[str, Sequence[Window]],
    within: Window,
    length_ms: int,
    horizon_ms: int,
) -> dict[str, Window | None]:
    """Of each vehicle, the first interval that is long enough, behind the bookings that start within.

    `busy_of`: what is known to occupy it, merged and in order.
    """
    gaps_of: dict[str, list[tuple[int, int]]] = {vehicle_id: [] for vehicle_id in busy_of}
    for vehicle_id, start_ms, end_ms in gaps(connection, list(busy_of), within, length_ms):
        gaps_of[vehicle_id].append((start_ms, end_ms))
    found: dict[str, Window | None] = {}
    for vehicle_id, busy in busy_of.items():
        intervals = (
            next_free(busy, Window(start_ms, min(end_ms, horizon_ms)), length_ms, rules.grid_ms)
            for start_ms, end_ms in sorted(gaps_of[vehicle_id])
        )
        found[vehicle_id] = next(filter(None, intervals), None)
    return found


def _waits(verdict: NotFree | None) -> TypeGuard[NotFree]:
    return verdict is not None and verdict.reason in FREE_LATER and verdict.next_free is None
