"""Faults of lines, boards, readers, locks and contacts."""

from collections.abc import Callable
from functools import partial

from simulator.hunt.faults.menu import Cast, End, Fault
from simulator.network.wiring import BADGE_READER, RETURN_READER, slot_numbers
from simulator.virtual.line import Cable
from simulator.virtual.spells import Touches
from simulator.world.cabinet import Contact

LOCKS, READERS = frozenset({Touches.LOCKS}), frozenset({Touches.READERS})
BOTH = LOCKS | READERS
BOUNCE_US = (1_000, 5_000)  # a contact rattles for some milliseconds, 20 at worst
BOUNCES = 4
LATE_MS = (100, 1_900)  # around the box's deadline of 200 ms; beyond 2 s an answer can be believed (docs/limits.md)


def _with_cable(cable: Cable, noisy: float = 0.0, cut: float = 0.0) -> End:
    cable.rouse()
    cable.faults.noisy += noisy
    cable.faults.cut += cut
    cable.changed()

    def end() -> None:
        cable.faults.noisy = max(cable.faults.noisy - noisy, 0.0)
        cable.faults.cut = max(cable.faults.cut - cut, 0.0)
        cable.changed()

    return end


def _with_ill_device(cable: Cable, make_ill: Callable[[bool], object]) -> End:
    cable.rouse()
    make_ill(True)
    cable.devices_ill += 1
    cable.changed()

    def end() -> None:
        make_ill(False)
        cable.devices_ill -= 1
        cable.changed()

    return end


def _lock_noise(cast: Cast) -> End:
    return _with_cable(cast.site.locks, noisy=cast.rng.uniform(0.01, 0.3))


def _reader_noise(cast: Cast) -> End:
    return _with_cable(cast.site.readers, noisy=cast.rng.uniform(0.01, 0.3))


def _cut_frames(cast: Cast) -> End:
    cable = cast.rng.choice((cast.site.locks, cast.site.readers))
    return _with_cable(cable, cut=cast.rng.uniform(0.02, 0.3))


def _pulled(cast: Cast) -> End:
    cable = cast.rng.choice((cast.site.locks, cast.site.readers))
    cable.rouse()
    cable.faults.pulls += 1
    cable.changed()

    def end() -> None:
        cable.faults.pulls -= 1

    return end


def _mute_board(cast: Cast) -> End:
    board = cast.rng.choice(cast.site.devices.boards)
    return _with_ill_device(cast.site.locks, partial(setattr, board, "mute"))


def _mute_reader(reader: str, cast: Cast) -> End:
    """Its line rests between two vain attempts, so that this may last."""
    devices, cable = cast.site.devices, cast.site.readers

    def turn(*, mute: bool) -> None:
        cable.rouse()
        devices.set_mute(reader, mute=mute)
        cable.changed()

    turn(mute=True)
    return partial(turn, mute=False)


def _mute_badge_reader(cast: Cast) -> End:
    return _mute_reader(BADGE_READER, cast)


def _dead_tag_reader(cast: Cast) -> End:
    return _mute_reader(RETURN_READER, cast)


def _reset(cast: Cast) -> None:
    """Boards and readers lose power for a moment, the box does not."""
    site, now_us = cast.site, cast.world.stage.timers.now_us()
    for cable in (site.locks, site.readers):
        cable.rouse()
    for board in site.devices.boards:
        board.power_cycle(now_us)
    for reader in site.devices.readers.values():
        reader.power_cycle()
    for cable in (site.locks, site.readers):
        cable.devices_ill += 1
        cable.changed()

    def over() -> None:
        for cable in (site.locks, site.readers):
            cable.devices_ill -= 1
            cable.changed()

    cast.later(cast.lasts_us, over)


def _stuck_lock(cast: Cast) -> End:
    slot, cabinet = cast.rng.choice(slot_numbers()), cast.site.cabinet
    cast.spell.detail = f"slot {slot}"
    cabinet.set_stuck(slot, stuck=True)
    return lambda: cabinet.set_stuck(slot, stuck=False)


def _spoilt_answers(cast: Cast) -> End:
    """The lock board does what it is told and its answers are garbage: locks open without a word."""
    board, _ = cast.site.devices.boards
    return _with_ill_device(cast.site.locks, partial(setattr, board, "bad_crc"))


def _late_board_answer(cast: Cast) -> End:
    """A board answers later than the box waits: each answer looks like the one to what was asked next."""
    board, late_ms = cast.rng.choice(cast.site.devices.boards), cast.rng.randrange(*LATE_MS)
    cast.spell.detail = f"unit {board.unit}, {late_ms} ms"
    return _with_ill_device(cast.site.locks, lambda ill: setattr(board, "late_ms", late_ms if ill else 0))


def _bounce(cast: Cast) -> None:
    """A contact rattles, and shows in the end what it showed before."""
    rng = cast.rng
    slot, contact = rng.choice(slot_numbers()), rng.choice((Contact.KEY, Contact.DOOR))
    cast.spell.detail = f"{contact} contact of slot {slot}"
    after_us = 0
    for turn in range(BOUNCES):
        after_us += rng.randrange(*BOUNCE_US)
        cast.later(after_us, partial(_rattle, cast, slot, contact, flips=turn % 2 == 0))


def _rattle(cast: Cast, slot: int, contact: Contact, *, flips: bool) -> None:
    site = cast.site
    cabinet = site.cabinet
    is_on = (cabinet.key_in(slot) is not None) if contact is Contact.KEY else cabinet.is_open(slot)
    site.locks.rouse()
    site.devices.bounce(slot, contact, is_on=is_on != flips)
    site.locks.changed()


HARDWARE = (
    Fault("lock_noise", LOCKS, 8, (5, 60), _lock_noise),
    Fault("reader_noise", READERS, 8, (5, 45), _reader_noise),
    Fault("cut_frames", BOTH, 10, (5, 60), _cut_frames),
    Fault("cable_pulled", BOTH, 8, (5, 600), _pulled),
    Fault("mute_board", LOCKS, 10, (2, 40), _mute_board),
    Fault("mute_reader", READERS, 10, (2, 60), _mute_badge_reader),
    Fault("dead_tag_reader", READERS, 24, (40, 240), _dead_tag_reader),
    Fault("device_reset", BOTH, 8, (0.5, 2), _reset),
    Fault("stuck_lock", LOCKS, 6, (300, 2400), _stuck_lock),
    Fault("spoilt_answers", LOCKS, 10, (5, 60), _spoilt_answers),
    Fault("late_board_answer", LOCKS, 8, (5, 90), _late_board_answer),
    Fault("bouncing_contact", LOCKS, 4, (0.2, 0.5), _bounce),
)
