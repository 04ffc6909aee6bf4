"""Who is on the phone: standing, badges, bookings with key and right, and what could be booked instead."""

from dataclasses import dataclass

from sqlalchemy import BindParameter, Connection, bindparam, exists, or_, select

from dispatcher.core.booking_states import BookingState, is_overdue
from dispatcher.core.rules import FleetRules, Refused
from dispatcher.pages.views.places import Named, Place, places_of, vehicles_named
from dispatcher.pages.views.strips import Strip, strips_of
from dispatcher.pages.views.told import Caller, Told, told_by
from dispatcher.store.alternatives import Asked, alternatives
from dispatcher.store.bookings import Booking, booking_by_id
from dispatcher.store.columns import literally_in
from dispatcher.store.grant_status import GrantStatus, grant_statuses
from dispatcher.store.members import Badge, Member, badges_of, member_by_id
from dispatcher.store.reachability import reachable_cabinets
from dispatcher.store.releases import Hanging, slot_of_booking
from dispatcher.store.schema import (
    LIVE_BOOKING_STATES,
    booking_drivers,
    bookings,
    cabinet_links,
    key_states,
    members,
    pool_members,
)
from dispatcher.store.vehicles import vehicle_by_id

BOOKINGS_MAX = 4  # the present one and those that come next
AT_STATION_MAX = 30  # of one station, today: every car twice
SOON_MS = 12 * 3_600_000  # who calls from a station comes for a booking of today

_LIVE = literally_in(bookings.c.state, LIVE_BOOKING_STATES)
_MEMBER: BindParameter[str] = bindparam("member")
_OWN = (
    select(bookings.c.id)
    .where(
        _LIVE,
        bookings.c.purpose.is_(None),
        or_(
            bookings.c.member_id == _MEMBER,
            exists().where(
                booking_drivers.c.booking_id == bookings.c.id,
                booking_drivers.c.member_id == _MEMBER,
            ),
            exists().where(
                pool_members.c.pool_id == bookings.c.pool_id,
                pool_members.c.member_id == _MEMBER,
                pool_members.c.state == "active",
            ),
        ),
    )
    .order_by(bookings.c.start_ms, bookings.c.id)
    .limit(BOOKINGS_MAX)
)
_THERE = (
    select(
        bookings.c.id,
        bookings.c.member_id,
        bookings.c.start_ms,
        bookings.c.end_ms,
        bookings.c.state,
        bookings.c.vehicle_id,
        members.c.name,
    )
    .join(members, members.c.id == bookings.c.member_id)
    .where(
        _LIVE,
        bookings.c.purpose.is_(None),
        bookings.c.station_id == bindparam("station"),
        bookings.c.start_ms < bindparam("until_ms"),
        members.c.erased_ms.is_(None),
    )
    .order_by(bookings.c.start_ms, bookings.c.id)
    .limit(AT_STATION_MAX)
)
_HEARD = select(cabinet_links.c.cabinet_id, cabinet_links.c.heard_ms).where(
    cabinet_links.c.cabinet_id.in_(bindparam("cabinets", expanding=True))
)
_KEY = select(key_states.c.state).where(key_states.c.key_id == bindparam("key"))


@dataclass(frozen=True, slots=True)
class OtherCar:
    """What the booking could be given instead."""

    vehicle: Named
    place: Place | None
    distance_m: int


@dataclass(frozen=True, slots=True)
class CallersBooking:
    booking: Booking
    vehicle: Named | None
    place: Place | None
    """Where its key hangs, or is to be taken."""
    slot: int | None
    """None: its key hangs in no slot."""
    key_state: str
    """As `key_states` has it; `unknown`: nothing was heard of it."""
    grant: GrantStatus | None
    is_overdue: bool
    is_reachable: bool
    """Whether the cabinet can be told anything now."""
    heard_ms: int | None
    """The last word of the cabinet; None: it has never said one."""


@dataclass(frozen=True, slots=True)
class CallerPage:
    member: Member
    badges: tuple[Badge, ...]
    bookings: tuple[CallersBooking, ...]
    """The present one and the next, in the order of their start."""
    chosen: CallersBooking | None
    """The one that the rest of the page is about; None: there is none."""
    told: tuple[Told, ...]
    """What its cabinet told last."""
    strips: tuple[Strip, ...]
    """What is open about its cabinet."""
    others: tuple[OtherCar, ...]


