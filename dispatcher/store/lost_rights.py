"""What boxes were told last, beside a database that was put back: the rights that it does not know, or not so.

A box's wanted state has the grants that its cabinet was to hold, within the horizon and nearest first. It is signed
by this dispatcher and kept by the broker until a new one replaces it, so that it is newer than any backup.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, bindparam, select

from contract.messages import Desired, Grant
from dispatcher.core.booking_states import FINAL_STATES, BookingState
from dispatcher.store.columns import literally_in
from dispatcher.store.schema import LIVE_BOOKING_STATES, badges, bookings, held_badges, keys

_NAMED = select(bookings).where(bookings.c.grant_id.in_(bindparam("grants", expanding=True)))
_HELD_HERE = (
    select(bookings)
    .where(
        bookings.c.cabinet_id == bindparam("cabinet"),
        literally_in(bookings.c.state, LIVE_BOOKING_STATES),
        bookings.c.state == BookingState.BOOKED,
        bookings.c.start_ms < bindparam("until_ms"),
        bookings.c.end_ms > bindparam("now_ms"),
    )
    .order_by(bookings.c.start_ms, bookings.c.id)
)
_VEHICLES = select(keys.c.id, keys.c.vehicle_id).where(keys.c.id.in_(bindparam("keys", expanding=True)))
_MEMBERS = (
    select(badges.c.ref, badges.c.member_id)
    .where(badges.c.ref.in_(bindparam("refs", expanding=True)))
    .union_all(
        select(held_badges.c.ref, held_badges.c.member_id).where(
            held_badges.c.ref.in_(bindparam("held", expanding=True))
        )
    )
)


class Loss(StrEnum):
    UNKNOWN = "unknown"  # no booking has this right: it was made since the backup
    OTHER_WINDOW = "other_window"  # it was moved since: what is told is the newer window
    OVER = "over"  # here it is over, and the box was told that it holds
    NOT_TOLD = (
        "not_told"  # it holds here, and the box was told of it no more: cancelled, moved away or withheld since
    )


@dataclass(frozen=True, slots=True)
class LostRight:
    """A right on which the database and the box's last word from us differ."""

    loss: Loss
    cabinet_id: str
    grant_id: str
    booking_id: str | None
    """None: there is none."""
    vehicle_id: str | None
    """None: its key is not known here."""
    is_order: bool
    start_ms: int
    end_ms: int
    """As the box was told; of `NOT_TOLD` as the database has it."""
    member_ids: tuple[str, ...]
    """Whose badges are named, as far as they are known here."""
    unknown_badges: int
    pool_ids: tuple[str, ...]


def lost_rights(connection: Connection, told: Desired, now_ms: int) -> tuple[LostRight, ...]:
    """Of one cabinet, the nearest start first. What ended by `now_ms` is left out."""
    grants = [grant for grant in told.grants if grant.end_ms > now_ms]
    rows = connection.execute(_NAMED, {"grants": [grant.grant for grant in grants]}).mappings()
    known = {row["grant_id"]: dict(row) for row in rows}
    vehicles = {
        row.id: row.vehicle_id
        for row in connection.execute(_VEHICLES, {"keys": sorted({grant.key for grant in grants})})
    }
    refs = sorted({ref for grant in grants for ref in grant.badges})
    members = {row.ref: row.member_id for row in connection.execute(_MEMBERS, {"refs": refs, "held": refs})}
    found = [
        LostRight(
            loss,
            told.cabinet,
            grant.grant,
            known[grant.grant]["id"] if grant.grant in known else None,
            vehicles.get(grant.key),
            grant.order == "service_order",
            grant.start_ms,
            grant.end_ms,
            tuple(sorted({members[ref] for ref in grant.badges if ref in members})),
            sum(ref not in members for ref in grant.badges),
            grant.pools,
        )
        for grant in grants
        if (loss := _loss(grant, known.get(grant.grant))) is not None
    ]
    found += _not_told(connection, told, now_ms)
    return tuple(sorted(found, key=lambda right: (right.start_ms, right.grant_id)))


def _loss(grant: Grant, row: dict[str, object] | None) -> Loss | None:
    if row is None:
        return Loss.UNKNOWN
    if row["state"] in FINAL_STATES:
        return Loss.OVER
    return None if (row["start_ms"], row["end_ms"]) == (grant.start_ms, grant.end_ms) else Loss.OTHER_WINDOW


def _not_told(connection: Connection, told: Desired, now_ms: int) -> Iterator[LostRight]:
    """Only where the box was told of all that begins by then."""
    if told.complete_until_ms is None:
        return
    named = {grant.grant for grant in told.grants}
    of_these = {"cabinet": told.cabinet, "until_ms": told.complete_until_ms, "now_ms": now_ms}
    for row in connection.execute(_HELD_HERE, of_these).mappings():
        if row["grant_id"] not in named:
            yield LostRight(
                Loss.NOT_TOLD,
                told.cabinet,
                row["grant_id"],
                row["id"],
                row["vehicle_id"],
                row["purpose"] is not None,
                row["start_ms"],
                row["end_ms"],
                (row["member_id"],),
                0,
                () if row["pool_id"] is None else (row["pool_id"],),
            )
