"""What the world's own record says of slots: left open, opened in vain, with keys of other stations in them.

Members who behave leave a door open now and then and forget a key in the car; nothing is wrong with programs then,
and the incident has to be there.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from simulator.network.model import SLOTS
from simulator.verdict.evidence import Incident
from simulator.verdict.replay import first_scene
from simulator.verdict.rights import Judge
from simulator.verdict.vehicles import hung_since_ms
from simulator.world.record import PhysicalFact, What, WorldRecord

LEFT_OPEN: Final = "door_left_open"

TOUCHES: Final = frozenset({What.KEY_REMOVED, What.KEY_INSERTED})
CARDS: Final = frozenset({What.BADGE_SHOWN, What.TAG_SHOWN})
ABOUT_MS: Final = 15_000  # by so much what a box tells may differ from what happened


class LeftOpen(NamedTuple):
    """A slot that stood open for as long as is named, or nearly."""

    slot: int
    since_ms: int
    """When it had to be named."""
    until_ms: int | None
    """None: it is still open."""


def left_open(facts: Sequence[PhysicalFact], after_ms: int, end_ms: int) -> Iterator[LeftOpen]:
    """Every slot of a cabinet that was open for `after_ms` without anybody at it, or for nearly as long."""
    touched_ms: dict[int, int] = {}
    for fact in facts:
        deed, at_ms = fact.deed, fact.moment.at_ms
        if deed.what is What.DOOR_OPENED and deed.slot is not None:
            touched_ms[deed.slot] = at_ms
        elif deed.what is What.DOOR_CLOSED and deed.slot in touched_ms:
            since_ms = touched_ms.pop(deed.slot) + after_ms
            if at_ms > since_ms - ABOUT_MS:
                yield LeftOpen(deed.slot, since_ms, at_ms)
        else:
            for slot, last_ms in touched_ms.items():
                is_at_it = (deed.what in TOUCHES and deed.slot == slot) or deed.what in CARDS
                if is_at_it and at_ms < last_ms + after_ms:
                    touched_ms[slot] = at_ms
    for slot, last_ms in touched_ms.items():
        if end_ms > last_ms + after_ms - ABOUT_MS:
            yield LeftOpen(slot, last_ms + after_ms, None)


def is_shown(judge: Judge, record: WorldRecord, incident: Incident) -> bool:
    """Whether what an incident says of a slot, or of a car whose key hung in one, happened before it was opened."""
    before_ms = incident.opened_ms + judge.edge_ms
    match incident.kind:
        case "slot_opened_nothing_taken":
            cabinet, _, slot = incident.subject.partition("/")
            return (int(slot), True) in _in_vain(judge, record, cabinet, before_ms)
        case "key_probably_in_car":
            vain = (_in_vain(judge, record, cabinet, before_ms) for cabinet in judge.network.cabinets)
            return any(not with_key for found in vain for _slot, with_key in found)
        case "cabinet_nearly_full":
            return _was_nearly_full(judge, record, incident.subject, before_ms)
        case "odometer_without_rental":
            return _was_driven(judge, record, incident.subject, before_ms)
        case _:
            return False


def _in_vain(judge: Judge, record: WorldRecord, cabinet: str, before_ms: int) -> set[tuple[int, bool]]:
    """The slots that were shut with just what had hung in them when they opened, and whether that was a key."""
    found: set[tuple[int, bool]] = set()
    scene = first_scene(judge.network, cabinet)
    at_opening: dict[int, str | None] = {}
    for fact in record.of(cabinet):
        if fact.moment.at_ms > before_ms:
            break
        slot = fact.deed.slot
        if fact.deed.what is What.DOOR_OPENED and slot is not None:
            at_opening[slot] = scene.hooks.get(slot)
        elif fact.deed.what is What.DOOR_CLOSED and slot in at_opening:
            hangs = scene.hooks.get(slot)
            if at_opening.pop(slot) == hangs:
                found.add((slot, hangs is not None))
        scene.then(fact)
    return found


def _was_nearly_full(judge: Judge, record: WorldRecord, cabinet: str, before_ms: int) -> bool:
    """Whether the keys in it, whosever, and those of its own that were not left no slot to spare."""
    own = {vehicle.key.id for vehicle in judge.network.vehicles if vehicle.key.cabinet == cabinet}
    scene = first_scene(judge.network, cabinet)
    for fact in record.of(cabinet):
        if fact.moment.at_ms > before_ms:
            break
        scene.then(fact)
        hanging = set(scene.hooks.values())
        if len(hanging | own) >= SLOTS:
            return True
    return False


def _was_swapped(record: WorldRecord, cabinet: str, key: str, before_ms: int) -> bool:
    """Whether a key was hung up by another than who had taken it: members who met exchanged theirs."""
    taker: str | None = None
    for fact in record.of(cabinet):
        if fact.moment.at_ms > before_ms:
            break
        if fact.deed.key != key:
            continue
        if fact.deed.what is What.KEY_REMOVED:
            taker = fact.deed.who
        elif fact.deed.what is What.KEY_INSERTED and taker not in {None, fact.deed.who}:
            return True
    return False


def _was_driven(judge: Judge, record: WorldRecord, vehicle: str, before_ms: int) -> bool:
    """Whether its engine ran while its key hung at home; or somebody brought that key who drove another car."""
    key = judge.network.vehicle_by_id[vehicle].key
    if judge.excuses.is_disturbed(key.id) or _was_swapped(record, key.cabinet, key.id, before_ms):
        return True
    return any(
        told.signals.ignition and hung_since_ms(record, key.cabinet, key.id, told.at_ms) is not None
        for told in judge.told.get(vehicle, ())
        if told.at_ms <= before_ms
    )