@dataclass(frozen=True, slots=True)
class BookingThere:
    """A booking of a station, by whose it is."""

    booking_id: str
    member_id: str
    name: str
    start_ms: int
    end_ms: int
    state: BookingState
    vehicle: str


def caller_page(
    connection: Connection,
    member_id: str,
    booking_id: str | None,
    rules: FleetRules,
    now_ms: int,
    *,
    with_facts: bool,
    with_incidents: bool,
) -> CallerPage | None:
    """None: there is no such member. `booking_id`: the one to look at, if it is among the caller's."""
    member = member_by_id(connection, member_id)
    if member is None:
        return None
    badges = badges_of(connection, member_id)
    found = _bookings(connection, member_id, now_ms)
    chosen = next((each for each in found if each.booking.id == booking_id), found[0] if found else None)
    told: tuple[Told, ...] = ()
    strips: tuple[Strip, ...] = ()
    if chosen is not None:
        cabinet_id = chosen.place.cabinet_id if chosen.place is not None else chosen.booking.cabinet_id
        if with_facts:
            rights = {each.booking.grant_id: each.booking.key_id for each in found}
            told = told_by(connection, cabinet_id, Caller(rights, frozenset(badge.ref for badge in badges)))
        if with_incidents:
            strips = strips_of(connection, now_ms, cabinets=[cabinet_id])
    others = () if chosen is None else _others(connection, rules, chosen.booking, now_ms)
    return CallerPage(member, badges, found, chosen, told, strips, others)


def bookings_there(connection: Connection, station_id: str, now_ms: int) -> tuple[BookingThere, ...]:
    """Those of a station that are under way or begin soon: who may be calling from there."""
    rows = connection.execute(_THERE, {"station": station_id, "until_ms": now_ms + SOON_MS}).all()
    names = vehicles_named(connection, {row.vehicle_id for row in rows})
    return tuple(
        BookingThere(
            row.id,
            row.member_id,
            row.name,
            row.start_ms,
            row.end_ms,
            BookingState(row.state),
            names[row.vehicle_id].name,
        )
        for row in rows
    )


def _bookings(connection: Connection, member_id: str, now_ms: int) -> tuple[CallersBooking, ...]:
    ids = connection.execute(_OWN, {"member": member_id}).scalars().all()
    found = [booking for each in ids if (booking := booking_by_id(connection, each)) is not None]
    grants = grant_statuses(connection, found)
    names = vehicles_named(connection, {booking.vehicle_id for booking in found})
    slots = {booking.id: slot_of_booking(connection, booking) for booking in found}
    where = {
        booking.id: booking.cabinet_id if isinstance(hanging := slots[booking.id], Refused) else hanging.cabinet_id
        for booking in found
    }
    places = places_of(connection, set(where.values()))
    reachable = reachable_cabinets(connection)
    told = connection.execute(_HEARD, {"cabinets": sorted(set(where.values()))})
    heard = {row.cabinet_id: row.heard_ms for row in told}
    return tuple(
        CallersBooking(
            booking=booking,
            vehicle=names.get(booking.vehicle_id),
            place=places.get(where[booking.id]),
            slot=hanging.slot if isinstance(hanging := slots[booking.id], Hanging) else None,
            key_state=connection.execute(_KEY, {"key": booking.key_id}).scalar_one_or_none() or "unknown",
            grant=grants.get(booking.id),
            is_overdue=is_overdue(booking.state, booking.end_ms, now_ms),
            is_reachable=where[booking.id] in reachable,
            heard_ms=heard.get(where[booking.id]),
        )
        for booking in found
    )


def _others(connection: Connection, rules: FleetRules, booking: Booking, now_ms: int) -> tuple[OtherCar, ...]:
    """Free for its window, here first; none for a booking whose key is out."""
    vehicle = vehicle_by_id(connection, booking.vehicle_id)
    if vehicle is None or booking.state is BookingState.ACTIVE:
        return ()
    asked = Asked(booking.station_id, vehicle.category, booking.window)
    found = alternatives(connection, rules, asked, [vehicle], now_ms)
    names = vehicles_named(connection, {each.vehicle_id for each in found})
    places = places_of(connection, {each.cabinet_id for each in found})
    return tuple(OtherCar(names[each.vehicle_id], places.get(each.cabinet_id), each.distance_m) for each in found)
