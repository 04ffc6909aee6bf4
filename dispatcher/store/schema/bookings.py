"""Bookings, who may drive, and what became of them."""

from sqlalchemy import CheckConstraint, Column, Index, String, text

from dispatcher.core.booking_states import BookingState
from dispatcher.store.columns import id_, in_list, integer, long_text, ms, number, one_of, origin, ref, word
from dispatcher.store.schema.base import BOOKING_STATES, LIVE_BOOKING_STATES, table

bookings = table(
    "bookings",
    id_(),
    Column("grant_id", String(64), nullable=False, unique=True),
    ref("member_id", "members.id"),
    ref("organisation_id", "organisations.id", nullable=True),
    ref("vehicle_id", "vehicles.id"),
    word("category", nullable=True),
    ref("station_id", "stations.id"),
    ref("cabinet_id", "cabinets.id"),
    ref("key_id", "keys.id"),
    ms("start_ms"),
    ms("end_ms"),
    ms("original_start_ms"),
    ms("take_by_ms"),
    word("state"),
    ms("taken_ms", nullable=True),
    ms("returned_ms", nullable=True),
    ms("hold_until_ms", nullable=True),
    ms("ended_ms", nullable=True),
    ms("created_ms"),
    ms("changed_ms"),
    integer("version"),
    word("purpose", nullable=True),
    word("cost_centre_id", nullable=True),
    word("pool_id", nullable=True),
    origin(),
    one_of("state", BOOKING_STATES),
    CheckConstraint("start_ms < take_by_ms AND take_by_ms <= end_ms", name="window"),
    Index("ix_bookings_cabinet", "cabinet_id", "start_ms"),
    Index("ix_bookings_member", "member_id", "start_ms"),
)
"""`cost_centre_id` and `pool_id` are ids of their tables; SQLite adds no foreign key to a table that is there.
`purpose`: of a service order; NULL: a member's booking. `dispatcher.core.orders` has the purposes, and `swap_hold`:
such a row only keeps a vehicle that another booking is offered, and is never a right."""
Index(  # what the overlap is checked by: only live bookings, so its size does not grow with history
    "ix_bookings_vehicle_live",
    bookings.c.vehicle_id,
    bookings.c.start_ms,
    sqlite_where=text(in_list("state", LIVE_BOOKING_STATES)),
    postgresql_where=text(in_list("state", LIVE_BOOKING_STATES)),
)
Index(  # whose keys are out: few of all
    "ix_bookings_vehicle_active",
    bookings.c.vehicle_id,
    sqlite_where=text(f"state = '{BookingState.ACTIVE}'"),
    postgresql_where=text(f"state = '{BookingState.ACTIVE}'"),
)
Index(  # what timed work asks for every few seconds
    "ix_bookings_state",
    bookings.c.state,
    bookings.c.take_by_ms,
    sqlite_where=text(in_list("state", LIVE_BOOKING_STATES)),
    postgresql_where=text(in_list("state", LIVE_BOOKING_STATES)),
)
Index(  # what retention looks for: nothing is in it until a booking is over
    "ix_bookings_known",
    bookings.c.ended_ms,
    sqlite_where=text("ended_ms IS NOT NULL AND member_id <> 'forgotten'"),
    postgresql_where=text("ended_ms IS NOT NULL AND member_id <> 'forgotten'"),
)
booking_drivers = table(
    "booking_drivers",
    ref("booking_id", "bookings.id", primary_key=True),
    ref("member_id", "members.id", primary_key=True),
)
booking_history = table(
    "booking_history",
    number(),
    ref("booking_id", "bookings.id"),
    ms("at_ms"),
    word("what"),
    long_text("author"),
    long_text("detail"),
    Index(None, "booking_id"),
)
custody = table(
    "custody",
    number(),
    ref("booking_id", "bookings.id"),
    ms("at_ms"),
    ref("from_member_id", "members.id", nullable=True),
    long_text("from_name", nullable=True),
    ref("to_member_id", "members.id", nullable=True),
    long_text("to_name", nullable=True),
    long_text("author"),
    long_text("note", nullable=True),
    Index(None, "booking_id", "at_ms"),
)
"""Who declared to have handed the key of a service order on to whom: a member, or somebody by name.

Personal data: the two member ids, the two names and the note.
"""
