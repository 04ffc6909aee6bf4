"""Members who bring a key back otherwise than they mean to: without it, with another one, elsewhere, in vain.

Nothing is wrong with lines and programs, so none of these touches anything: a checker excuses nothing for them but
what the world's record shows, a door that a hand forced and a key that is not of the fleet.
"""

from functools import partial

from simulator.hunt.faults.menu import Cast, End, Fault
from simulator.network.model import EM4100, Card, Key
from simulator.network.wiring import RETURN_READER, slot_numbers
from simulator.verdict.replay import last_scene
from simulator.virtual.people import Person
from simulator.virtual.spells import Touches
from simulator.virtual.timers import MINUTE_US, SECOND_US
from simulator.world.acts import (
    CloseDoor,
    ComeBack,
    HangKey,
    Pause,
    Script,
    ShowCard,
    Slip,
    StepAway,
    StepUp,
    TakeKey,
    Watch,
)
from simulator.world.record import Intent

NOBODY = frozenset[Touches]()
HAND_US = SECOND_US
PATIENCE_US = 6 * SECOND_US  # as members wait for a door
ORDER_PATIENCE_US = 20 * SECOND_US  # an order is sent again after ten
LOOKS_FOR_KEY = 6  # of whoever is to drive a key home: an hour or two, then the day is over
STRANGER, STAFF = "stranger", "staff"


# --- one who comes back, once


def _slip_of_the_next(cast: Cast, slip: Slip) -> End:
    """Whoever comes back to this cabinet next makes this slip; nobody, where nobody comes before the end."""
    slips = cast.world.around.slips

    def made(act: ComeBack) -> Slip | None:
        if act.cabinet != cast.cabinet:
            return None
        slips.remove(made)
        cast.spell.detail = f"key {act.key.id}"
        return slip

    slips.append(made)
    return lambda: slips.remove(made) if made in slips else None


def _key_in_car(cast: Cast) -> End:
    """A slot is opened for the key, which lies in the car: it is brought minutes later, or an hour."""
    return _slip_of_the_next(cast, Slip(left_in_car_us=cast.rng.randrange(20 * SECOND_US, 60 * MINUTE_US)))


# --- another station


def _wrong_station(cast: Cast) -> End | None:
    """The key is hung up at another station. Later somebody is sent there to bring it home."""
    others = [name for name in cast.world.sites if name != cast.cabinet]
    if not others:
        return None
    there, slips = cast.rng.choice(others), cast.world.around.slips

    def made(act: ComeBack) -> Slip | None:
        if act.cabinet != cast.cabinet:
            return None
        slips.remove(made)
        cast.spell.detail = f"key {act.key.id} to {there}"
        _send_later(cast, act.key, there, LOOKS_FOR_KEY)
        return Slip(cabinet=there)

    slips.append(made)
    return lambda: slips.remove(made) if made in slips else None


def _send_later(cast: Cast, key: Key, there: str, looks: int) -> None:
    if looks:
        cast.later(cast.rng.randrange(5, 30) * MINUTE_US, partial(_send_for, cast, key, there, looks))


def _send_for(cast: Cast, key: Key, there: str, looks: int) -> None:
    """If it hangs there by now, somebody is on the way; else, or where it was not handed out, another time."""
    cabinet = cast.world.sites[there].cabinet
    slot = next((slot for slot in cabinet.slots if cabinet.key_in(slot) == key), None)
    if slot is not None:
        Person(STAFF, _drive_home(cast, key, there, slot), cast.world.around, cast.rng).begin()
    _send_later(cast, key, there, looks - 1)


def _drive_home(cast: Cast, key: Key, there: str, slot: int) -> Script[None]:
    """The operator releases the slot from afar, for somebody who stands there and brings the key to its station."""
    yield StepUp(there)
    cabinet = cast.world.sites[there].cabinet
    taken = None
    if cabinet.key_in(slot) == key and cast.world.order_release(there, slot, STAFF):
        yield from _await_door(cast, there, slot)
        taken = yield TakeKey(slot)
        yield Pause(HAND_US)
        yield CloseDoor(slot)
    yield StepAway()
    if taken is None:
        return
    yield Pause(cast.rng.randrange(5, 25) * MINUTE_US)
    for _ in range(LOOKS_FOR_KEY):
        if (yield from _hang_up(key, key.cabinet)):
            return
        yield Pause(5 * MINUTE_US)


