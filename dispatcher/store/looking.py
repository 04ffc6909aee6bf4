"""Looks which vehicles are free around a window, and reads further ahead only for those that are not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeGuard

from sqlalchemy import Connection

from dispatcher.core.availability import FREE_LATER, NotFree, VehicleView, judge
from dispatcher.core.rules import FleetRules
from dispatcher.core.windows import DAY_MS, Window
from dispatcher.store.vehicles import Vehicle, views

FURTHER_MS = 7 * DAY_MS  # of a car that is asked for, few weeks are full
FURTHER_TIMES = 8  # a year takes three steps


@dataclass(frozen=True, slots=True)
class Looked:
    """A vehicle, what holds it around the window, and why it cannot be booked."""

    vehicle: Vehicle
    view: VehicleView
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
    """Judge each vehicle for a window. What holds it is known until `ahead_ms` past the end of the window."""
    around = Window(window.start_ms, window.end_ms + ahead_ms)
    looked = [
        Looked(vehicle, view, judge(rules, view, window, now_ms))
        for vehicle, view in zip(found, views(connection, found, now_ms, around=around), strict=True)
    ]
    verdicts = [it.verdict for it in looked if _waits(it.verdict)]
    if not verdicts:
        return looked
    further = {
        verdict.vehicle_id: verdict
        for verdict in with_next_free(connection, rules, found, window, now_ms, verdicts)
    }
    return [replace(it, verdict=further[it.vehicle.id]) if it.vehicle.id in further else it for it in looked]


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
    ahead_ms = FURTHER_MS
    waiting = [vehicle for vehicle in found if _waits(known.get(vehicle.id))]
    while waiting:
        around = Window(window.start_ms, window.end_ms + ahead_ms)
        at_horizon = around.end_ms >= now_ms + rules.horizon_ms
        for view in views(connection, waiting, now_ms, around=around):
            verdict = judge(rules, view, window, now_ms)
            if verdict is not None:
                known[view.vehicle_id] = replace(known[view.vehicle_id], next_free=verdict.next_free)
        waiting = [] if at_horizon else [vehicle for vehicle in waiting if _waits(known[vehicle.id])]
        ahead_ms *= FURTHER_TIMES
    return tuple(known[verdict.vehicle_id] for verdict in verdicts)


def _waits(verdict: NotFree | None) -> TypeGuard[NotFree]:
    return verdict is not None and verdict.reason in FREE_LATER and verdict.next_free is None
