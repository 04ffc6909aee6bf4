"""What was true once, or will be: an old word told again, a clock set to when a booking opens."""

from functools import partial

from sqlalchemy import Connection, select

from contract.topics import PRESENCE, REPORTED
from dispatcher.store.schema import bookings, key_states
from simulator.hunt.faults.helping_oneself import help_oneself
from simulator.hunt.faults.menu import Cast, End, Fault
from simulator.virtual.overheard import read_payload
from simulator.virtual.people import Person
from simulator.virtual.premises import NAMESPACE
from simulator.virtual.spells import Touches
from simulator.virtual.timers import SECOND_US

WILL = 0.7  # the worse of the two: it says that nobody is there
SOON_MS = 4 * 3_600_000  # somebody who cannot wait books for this day
TOO_EARLY_MS = 900_000  # well beyond the opening allowance, and what a clock may be off unnoticed


def _old_word(cast: Cast) -> None:
    """What a box said of itself some time ago, signed and all, comes again: it changes nothing."""
    memory, rng = cast.world.overheard, cast.rng
    presence, reported = (rule.topic(NAMESPACE, cast.box.cabinet) for rule in (PRESENCE, REPORTED))
    wills = [wire for wire in tuple(memory.seen[presence])[:-1] if not read_payload(wire)["online"]]
    reports = list(memory.seen[reported])[:-1]
    if wills and rng.random() < WILL:
        cast.world.stage.broker.spread(presence, rng.choice(wills))
    elif reports:
        cast.world.stage.broker.spread(reported, rng.choice(reports))


def _clock_thief(cast: Cast) -> End | None:
    """Whoever has a booking for later sets the box's clock to it, as by radio, and comes for the key."""
    now_ms = cast.world.stage.clock.now_ms()
    found = cast.world.database.read_now(partial(_booked_for_later, cabinet=cast.box.cabinet, now_ms=now_ms))
    if found is None:
        cast.spell.touches = frozenset()
        return None
    booking_id, member_id, start_ms = found
    member = next(one for one in cast.world.network.members if one.id == member_id)
    clock = cast.box.clock
    clock.step(start_ms - now_ms)
    cast.spell.detail = f"{member_id}, {(start_ms - now_ms) // 60_000} min too early"
    script = help_oneself(cast.box.cabinet, member, booking_id)
    person = Person(f"thief:{member_id}", script, cast.world.around, cast.rng)
    cast.later(5 * SECOND_US, person.begin)
    return clock.set_right


def _booked_for_later(connection: Connection, cabinet: str, now_ms: int) -> tuple[str, str, int] | None:
    """Id, member and start of the next booking there that is far enough ahead and whose key hangs at home."""
    statement = (
        select(bookings.c.id, bookings.c.member_id, bookings.c.start_ms)
        .join(key_states, key_states.c.key_id == bookings.c.key_id)
        .where(
            bookings.c.cabinet_id == cabinet,
            bookings.c.state == "booked",
            bookings.c.purpose.is_(None),
            bookings.c.start_ms.between(now_ms + TOO_EARLY_MS, now_ms + SOON_MS),
            key_states.c.state == "in_slot",
        )
        .order_by(bookings.c.start_ms, bookings.c.id)
    )
    row = connection.execute(statement).first()
    return None if row is None else (row.id, row.member_id, row.start_ms)


ONCE_TRUE = (
    Fault("old_word", frozenset(), 1, (1, 2), _old_word),
    Fault("clock_thief", frozenset({Touches.CLOCK}), 8, (60, 120), _clock_thief),
)