def _await_door(cast: Cast, there: str, slot: int) -> Script[None]:
    for _ in range(ORDER_PATIENCE_US // SECOND_US):
        if cast.world.sites[there].cabinet.is_open(slot):
            return
        yield Pause(SECOND_US)


def _hang_up(key: Key, cabinet: str) -> Script[bool]:
    """By its tag, into the slot that opens for it."""
    yield StepUp(cabinet)
    shown = yield ShowCard(RETURN_READER, key.tag, Intent.BRING_BACK)
    slot = (yield Watch(PATIENCE_US)) if shown else None
    hung = False
    if isinstance(slot, int):
        yield Pause(HAND_US)
        hung = yield HangKey(slot, key)
        yield Pause(HAND_US)
        yield CloseDoor(slot)
    yield StepAway()
    return hung


# --- two who swapped


def _swapped_keys(cast: Cast) -> None:
    """Two who are on the road swap cars: each brings back the key that the other one took."""
    world, vehicles = cast.world, cast.world.network.vehicle_of_key
    out = last_scene(world.network, cast.box.cabinet, world.record.of(cast.box.cabinet)).out
    driven = sorted(key for key in out if key in vehicles and vehicles[key].id in world.around.driving)
    if len(driven) < 2:  # a swap needs two
        return
    one, other = cast.rng.sample(driven, 2)
    in_hand = {one: vehicles[other].key, other: vehicles[one].key}
    cast.spell.detail = f"keys {one} and {other}"
    world.around.driving -= {vehicles[one].id, vehicles[other].id}  # nobody swaps twice

    def made(act: ComeBack) -> Slip | None:
        held = in_hand.pop(act.key.id, None)
        if not in_hand and held is not None:
            world.around.slips.remove(made)
        return None if held is None else Slip(key=held)

    world.around.slips.insert(0, made)  # whatever else goes wrong with a key, it is this one


# --- no slot is free


def _full_cabinet(cast: Cast) -> End:
    """Somebody with the mechanical key hangs foreign keys into all free slots, and takes them out at the end."""
    around, again_us = cast.world.around, cast.rng.randrange(5, 10) * MINUTE_US

    def made(act: ComeBack) -> Slip | None:
        return Slip(comes_again_us=again_us) if act.cabinet == cast.cabinet else None

    around.slips.append(made)
    Person(STRANGER, _fill(cast), around, cast.rng).begin()

    def end() -> None:
        around.slips.remove(made)
        Person(STRANGER, _empty(cast), around, cast.rng).begin()

    return end


def _fill(cast: Cast) -> Script[None]:
    cabinet = cast.site.cabinet
    yield StepUp(cast.site.name)
    for slot in slot_numbers():
        if cabinet.key_in(slot) is None:
            yield from _open_by_hand(cast, slot)
            yield HangKey(slot, _foreign_key(cast, slot))
            yield Pause(HAND_US)
            yield CloseDoor(slot)
    yield StepAway()


def _empty(cast: Cast) -> Script[None]:
    cabinet = cast.site.cabinet
    yield StepUp(cast.site.name)
    for slot in slot_numbers():
        hanging = cabinet.key_in(slot)
        if hanging is not None and hanging.id not in cast.world.network.vehicle_of_key:
            yield from _open_by_hand(cast, slot)
            yield TakeKey(slot)
            yield Pause(HAND_US)
            yield CloseDoor(slot)
    yield StepAway()


def _open_by_hand(cast: Cast, slot: int) -> Script[None]:
    site, moment = cast.site, cast.world.now
    yield Pause(HAND_US)
    if not site.cabinet.is_open(slot):
        site.touch(lambda: site.cabinet.force_open(moment(), slot, STRANGER))
    yield Pause(HAND_US)


def _foreign_key(cast: Cast, slot: int) -> Key:
    tag = Card(EM4100.name, EM4100.bits, cast.rng.randbytes(EM4100.bits // 8))
    return Key(f"foreign-{cast.rng.getrandbits(32):08x}", "no vehicle of ours", cast.site.name, slot, tag)


MISTAKES = (
    Fault("key_in_car", NOBODY, 3, (600, 1800), _key_in_car),
    Fault("wrong_station", NOBODY, 6, (600, 1800), _wrong_station),
    Fault("swapped_keys", NOBODY, 2, (1, 2), _swapped_keys),
    Fault("full_cabinet", NOBODY, 10, (600, 1800), _full_cabinet),
)
