"""What a machine remembers is put back: a dispatcher from its backup, a box from an old image of its card."""

from sqlalchemy import select

from dispatcher.store.ledger import LEDGER_ID
from dispatcher.store.schema import facts, meta
from simulator.hunt.faults.menu import Cast, End, Fault
from simulator.verdict.evidence import read_evidence
from simulator.virtual.premises import image_of, put_back
from simulator.virtual.spells import Spell, Touches
from simulator.virtual.timers import SECOND_US

ECHO_US = 600 * SECOND_US  # what is told again, after what was put back: minutes of facts, resends and reports


def _ledger_restored(cast: Cast) -> End:
    """A backup is made now; when the spell ends, the database is lost and the backup is all there is."""
    world = cast.world
    backup = image_of(world.database)
    cast.spell.touches = frozenset()  # nothing is wrong yet

    def end() -> None:
        before = world.database.read_now(read_evidence)
        world.centre.kill(None)
        put_back(world.database, backup)
        world.database.write_now(
            lambda connection: connection.execute(meta.delete().where(meta.c.key == LEDGER_ID))
        )
        kept = {booking.id for booking in world.database.read_now(read_evidence).bookings}
        world.lost += [booking for booking in before.bookings if booking.id not in kept]
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
        _lose_untold(cast)
        box.disk.put_back(image)
        box.boot()
        touches = frozenset({Touches.BOX, Touches.MEMORY, Touches.LOCKS, Touches.READERS, Touches.WAY})
        _begin_echo(cast, touches, frozenset({cast.box.cabinet}))

    return end


def _box_cloned(cast: Cast) -> End:
    """A copy of the card runs beside the box, elsewhere: the broker throws one of them off for the other."""
    clone = cast.world.clone(cast.box.cabinet)
    clone.boot()
    return lambda: clone.kill(None)


def _lose_untold(cast: Cast) -> None:
    """What the failed card held and the ledger did not is lost: counted apart (promise 3).

    That is what was not acknowledged yet, and what a ledger that was put back had not been told again.
    """
    world, box = cast.world, cast.box
    of_cabinet = select(facts.c.hash).where(facts.c.cabinet_id == box.cabinet)
    ledger = world.database.read_now(lambda connection: frozenset(connection.execute(of_cabinet).scalars()))
    since_ms = box.oldest_untold_ms(ledger)
    if since_ms is not None:
        since_us = world.stage.clock.at_us(since_ms - box.clock.error_ms)
        touches, now_us = frozenset({Touches.BOX}), world.stage.timers.now_us()
        lost = Spell("untold_lost", touches, frozenset({box.cabinet}), since_us, now_us)
        world.spells.add(lost)


def _begin_echo(cast: Cast, touches: frozenset[Touches], cabinets: frozenset[str] | None) -> Spell:
    now_us = cast.world.stage.timers.now_us()
    return cast.world.spells.add(Spell(f"{cast.spell.fault}_echo", touches, cabinets, now_us, now_us + ECHO_US))


MEMORY: tuple[Fault, ...] = (
    Fault("ledger_restored", frozenset(), 3, (600, 7200), _ledger_restored, everywhere=True),
    Fault("box_restored", frozenset(), 8, (300, 5400), _box_restored),
    Fault("box_cloned", frozenset({Touches.WAY}), 24, (60, 600), _box_cloned),
)
