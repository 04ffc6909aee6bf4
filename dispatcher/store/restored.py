"""What a database does once that was put back from a backup, before anybody serves it."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select, update

from dispatcher.store.desired import mark_serving_dirty
from dispatcher.store.erasure import erase, is_member
from dispatcher.store.erasure_list import Erasure
from dispatcher.store.ids import RandomBytes
from dispatcher.store.ledger import LEDGER_ID, ledger_id
from dispatcher.store.schema import LIVE_BOOKING_STATES, bookings, desired_grants, desired_states, meta


@dataclass(frozen=True, slots=True)
class Restored:
    ledger: str
    """The new name of the ledger: boxes see by it that they have to tell again what it lacks."""
    erased: int
    """Members who were erased since the backup, and are again."""
    live_bookings: int
    """Bookings that hold. Those that were made since the backup are in nobody's list here."""


def settle_restored(
    connection: Connection,
    erasures: Iterable[Erasure],
    who_held_ms: int,
    random_bytes: RandomBytes,
    now_ms: int,
) -> Restored:
    """Make a database that was put back one that the boxes can refill.

    Every cabinet's wanted state is computed anew under a number that no box has seen, whatever a box holds: numbers
    are the largest of the one before plus one, the one that the box reports plus one, and the time.
    """
    erased = 0
    for erasure in erasures:
        if is_member(connection, erasure.member_id):
            erase(connection, erasure, who_held_ms, now_ms)
            erased += 1
    connection.execute(delete(meta).where(meta.c.key == LEDGER_ID))
    connection.execute(delete(desired_grants))  # what boxes hold is not known
    connection.execute(update(desired_states).values(digest="", dirty=True))
    mark_serving_dirty(connection)
    live = select(func.count()).where(bookings.c.state.in_(LIVE_BOOKING_STATES))
    return Restored(ledger_id(connection, random_bytes), erased, connection.execute(live).scalar_one())
