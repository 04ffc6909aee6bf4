"""Bookings that may find no vehicle are offered another one, and what is offered in vain is withdrawn."""

from dataclasses import replace

from sqlalchemy import BigInteger, Connection, bindparam, exists, literal_column, or_, select

from dispatcher.core.booking_states import BookingState
from dispatcher.core.late_returns import (
    Candidate,
    OfferState,
    OfferView,
    at_risk,
    choose,
    due_window,
    over,
)
from dispatcher.core.orders import SWAP_HOLD
from dispatcher.core.rules import FleetRules
from dispatcher.core.windows import MINUTE_MS, Window
from dispatcher.store.alternatives import Asked, alternatives
from dispatcher.store.booking_desk import bound_to
from dispatcher.store.bookings import booking_by_id, insert_booking
from dispatcher.store.columns import literally_in
from dispatcher.store.origin import origin_of
from dispatcher.store.schema import LIVE_BOOKING_STATES, bookings, incidents, key_states, refusals, swap_offers
from dispatcher.store.service import being_used
from dispatcher.store.swap_offers import IS_OPEN, Offer, end_offer, offer_of, offers_of, open_offer
from dispatcher.store.vehicles import Vehicle, vehicles_named

LOOKED_AT = 10  # bookings a round: each costs some ten reads, and the next round is at most half a minute away
_LEAD_MS = bindparam("lead_ms", type_=BigInteger)
_TROUBLES = select(incidents.c.kind, incidents.c.vehicle_id, incidents.c.booking_id).where(
    incidents.c.closed_ms.is_(None)
)
_SHOWN = or_(
    being_used(bookings.c.grant_id),
    exists().where(refusals.c.grant_id == bookings.c.grant_id, refusals.c.at_ms >= bookings.c.start_ms - _LEAD_MS),
)
"""Its badge was shown at the cabinet: the member is there."""
_DUE = (
    select(bookings.c.id)
    .where(
        literally_in(bookings.c.state, LIVE_BOOKING_STATES),
        bookings.c.state == literal_column("'booked'"),
        bookings.c.purpose.is_(None),
        bookings.c.start_ms > bindparam("from_ms"),
        bookings.c.start_ms <= bindparam("until_ms"),
        bookings.c.take_by_ms <= bindparam("take_by_ms"),  # follows from the start, and is what the index is by
        or_(
            bookings.c.vehicle_id.in_(bindparam("vehicles", expanding=True)),
            bookings.c.id.in_(bindparam("bookings", expanding=True)),
        ),
        ~_SHOWN,
        ~exists().where(
            swap_offers.c.booking_id == bookings.c.id,
            literally_in(swap_offers.c.state, (OfferState.OFFERED, OfferState.DECLINED)),
        ),
    )
    .order_by(bookings.c.start_ms, bookings.c.id)
    .limit(LOOKED_AT)
)
_hold = bookings.alias("hold")
_OPEN = (
    select(
        swap_offers,
        bookings.c.state.label("booking_state"),
        bookings.c.start_ms,
        bookings.c.end_ms,
        _hold.c.start_ms.label("held_from_ms"),
        _hold.c.end_ms.label("held_until_ms"),
        bookings.c.vehicle_id.label("late_vehicle_id"),
        _SHOWN.label("badge_shown"),
        exists()
        .where(
            key_states.c.key_id == swap_offers.c.key_id,
            key_states.c.state == "in_slot",
            key_states.c.cabinet_id == swap_offers.c.cabinet_id,
        )
        .label("key_there"),
    )
    .join(bookings, bookings.c.id == swap_offers.c.booking_id)
    .join(_hold, _hold.c.id == swap_offers.c.hold_id)
    .where(IS_OPEN)
    .order_by(swap_offers.c.offered_ms, swap_offers.c.id)
)


def settle_offers(connection: Connection, rules: FleetRules, now_ms: int) -> None:
    """Withdraw what no longer holds, and offer what is due. Run it after the reconciler, again at any time."""
    late = at_risk(connection.execute(_TROUBLES))
    lead = {"lead_ms": rules.swap_lead_min * MINUTE_MS}
    for row in connection.execute(_OPEN, lead).all():
        view = OfferView(
            state=BookingState(row.booking_state),
            window=Window(row.start_ms, row.end_ms),
            held=Window(row.held_from_ms, row.held_until_ms),
            at_risk=row.late_vehicle_id in late.vehicles or row.booking_id in late.bookings,
            badge_shown=row.badge_shown,
            key_there=row.key_there,
        )
        why = over(rules, view, now_ms)
        if why is not None:
            values = row._asdict()
            offer = offer_of({column.name: values[column.name] for column in swap_offers.c})
            end_offer(connection, rules, offer, (OfferState.WITHDRAWN, why), now_ms)
    if rules.swap_offers and (late.vehicles or late.bookings):
        due = due_window(rules, now_ms)
        take_by_ms = due.end_ms + rules.take_by_s * 1000
        moments = {"from_ms": due.start_ms, "until_ms": due.end_ms, "take_by_ms": take_by_ms}
        which = {"vehicles": sorted(late.vehicles), "bookings": sorted(late.bookings)}
        for (booking_id,) in connection.execute(_DUE, {**lead, **moments, **which}).all():
            _make_offer(connection, rules, booking_id, now_ms)


def _make_offer(connection: Connection, rules: FleetRules, booking_id: str, now_ms: int) -> None:
    booking = booking_by_id(connection, booking_id, lock=True)
    assert booking is not None, "bookings are never deleted"
    if not booking.has_origin:
        return
    refused = [offer.vehicle_id for offer in offers_of(connection, booking_id)]
    tried = vehicles_named(connection, [booking.vehicle_id, *refused])
    (own,) = (vehicle for vehicle in tried if vehicle.id == booking.vehicle_id)
    asked = Asked(booking.station_id, own.category, booking.window)
    free = alternatives(connection, rules, asked, tried, now_ms)
    found = {vehicle.id: vehicle for vehicle in vehicles_named(connection, [other.vehicle_id for other in free])}
    candidates = [
        Candidate(other.vehicle_id, other.distance_m, _hangs_at_home(found[other.vehicle_id])) for other in free
    ]
    chosen = choose(rules, candidates, refused)
    if chosen is None:
        return
    opaque = origin_of(connection).opaque
    names = booking.id, chosen.vehicle_id  # offered once
    hold = replace(
        bound_to(booking, found[chosen.vehicle_id]),
        id=opaque("swap_hold", *names),
        grant_id=opaque("swap_hold_grant", *names),
        organisation_id=None,
        category=None,
        purpose=SWAP_HOLD,
        cost_centre_id=None,
        pool_id=None,
        driver_ids=(),
        created_ms=now_ms,
        changed_ms=now_ms,
        version=1,
    )
    if not insert_booking(connection, hold):
        return  # the database's word; the next round looks again
    offer = Offer(
        id=opaque("swap_offers", *names),
        booking_id=booking.id,
        hold_id=hold.id,
        vehicle_id=hold.vehicle_id,
        key_id=hold.key_id,
        cabinet_id=hold.cabinet_id,
        distance_m=chosen.distance_m,
        state=OfferState.OFFERED,
        offered_ms=now_ms,
        decided_ms=None,
        why=None,
    )
    open_offer(connection, rules, offer, booking)


def _hangs_at_home(vehicle: Vehicle) -> bool:
    key = vehicle.key
    return key is not None and key.place == "in_slot" and key.cabinet_id == key.home_cabinet_id
