"""Projections of the ledger: who has what, where."""

from sqlalchemy import Column, Float, ForeignKey, Index, String, text

from dispatcher.store.columns import BIG, flag, integer, ms, number, one_of, ref, word
from dispatcher.store.schema.base import HANDOVER_KINDS, IDENTITIES, KEY_PLACES, table

slot_states = table(
    "slot_states",
    ref("cabinet_id", "cabinets.id", primary_key=True),
    integer("slot", primary_key=True),
    flag("key_present", nullable=True),
    flag("door_open", nullable=True),
    word("key_id", nullable=True),
    word("identity", nullable=True),
    word("opened_for", nullable=True),
    ms("changed_ms"),
    word("opened_purpose", nullable=True),
    word("opened_key", nullable=True),
    one_of("identity", IDENTITIES),
    Index(
        "ix_slot_states_open",
        "cabinet_id",
        sqlite_where=text("door_open = 1"),
        postgresql_where=text("door_open"),
    ),
)
"""`opened_for`: the grant under which the slot was released, until its key is out or the slot was seen shut.
`opened_purpose`, `opened_key`: what it was released for last, and for which key."""
key_states = table(
    "key_states",
    word("key_id", primary_key=True),
    word("state"),
    word("cabinet_id", nullable=True),
    integer("slot", nullable=True),
    word("identity"),
    word("grant_id", nullable=True),
    word("badge_ref", nullable=True),
    ms("since_ms"),
    word("command_id", nullable=True),
    Column("holder", String(100)),
    Index(
        "ix_key_states_away",
        "key_id",
        sqlite_where=text("state <> 'in_slot'"),
        postgresql_where=text("state <> 'in_slot'"),
    ),
    Index(None, "cabinet_id"),
    one_of("state", KEY_PLACES),
    one_of("identity", IDENTITIES),
)
"""`grant_id`, `command_id`: the right under which it is out. `holder`: who has it while it is elsewhere, in an
operator's words; may be a person, and is gone with the next word of the key."""
handovers = table(
    "handovers",
    Column("position", BIG, ForeignKey("facts.position"), primary_key=True, autoincrement=False),
    word("kind"),
    ref("cabinet_id", "cabinets.id"),
    integer("slot"),
    word("key_id", nullable=True),
    word("vehicle_id", nullable=True),
    word("booking_id", nullable=True),
    word("badge_ref", nullable=True),
    ms("at_ms"),
    word("identity"),
    flag("wrong_slot"),
    word("command_id", nullable=True),
    one_of("kind", HANDOVER_KINDS),
    Index(None, "booking_id"),
    Index(None, "key_id", "at_ms"),
    Index(None, "vehicle_id", "at_ms"),
    Index(None, "cabinet_id", "at_ms"),
    Index(None, "at_ms"),
)
Index(
    "ix_handovers_known",
    handovers.c.at_ms,
    sqlite_where=text("badge_ref IS NOT NULL"),
    postgresql_where=text("badge_ref IS NOT NULL"),
)
rentals = table(
    "rentals",
    number(),
    word("booking_id", nullable=True),
    word("vehicle_id", nullable=True),
    word("key_id", nullable=True),
    ref("cabinet_id", "cabinets.id"),
    word("badge_ref", nullable=True),
    ms("taken_ms"),
    ms("returned_ms", nullable=True),
    integer("odometer_start_m", nullable=True),
    integer("odometer_end_m", nullable=True),
    integer("energy_start_percent", nullable=True),
    integer("energy_end_percent", nullable=True),
    Index(None, "booking_id"),
    Index(None, "key_id", "taken_ms"),
    Index(None, "vehicle_id", "taken_ms"),
    Index(None, "taken_ms"),
)
Index(
    "ix_rentals_known",
    rentals.c.returned_ms,
    sqlite_where=text("badge_ref IS NOT NULL"),
    postgresql_where=text("badge_ref IS NOT NULL"),
)
refusals = table(
    "refusals",
    Column("position", BIG, ForeignKey("facts.position"), primary_key=True, autoincrement=False),
    ref("cabinet_id", "cabinets.id"),
    word("reason"),
    ms("at_ms"),
    word("badge_ref", nullable=True),
    word("grant_id", nullable=True),
    Index(None, "grant_id"),
)
"""Who came and got no key: a refusal, or `release_failed` where the lock did not open."""
badge_sightings = table(
    "badge_sightings",
    word("badge_ref", primary_key=True),
    ref("station_id", "stations.id"),
    ms("at_ms"),
)
"""Where each badge was shown last, by trusted clocks."""
vehicle_readings = table(
    "vehicle_readings",
    word("vehicle_id", primary_key=True),
    ms("at_ms"),
    integer("odometer_m", nullable=True),
    integer("energy_percent", nullable=True),
    flag("charging", nullable=True),
    integer("low_voltage_mv", nullable=True),
    flag("doors_open", nullable=True),
    flag("plugged_in", nullable=True),
    Index(None, "at_ms"),
)
vehicle_positions = table(
    "vehicle_positions",
    word("vehicle_id", primary_key=True),
    Column("latitude", Float, nullable=False),
    Column("longitude", Float, nullable=False),
    ms("at_ms"),
)
"""Of vehicles that were left outside their bay, from the return to the next take."""
