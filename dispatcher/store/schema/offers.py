"""Other vehicles offered to bookings whose own may not be back in time."""

from sqlalchemy import Index, UniqueConstraint, text

from dispatcher.core.late_returns import OfferState
from dispatcher.store.columns import id_, integer, ms, one_of, ref, word
from dispatcher.store.schema.base import table

OFFER_STATES = tuple(str(state) for state in OfferState)
swap_offers = table(
    "swap_offers",
    id_(),
    ref("booking_id", "bookings.id"),
    ref("hold_id", "bookings.id"),
    ref("vehicle_id", "vehicles.id"),
    ref("key_id", "keys.id"),
    ref("cabinet_id", "cabinets.id"),
    integer("distance_m"),
    word("state"),
    ms("offered_ms"),
    ms("decided_ms", nullable=True),
    word("why", nullable=True),
    one_of("state", OFFER_STATES),
    UniqueConstraint("booking_id", "vehicle_id"),
)
"""`hold_id`: the row of `bookings` with the purpose `swap_hold` that keeps the vehicle meanwhile. No person stands
here: whose it is, is known as long as the booking knows it."""
Index(  # what timed work asks for at every round
    "ix_swap_offers_open",
    swap_offers.c.booking_id,
    sqlite_where=text("state = 'offered'"),
    postgresql_where=text("state = 'offered'"),
)
