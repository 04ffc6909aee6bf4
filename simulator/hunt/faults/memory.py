"""What a machine remembers is put back: a dispatcher from its backup, a box from an old image of its card."""

from collections.abc import Mapping

from sqlalchemy import select

from dispatcher.core.retention import Retention
from dispatcher.core.windows import DAY_MS
from dispatcher.store.restored import settle_restored
from dispatcher.store.schema import facts
from simulator.hunt.faults.menu import Cast, End, Fault
from simulator.network.draws import stream
from simulator.verdict.evidence import read_evidence
from simulator.virtual.box import VirtualBox
from simulator.virtual.premises import image_of, put_back
from simulator.virtual.spells import Spell, Touches
from simulator.virtual.timers import SECOND_US
from simulator.virtual.world import VirtualWorld

WHO_HELD_MS = Retention().who_held_days * DAY_MS
ECHO_US = 600 * SECOND_US  # what is told again, after what was put back: minutes of facts, resends and reports


def _ledger_restored(cast: Cast) -> End:
    """A backup is made now; when the spell ends, the database is lost and the backup is all there is."""
    world = cast.world
    backup = image_of(world.database)
    cast.spell.touches = frozenset()  # nothing is wrong yet

    def end() -> None:
        before, ledgers_before = world.database.read_now(read_evidence), _ledgers(world)
        world.centre.kill(None)
        put_back(world.database, backup)
        random_bytes = stream(world.stage.seed, f"restore/{world.stage.clock.now_ms()}").randbytes
        world.database.write_now(  # as `dispatcher restore` does
            lambda connection: settle_restored(
                connection, (), WHO_HELD_MS, random_bytes, world.stage.clock.now_ms()
            )
        )
        kept = {booking.id for booking in world.database.read_now(read_evidence).bookings}
        world.lost += [booking for booking in before.bookings if booking.id not in kept]
        for cabinet, ledger in _ledgers(world).items():
            box = world.boxes[cabinet]
            _lose(cast, box, _without(ledgers_before[cabinet], ledger, box.hashes_on_disk()))
        world.revoke_again()
        world.centre.boot()
        _begin_echo(cast, frozenset({Touches.CENTRE, Touches.MEMORY}), None)

    return end


def _box_restored(cast: Cast) -> End:
    """The card is copied now; when the spell ends it has failed, and the copy is put in."""
    box = cast.box
    image = box.disk.image()
    cast.spell.touches = frozenset()

    def end() -> None:
        box.kill(None)
        had = box.hashes_on_disk()
        box.disk.put_back(image)
        _lose(cast, box, _without(had, box.hashes_on_disk(), _ledgers(cast.world)[box.cabinet]))
        box.boot()
        touches = frozenset({Touches.BOX, Touches.MEMORY, Touches.LOCKS, Touches.READERS, Touches.WAY})
        _begin_echo(cast, touches, frozenset({cast.box.cabinet}))

    return end


def _box_cloned(cast: Cast) -> End:
    """A copy of the card runs beside the box, elsewhere: the broker throws one of them off for the other."""
    clone = cast.world.clone(cast.box.cabinet)
    clone.boot()
    return lambda: clone.kill(None)


def _lose(cast: Cast, box: VirtualBox, lost: Mapping[str, int]) -> None:
    """Facts that are nowhere any more, with when they were noted: counted apart (promise 3)."""
    if not lost:
        return
    noted_us = [at_us for at_ms in lost.values() for at_us in box.clock.noted_us(at_ms)]
    if noted_us:  # else a copy noted them, elsewhere
        touches, here = frozenset({Touches.BOX}), frozenset({box.cabinet})
        cast.world.spells.add(Spell("facts_lost", touches, here, min(noted_us), max(noted_us) + SECOND_US))


def _ledgers(world: VirtualWorld) -> dict[str, dict[str, int]]:
    """By cabinet, what its ledger holds: when each fact was noted, by the hash after it."""
    found: dict[str, dict[str, int]] = {cabinet: {} for cabinet in world.boxes}
    statement = select(facts.c.cabinet_id, facts.c.hash, facts.c.at_ms)
    for cabinet, after, at_ms in world.database.read_now(lambda connection: connection.execute(statement).all()):
        found[cabinet][after] = at_ms
    return found


def _without(some: Mapping[str, int], *others: Mapping[str, int]) -> dict[str, int]:
    return {after: at_ms for after, at_ms in some.items() if not any(after in other for other in others)}


def _begin_echo(cast: Cast, touches: frozenset[Touches], cabinets: frozenset[str] | None) -> Spell:
    now_us = cast.world.stage.timers.now_us()
    return cast.world.spells.add(Spell(f"{cast.spell.fault}_echo", touches, cabinets, now_us, now_us + ECHO_US))


MEMORY: tuple[Fault, ...] = (
    Fault("ledger_restored", frozenset(), 3, (600, 7200), _ledger_restored, everywhere=True),
    Fault("box_restored", frozenset(), 12, (300, 5400), _box_restored),
    Fault("box_cloned", frozenset({Touches.WAY}), 36, (60, 300), _box_cloned),
)
