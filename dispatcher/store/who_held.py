"""Who held a vehicle at an instant: the badge that took its key, whose it is, and what was declared since.

The person of record is the badge that took the key (code de la route, art. L121-6: the operator names the driver).
Of an erased member the name is asked for here and nowhere else.
"""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, or_, select

from dispatcher.store.custody import HandedOn, custody_of
from dispatcher.store.schema import (
    badges,
    bookings,
    commands,
    handovers,
    held_badges,
    held_names,
    members,
    rentals,
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is a member, or was one."""

    member_id: str
    name: str
    erased: bool


@dataclass(frozen=True, slots=True)
class Order:
    """The command or the release code that opened the slot."""

    command_id: str
    author: str | None
    """None: the command is past its limit."""
    reason: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """One key that was out."""

    key_id: str | None
    """None: nothing had read which key it was."""
    cabinet_id: str
    taken_ms: int
    returned_ms: int | None
    identity: str
    """`read`: the key's tag was read; `presumed`: it is the one that hung there; `unknown`."""
    person: Person | None
    """Whose badge took it; None: no badge did, or the limit is over for which that is known."""
    booking_id: str | None
    purpose: str | None
    """Of a service order."""
    organisation_id: str | None
    ordered: Order | None
    declared: tuple[HandedOn, ...]
    """To whom it was said to be handed on until then, oldest first."""


_OUT = (
    select(rentals, bookings.c.organisation_id, bookings.c.purpose)
    .outerjoin(bookings, bookings.c.id == rentals.c.booking_id)
    .where(
        or_(
            rentals.c.vehicle_id == bindparam("vehicle"),
            rentals.c.vehicle_id.is_(None) & (bookings.c.vehicle_id == bindparam("vehicle")),
        ),
        rentals.c.taken_ms <= bindparam("at_ms"),
        or_(rentals.c.returned_ms.is_(None), rentals.c.returned_ms > bindparam("at_ms")),
    )
    .order_by(rentals.c.taken_ms, rentals.c.id)
)
_TAKE = (
    select(handovers.c.identity, handovers.c.command_id)
    .where(
        handovers.c.kind == "taken",
        handovers.c.cabinet_id == bindparam("cabinet"),
        handovers.c.at_ms == bindparam("taken_ms"),
        or_(handovers.c.key_id == bindparam("key"), handovers.c.key_id.is_(None)),
    )
    .order_by(handovers.c.position.desc())
    .limit(1)
)
_MEMBER = (
    select(members.c.id, members.c.name, members.c.erased_ms)
    .join(badges, badges.c.member_id == members.c.id)
    .where(badges.c.ref == bindparam("ref"))
)
_NAME = func.coalesce(held_names.c.name, members.c.name)
_BEFORE = (  # a badge that is gone, or that another member has since
    select(members.c.id, _NAME, members.c.erased_ms)
    .join(held_badges, held_badges.c.member_id == members.c.id)
    .outerjoin(held_names, held_names.c.member_id == members.c.id)
    .where(held_badges.c.ref == bindparam("ref"))
)
_ERASED = select(held_names.c.name).where(held_names.c.member_id == bindparam("member"))
_ORDER = select(commands.c.author, commands.c.reason).where(commands.c.id == bindparam("command"))


def who_held(connection: Connection, vehicle_id: str, at_ms: int) -> tuple[Held, ...]:
    """One for each key of the vehicle that was out; none: all of them hung in a cabinet, or nothing says so."""
    rows = connection.execute(_OUT, {"vehicle": vehicle_id, "at_ms": at_ms}).all()
    return tuple(_held(connection, row, at_ms) for row in rows)


def person_of_badge(connection: Connection, ref: str) -> Person | None:
    """Whose badge a reference is, or was; None: nobody knows."""
    for statement in (_MEMBER, _BEFORE):
        found = connection.execute(statement, {"ref": ref}).one_or_none()
        if found is not None:
            member_id, name, erased_ms = found
            return Person(member_id, name, erased=erased_ms is not None)
    return None


def _named(connection: Connection, handed: HandedOn) -> HandedOn:
    """With the name of somebody who was erased since."""
    if handed.taker.member_id is None:
        return handed
    name = connection.execute(_ERASED, {"member": handed.taker.member_id}).scalar_one_or_none()
    return handed if name is None else replace(handed, taker=replace(handed.taker, name=name))


def _held(connection: Connection, row: Row[Any], at_ms: int) -> Held:
    this = {"cabinet": row.cabinet_id, "taken_ms": row.taken_ms, "key": row.key_id}
    take = connection.execute(_TAKE, this).one_or_none()
    person = None if row.badge_ref is None else person_of_badge(connection, row.badge_ref)
    command_id = None if take is None else take.command_id
    declared = () if row.booking_id is None else custody_of(connection, row.booking_id)
    return Held(
        key_id=row.key_id,
        cabinet_id=row.cabinet_id,
        taken_ms=row.taken_ms,
        returned_ms=row.returned_ms,
        identity="unknown" if take is None else take.identity,
        person=person,
        booking_id=row.booking_id,
        purpose=row.purpose,
        organisation_id=row.organisation_id,
        ordered=None if command_id is None else _order(connection, command_id),
        declared=tuple(_named(connection, one) for one in declared if row.taken_ms <= one.at_ms <= at_ms),
    )


def _order(connection: Connection, command_id: str) -> Order:
    found = connection.execute(_ORDER, {"command": command_id}).one_or_none()
    return Order(command_id, *(found if found is not None else (None, None)))
