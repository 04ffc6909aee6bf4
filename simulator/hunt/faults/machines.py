"""Faults of computers: killed between any two effects, without power, with a wrong clock; a slow database."""

from simulator.hunt.faults.menu import Cast, End, Fault
from simulator.virtual.spells import Touches

EFFECTS_MAX = 40  # a kill falls at one of the next so many effects: a handover is about thirty
BOX, CLOCK = frozenset({Touches.BOX, Touches.LOCKS, Touches.READERS, Touches.WAY}), frozenset({Touches.CLOCK})
CENTRE = frozenset({Touches.CENTRE, Touches.WAY})


def _agent_kill(cast: Cast) -> End:
    cast.box.switch.arm(cast.rng.randrange(EFFECTS_MAX))
    return cast.box.switch.disarm


def _power_cut(cast: Cast) -> None:
    cast.box.cut_power(cast.lasts_us)


def _clock_step(cast: Cast) -> End:
    """Set wrong by minutes or hours, forward or back, and nobody vouches for it until it is right again."""
    clock = cast.box.clock
    clock.is_synchronised = False
    clock.step(cast.rng.choice((-1, 1)) * cast.rng.choice((40_000, 600_000, 7_200_000)))
    return _set_right(cast)


def _clock_spoof(cast: Cast) -> End:
    """Somebody feeds the receiver a false time: the kernel says that all is well."""
    cast.box.clock.step(cast.rng.choice((-1, 1)) * cast.rng.choice((900_000, 3_600_000, 86_400_000)))
    return _set_right(cast)


def _clock_drift(cast: Cast) -> End:
    cast.box.clock.drift(cast.rng.choice((-1, 1)) * cast.rng.randrange(20, 200))
    return _set_right(cast)


def _clock_lost(cast: Cast) -> End:
    """The box starts with a dead battery: its clock is years back, and it has no network time."""
    clock = cast.box.clock
    cast.box.kill()
    clock.is_synchronised = False
    clock.step(-cast.rng.randrange(86_400_000, 40_000_000_000))
    return _set_right(cast)


def _set_right(cast: Cast) -> End:
    clock = cast.box.clock

    def end() -> None:
        clock.set_right()
        clock.is_synchronised = True

    return end


def _disk_full(cast: Cast) -> End:
    """The database can take no more; the emergency file, made beforehand, can."""
    disk = cast.box.disk
    disk.is_full = True

    def end() -> None:
        disk.is_full = False

    return end


def _disk_dead(cast: Cast) -> End:
    """Nothing at all can be written for a while: what is noted then is noted later, or lost with the power."""
    disk = cast.box.disk
    disk.is_full = disk.emergency.is_dead = True

    def end() -> None:
        disk.is_full = disk.emergency.is_dead = False

    return end


def _centre_kill(cast: Cast) -> End:
    cast.world.centre.switch.arm(cast.rng.randrange(EFFECTS_MAX))
    return cast.world.centre.switch.disarm


def _database_slow(cast: Cast) -> End:
    executor = cast.world.centre.executor
    executor.is_locked = True

    def end() -> None:
        executor.is_locked = False

    return end


def _two_dispatchers(cast: Cast) -> End:
    other = cast.world.other_centre
    other.boot()
    return lambda: other.kill(None)


MACHINES = (
    Fault("agent_kill", BOX, 4, (60, 600), _agent_kill),
    Fault("power_cut", BOX, 8, (5, 600), _power_cut),
    Fault("disk_full", frozenset({Touches.DISK}), 10, (60, 1800), _disk_full),
    Fault("disk_dead", BOX | {Touches.DISK}, 16, (30, 300), _disk_dead),
    Fault("clock_step", CLOCK, 12, (120, 1800), _clock_step),
    Fault("clock_spoof", CLOCK, 12, (120, 1800), _clock_spoof),
    Fault("clock_drift", CLOCK, 12, (600, 3600), _clock_drift),
    Fault("clock_lost", BOX | CLOCK, 16, (120, 1200), _clock_lost),
    Fault("centre_kill", CENTRE, 2, (60, 300), _centre_kill, everywhere=True),
    Fault("database_slow", CENTRE, 3, (0.5, 5), _database_slow, everywhere=True),
    Fault("two_dispatchers", frozenset(), 4, (300, 3600), _two_dispatchers, everywhere=True),
)
