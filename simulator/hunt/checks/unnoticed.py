"""What trackers told and a box had to notice, where nothing was wrong with the box, its lines and its way."""

from collections.abc import Iterator
from typing import Final

from contract.facts import VehicleNoticed, VehicleSign
from simulator.hunt.scenario import Run
from simulator.network.model import Vehicle
from simulator.verdict.rights import Judge
from simulator.verdict.vehicles import hung_since_ms
from simulator.virtual.spells import Touches
from simulator.virtual.timers import SECOND_US
from simulator.world.record import What
from simulator.world.signals import Told

STOOD_MS: Final = 180_000  # beyond what a tracker that is slow to stop, and a look at the contacts, take
TOLD_MS: Final = 90_000  # a sign of these lasts a minute before it is told
AROUND_US: Final = 180 * SECOND_US
ALL: Final = frozenset(Touches)
UNTIMED: Final = frozenset({Touches.CLOCK, Touches.MEMORY})  # it may be told already, under any time


def unnoticed(run: Run, judge: Judge) -> Iterator[str]:
    """Each car that drove, stood open or hung without its cable while its key was at home, and nobody was told."""
    for vehicle in judge.network.vehicles:
        stays: set[tuple[VehicleSign, int]] = set()
        for told in judge.told.get(vehicle.id, ()):
            since_ms = _stay(run, judge, vehicle, told)
            sign = _sign(judge, told, since_ms) if since_ms is not None else None
            if sign is None or since_ms is None or (sign, since_ms) in stays:
                continue
            stays.add((sign, since_ms))
            if not _is_noticed(judge, vehicle, sign, since_ms, told.at_ms + TOLD_MS):
                yield f"{vehicle.id}: {sign} since {told.at_ms}, and {vehicle.key.cabinet} told nobody"


def _stay(run: Run, judge: Judge, vehicle: Vehicle, told: Told) -> int | None:
    """Since when the key had hung at home, where it stayed until the box must have noticed; None: not so."""
    cabinet, key = vehicle.key.cabinet, vehicle.key.id
    since_ms = hung_since_ms(run.world.record, cabinet, key, told.at_ms)
    if since_ms is None or not told.is_timed or judge.excuses.is_disturbed(key):
        return None
    leaves = any(
        fact.deed.what is What.KEY_REMOVED
        and fact.deed.key == key
        and told.at_ms < fact.moment.at_ms <= told.at_ms + TOLD_MS
        for fact in run.world.record.of(cabinet)
    )
    at_us = run.world.stage.clock.at_us(told.at_ms)
    if leaves or at_us + TOLD_MS * 1000 > run.calm_us or at_us < AROUND_US:
        return None
    if run.spells.near(cabinet, at_us - AROUND_US, at_us + AROUND_US, ALL):
        return None
    since_us = run.world.stage.clock.at_us(since_ms) if since_ms else 0
    return None if run.spells.near(cabinet, since_us, at_us, UNTIMED) else since_ms


def _sign(judge: Judge, told: Told, since_ms: int) -> VehicleSign | None:
    """What this message alone must have shown, if another one shows it still a minute later."""
    signals = told.signals
    if signals.ignition:
        return VehicleSign.MOVED_AFTER_RETURN if told.at_ms - since_ms >= STOOD_MS else None
    if since_ms == 0 or told.at_ms - since_ms < judge.rules.after_return_s * 1000 + judge.edge_ms:
        return None
    if signals.doors_open:
        return VehicleSign.DOORS_OPEN_AT_RETURN
    return VehicleSign.UNPLUGGED_AT_RETURN if signals.is_electric and not signals.plugged_in else None


def _is_noticed(judge: Judge, vehicle: Vehicle, sign: VehicleSign, since_ms: int, until_ms: int) -> bool:
    return any(
        isinstance(row.fact, VehicleNoticed)
        and row.fact.active
        and (row.fact.vehicle, row.fact.sign) == (vehicle.id, sign)
        and since_ms <= row.fact.at_ms <= until_ms
        for row in judge.evidence.ledger_of(vehicle.key.cabinet)
    )
