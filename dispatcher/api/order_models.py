"""Service orders as they are sent in and answered."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from dispatcher.api.booking_models import DRIVERS_MAX
from dispatcher.api.values import Answer, Body, Id, Listing, PageQuery, instant_of
from dispatcher.core.booking_states import BookingState, is_overdue
from dispatcher.core.orders import Purpose
from dispatcher.core.windows import to_utc
from dispatcher.instants import Instant
from dispatcher.store.bookings import Booking
from dispatcher.store.custody import HandedOn, Holder
from dispatcher.store.grant_status import GrantStatus

TEXT_CHARACTERS_MAX = 200

Why = Annotated[str, Field(min_length=1, max_length=TEXT_CHARACTERS_MAX)]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class NewOrder(Body):
    """A vehicle for staff or a third party; it is out of service for members meanwhile."""

    holder_id: Id
    """A member whose role is `staff` or `third_party`: their badges open."""
    vehicle_id: Id
    purpose: Purpose
    start: Instant | None = None
    """null: now. Neither start nor end lies on a grid."""
    end: Instant
    driver_ids: Annotated[tuple[Id, ...], Field(max_length=DRIVERS_MAX)] = ()
    """Others whose badges open, too; of the same roles."""
    note: Why | None = None
    """For the history. No names: it is kept as long as the order."""


class OrderPatch(Body):
    """What is to be different; absent: as it is."""

    start: Instant | None = None
    end: Instant | None = None
    """May be moved as long as the order is not over, also past an end that was missed."""
    purpose: Purpose | None = None


class Ending(Body):
    reason: Why
    """For the history. No names."""


class OrderQuery(PageQuery):
    station: Id | None = None
    vehicle: Id | None = None
    holder: Id | None = None
    state: tuple[BookingState, ...] = ()
    """May be given more than once."""
    from_: Annotated[Instant | None, Field(alias="from")] = None
    """Only orders that end after this instant."""
    until: Instant | None = None
    """Only orders that start before this instant."""


class HolderOut(Answer):
    """A member, or somebody by name."""

    member_id: str | None
    name: str | None


class OrderOut(Answer):
    id: str
    purpose: Purpose
    holder_id: str
    driver_ids: list[str]
    vehicle_id: str
    station_id: str
    cabinet_id: str
    """Where the key is to be taken."""
    start: datetime
    end: datetime
    """Until then the right opens, as often as it is asked. Never used by then, the order is cancelled."""
    state: BookingState
    overdue: bool
    """The key is out past the end."""
    grant: GrantStatus | None
    """Whether the cabinet already has this right; null: the order is over."""
    held_by: HolderOut | None
    """Who has the key now, by badge or by declaration; null: nobody, as far as is known."""
    taken_at: datetime | None
    returned_at: datetime | None
    ended_at: datetime | None
    created_at: datetime
    changed_at: datetime
    version: int
    """Counts the changes."""


class OrderList(Listing):
    items: list[OrderOut]


class NewCustody(Body):
    """The key was handed on. Give one of `to_member_id` and `to_name`."""

    to_member_id: Id | None = None
    to_name: Name | None = None
    """Who has no badge here: a garage, a towing firm."""
    at: Instant | None = None
    """When; null: now."""
    note: Why | None = None


class CustodyOut(Answer):
    at: datetime
    giver: HolderOut | None
    """Who had it before, as far as was known; null: nobody was."""
    taker: HolderOut
    author: str
    """The name of the token that declared it."""
    note: str | None


class CustodyList(Answer):
    items: list[CustodyOut]
    """In the order of their instants."""


def order_out(order: Booking, grant: GrantStatus | None, held_by: Holder | None, now_ms: int) -> OrderOut:
    return OrderOut(
        id=order.id,
        purpose=Purpose(str(order.purpose)),
        holder_id=order.member_id,
        driver_ids=list(order.driver_ids),
        vehicle_id=order.vehicle_id,
        station_id=order.station_id,
        cabinet_id=order.cabinet_id,
        start=to_utc(order.start_ms),
        end=to_utc(order.end_ms),
        state=order.state,
        overdue=is_overdue(order.state, order.end_ms, now_ms),
        grant=grant,
        held_by=holder_out(held_by),
        taken_at=instant_of(order.taken_ms),
        returned_at=instant_of(order.returned_ms),
        ended_at=instant_of(order.ended_ms),
        created_at=to_utc(order.created_ms),
        changed_at=to_utc(order.changed_ms),
        version=order.version,
    )


def holder_out(holder: Holder | None) -> HolderOut | None:
    if holder is None or holder == Holder():
        return None
    return HolderOut(member_id=holder.member_id, name=holder.name)


def custody_out(handed: HandedOn) -> CustodyOut:
    return CustodyOut(
        at=to_utc(handed.at_ms),
        giver=holder_out(handed.giver),
        taker=HolderOut(member_id=handed.taker.member_id, name=handed.taker.name),
        author=handed.author,
        note=handed.note,
    )
