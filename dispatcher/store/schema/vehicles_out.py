"""Vehicles out of service for a while."""

from sqlalchemy import CheckConstraint, Index

from dispatcher.core.blocks import BlockKind
from dispatcher.store.columns import flag, id_, integer, long_text, ms, one_of, ref, word
from dispatcher.store.schema.base import table

BLOCK_KINDS = tuple(str(kind) for kind in BlockKind)

blocks = table(
    "blocks",
    id_(),
    ref("vehicle_id", "vehicles.id"),
    word("kind"),
    long_text("note", nullable=True),
    ms("start_ms"),
    ms("expected_end_ms", nullable=True),
    ms("ended_ms", nullable=True),
    flag("begun"),
    ms("created_ms"),
    ms("changed_ms"),
    long_text("author"),
    integer("version"),
    one_of("kind", BLOCK_KINDS),
    Index("ix_blocks_vehicle", "vehicle_id", "ended_ms"),
    CheckConstraint("expected_end_ms IS NULL OR start_ms < expected_end_ms", name="window"),
)
"""`ended_ms` NULL: it goes on, also past `expected_end_ms`. `begun`: the cabinets were told that it is in force.
Triggers on `bookings` refuse new time of members' bookings under a block that goes on; their clock is `changed_ms`
of the booking."""
