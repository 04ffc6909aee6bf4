"""Who has the key of a service order: whose badge took it, and to whom it was then said to be handed on."""

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select

from dispatcher.store.bookings import Booking
from dispatcher.store.schema import badges, custody, handovers


@dataclass(frozen=True, slots=True)
class Holder:
    """A member, or somebody by name; never both."""

    member_id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class HandedOn:
    """One declaration."""

    number: int
    at_ms: int
    giver: Holder
    taker: Holder
    author: str
    note: str | None


_NEW = insert(custody)
_OF_BOOKING = (
    select(custody).where(custody.c.booking_id == bindparam("booking")).order_by(custody.c.at_ms, custody.c.id)
)
_LAST_BEFORE = (
    select(custody.c.at_ms, custody.c.to_member_id, custody.c.to_name)
    .where(custody.c.booking_id == bindparam("booking"), custody.c.at_ms <= bindparam("at_ms"))
    .order_by(custody.c.at_ms.desc(), custody.c.id.desc())
    .limit(1)
)
_LAST_HANDOVER = (
    select(handovers.c.kind, handovers.c.at_ms, badges.c.member_id)
    .outerjoin(badges, badges.c.ref == handovers.c.badge_ref)
    .where(handovers.c.booking_id == bindparam("booking"), handovers.c.at_ms <= bindparam("at_ms"))
    .order_by(handovers.c.at_ms.desc(), handovers.c.position.desc())
    .limit(1)
)


def hand_on(
    connection: Connection, order: Booking, at_ms: int, giver: Holder, taker: Holder, author: str, note: str | None
) -> None:
    """Keep that `giver` handed the key on to `taker` at `at_ms`, as `author` declares."""
    row = {
        "booking_id": order.id,
        "at_ms": at_ms,
        "from_member_id": giver.member_id,
        "from_name": giver.name,
        "to_member_id": taker.member_id,
        "to_name": taker.name,
        "author": author,
        "note": note,
    }
    connection.execute(_NEW, row)


def custody_of(connection: Connection, booking_id: str) -> tuple[HandedOn, ...]:
    """Every declaration, in the order of the instants that they speak of."""
    return tuple(
        HandedOn(
            row.id,
            row.at_ms,
            Holder(row.from_member_id, row.from_name),
            Holder(row.to_member_id, row.to_name),
            row.author,
            row.note,
        )
        for row in connection.execute(_OF_BOOKING, {"booking": booking_id})
    )


def holder_at(connection: Connection, booking_id: str, at_ms: int) -> Holder | None:
    """Who had the key under this right at an instant; None: it hung in a cabinet, or nothing says who took it.

    A declaration counts until the key is back, or taken again by a badge.
    """
    this = {"booking": booking_id, "at_ms": at_ms}
    handover = connection.execute(_LAST_HANDOVER, this).one_or_none()
    if handover is not None and handover.kind == "returned":
        return None
    declared = connection.execute(_LAST_BEFORE, this).one_or_none()
    if declared is not None and (handover is None or declared.at_ms >= handover.at_ms):
        return Holder(declared.to_member_id, declared.to_name)
    return Holder(member_id=handover.member_id) if handover is not None and handover.member_id else None
